"""A sample of the power cuts (`make powercut` makes ten thousand), what ends the processes, and whether all is awake."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hil import ROOT
from tests import powercut, powercut_agent, powercut_shim, powercut_store
from tests.powercut_defects import CUTS, DEFECTS, try_one

WRITES = """
import os, sys
from pathlib import Path
from tests import powercut_shim
folder, elsewhere = Path(sys.argv[1]), Path(sys.argv[2])
def work():
    elsewhere.write_bytes(b"not counted")
    with open(folder / "file", "wb", buffering=0) as file:
        file.write(b"12345678")
        os.fsync(file.fileno())
        file.write(b"more")
    os.rename(folder / "file", folder / "renamed")
    os.unlink(folder / "renamed")
    Path(folder / "last").mkdir()
ended = powercut_shim.run(work, folder, int(sys.argv[3]), is_torn=sys.argv[4] == "torn")
print(ended.is_cut, *(f"{call.name}:{call.file}:{call.size}" for call in ended.calls), ended.trouble)
"""
CALLS = [
    "open:file:0",
    "write:file:8",
    "fsync:file:0",
    "write:file:4",
    "rename:renamed:0",
    "unlink:renamed:0",
    "mkdir:last:0",
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return powercut_shim.build(tmp_path_factory.mktemp("shim"))


@pytest.mark.parametrize(
    ("at", "how", "calls", "left"),
    [
        pytest.param(0, "", CALLS, {"last": None}, id="never"),
        pytest.param(1, "", CALLS[:1], {}, id="before the first"),
        pytest.param(2, "", CALLS[:2], {"file": b""}, id="before a write"),
        pytest.param(2, "torn", CALLS[:2], {"file": b"1234"}, id="in the middle of a write"),
        pytest.param(3, "torn", CALLS[:3], {"file": b"12345678"}, id="nothing can be torn there"),
        pytest.param(5, "", CALLS[:5], {"file": b"12345678more"}, id="before it gets its name"),
        pytest.param(7, "", CALLS, {}, id="before the last"),
        pytest.param(8, "", CALLS, {"last": None}, id="beyond the last"),
    ],
)
def test_a_process_ends_at_the_call_that_was_named(
    library: Path, tmp_path: Path, at: int, how: str, calls: list[str], left: dict[str, bytes | None]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    words = [sys.executable, "-c", WRITES, str(folder), str(tmp_path / "elsewhere"), str(at), how]
    environment = {**powercut_shim.environment(library), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    is_cut, *counted = done.stdout.split()
    assert (is_cut == "True", counted) == (0 < at <= len(CALLS), calls)
    assert {one.name: one.read_bytes() if one.is_file() else None for one in folder.iterdir()} == left


def test_killed_at_any_write_the_store_has_all_that_it_reported_as_synced(capfd: pytest.CaptureFixture[str]) -> None:
    code = powercut_store.main(["--seed=1", "--cuts=40"])
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (code, told["bad"], told["part"]) == (0, 0, "store")
    assert told["cuts"] >= 40


def test_the_agent_killed_at_any_write_starts_by_itself_and_nothing_is_missing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = powercut_agent.main(["--seed=1", "--cuts=1"])
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (code, told["bad"], told["part"]) == (0, 0, "agent")
    assert told["cuts"] >= 1


def test_the_drive_of_the_agent_has_what_a_cut_must_meet() -> None:
    rows = [row.split(",") for row in powercut_agent.drive()][1:]
    force = [abs(float(row[4])) for row in rows]
    told = [(float(row[0]), float(row[1]), row[3]) for row in rows if row[1]]
    assert max(force) > 250
    assert max(speed for _, speed, _ in told) == pytest.approx(20.0, abs=0.1)
    assert (told[-1][1], told[-1][2]) == (0.0, "0")


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_can_be_planted(name: str) -> None:
    defect = DEFECTS[name]
    assert (ROOT / defect.file).read_text().count(defect.right) >= 1
    assert defect.right != defect.wrong
    assert defect.part in CUTS


def test_a_defect_that_is_planted_is_seen() -> None:
    assert "do not fit the end of the account" in try_one(replace(DEFECTS["tail_apart"], scene="first start"), 400)


def test_what_all_parts_told_is_one_result() -> None:
    results = [
        {"part": "store", "cuts": 3, "bad": 0, "failed": False},
        {"part": "store", "cuts": 4, "bad": 1, "failed": True},
        {"part": "block", "cuts": 5, "bad": 0, "failed": False},
    ]
    told = powercut.total(results, 7, 2.04)
    assert told == {
        "seed": 7, "cuts": 12, "bad": 1, "failed": ["store"], "took_s": 2.0, "store": 7, "agent": 0, "block": 5,
    }  # fmt: skip


def test_the_whole_set_is_of_ten_thousand_cuts_and_of_hundreds_with_the_whole_agent() -> None:
    cuts = {part: sum(job.cuts for job in powercut.JOBS if job.part == part) for part in powercut.PARTS}
    assert sum(cuts.values()) >= 10_000
    assert cuts["agent"] >= 300
    assert min(cuts.values()) > 0
