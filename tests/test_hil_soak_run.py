"""Soaks that really run: in a kernel with vcan that comes along, and over datagrams, ended by Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hil import ROOT, kernel
from hil.__main__ import main
from hil.soak.outcome import read
from hil.soak.verdict import judge

FULL = "frames/s"
"""Whether the flood was as fast as was asked for depends on who else uses the machine."""


def failed(folder: Path) -> list[str]:
    return [one.name for one in judge(read(folder / "soak.json")) if not one.holds and not one.name.endswith(FULL)]


def test_two_full_buses_of_a_real_kernel_lose_no_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not kernel.is_here():
        pytest.skip("user-mode-linux is not installed")
    main(["soak", "--minutes", "0.13", "--rate", "2000", "--place", "kernel", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert failed(tmp_path) == [], said
    outcome = read(tmp_path / "soak.json")
    assert [bus.kind for bus in outcome.buses] == ["classic", "64-byte FD"]
    assert all(bus.received == bus.sent > 0 for bus in outcome.buses)
    assert all(one.flash_ms is not None and 0 < one.flash_ms <= one.broker_ms for one in outcome.timed)
    assert len(outcome.looks) > 3
    assert "Memory of tbox run" in (tmp_path / "soak.html").read_text()


def test_ctrl_c_ends_a_soak_in_order_with_the_figures_so_far(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hil", "soak", "--rate", "500", "--place", "pair", "--out", str(tmp_path)]
    words += ["--json", str(tmp_path / "copy.json")]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    for line in process.stdout:
        if " 5 of 3600 s" in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    said, _ = process.communicate(timeout=120)
    assert "ending with the figures so far" in said
    assert failed(tmp_path) == [], said
    outcome = read(tmp_path / "soak.json")
    assert outcome.is_cut_short
    assert outcome.flooded_s < 3600
    assert (tmp_path / "copy.json").read_bytes() == (tmp_path / "soak.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--rate", "499"], "--rate is 500 to 20,000"),
        (["--rate", "20001"], "--rate is 500 to 20,000"),
        (["--minutes", "0"], "--minutes more than 0"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    words: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["soak", "--place", "pair", "--out", str(tmp_path), *words]) == 2
    assert why in capsys.readouterr().err
