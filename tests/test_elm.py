"""The ELM327 driver whole: its process, the pty, an adapter in software behind it, and a simulated car."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core import Core, Sample
from agent.maps import maps
from agent.settings import Settings
from drivers.batch import tick
from drivers.bus.diagnostic import Answer, Request
from drivers.elm import elm as driver
from drivers.elm.elm import Elm, Known, open_elm
from drivers.errors import DeviceError
from drivers.guard import Guard
from drivers.rack import Rack
from drivers.source import boot_us
from hil.car.ecu import VIN, Readings, engine, gearbox
from hil.car.elm import Elm as Adapter
from hil.car.elm_chip import Car
from tests.packed import frames, told

WAIT_S = 30.0
SPEED, RPM, WHO = Request(0x01, b"\x0d"), Request(0x01, b"\x0c"), Request(0x09, b"\x02")
ENGINE, GEARBOX = 0x7E8, 0x7E9
RATE = 50.0

ALLOWED = re.compile(
    r" |AT(Z|I|@1|RV|E0|L0|H1|S0|AT[12]|CAF1|CSM1|MA|CRA|CP18|ST..|[ST]P[6-9]|SH7(DF|E[0-7]))|STI"
    r"|(STPXH:7(DF|E[0-7]),D:)?(01([0-9A-F]{2}){1,6}|02([0-9A-F]{4}){1,3}|03|07|0A|09[0-9A-F]{2})(,R:\d|\d)?"
)
"""Written down once more, apart from the guard: all that may ever be said to an adapter."""


def until(found: Callable[[], bool], elm: Elm, *, wait_s: float = WAIT_S) -> bytes:
    """Read until it is so; what was read."""
    batch, late_s = b"", time.monotonic() + wait_s
    while not found():
        assert time.monotonic() < late_s, f"still {elm.state} after {wait_s} s, {elm.counters()}"
        select.select([elm], [], [], 0.05)
        batch += elm.read()
    return batch


def asked(elm: Elm, request: Request, count: int = 1) -> tuple[bytes, list[Answer]]:
    """Ask until there are so many answers: inputs and answers."""
    answers: list[Answer] = []

    def is_answered() -> bool:
        answers.extend(elm.answers())
        is_enough = len(answers) >= count
        if not is_enough:
            elm.ask(request)
        return is_enough

    return until(is_answered, elm), answers


def car() -> Car:
    readings = Readings(speed_kmh=88, rpm=2150)
    return Car({ENGINE: engine(readings), GEARBOX: gearbox(readings)}, broadcast=((0x123, bytes(8)),) * 5)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    made = Adapter(tmp_path_factory.mktemp("elm") / "port", car())
    yield made
    made.close()


@pytest.fixture(scope="module")
def elm(adapter: Adapter) -> Iterator[Elm]:
    source = open_elm(str(adapter.link), number=2, protocol="6", requests_per_s=RATE)
    until(lambda: source.state == "car", source)
    yield source
    source.close()


def test_answers_reach_the_core_as_frames_that_the_map_decodes(elm: Elm) -> None:
    core = Core(Settings(), maps.load(Path("obd2.toml")))
    before_us = boot_us()
    batch = asked(elm, SPEED)[0] + asked(elm, RPM)[0]
    assert {(channel, ident) for _, channel, ident, *_ in frames(batch)} == {(2, ENGINE), (2, GEARBOX)}
    assert all(before_us <= t_us <= boot_us() for t_us, *_ in frames(batch))
    told_last = [sample for sample in core.feed(batch + tick(boot_us() + 1_000_000)) if isinstance(sample, Sample)][-1]
    assert told_last.value("speed") == pytest.approx(88 / 3.6)
    assert told_last.value("rpm") == 2150


def test_every_unit_answers_and_long_answers_are_whole(elm: Elm) -> None:
    assert [(answer.ecu, answer.payload) for answer in asked(elm, SPEED, 2)[1]][:2] == [
        (ENGINE, b"\x41\x0d\x58"),
        (GEARBOX, b"\x41\x0d\x58"),
    ]
    batch, answers = asked(elm, WHO)
    assert [(answer.ecu, answer.payload) for answer in answers] == [(ENGINE, b"\x49\x02\x01" + VIN.encode())]
    assert frames(batch) == [], "no frame holds it"


def test_one_unit_may_be_asked_alone(elm: Elm, adapter: Adapter) -> None:
    _, answers = asked(elm, Request(0x01, b"\x0d", to=0x7E1))
    assert [answer.ecu for answer in answers] == [GEARBOX]
    asked(elm, SPEED, 2)
    heads = [line for line in adapter.heard if line.startswith("ATSH7")]
    assert heads[-2:] == ["ATSH7E1", "ATSH7DF"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param("no prompt", "no_prompt", id="a prompt is lost"),
        pytest.param("reset", "reset", id="the chip resets itself"),
        pytest.param("can error", "can_error", id="the bus has an error"),
    ],
)
def test_what_goes_wrong_is_counted_and_data_resume(elm: Elm, adapter: Adapter, fault: str, kind: str) -> None:
    asked(elm, SPEED)
    before = elm.counters().get(kind, 0)
    adapter.fail(fault)
    asked(elm, WHO)
    until(lambda: elm.counters().get(kind, 0) == before + 1, elm)
    assert {answer.payload for answer in asked(elm, SPEED, 4)[1]} <= {b"\x41\x0d\x58", b"\x49\x02\x01" + VIN.encode()}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request(0x04), id="clear trouble codes"),
        pytest.param(Request(0x2E, b"\xf1\x90\x00"), id="write an identifier"),
        pytest.param(Request(0x22, b"\xf1\x90"), id="an identifier no map names"),
        pytest.param(Request(0x01, b"\x42", to=0x7A0), id="to somebody else"),
    ],
)
def test_what_the_guard_refuses_never_reaches_the_adapter(elm: Elm, adapter: Adapter, request_: Request) -> None:
    asked(elm, SPEED)
    until(lambda: elm.ask(request_) not in ("busy", "rate"), elm)
    assert elm.ask(request_) in ("service", "identifier")
    refused, heard = elm.counters().get("refused", 0), len(adapter.heard)
    assert elm._tell(ask=request_.payload.hex(), to=request_.to), "past the first guard, to the second"
    until(lambda: elm.counters().get("refused", 0) > refused, elm)
    asked(elm, SPEED)
    assert not [line for line in list(adapter.heard)[heard:] if request_.payload.hex().upper() in line or "7A0" in line]


def test_all_that_was_ever_said_passes_another_guard(elm: Elm, adapter: Adapter) -> None:
    for request in (SPEED, RPM, WHO, Request(0x03), Request(0x01, b"\x0d", to=0x7E1)):
        asked(elm, request)
    guard = Guard(requests_per_s=1.0)
    heard = list(adapter.heard)
    assert [line for at, line in enumerate(heard) if guard.line(at * 1_000_000, line)] == []
    assert [line for line in heard if not ALLOWED.fullmatch(line)] == []
    assert {"010D", "010C", "0902", "03"} <= set(adapter.requests)


def test_below_the_engines_voltage_the_car_is_asked_nothing_until_it_is_permitted(tmp_path: Path) -> None:
    adapter = Adapter(tmp_path / "port", car())
    adapter.car.volts = 12.3
    elm = open_elm(str(adapter.link), number=0, protocol="6", requests_per_s=RATE)
    volts = [(name, number) for _, name, number in told(until(lambda: elm.state == "waiting", elm))]
    assert elm.ask(SPEED) == "waiting"
    assert set(volts) == {("battery", 12.3)}
    assert adapter.requests == []
    elm.permit(True)
    asked(elm, SPEED)
    elm.close()
    adapter.close()


def test_an_adapter_that_was_pulled_out_and_a_process_that_died_are_opened_again(tmp_path: Path) -> None:
    adapter = Adapter(tmp_path / "port", car())
    known = Known()
    opened: list[Elm] = []

    def open_again() -> Elm:
        opened.append(open_elm(str(adapter.link), number=0, requests_per_s=RATE, known=known))
        return opened[-1]

    rack = Rack({"elm": open_again})

    def run(is_done: Callable[[], bool]) -> None:
        late_s = time.monotonic() + WAIT_S
        while not is_done():
            rack.read(0.02)
            assert time.monotonic() < late_s
            if not rack.missing():
                opened[-1].ask(SPEED)

    run(lambda: bool(opened[-1].answers()))
    assert known.protocol == "6"
    adapter.unplug()
    run(lambda: rack.missing() == ["elm"])
    adapter.plug()
    run(lambda: len(opened) == 2 and bool(opened[-1].answers()))
    os.kill(opened[-1].pid, signal.SIGKILL)
    run(lambda: len(opened) == 3 and bool(opened[-1].answers()))
    assert rack.counters()["elm"]["losses"] == 2
    rack.close()
    assert [is_running(one.pid) for one in opened] == [False, False, False]
    adapter.close()


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_process_goes_when_the_daemon_is_killed(tmp_path: Path) -> None:
    adapter = Adapter(tmp_path / "port", car())
    daemon = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(adapter.link)], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert daemon.stdout is not None
    child = int(daemon.stdout.readline())
    assert is_running(child)
    daemon.kill()
    daemon.wait()
    late_s = time.monotonic() + WAIT_S
    while is_running(child):
        assert time.monotonic() < late_s, "an orphan"
        select.select([], [], [], 0.01)
    daemon.stdout.close()
    adapter.close()


PARENT = """
import select, sys
from drivers.elm.elm import open_elm
elm = open_elm(sys.argv[1], number=0)
while elm.state == "starting":
    select.select([elm], [], [])
    elm.read()
print(elm.pid, flush=True)
select.select([], [], [])
"""


def test_a_process_that_hangs_is_ended_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "END_S", 0.1)
    adapter = Adapter(tmp_path / "port", car())
    elm = open_elm(str(adapter.link), number=0)
    os.kill(elm.pid, signal.SIGSTOP)
    elm.close()
    elm.close()
    assert not is_running(elm.pid)
    adapter.close()


def test_a_process_that_says_nothing_is_ended_and_found_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Adapter(tmp_path / "port", car())
    elm = open_elm(str(adapter.link), number=0)
    monkeypatch.setattr(driver, "HUNG_S", -1.0)
    elm.counters()
    with pytest.raises(DeviceError, match="its process ended"):
        until(lambda: False, elm)
    elm.close()
    adapter.close()


def test_a_port_that_is_not_there_is_a_device_that_may_come(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"gone': not there: is it plugged in"):
        open_elm(str(tmp_path / "gone"), number=0)


def test_a_port_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    elm = open_elm(str(tmp_path / "file"), number=0)
    with pytest.raises(DeviceError, match=r"cannot be opened: .*"):
        until(lambda: False, elm)
    elm.close()


def test_answers_nobody_takes_are_dropped_and_counted(elm: Elm, monkeypatch: pytest.MonkeyPatch) -> None:
    elm.answers()
    monkeypatch.setattr(driver, "HELD_ANSWERS", 3)
    until(lambda: elm.ask(SPEED) != "" and elm.counters()["dropped"] >= 2, elm)
    assert len(elm.answers()) == 3


def test_the_daemon_never_loads_what_the_process_loads() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, drivers.elm.elm; print({'obd', 'serial', 'pint'} & set(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == "set()"
