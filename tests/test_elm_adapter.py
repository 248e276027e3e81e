"""The adapter's process from inside: probe, search, requests and every way a reply goes wrong, against the chip on a pty."""

import os
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from obd import elm327

from drivers.batch import EXTENDED
from drivers.bus.diagnostic import Request
from drivers.elm import bridge as elm_bridge
from drivers.elm import line as elm_line
from drivers.elm import probe as elm_probe
from drivers.elm import serial as elm_serial
from drivers.elm.adapter import HELD_BYTES, Daemon
from drivers.elm.bridge import FAILURES_MOST, MISSES_MOST, Bridge
from drivers.elm.car import PROTOCOLS, REFUSED_MOST
from drivers.elm.car import Car as Asked
from drivers.elm.line import Reply
from drivers.elm.probe import Adapter as Probed
from drivers.elm.probe import meet
from drivers.elm.serial import GuardedPort, PortError
from drivers.guard import Guard
from hil.car import elm_faults
from hil.car.ecu import VIN, Readings, engine, gearbox
from hil.car.elm import Elm as Adapter
from hil.car.elm_chip import CLONE, GENUINE, STN, Car, Flavour, cut
from hil.car.elm_faults import FAULTS

SPEED, WHO = Request(0x01, b"\x0d"), Request(0x09, b"\x02")
TOLD_SPEED, TOLD_VIN = "410d58", (b"\x49\x02\x01" + VIN.encode()).hex()
ENGINE, WIDE = 0x7E8, 0x18DAF110


class DoneError(BaseException):
    """The score is played."""


Step = Request | Callable[[], object] | None


class Desk:  # as drivers.elm.bridge.Daemon describes it
    """The daemon's end, played from a score: requests, things that happen, and moments in which nothing is asked."""

    def __init__(self, *score: Step) -> None:
        self.score = deque(score)
        self.said: list[dict[str, Any]] = []
        self.is_permitted: bool | None = None
        self.wakes = 0
        self._pipe = os.pipe()

    def next(self, wait_s: float) -> Request | None:
        """The next step; its time is over at once."""
        if not self.score:
            raise DoneError
        step = self.score.popleft()
        if callable(step):
            step()
            return None
        return step

    def say(self, **message: Any) -> None:
        """Keep what was said."""
        self.said.append(message)

    def permit(self) -> None:
        """Say that the ignition is on."""
        self.is_permitted = True
        self.wakes += 1

    def fileno(self) -> int:
        """Nothing ever comes here."""
        return self._pipe[0]

    def pump(self) -> None:
        """Never called."""
        raise AssertionError("nobody writes")

    def all(self, kind: str) -> list[Any]:
        """What was said of this kind."""
        return [message[kind] for message in self.said if kind in message]

    @property
    def payloads(self) -> list[list[str]]:
        """What each request was answered."""
        return [[answer[2] for answer in answers] for answers in self.all("answers")]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elm_serial, "REQUEST_WAIT_S", 0.7)
    monkeypatch.setattr(elm_serial, "SEARCH_WAIT_S", 1.0)
    monkeypatch.setattr(elm_serial, "MONITOR_WAIT_S", 0.1)
    monkeypatch.setattr(elm_faults, "LATE_S", 1.4)
    for name in ("WAITING_S", "RETRY_S_MIN", "RETRY_S_MAX", "MUTE_S_MAX"):
        monkeypatch.setattr(elm_bridge, name, 0.001)
    monkeypatch.setattr(elm_line, "QUIET_S", 0.03)


def car(units: int = 1, answer_id: int = ENGINE, **more: Any) -> Car:
    readings = Readings(speed_kmh=88, rpm=2150)
    both = {answer_id: engine(readings), answer_id + 1: gearbox(readings)}
    return Car(dict(list(both.items())[:units]), **more)


Play = Callable[..., Adapter]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Adapter]]:
    adapters: list[Adapter] = []

    def make(*args: Any, **more: Any) -> Adapter:
        adapters.append(Adapter(tmp_path / f"port{len(adapters)}", *args, **more))
        return adapters[-1]

    yield make
    for adapter in adapters:
        adapter.close()


def play(adapter: Adapter, desk: Desk, numbers: str = "6", **more: Any) -> Counter[str]:
    """Run until the score is played; the faults that were counted."""
    faults: Counter[str] = Counter()
    port = GuardedPort(str(adapter.link), Guard(requests_per_s=100), desk, faults)
    with pytest.raises(DoneError):
        Bridge(port, desk, faults, 13.2, (38_400,), numbers, **more).run()
    port.shut()
    return faults


# ---- who is there ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flavour", "missing", "is_clone", "asks"),
    [
        pytest.param(GENUINE, [], False, "010D", id="a genuine ELM327"),
        pytest.param(STN, [], False, "STPXH:7DF,D:010D", id="an STN with its fast way"),
        pytest.param(
            Flavour(banner="ELM327 v1.4b", stn="STN1110 v4.2.0", unknown=("STPX",)), [], False, "010D",
            id="an STN that only says so",
        ),
        pytest.param(
            Flavour(banner="ELM327 v1.5", stn="STN1100 v1.2.3", deaf=("STPX",)), [], False, "010D",
            id="one that loses its tongue at it",
        ),
        pytest.param(
            CLONE, ["ATS0", "ATCAF1", "ATAT1", "ATAT2", "ATST32", "ATCP18", "ATCRA"], True, "010D",
            id="a clone that claims version 2.1",
        ),
        pytest.param(Flavour(banner="ELM327 v1.0", unknown=("ATAT",)), ["ATAT1", "ATAT2"], False, "010D", id="an old one"),
    ],
)  # fmt: skip
def test_an_adapter_is_what_it_can(made: Play, flavour: Flavour, missing: list[str], is_clone: bool, asks: str) -> None:
    adapter, desk = made(car(), flavour), Desk(SPEED)
    play(adapter, desk)
    about = desk.all("about")[-1]
    assert (about["banner"], about["missing"], about["is_clone"]) == (flavour.banner, missing, is_clone)
    assert adapter.requests[-1] == asks
    assert desk.payloads == [[TOLD_SPEED]]


@pytest.mark.parametrize("baudrate", [115_200, 500_000][:1])
def test_the_speed_of_the_port_is_found(made: Play, monkeypatch: pytest.MonkeyPatch, baudrate: int) -> None:
    monkeypatch.setattr(elm_serial, "AT_WAIT_S", 0.4)
    adapter, desk = made(car(), baudrate=baudrate), Desk()
    port = GuardedPort(str(adapter.link), Guard(), desk, Counter())
    found = meet(port, elm_probe.BAUDRATES)
    assert found is not None
    assert found.baudrate == baudrate
    port.shut()


def test_where_nobody_answers_nobody_is_made_up(made: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elm_serial, "AT_WAIT_S", 0.05)
    adapter, desk = made(car(), baudrate=9_600), Desk(None, None)
    play(adapter, desk)
    assert desk.all("state") == ["meeting", "mute", "mute", "mute"], "and tried again each time"
    assert adapter.requests == []


# ---- the car is found -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "answer_id", "ecu"),
    [
        pytest.param("6", ENGINE, ENGINE, id="11 bits at 500 kbit/s"),
        pytest.param("7", WIDE, WIDE | EXTENDED, id="29 bits at 500 kbit/s"),
        pytest.param("8", ENGINE, ENGINE, id="11 bits at 250 kbit/s"),
        pytest.param("9", WIDE, WIDE | EXTENDED, id="29 bits at 250 kbit/s"),
    ],
)
@pytest.mark.parametrize("flavour", [GENUINE, STN], ids=["ELM327", "STN"])
def test_a_silent_car_is_asked_once_by_each_protocol_until_it_answers(
    made: Play, protocol: str, answer_id: int, ecu: int, flavour: Flavour
) -> None:
    adapter, desk = made(car(protocol=protocol, answer_id=answer_id), flavour), Desk(WHO)
    play(adapter, desk, "6789")
    tries = [line for line in adapter.heard if line in ("ATTP6", "ATTP7", "ATTP8", "ATTP9", "0100")]
    listened, asked = tries[:2], tries[2:]
    assert listened == ["ATTP6", "ATTP8"]
    assert asked == [line for number in "6789"[: "6789".index(protocol) + 1] for line in (f"ATTP{number}", "0100")]
    assert desk.all("about")[-1]["protocol"] == protocol
    [[(_, told_by, payload)]] = desk.all("answers")
    assert (told_by, payload) == (ecu, TOLD_VIN)


@pytest.mark.parametrize(
    ("request_", "heard"),
    [
        pytest.param(Request(0x01, b"\x0d", to=0x18DA10F1 | EXTENDED), ["ATSHDA10F1", "010D"], id="one unit"),
        pytest.param(Request(0x01, b"\x0d"), ["010D"], id="everybody"),
    ],
)
def test_units_with_wide_identifiers_are_asked_by_theirs(made: Play, request_: Request, heard: list[str]) -> None:
    adapter, desk = made(car(protocol="7", answer_id=WIDE)), Desk(request_)
    play(adapter, desk, "7")
    assert list(adapter.heard)[-len(heard) :] == heard
    assert desk.payloads == [[TOLD_SPEED]]


@pytest.mark.parametrize(("protocol", "never"), [("6", "ATTP8"), ("8", "ATTP6")])
def test_at_a_rate_at_which_nobody_talks_nothing_is_sent(made: Play, protocol: str, never: str) -> None:
    live = car(protocol=protocol, broadcast=((0x123, b"\x01\x02"),) * 5)
    adapter, desk = made(live), Desk(SPEED)
    play(adapter, desk, "6789")
    heard = list(adapter.heard)
    asked = heard[heard.index("0100") - 1]
    assert asked == f"ATTP{protocol}"
    assert never not in heard[heard.index(" ", heard.index(f"ATTP{protocol}")) :]


def test_a_car_that_never_answers_is_left_alone_until_the_next_start(made: Play) -> None:
    silent = Car({})
    adapter = made(silent)
    sweeps: list[int] = []

    def sweep() -> None:
        sweeps.append(len(adapter.requests))

    def set_volts(volts: float) -> Callable[[], None]:
        return lambda: setattr(silent, "volts", volts)

    desk = Desk(*[sweep] * 5, set_volts(12.4), sweep, sweep, set_volts(14.2), *[sweep] * 4)
    desk.score.extend([desk.permit, sweep, sweep])
    play(adapter, desk, "6789")
    assert sweeps == [4] * 7 + [8] * 4 + [12] * 2
    assert set(adapter.requests) == {"0100"}


def test_below_the_engines_voltage_nothing_is_asked(made: Play) -> None:
    parked = car(volts=13.1)
    adapter, counts = made(parked), []
    start: list[Step] = [lambda: counts.append(len(adapter.requests))] * 20
    desk = Desk(*start, lambda: setattr(parked, "volts", 13.2), None, SPEED)
    play(adapter, desk)
    assert counts == [0] * 20
    assert desk.payloads[-1] == [TOLD_SPEED]
    assert {told["volts"] for told in desk.said if "volts" in told} == {13.1, 13.2}


def test_where_another_car_may_be_each_protocol_is_tried_once_more(made: Play) -> None:
    other = car(protocol="8")
    adapter, desk = made(other), Desk(*[None] * FAILURES_MOST, SPEED)
    play(adapter, desk, "6789", known="6")
    assert [line for line in adapter.heard if line == "0100"] == ["0100"] * (FAILURES_MOST + 2)
    assert desk.all("about")[-1]["protocol"] == "8"
    assert desk.payloads == [[TOLD_SPEED]]


def test_what_the_daemon_forbids_is_not_asked_though_the_engine_runs(made: Play) -> None:
    adapter, desk = made(car()), Desk(None, None)
    desk.is_permitted = False
    play(adapter, desk)
    assert desk.all("state") == ["meeting", "waiting"]
    assert adapter.requests == []


def test_a_car_that_has_gone_is_found_again_by_the_protocol_it_had(made: Play) -> None:
    there = car()
    units = dict(there.units)
    adapter = made(there)
    desk = Desk(SPEED, there.units.clear, *[SPEED] * MISSES_MOST, None, lambda: there.units.update(units), SPEED)
    faults = play(adapter, desk, "6789")
    assert desk.payloads[0] == desk.payloads[-1] == [TOLD_SPEED]
    assert desk.payloads[1 : MISSES_MOST + 1] == [[]] * MISSES_MOST
    assert [line for line in adapter.heard if line.startswith("ATTP")] == ["ATTP6", "ATTP8", *["ATTP6"] * 4]
    assert faults["no_data"] >= MISSES_MOST


# ---- requests -------------------------------------------------------------------------------------------------------


def test_once_it_is_known_how_many_answer_no_more_are_waited_for(made: Play) -> None:
    adapter, desk = made(car(2)), Desk(SPEED, SPEED, WHO, WHO)
    play(adapter, desk)
    assert adapter.requests[-4:] == ["010D", "010D2", "0902", "0902"]
    assert desk.payloads == [[TOLD_SPEED] * 2, [TOLD_SPEED] * 2, [TOLD_VIN], [TOLD_VIN]]


def test_the_supply_is_read_however_busy_the_car_is_asked(made: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elm_bridge, "VOLTS_S", 0.0)
    adapter, desk = made(car()), Desk(SPEED, SPEED, SPEED)
    play(adapter, desk)
    heard = list(adapter.heard)
    assert heard[heard.index("010D") :] == ["010D", "ATRV", "010D1", "ATRV", "010D1", "ATRV"]
    assert {told["volts"] for told in desk.said if "volts" in told} == {14.1}


def test_an_adapter_that_takes_no_number_of_answers_soon_gets_none(made: Play) -> None:
    adapter, desk = made(car(), Flavour(unknown=("010D1",))), Desk(*[SPEED] * 9)
    faults = play(adapter, desk)
    assert adapter.requests[-9:] == ["010D", "010D1"] * REFUSED_MOST + ["010D"] * 3
    assert desk.payloads == [[TOLD_SPEED], []] * REFUSED_MOST + [[TOLD_SPEED]] * 3
    assert faults["unknown"] == REFUSED_MOST


def test_a_unit_that_asks_for_patience_gets_it(made: Play) -> None:
    adapter, desk = made(car(pending=True)), Desk(SPEED, SPEED)
    play(adapter, desk)
    assert desk.payloads == [["7f0178", TOLD_SPEED]] * 2
    assert list(adapter.heard)[-3:] == ["010D", "ATSTFF", "010D"]


def test_a_header_the_adapter_does_not_confirm_is_never_relied_on(made: Play) -> None:
    adapter, desk = made(car(), Flavour(unknown=("ATSH",))), Desk(Request(0x01, b"\x0d", to=0x7E0), None, SPEED)
    play(adapter, desk)
    heard = list(adapter.heard)
    assert heard[-2 - heard[::-1].index("ATSH7E0") :][:3] != ["ATSH7E0", "010D"]
    assert desk.payloads == [[], [TOLD_SPEED]]


def test_by_a_protocol_the_adapter_does_not_confirm_nothing_is_asked(made: Play) -> None:
    adapter, desk = made(car(), Flavour(unknown=("ATTP",))), Desk(*[None] * 5)
    faults = play(adapter, desk)
    assert adapter.requests == []
    assert faults["refused"] == desk.all("state").count("searching") == 6, "0100, once each time"


# ---- what goes wrong ------------------------------------------------------------------------------------------------

COUNTED = {
    "no prompt": "no_prompt", "truncated": "truncated", "buffer full": "buffer_full", "can error": "can_error",
    "stopped": "stopped", "unable to connect": "unable_to_connect", "no data": "no_data", "bus init": "bus_init",
    "data error": "data_error", "unknown": "unknown", "echo": "echo", "nulls": "nulls", "garbage": "garbage",
    "reset": "reset", "silent": "silent", "babble": "no_prompt",
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "request_"),
    [(fault, SPEED) for fault in COUNTED] + [(fault, WHO) for fault in ("truncated", "buffer full", "nulls", "reset")],
    ids=[*COUNTED, *(f"{fault}, in several frames" for fault in ("truncated", "buffer full", "nulls", "reset"))],
)
def test_a_reply_that_goes_wrong_is_counted_and_the_next_ones_are_right(
    made: Play, fault: str, request_: Request
) -> None:
    adapter = made(car(2))
    desk = Desk(SPEED, WHO, lambda: adapter.fail(fault), request_, WHO, SPEED, SPEED)
    faults = play(adapter, desk)
    assert adapter.failed == {fault: 1}
    assert faults[COUNTED[fault]] >= 1
    assert desk.payloads[-3:] == [[TOLD_VIN], [TOLD_SPEED] * 2, [TOLD_SPEED] * 2]
    assert {payload for answers in desk.payloads for payload in answers} == {TOLD_SPEED, TOLD_VIN}


def test_the_list_of_faults_is_whole() -> None:
    assert set(COUNTED) | {"late"} == set(FAULTS)


@pytest.mark.parametrize("seed", [0, 1])
def test_late_answers_are_never_taken_for_others(made: Play, seed: int) -> None:
    adapter = made(car(2), seed=seed)
    desk = Desk(SPEED, lambda: adapter.fail("late"), WHO, SPEED, WHO, SPEED)
    play(adapter, desk)
    assert desk.payloads[0] == [TOLD_SPEED] * 2
    assert desk.payloads[1] in ([], [TOLD_VIN])
    assert desk.payloads[2:] == [[TOLD_SPEED] * 2, [TOLD_VIN], [TOLD_SPEED] * 2]


@pytest.mark.parametrize("fault", ["no prompt", "reset", "can error", "truncated"])
def test_a_fault_while_the_car_is_looked_for_only_takes_longer(made: Play, fault: str) -> None:
    adapter = made(car())
    adapter.fail(fault)
    desk = Desk(*[None] * 3, SPEED)
    play(adapter, desk, "6", known="6")
    assert adapter.failed == {fault: 1}
    assert desk.payloads[-1] == [TOLD_SPEED]


@pytest.mark.parametrize("moment", ["set_baudrate", "manual_protocol"])
def test_a_port_that_goes_while_python_obd_has_it_is_told(
    made: Play, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    adapter, desk, faults = made(car()), Desk(), Counter[str]()
    port = GuardedPort(str(adapter.link), Guard(), desk, faults)
    act = getattr(elm327.ELM327, moment)
    monkeypatch.setattr(elm327.ELM327, moment, lambda *given: (adapter.unplug(), act(*given))[1])
    with pytest.raises(PortError, match="went while it was used"):
        Bridge(port, desk, faults, 13.2, (38_400,), "6").run()
    port.shut()


# ---- the port -------------------------------------------------------------------------------------------------------


def test_a_refused_line_stays_here_and_is_answered_as_unknown(made: Play) -> None:
    adapter, desk, faults = made(car()), Desk(), Counter[str]()
    port = GuardedPort(str(adapter.link), Guard(), desk, faults)
    for line in (b"04\r", b"ATPP0CSV23\r", b"\r", b"ATMA\x00\r", b"0100\r"):
        port.write(line)
        assert port.read(100) == b"?\r\r>"
    assert faults == {"refused": 5}
    port.write(b"AT")
    port.write(b"I\r")
    assert elm_line.hear(port, "ATI").words == ["ELM327 v1.5"]
    assert list(adapter.heard) == ["ATI"]
    port.shut()


# ---- answers, line by line ------------------------------------------------------------------------------------------


def asked(number: str = "6") -> Asked:
    nobody: Any = None
    return Asked(nobody, Probed("", 0), number, PROTOCOLS[number]([]), Counter())


def lines(ecu: str, payload: bytes) -> list[str]:
    return [ecu + frame.hex().upper() for frame in cut(payload)]


LONG = b"\x49\x02\x01" + VIN.encode()


@pytest.mark.parametrize(
    ("request_", "heard", "payloads", "kinds"),
    [
        pytest.param(SPEED, ["7E803410D58"], [b"\x41\x0d\x58"], {}, id="one answer without padding"),
        pytest.param(SPEED, ["7E803410D"], [], {"truncated": 1}, id="less than it announces"),
        pytest.param(SPEED, ["7E803410D5"], [], {"truncated": 1}, id="half a byte"),
        pytest.param(SPEED, ["7E803410C1A"], [], {"foreign": 1}, id="an answer to somebody else"),
        pytest.param(SPEED, ["7E8037F0112"], [b"\x7f\x01\x12"], {}, id="a refusal"),
        pytest.param(SPEED, ["7E8037F0912"], [], {"foreign": 1}, id="a refusal of something else"),
        pytest.param(SPEED, ["12303410D58"], [], {"truncated": 1}, id="no control unit"),
        pytest.param(SPEED, ["7E8"], [], {"truncated": 1}, id="only an identifier"),
        pytest.param(SPEED, ["7E800"], [], {"truncated": 1}, id="nothing announced"),
        pytest.param(SPEED, ["010D"], [], {"echo": 1}, id="an echo of the request, once more"),
        pytest.param(WHO, lines("7E8", LONG), [LONG], {}, id="several frames"),
        pytest.param(WHO, lines("7E8", LONG)[:2], [], {"truncated": 1}, id="the last frame is missing"),
        pytest.param(WHO, lines("7E8", LONG)[1:], [], {"truncated": 1}, id="the first frame is missing"),
        pytest.param(
            WHO, [x for pair in zip(lines("7E8", LONG), lines("7E9", LONG), strict=True) for x in pair], [LONG] * 2, {},
            id="two units interleaved",
        ),
        pytest.param(
            WHO, ["7E8037F0978", *lines("7E8", LONG)], [b"\x7f\x09\x78", LONG], {}, id="patience, then the answer",
        ),
        pytest.param(Request(0x03), ["7E80443010133"], [b"\x43\x01\x01\x33"], {}, id="a trouble code"),
        pytest.param(Request(0x03), ["7E8064301013300000"], [], {"truncated": 1}, id="half a byte too much"),
        pytest.param(Request(0x03), ["7E806430101330000"], [b"\x43\x01\x01\x33"], {}, id="codes cut to their count"),
        pytest.param(Request(0x22, b"\xf1\x90"), ["7E80462F19001"], [b"\x62\xf1\x90\x01"], {}, id="an identifier's data"),
        pytest.param(Request(0x22, b"\xf1\x90"), ["7E80462F19101"], [], {"foreign": 1}, id="another identifier's"),
    ],
)  # fmt: skip
def test_only_whole_answers_to_the_request_are_taken(
    request_: Request, heard: list[str], payloads: list[bytes], kinds: dict[str, int]
) -> None:
    reply = Reply(frames=[(at, line) for at, line in enumerate(heard)])
    assert [answer.payload for answer in asked().judge(request_, reply)] == payloads
    assert reply.kinds == kinds


def test_a_stamp_is_that_of_an_answers_last_frame() -> None:
    reply = Reply(frames=[(at, line) for at, line in enumerate(lines("7E8", LONG), 100)])
    assert [answer.t_us for answer in asked().judge(WHO, reply)] == [102]


@pytest.mark.parametrize("number", ["6", "7"])
def test_no_cut_through_the_lines_makes_another_answer(number: str) -> None:
    dice = random.Random(4)
    unit = {"6": "7E8", "7": "18DAF110"}[number]
    for payload, request_ in ((LONG, WHO), (b"\x41\x0d\x58", SPEED), (b"\x43\x02\x01\x33\xc3\x00", Request(0x03))):
        for _ in range(400):
            whole = lines(unit, payload)
            at = dice.randrange(len(whole))
            whole[at] = whole[at][: dice.randrange(len(whole[at]))]
            frames = [(0, line) for line in dice.sample(whole, dice.randrange(1, len(whole) + 1)) if line]
            assert {answer.payload for answer in asked(number).judge(request_, Reply(frames=frames))} <= {payload}


# ---- the pipe -------------------------------------------------------------------------------------------------------


def test_requests_may_come_in_pieces_and_several_at_once() -> None:
    ours, theirs = os.pipe()
    daemon = Daemon(ours, theirs)
    os.write(theirs, b'{"ask": "010d", "to": 0}\n{"permit": true}\n{"ask": "0902", "t')
    assert daemon.next(0) == SPEED
    assert daemon.next(0) is None
    os.write(theirs, b'o": 2016}\n')
    assert daemon.next(0) == Request(0x09, b"\x02", 0x7E0)
    assert (daemon.is_permitted, daemon.wakes) == (True, 1)
    os.close(theirs)
    with pytest.raises(SystemExit):
        daemon.next(0)
    os.close(ours)


def test_a_daemon_that_never_ends_a_line_is_left() -> None:
    ours, theirs = os.pipe()
    daemon = Daemon(ours, theirs)
    for _ in range(33):
        os.write(theirs, b"x" * (HELD_BYTES // 32))
        daemon.pump()
    os.write(theirs, b"x")
    with pytest.raises(SystemExit):
        daemon.pump()
    os.close(ours)
    os.close(theirs)


def test_a_daemon_that_has_gone_ends_the_process() -> None:
    ours, theirs = os.pipe()
    daemon = Daemon(ours, theirs)
    os.close(ours)
    with pytest.raises(SystemExit):
        daemon.say(state="car")
    os.close(theirs)
