"""A yard's list: the row of this car is flashed, done rows are left, a torn result is not believed, bad rows are named."""

from pathlib import Path

import pytest

from agent.errors import InputError
from agent.flash import worklist
from agent.flash.flash import Ask, Machine, Outcome, Step
from agent.flash.worklist import Row
from tests.fleets import bundle_of
from tests.yards import OTHER_VIN, VIN, Yard

HEAD = "plate,vin,bundle\n"
ROW = Row(2, "B-AB 1", VIN, "van.tbx")


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """A terminal in a car that says nothing."""
    return Yard(tmp_path, seconds=0)


def run(yard: Yard, path: Path, vin: str = VIN) -> Outcome:
    steps = list[Step]()
    return worklist.run(Machine(yard.config), path, Ask(b"", vin=vin), steps.append, lambda _: True)


def listed(yard: Yard, *rows: str) -> Path:
    path = yard.folder / "yard.csv"
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    yard.bundle("van.tbx", bundle_of())
    return path


def test_the_row_of_this_car_is_flashed_and_noted_once(yard: Yard) -> None:
    path = listed(yard, f"B-XY 9,{OTHER_VIN},none.tbx", f"B-AB 1,{VIN.lower()},van.tbx")
    outcome = run(yard, path)
    assert (outcome.state, yard.end_s()) == ("trial", 200)
    told = (yard.folder / "yard.result.csv").read_text().splitlines()
    assert told[0] == ",".join(worklist.RESULTS)
    assert told[1].split(",")[1:6] == ["B-AB 1", VIN, "van.tbx", "trial", ""]
    outcome = run(yard, path)
    assert (outcome.state, "done already" in outcome.words) == ("unchanged", True)
    assert len((yard.folder / "yard.result.csv").read_text().splitlines()) == 2


def test_a_bundle_that_is_refused_is_noted_and_tried_again(yard: Yard) -> None:
    path = listed(yard, f"B-AB 1,{VIN},van.tbx")
    yard.bundle("van.tbx", bundle_of(signers=()))
    assert run(yard, path).reason == "unsigned"
    assert worklist.done(yard.folder / "yard.result.csv") == set()
    yard.bundle("van.tbx", bundle_of())
    assert run(yard, path).state == "trial"
    states = [line.split(",")[4] for line in (yard.folder / "yard.result.csv").read_text().splitlines()[1:]]
    assert states == ["refused", "trial"]


@pytest.mark.parametrize("kept", range(0, 80, 3))
def test_a_torn_line_is_not_believed_and_hides_nothing(tmp_path: Path, kept: int) -> None:
    results = tmp_path / "yard.result.csv"
    worklist.note(results, ROW, Outcome("running", 'it "proved", itself'))
    whole = results.read_bytes()
    worklist.note(results, Row(3, "B-AB 2", OTHER_VIN, "x.tbx"), Outcome("running", 'it "proved", itself'))
    torn = results.read_bytes()[: len(whole) + kept]
    results.write_bytes(torn)
    assert worklist.done(results) == {VIN}
    last = "WVWZZZ1KZAW000003"
    worklist.note(results, Row(4, "B-AB 3", last, "x.tbx"), Outcome("running", "well"))
    assert worklist.done(results) == {VIN, last}
    assert results.read_bytes().startswith(torn)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("plate,vin\n", ":1: no column bundle", id="a column is missing"),
        pytest.param("", ":1: no column plate, vin, bundle", id="empty"),
        pytest.param(f"{HEAD}B-AB 1,{VIN[:-1]},x.tbx\n", ':2: "WVWZZZ1KZAW00000" is no VIN', id="a VIN too short"),
        pytest.param(
            f"{HEAD}B-AB 1,{VIN},x.tbx\nB-AB 2,{VIN[:-1]}I,x.tbx\n", ":3: .* is no VIN", id="a letter no VIN has"
        ),
        pytest.param(f"{HEAD}B-AB 1,{VIN}\n", ":2: no bundle is named for B-AB 1", id="no bundle"),
        pytest.param(f"{HEAD}a,{VIN},x\nb,{VIN},y\n", f":3: {VIN} stands on line 2 already", id="twice"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "yard.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        worklist.read(path)


def test_a_list_that_is_no_text_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "yard.csv"
    path.write_bytes(HEAD.encode() + b"M\xfcller,x,y\n")
    with pytest.raises(InputError, match=r"yard.csv:2: not UTF-8"):
        worklist.read(path)


def test_a_car_that_is_not_on_the_list_or_not_known_is_said(yard: Yard) -> None:
    path = listed(yard, f"B-AB 1,{VIN},van.tbx")
    with pytest.raises(InputError, match="is on none of its 1 rows"):
        run(yard, path, OTHER_VIN)
    with pytest.raises(InputError, match="give it with --vin"):
        run(yard, path, "")
    assert not (yard.folder / "yard.result.csv").exists()
