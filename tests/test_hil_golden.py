"""What comes of a scenario is kept beside it, changes only when that is meant, and tells no place and no date."""

import json
from pathlib import Path

import pytest

from hil.__main__ import main
from hil.outcome import EventFound, Outcome, TripFound
from hil.report import golden
from hil.scenes.scenario_file import FOLDER, find, names, read

BRAKING = EventFound(
    kind="harsh_braking", start_s=12.3449, end_s=14.0, severity="low", peak_mps2=5.0499, sources=("speed",)
)
TRIP = TripFound(start_s=1.0, end_s=30.0, distance_m=1000.4999, end_reason="stopped")
KEPT = (
    '{"record":"event","kind":"harsh_braking","start_s":12.34,"end_s":14.0,"severity":"low","peak_mps2":5.0,"sources":["speed"]}\n'
    '{"record":"trip","start_s":1.0,"end_s":30.0,"distance_m":1000.0,"end_reason":"stopped"}\n'
)
TOLD = {
    "record", "kind", "start_s", "end_s", "severity", "direction", "peak_mps2", "delta_v_mps", "rule", "value", "is_locked",
    "sources", "distance_m", "end_reason",
}  # fmt: skip
BYTES_MAX = 10_000
SMALL = (
    'title = "t"\nwhy = "w"\nplaces = ["process"]\nfeed = "rows"\nstep_s = 0.5\nexpect = {}\n'
    'drive = [{ label = "a", lasts_s = 8, forward_mps2 = 2 }]\n'
)


def outcome(*events: EventFound, trips: tuple[TripFound, ...] = (TRIP,)) -> Outcome:
    return Outcome(scenario="x", place="process", seed=1, took_s=1.0, drive_s=30.0, events=events, trips=trips)


def test_it_is_a_line_each_rounded_and_without_what_is_not_so() -> None:
    assert golden.text(outcome(BRAKING)) == KEPT
    assert golden.text(outcome(trips=())) == ""


@pytest.mark.parametrize(
    ("now", "words"),
    [
        pytest.param(outcome(BRAKING), "2 lines in own.expected.jsonl", id="as it was"),
        pytest.param(outcome(), 'was {"record":"event","kind":"harsh_braking"', id="an event less"),
        pytest.param(
            outcome(BRAKING, BRAKING), "1 more lines differ; if it is meant: python -m hil run", id="one more"
        ),
        pytest.param(outcome(BRAKING, trips=()), "now nothing; if it is meant: python -m hil run", id="no trip"),
    ],
)
def test_what_differs_is_told_with_the_way_to_keep_it(tmp_path: Path, now: Outcome, words: str) -> None:
    path = tmp_path / "own.toml"
    assert list(golden.compare(path, now)) == [], "nothing is kept of a scenario of one's own"
    assert golden.write(path, outcome(BRAKING))
    assert not golden.write(path, outcome(BRAKING))
    (finding,) = golden.compare(path, now)
    assert words in finding.words
    assert finding.holds == (now == outcome(BRAKING))


def test_one_that_ships_must_have_it() -> None:
    (finding,) = golden.compare(FOLDER / "brand-new.toml", outcome())
    assert not finding.holds
    assert finding.words.startswith(
        "there is no brand-new.expected.jsonl yet; if it is meant: python -m hil run brand-new --"
    )


def test_every_scenario_of_place_process_has_it_and_nothing_else_does() -> None:
    wanted = {name for name in names() if "process" in read(find(name)).places}
    assert {path.name.removesuffix(".expected.jsonl") for path in FOLDER.glob("*.expected.jsonl")} == wanted


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.expected.jsonl")), ids=lambda path: path.stem)
def test_what_is_kept_is_small_and_tells_no_place(path: Path) -> None:
    assert path.stat().st_size < BYTES_MAX
    for line in path.read_text().splitlines():
        told = json.loads(line)
        assert set(told) <= TOLD
        assert told["end_s"] < 40 * 86_400, "a date"


def test_it_is_written_when_that_is_asked_for_and_compared_from_then_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(SMALL)
    assert main(["run", str(own), "--out", str(tmp_path), "--write"]) == 0
    assert "own.expected.jsonl: changed" in capsys.readouterr().out
    own.write_text(SMALL.replace("lasts_s = 8", "lasts_s = 9"))
    assert main(["run", str(own), "--out", str(tmp_path)]) == 1
    assert "✗ as it was: was" in capsys.readouterr().out
    assert main(["run", str(own), "--out", str(tmp_path), "--seed", "2"]) == 0, "other noise is something else"


def test_a_verdict_that_is_red_keeps_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.toml"
    own.write_text(SMALL.replace("expect = {}", "expect = { trip = [] }"))
    assert main(["run", str(own), "--out", str(tmp_path), "--write"]) == 1
    assert "changed" not in capsys.readouterr().out
    assert not golden.beside(own).exists()
