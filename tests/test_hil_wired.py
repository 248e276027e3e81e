"""Place `wired` where this kernel has no CAN: its checklist on made-up links and python-can's virtual bus, what it refuses.

tests/kernel/test_wired.py tries it on links of a real kernel.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent.codec import ZEROS, Record, make
from hil.__main__ import main
from hil.places.places import PlaceError, plan
from hil.scenes.scenario_file import ScenarioError, find, read
from hil.wired.box import Box, BoxBooks, BoxInbox
from hil.wired.checks import check_supply, check_wire
from hil.wires.controller import Link, LinkError
from hil.wires.site import Site
from hil.wires.wire import End, EndError, parse_end

VIRTUAL = End("wire", "virtual")
UP = Link("can0", "can", is_up=True, bitrate=500_000, state="ERROR-ACTIVE")
OTHER = Link("can1", "can", is_up=True, bitrate=500_000, state="ERROR-ACTIVE")
WIRES = Site("wired", car=End("can1"), terminal=End("can0"))
BOX = Site("wired", car=End("can1"), is_box=True, listen=("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        pytest.param("can1", End("can1"), id="SocketCAN"),
        pytest.param("pcan:PCAN_USBBUS1@250000", End("PCAN_USBBUS1", "pcan", 250_000), id="with its bit rate"),
        pytest.param("slcan:/dev/ttyACM0@500000", End("/dev/ttyACM0", "slcan", 500_000), id="a serial port"),
    ],
)
def test_an_interface_is_named_in_one_word(text: str, end: End) -> None:
    assert parse_end(text) == end
    assert str(end) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("pkan:1", "no interface pkan; it has .*pcan", id="no such interface"),
        pytest.param("pcan:", "wanted is", id="no channel"),
        pytest.param("can0@fast", "wanted is", id="no number"),
    ],
)
def test_a_word_that_names_none_is_refused_with_what_there_is(text: str, said: str) -> None:
    with pytest.raises(EndError, match=said):
        parse_end(text)


def changed(link: Link, **parts: Any) -> Link:
    return Link(**{name: getattr(link, name) for name in Link.__slots__} | parts)


def told(site: Site, *links: Link) -> dict[str, tuple[str, str, str]]:
    """The checklist on links that are like this; one that is not among them is not there."""

    def look(channel: str) -> Link:
        for link in links:
            if link.channel == channel:
                return link
        raise LinkError(f'Device "{channel}" does not exist.')

    return {check.name: (check.verdict, check.words, check.fix) for check in check_wire(site, look)}


@pytest.mark.parametrize(
    ("site", "links", "name", "words", "fix"),
    [
        pytest.param(WIRES, [UP], "car's interface", 'Device "can1" does not exist.', "plugged in", id="no adapter"),
        pytest.param(
            WIRES, [UP, changed(OTHER, is_up=False)], "car's interface", "can1 is down",
            "ip link set can1 up type can bitrate 500000", id="down",
        ),
        pytest.param(
            WIRES, [UP, changed(OTHER, bitrate=250_000)], "bit rate", "250000 bit/s and 500000 bit/s",
            "bitrate 250000", id="two bit rates",
        ),
        pytest.param(
            WIRES, [UP, changed(OTHER, tx_errors=8)], "error counters", "can1: ERROR-ACTIVE, 8 sending, 0 receiving",
            "60 ohm", id="eight errors are one frame that nobody took",
        ),
        pytest.param(
            WIRES, [changed(UP, rx_errors=1), OTHER], "error counters", "can0: ERROR-ACTIVE, 0 sending, 1 receiving",
            "ground", id="one error at the terminal",
        ),
        pytest.param(
            BOX, [changed(OTHER, state="BUS-OFF")], "error counters", "can1: BUS-OFF, 0 sending, 0 receiving",
            "down and up again", id="off the bus",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_on_the_wire_fails_with_its_fix_and_nothing_is_sent(
    site: Site, links: list[Link], name: str, words: str, fix: str
) -> None:
    checks = told(site, *links)
    assert checks[name][:2] == ("FAIL", words)
    assert fix in checks[name][2]
    if name != "bit rate":
        assert checks["a frame gets there"][0] == "SKIP"


def test_a_frame_that_a_listening_terminal_cannot_acknowledge_is_told_as_that() -> None:
    quiet = changed(UP, modes=("listen-only",))
    verdict, _, fix = told(WIRES, quiet, OTHER)["a frame gets there"]
    assert verdict == "FAIL", "there is no can1 here"
    assert "can0 listens only and acknowledges nothing: put a third node on the wire" in fix


def test_a_frame_gets_from_end_to_end_of_a_virtual_wire() -> None:
    checks = told(Site("wired", car=VIRTUAL, terminal=VIRTUAL))
    assert checks["a frame gets there"][0] == "PASS"
    assert told(Site("wired", car=VIRTUAL, terminal=End("other", "virtual")))["a frame gets there"][0] == "FAIL"


@pytest.mark.parametrize(
    ("measured_v", "verdict"),
    [(None, "SKIP"), (10.9, "FAIL"), (11.0, "PASS"), (16.0, "PASS"), (16.1, "FAIL")],
)
def test_the_supply_is_judged_as_it_was_measured(measured_v: float | None, verdict: str) -> None:
    assert check_supply(measured_v).verdict == verdict


def test_the_checklist_goes_to_the_terminals_own_word(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["wired", "--check", "--json", "--car", "virtual:w", "--terminal", "virtual:w", "--supply", "13.8"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["good"] is True
    assert [check["name"] for check in told["checks"]][-3:] == ["supply", "broker", "terminal reports"]
    assert {check["verdict"] for check in told["checks"]} == {"PASS", "SKIP"}


def test_an_address_that_is_not_this_machines_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wired", "--check", "--car", "virtual:w", "--broker", "192.0.2.1:1883"]) == 1
    assert "FAIL broker: 192.0.2.1:1883: cannot listen there: Cannot assign" in capsys.readouterr().out


def test_without_check_the_wiring_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wired"]) == 0
    said = capsys.readouterr().out
    for words in ("CAN-H", "120 ohm", "pin 16", "mqtt.host", "listen-only"):
        assert words in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["harsh-day", "--place", "wired"], "say which interface is the car: --car can1", id="no wires"),
        pytest.param(["harsh-day", "--place", "wired", "--car", "virtual:w"], "--terminal can0, or --broker", id="one end"),
        pytest.param(["tow", "--place", "wired"], "cannot run in wired: it names process", id="hours"),
        pytest.param(
            ["harsh-day", "--place", "wired", "--car", "can7", "--terminal", "can8"],
            "car's interface: ", id="the checklist fails before anything is driven",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_driven_is_said_in_a_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "site", "said"),
    [
        pytest.param("power-cut", BOX, "kill_agent: the terminal must run here for it", id="a process that is not here"),
        pytest.param("clone-adapter", WIRES, "its terminal has a serial adapter, not a bus", id="no bus"),
        pytest.param("slow-network", WIRES, "run it with --place kernel", id="would change this machine"),
        pytest.param("bad-bus", WIRES, "no sender can put one on a real wire", id="error frames"),
    ],
)  # fmt: skip
def test_a_scenario_that_needs_more_than_wires_is_refused(name: str, site: Site, said: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(re.sub(r"places = .*", 'places = ["vcan"]', find(name).read_text()))
    with pytest.raises(PlaceError, match=said):
        plan(path, "wired", None, site)


@pytest.mark.parametrize(
    ("before", "key"),
    [
        pytest.param("drive = [", 'link = "set_up"', id="it sets it up"),
        pytest.param("only = true", 'link = "500000 bit/s, ERROR-ACTIVE"', id="it is looked at"),
    ],
)
def test_a_link_that_is_no_controller_is_refused(before: str, key: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(find("harsh-day").read_text().replace(before, f"{key}\n{before}"))
    with pytest.raises(ScenarioError, match=r'link: only a real controller is set up; write places = \["qemu"\]'):
        read(path)


DEVICE = b"12345678"


def record(kind: str, seq: int, t_us: int = 0, **body: Any) -> Record:
    return make(kind, DEVICE, 1, seq, t_us, ZEROS, body)


def take(inbox: BoxInbox, *records: Record, device: str = "box") -> list[bool]:
    """Which of them are new, and of this drive."""
    return [inbox.take(f"tbox/v1/{device}/{one.lane}", one.raw) is not None for one in records]


def test_of_a_box_only_what_comes_after_the_drive_began_counts() -> None:
    inbox = BoxInbox("box")
    assert take(inbox, record("boot", 4), record("event", 6)) == [True, True]
    inbox.begin()
    assert take(inbox, record("clock", 5), record("event", 6)) == [False, False], "late, and again"
    assert take(inbox, record("event", 8)) == [True]
    assert take(inbox, record("event", 9), device="another") == [False]
    assert inbox.missing(DEVICE) == [7]
    assert take(inbox, record("boot", 7)) == [True]
    assert inbox.missing(DEVICE) == []
    assert sorted(seq for _, seq in inbox.records) == [7, 8]


@pytest.mark.parametrize(
    ("device", "online", "is_reporting"),
    [
        pytest.param("", ["a", "b"], "a", id="none was named: the first"),
        pytest.param("b", ["a", "b"], "b", id="the one that was named"),
        pytest.param("c", ["a", "b"], "", id="another one than these"),
        pytest.param("", [], "", id="nobody"),
    ],
)
def test_a_box_reports_when_its_state_says_online(device: str, online: list[str], is_reporting: str) -> None:
    inbox = BoxInbox(device)
    inbox.take("tbox/v1/gone/state", b'{"online": false}')
    for name in online:
        inbox.take(f"tbox/v1/{name}/state", b'{"online": true}')
    assert inbox.is_reporting() == bool(is_reporting)
    assert inbox.device == (is_reporting or device)


def test_a_box_is_ready_when_what_it_had_to_tell_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("hil.wired.box.monotonic", lambda: now_s[0])
    inbox, told = BoxInbox("box"), list[bool]()
    box = Box(tmp_path, inbox)
    inbox.take("tbox/v1/box/state", b'{"online": true}')
    for came_s, kind in ((1.9, "boot"), (1.9, "clock"), (2.1, "")):
        now_s[0] += came_s
        told.append(box.is_ready())
        if kind:
            take(inbox, record(kind, round(now_s[0])))
    assert told == [False, False, True]


def test_a_boxs_clock_is_laid_on_ours_by_its_quickest_record() -> None:
    books = BoxBooks("box")
    truth = {"speed_mps": 1.0, "forward_mps2": 0.0, "left_mps2": 0.0, "rpm": 800, "distance_m": 5.0, "heard": 0}
    for time_s in (0.0, 10.0):
        books.see({**truth, "frames": 1, "at_us": round((100 + time_s) * 1e6), "time_s": time_s}, waiting=None)
    for t_us, arrived_us in ((1_000_000, 102_500_000), (2_000_000, 103_020_000), (3_000_000, 104_300_000)):
        books.note(record("event", t_us // 1_000_000, t_us), arrived_us)
    assert books.ahead_us == 101_020_000
    told = record("event", 4, start_us=4_000_000, end_us=5_000_000)
    assert books.times_s(told) == (5.02, 6.02)
