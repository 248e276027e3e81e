"""The bench as it is called: scenarios in place `process`, verdicts, pages, JUnit, and what it refuses."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hil.__main__ import main
from hil.outcome import Outcome, read
from hil.places import places
from hil.scenes.scenario_file import FOLDER, find, missing
from hil.scenes.scenario_file import read as read_scenario

QUICK = (
    "harsh-day",
    "motorway",
    "taxi",
    "crash-left",
    "crash-clipped",
    "rollover",
    "tow",
    "unplugged",
    "bad-bus",
    "near-misses",
)
"""A few seconds of processor time together; `make hil` runs them all."""


def run(out: Path, *words: str) -> int:
    return main(["run", *words, "--out", str(out)])


@pytest.mark.parametrize("name", QUICK)
def test_a_shipped_scenario_holds(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not missing(read_scenario(find(name)))
    code = run(tmp_path, name, "--place", "process")
    said = capsys.readouterr().out
    assert code == 0, said
    assert f"PASS {name} in process" in said
    assert "<h1>" in (tmp_path / f"{name}.html").read_text()


def test_us06_has_two_harsh_accelerations_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if missing(read_scenario(find("us06"))):
        pytest.skip("the recordings are not beside the project: no speed trace of US06")
    assert run(tmp_path, "us06") == 0, capsys.readouterr().out


def test_the_same_seed_gives_the_same_outcome_and_another_one_other_noise(tmp_path: Path) -> None:
    told: list[Outcome] = []
    for seed in ("7", "7", "8"):
        run(tmp_path, "crash-left", "--place", "process", "--seed", seed)
        told.append(read(tmp_path / "crash-left.json"))
    assert told[0].events == told[1].events != told[2].events


def test_a_wrong_expectation_is_red_and_tells_how_to_see_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.toml"
    text = (FOLDER / "harsh-day.toml").read_text()
    wrong.write_text(text.replace("from_s = 12, to_s = 13", "from_s = 18, to_s = 19"))
    code = run(tmp_path, str(wrong), "--place", "process", "--seed", "5", "--junit", str(tmp_path / "j.xml"))
    said = capsys.readouterr().out
    again = f"python -m hil run {wrong} --place process --seed 5"
    assert code == 1
    assert "✗ 1 x harsh_braking medium between 18 and 19 s: none like it: harsh_braking medium" in said
    assert "✗ no other event: harsh_braking" in said
    assert f"again: {again}" in said
    assert said.endswith("0 passed, 1 failed, 0 skipped: wrong\n")
    assert len(list(ET.parse(tmp_path / "j.xml").iter("failure"))) == 2
    assert "FAIL: 2 of" in (tmp_path / "wrong.html").read_text()
    assert main(["run", str(wrong), "--place", "process", "--seed", "5", "--out", str(tmp_path)]) == 1


def test_settings_that_tbox_refuses_are_a_failure_with_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text((FOLDER / "harsh-day.toml").read_text().replace("trip.end_s", "trip.ends"))
    assert run(tmp_path, str(wrong), "--place", "process") == 1
    assert "✗ runs: tbox replay ended with 78: tbox: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["harsh-dya"], "did you mean harsh-day?", id="a name that is none"),
        pytest.param(["fatigue", "--place", "kernel"], "fatigue: cannot run in kernel: it names process", id="not its place"),
        pytest.param(["harsh-day", "--place", "qemu"], "cannot run in qemu: it names process", id="qemu"),
        pytest.param(["harsh-day", "--place", "wired"], "say which interface is the car", id="wired"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_said_in_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, *words) == 2
    assert said in capsys.readouterr().err


def test_a_verdict_that_cannot_be_written_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["run", "harsh-day", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "out: cannot be written: Not a directory" in capsys.readouterr().err
    assert run(tmp_path, "harsh-day", "--place", "process", "--junit", str(tmp_path / "no" / "j.xml")) == 2
    assert "j.xml: cannot be written: No such file or directory" in capsys.readouterr().err


def test_what_would_change_this_machine_runs_in_a_kernel_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.toml"
    own.write_text((FOLDER / "clock-step.toml").read_text().replace('["kernel"]', '["live"]'))
    assert run(tmp_path, str(own), "--place", "live") == 2
    assert "clock_step would change this machine: run it with --place kernel" in capsys.readouterr().err


def test_a_trace_that_is_not_here_is_a_skip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.toml"
    own.write_text((FOLDER / "us06.toml").read_text().replace("us06.csv", "nowhere.csv"))
    assert run(tmp_path, str(own), "--junit", str(tmp_path / "j.xml")) == 1, "nothing was tried"
    assert "SKIP" in capsys.readouterr().out
    assert "nowhere.csv is not on this machine" in (tmp_path / "j.xml").read_text()


def test_the_list_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    about = [line for line in said.splitlines() if line.startswith("place ")]
    assert len(said.splitlines()) == len(list(FOLDER.glob("*.toml"))) + len(about)
    assert about[0] == "place process: here"
    assert [line.split(":")[0] for line in about] == [f"place {place}" for place in places.PLACES]
    assert "No network in mid-drive [link_cut]  (kernel, vcan, live)" in said
