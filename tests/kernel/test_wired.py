"""Place `wired` on a pair of vxcan links, which are the two ends of one wire: its checklist, and a drive with a box."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hil.__main__ import main
from hil.terminal import Plug, Terminal
from hil.wired.checks import check_wire
from hil.wired.report import check_report
from hil.wires.broker import free_port
from hil.wires.site import Site
from hil.wires.wire import End

CAR, TERMINAL = "vxcan1", "vxcan0"
GOOD = {
    "car's interface": "PASS",
    "terminal's interface": "PASS",
    "bit rate": "SKIP",
    "error counters": "SKIP",
    "a frame gets there": "PASS",
    "after it": "SKIP",
    "supply": "PASS",
    "broker": "PASS",
    "terminal reports": "PASS",
}

DRIVE = """
title = "Round the block"
why = "The shortest drive that is a trip."
places = ["vcan"]
settings = { "trip.end_s" = 3 }
drive = [
    { label = "engine on", lasts_s = 1.0 },
    { label = "pulls away", lasts_s = 3.0, forward_mps2 = 2.5 },
    { label = "stops", lasts_s = 2.0, forward_mps2 = -5.2 },
    { label = "engine off", lasts_s = 4.5, engine = false },
]
[expect]
distance_share = 0.03
trip = [{ end_reason = "stopped" }]
event = [{ kind = "harsh_braking", from_s = 3.8, to_s = 5.5 }]
"""


def link(*words: str) -> None:
    subprocess.run(["ip", "link", *words], check=True)


@pytest.fixture(autouse=True)
def pair() -> Iterator[None]:
    """A wire with two ends."""
    link("add", "dev", TERMINAL, "type", "vxcan", "peer", "name", CAR)
    for name in (TERMINAL, CAR):
        link("set", name, "up")
    yield
    link("del", TERMINAL)


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and the lines by name."""
    code = main(["wired", "--check", "--json", "--supply", "13.8", *words])
    told = json.loads(capsys.readouterr().out)
    assert told["good"] == (code == 0)
    return code, {check["name"]: check for check in told["checks"]}


def test_a_good_wire_passes_to_the_terminals_word(capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = checked(capsys, "--car", CAR, "--terminal", TERMINAL)
    assert (code, {name: check["verdict"] for name, check in checks.items()}) == (0, GOOD)


def test_a_link_that_is_both_ends_is_a_good_wire_too() -> None:
    told = {check.name: check.verdict for check in check_wire(Site(car=End("vcan0"), terminal=End("vcan0")))}
    assert told == {name: GOOD[name] for name in told}
    assert told["a frame gets there"] == "PASS"


def test_an_end_that_is_down_is_told_with_the_command_that_helps(capsys: pytest.CaptureFixture[str]) -> None:
    link("set", TERMINAL, "down")
    code, checks = checked(capsys, "--car", CAR, "--terminal", TERMINAL)
    assert code == 1
    assert checks["terminal's interface"]["fix"] == "ip link set vxcan0 up"
    assert checks["a frame gets there"]["verdict"] == "SKIP"


def test_ends_of_two_wires_hear_nothing_of_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = checked(capsys, "--car", "vcan0", "--terminal", TERMINAL)
    assert code == 1
    assert checks["a frame gets there"]["words"] == "sent from vcan0, not heard on vxcan0"
    assert "60 ohm" in checks["a frame gets there"]["fix"]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[tuple[Terminal, int]]:
    """A terminal that runs by itself, and the port where it looks for its broker."""
    port, folder = free_port(), tmp_path / "box"
    folder.mkdir()
    made = Terminal(folder, Plug(end=End(TERMINAL)), port, {"device.name": "box", "trip.end_s": 3})
    made.start()
    yield made, port
    made.close()


def test_a_box_elsewhere_is_known_by_its_id(box: tuple[Terminal, int]) -> None:
    where = ("127.0.0.1", box[1])
    *_, good = check_report(Site(car=End(CAR), listen=where, is_box=True))
    assert (good.verdict, good.words) == ("PASS", "device box")
    *_, bad = check_report(Site(car=End(CAR), listen=where, is_box=True, device="another"), wait_s=3.0)
    assert (bad.verdict, bad.words) == ("FAIL", "box within 3 s, not another")


def test_a_box_elsewhere_is_driven_and_only_this_drive_is_judged(
    box: tuple[Terminal, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "block.toml"
    path.write_text(DRIVE)
    words = ["run", str(path), "--place", "wired", "--car", CAR, "--broker", f"127.0.0.1:{box[1]}"]
    code = main([*words, "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert code == 0, said
    for line in (
        "PASS a frame gets there: from vxcan1, acknowledged",
        "the box must have these settings: trip.end_s = 3",
        "✓ 1 trip: 1 ended",
        "✓ 0 starts: 0",
    ):
        assert line in said
