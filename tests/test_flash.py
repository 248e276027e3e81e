"""`tbox flash`: what is not taken and why, what changes, and that nothing is left behind by what did not come into force."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from agent.errors import BundleError
from agent.flash import flash, flash_check
from agent.flash.flash import Ask, Machine, Step
from agent.slots import slot_files, slots
from agent.slots.slots import State
from agent.trust.bundle import Bundle
from agent.trust.compatible import Compatible
from tests.fleets import ANNA, BEN, CAROL, EVE, bundle_of, roster_form, signed_roster
from tests.yards import OTHER_VIN, VIN, Yard, van

NOON = 1_600_000_000_000_000


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """A terminal on which version 12 proved itself; nothing of this module changes it."""
    yard = Yard(tmp_path_factory.mktemp("yard"))
    bundle = bundle_of({"tbox.toml": b"[trip]\nend_s = 123\n"})
    content = slots.Content("acme-vans", 12, bundle.content)
    slot_files.make(yard.state_dir)
    slot_files.fill(yard.state_dir, "a", bundle.entries())
    slot_files.change(yard.state_dir, lambda state: slots.confirm(slots.commit(slots.stage(state, content), 3)))
    return yard


def zipped(entries: dict[str, bytes], compress: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as anybody can make one."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", compress) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def climbing() -> bytes:
    return zipped({**van(13).entries(), "../../etc/passwd": b"root"})


def giant() -> bytes:
    return van(13).raw() + bytes(8 << 20)


UNREADABLE: list[Any] = [
    pytest.param(lambda: van(13).raw()[:-40], "damaged", id="truncated"),
    pytest.param(lambda: b"", "damaged", id="empty"),
    pytest.param(climbing, "path", id="a path that climbs"),
    pytest.param(lambda: zipped({**van(13).entries(), "README.txt": bytes(1 << 27)}, zipfile.ZIP_DEFLATED), "compressed", id="zip bomb"),
    pytest.param(giant, "too_big", id="too big"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "reason"), UNREADABLE)
def test_what_is_no_bundle_is_66(yard: Yard, make: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(BundleError) as caught:
        yard.install(make())
    assert (caught.value.reason, caught.value.exit_code) == (reason, 66)
    assert_as_before(yard)


def test_a_gigabyte_is_not_even_read(yard: Yard, tmp_path: Path) -> None:
    path = tmp_path / "big.tbx"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BundleError) as caught:
        yard.install(path)
    assert caught.value.reason == "too_big"
    assert_as_before(yard)


def small(version: int = 13, settings: str = "[trip]\nend_s = 200\n", **said: Any) -> Bundle:
    """Without a map, which takes half a second to look at."""
    return bundle_of({"tbox.toml": settings.encode()}, version=version, **said)


FOR_OTHERS = Compatible(vin=("WDB??????????????",))
REFUSED: list[Any] = [
    pytest.param(lambda: small(13, signers=()), "unsigned", "nobody signed it", id="unsigned"),
    pytest.param(lambda: small(13, signers=(EVE,)), "key", "none of them a", id="wrong key"),
    pytest.param(lambda: small(13, signers=(ANNA,)), "threshold", "1 of the 2 signatures", id="one signature of two"),
    pytest.param(lambda: small(13, not_after_us=NOON), "expired", "was valid until", id="expired"),
    pytest.param(lambda: small(11), "older", "is older than version 12", id="older"),
    pytest.param(lambda: small(13, compatible=Compatible(hardware=("other-box",))), "hardware", "is for the hardware other-box, this is test-box", id="wrong hardware"),
    pytest.param(lambda: small(13, compatible=Compatible(agent=">=99")), "agent", "needs tbox >=99", id="wrong version of the agent"),
    pytest.param(lambda: small(13, "[trip]\nend_s = 0\n"), "settings", "trip.end_s = 0: must be", id="settings out of range"),
    pytest.param(lambda: small(13, '[recording]\npaths = ["x"]\n'), "forbidden", "recording", id="a key of the machine's"),
    pytest.param(lambda: small(13, '[vehicle]\nmap = "../x.toml"\n'), "outside", "is not in the bundle", id="a file outside"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "reason", "words"), REFUSED)
def test_what_is_not_for_this_terminal_is_refused_with_its_reason(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Bundle], reason: str, words: str
) -> None:
    monkeypatch.setattr("agent.trust.trust.now_us", lambda: NOON + 1 if reason == "expired" else None)
    outcome, steps = yard.install(make())
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("refused", reason, 1)
    assert words in outcome.words
    fails = [step.check for step in steps if step.check and step.check.verdict == "FAIL"]
    assert [bool(check.fix) for check in fails] == [True]
    assert_as_before(yard)


def test_a_revoked_key_signs_nothing_any_more(tmp_path: Path) -> None:
    yard = Yard(tmp_path, seconds=0)
    revoked = signed_roster(roster_form(2, revoked=[BEN]), (ANNA, CAROL)).text()
    (yard.state_dir / "trust" / "acme.json").write_bytes(revoked)
    outcome, _ = yard.install(small(14))
    assert (outcome.state, outcome.reason) == ("refused", "revoked")


@pytest.mark.parametrize(
    ("vin", "typed", "state", "reason", "words"),
    [
        pytest.param(VIN, "", "refused", "vin", "this car's is WVW", id="the car says another"),
        pytest.param("", "", "refused", "vin", "not known yet", id="nobody says"),
        pytest.param("", OTHER_VIN, "refused", "vin", "this car's is WVW", id="typed, another"),
        pytest.param(
            VIN, OTHER_VIN, "refused", "vin", "typed was WVWZZZ1KZAW000002", id="typed, and the car contradicts"
        ),
    ],
)
def test_a_bundle_for_another_vin_is_refused(
    tmp_path: Path, vin: str, typed: str, state: str, reason: str, words: str
) -> None:
    yard = Yard(tmp_path, vin=vin, seconds=20)
    wanted = Compatible(vin=("*000002",)) if vin and typed else FOR_OTHERS
    outcome, _ = yard.install(small(13, compatible=wanted), vin=typed)
    assert (outcome.state, outcome.reason) == (state, reason), outcome
    assert words in outcome.words
    assert yard.state == State()


def test_a_map_for_another_car_is_refused_and_a_car_asleep_is_told(tmp_path: Path) -> None:
    outcome, steps = Yard(made(tmp_path, "other"), first_id=0x300, seconds=20).install(van(13))
    assert (outcome.state, outcome.reason) == ("refused", "map")
    assert "identifiers: none of the map's 2 among" in outcome.words
    quiet = Yard(made(tmp_path, "asleep"), seconds=0)
    outcome, steps = quiet.install(van(13))
    assert (outcome.state, outcome.exit_code) == ("trial", 0)
    skipped = {step.check.name: step.check.words for step in steps if step.check and step.check.verdict == "SKIP"}
    assert "switch the ignition on" in skipped["identifiers"]
    assert quiet.state.content is not None
    assert set(quiet.state.content.skipped) >= {"identifiers", "vehicle map", "speed", "odometer", "VIN"}


def made(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def test_a_dry_run_makes_every_check_and_changes_nothing(yard: Yard) -> None:
    outcome, steps = yard.install(van(13), is_dry=True)
    assert (outcome.state, outcome.exit_code) == ("would_run", 0), outcome
    verdicts = {step.check.name: step.check.verdict for step in steps if step.check}
    assert {verdicts[name] for name in ("signature", "version", "content", "compatible", "identifiers", "VIN")} == {
        "PASS"
    }
    changed = {step.change.name: step.change for step in steps if step.change}
    end = changed["trip.end_s"]
    assert (end.old, end.new, end.unit) == ("123.0", "200.0", "s")
    assert (end.old_origin, end.new_origin) == (
        "bundle acme-vans 12 (tbox.toml:2)", "bundle acme-vans 13 (tbox.toml:2)"
    )  # fmt: skip
    assert changed["maps/van.dbc"].old == "-"
    assert_as_before(yard)


def test_where_nobody_agrees_nothing_changes(yard: Yard) -> None:
    steps = list[Step]()
    outcome = flash.install(Machine(yard.config), Ask(small(13).raw()), steps.append, lambda changes: not changes)
    assert (outcome.state, outcome.exit_code) == ("declined", 1)
    assert any(step.change for step in steps)
    assert_as_before(yard)


def test_ctrl_c_while_a_slot_is_being_written_leaves_nothing_of_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(folder: Path) -> None:
        if folder.parent.name == slot_files.FOLDER_NAME:
            raise KeyboardInterrupt

    monkeypatch.setattr("agent.slots.slot_files.sync_folder", interrupt)
    with pytest.raises(KeyboardInterrupt):
        yard.install(small(13))
    monkeypatch.undo()
    assert_as_before(yard)


@pytest.mark.parametrize("step", ["difference", "stage", "check"])
def test_ctrl_c_before_the_commit_leaves_everything_as_it_was(yard: Yard, step: str) -> None:
    def interrupt(told: Step) -> None:
        if told.step == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flash.install(Machine(yard.config), Ask(small(13).raw()), interrupt)
    assert_as_before(yard)


def test_what_is_in_force_is_not_put_there_again(yard: Yard) -> None:
    outcome, _ = yard.install(bundle_of({"tbox.toml": b"[trip]\nend_s = 123\n"}))
    assert (outcome.state, outcome.exit_code) == ("unchanged", 0)
    assert_as_before(yard)


def test_two_at_once_are_one_too_many(yard: Yard) -> None:
    with slot_files.held(yard.state_dir / "slots" / flash.LOCK_NAME, ""), pytest.raises(Exception, match="under way"):
        yard.install(small(13))


def test_what_failed_here_is_taken_again_only_by_hand(tmp_path: Path) -> None:
    yard = Yard(tmp_path, seconds=0)
    bundle = small(13)
    content = slots.Content("acme-vans", 13, bundle.content)
    slot_files.change(
        yard.state_dir, lambda state: slots.revert(slots.commit(slots.stage(state, content), 3), "kills the agent")
    )  # fmt: skip
    for how in ("mqtt", "usb"):
        outcome, _ = yard.install(bundle, how=how)
        assert (outcome.reason, "kills the agent" in outcome.words) == ("failed_before", True)
    assert yard.install(bundle, how="local")[0].state == "trial"


def assert_as_before(yard: Yard) -> None:
    """Version 12 is in force, nothing is staged or left over."""
    assert yard.end_s() == 123
    state = yard.state
    assert (state.phase, list(state.slots), state.staged) == ("healthy", ["a"], "")
    assert {path.name for path in (yard.state_dir / "slots").iterdir()} == {"a", "state.json", flash.LOCK_NAME}


# ---- the checks of the car ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told_m", "verdict", "words"),
    [
        pytest.param([], "SKIP", "does not tell it", id="not told"),
        pytest.param([0.0], "PASS", "0.0 km", id="new"),
        pytest.param([3e9], "PASS", "3000000.0 km", id="as far as can be"),
        pytest.param([3e9 + 1], "FAIL", "3000000.0 km", id="farther"),
        pytest.param([-1.0], "FAIL", "-0.0 km", id="less than nothing"),
        pytest.param([5000.0, 5000.0, 5100.0], "PASS", "5.1 km", id="goes on"),
        pytest.param([5000.0, 4999.0], "FAIL", "it went back", id="goes back"),
    ],
)
def test_an_odometer_is_plausible(told_m: list[float], verdict: str, words: str) -> None:
    check = flash_check.check_odometer(told_m)
    assert (check.verdict, words in check.words) == (verdict, True), check


@pytest.mark.parametrize(
    ("typed", "heard", "also", "verdict", "words"),
    [
        pytest.param("", [VIN], "", "PASS", VIN, id="the car says it"),
        pytest.param("", [], VIN, "PASS", VIN, id="the running agent knows it"),
        pytest.param("", [VIN], VIN, "PASS", VIN, id="both"),
        pytest.param(VIN, [VIN], "", "PASS", VIN, id="typed as it is"),
        pytest.param(VIN, [], "", "PASS", "typed by hand", id="typed only"),
        pytest.param("", [], "", "SKIP", "--vin", id="nobody"),
        pytest.param(OTHER_VIN, [VIN], "", "FAIL", "typed was", id="typed wrongly"),
        pytest.param("", [VIN, OTHER_VIN], "", "FAIL", " and ", id="two of them"),
        pytest.param("", [VIN], OTHER_VIN, "FAIL", " and ", id="the agent heard another"),
        pytest.param("", ["0" * 16], "", "FAIL", "is none", id="no VIN"),
    ],
)
def test_the_car_is_the_one_that_was_meant(typed: str, heard: list[str], also: str, verdict: str, words: str) -> None:
    check = flash_check.check_vin(flash_check.Known(typed, also), heard)
    assert (check.verdict, words in check.words) == (verdict, True), check
