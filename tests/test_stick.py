"""A USB stick: its bundle goes the same way as any other, the result is written back, and nothing else on it matters."""

from pathlib import Path

import pytest

from agent.errors import InputError
from agent.flash import stick
from agent.flash.flash import Machine, Outcome, Step
from agent.trust.compatible import Compatible
from tests.fleets import bundle_of
from tests.yards import Yard


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    (tmp_path / "stick" / "tbox").mkdir(parents=True)
    return Yard(tmp_path, seconds=0)


def run(yard: Yard) -> tuple[Outcome, str]:
    """What came of it, and what stands on the stick."""
    steps = list[Step]()
    outcome = stick.run(Machine(yard.config), yard.folder / "stick", steps.append)
    return outcome, (yard.folder / "stick" / "tbox" / "result-new.txt").read_text()


def put(yard: Yard, name: str, raw: bytes) -> None:
    (yard.folder / "stick" / "tbox" / name).write_bytes(raw)


def test_the_highest_version_for_this_terminal_is_taken_and_the_result_written_back(yard: Yard) -> None:
    put(yard, "old.tbx", bundle_of(version=3).raw())
    put(yard, "new.tbx", bundle_of({"tbox.toml": b"[trip]\nend_s = 222\n"}, version=4).raw())
    put(yard, "others.tbx", bundle_of(version=9, compatible=Compatible(hardware=("other-box",))).raw())
    put(yard, "broken.tbx", b"PK")
    outcome, told = run(yard)
    assert (outcome.state, yard.end_s()) == ("trial", 222)
    assert yard.state.content is not None
    assert yard.state.content.how == "usb"
    assert "verify: broken.tbx: " in told
    assert "PASS  signature: signed by Anna, Ben" in told
    assert "trip.end_s: 300.0 -> 222.0 s" in told
    assert told.splitlines()[-1].startswith("trial: ")


def test_where_none_is_for_this_terminal_it_says_why(yard: Yard) -> None:
    put(yard, "others.tbx", bundle_of(compatible=Compatible(hardware=("other-box",))).raw())
    outcome, told = run(yard)
    assert (outcome.state, outcome.reason) == ("refused", "hardware")
    assert "FAIL  hardware: is for the hardware other-box" in told


def test_an_empty_stick_is_refused_and_one_without_the_folder_is_no_input(yard: Yard) -> None:
    outcome, told = run(yard)
    assert (outcome.reason, "no bundle for this terminal" in told) == ("none", True)
    with pytest.raises(InputError, match="put bundles into a folder tbox"):
        stick.run(Machine(yard.config), yard.folder, lambda _: None)


def test_links_are_not_followed_and_nothing_but_the_result_is_written(yard: Yard) -> None:
    outside = yard.bundle("outside.tbx", bundle_of())
    place = yard.folder / "stick" / "tbox"
    (place / "link.tbx").symlink_to(outside)
    victim = yard.folder / "victim"
    victim.write_text("untouched")
    (place / "result-new.txt.new").symlink_to(victim)
    outcome, _ = run(yard)
    assert outcome.reason == "none"
    assert victim.read_text() == "untouched"
    assert {path.name for path in place.iterdir()} == {"link.tbx", "result-new.txt"}
    assert not (place / "result-new.txt").is_symlink()


def test_more_bundles_than_anybody_needs_are_not_all_read(yard: Yard) -> None:
    for number in range(stick.BUNDLES_MAX + 3):
        put(yard, f"{number:02}.tbx", bundle_of(version=number + 1).raw())
    found, bad = stick.found(yard.folder / "stick" / "tbox")
    assert (len(found), bad) == (stick.BUNDLES_MAX, [])
