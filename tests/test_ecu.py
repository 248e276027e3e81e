"""The simulated control units: what they say, how they cut it into frames, and that the terminal's side understands."""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import can
import isotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from agent.maps.compile import compile_obd
from agent.obd.answers import single_frame, text, trouble_code
from agent.replay.decode import Decoder
from drivers.batch import EXTENDED
from drivers.bus.can import open_can
from drivers.bus.can_asker import CanAsker
from drivers.bus.diagnostic import Answer, Request
from drivers.bus.isotp import IsoTp
from drivers.bus.pick import picked
from drivers.guard import Guard
from hil.car.ecu import VALUES, Ecu, Readings, Trouble, bitmap, code_bytes, engine, gearbox, steps
from hil.car.ecu_bus import FLOW_US, Ecus, Frame, Habits, Port, car, pause_us, serve
from hil.drive import State
from hil.wires.wire import Adapter

ENGINE, GEARBOX = 0x7E8, 0x7E9
VIN = b"\x49\x02\x01" + b"1HGCM82633A004352"
WAIT_S = 30.0
DRIVING = Readings(speed_kmh=50, rpm=2000, coolant_c=90, load_pct=40, throttle_pct=20, battery_v=14.1, run_s=77)


def driving() -> Readings:
    return replace(DRIVING)


# ---- what a unit says -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("010d", "410d32", id="speed"),
        pytest.param("010c", "410c1f40", id="engine speed"),
        pytest.param("0105", "410582", id="coolant"),
        pytest.param("0142", "41423714", id="voltage"),
        pytest.param("01a6", "41a600075b41", id="odometer"),
        pytest.param("0101", "410100076500", id="monitors, lamp off"),
        pytest.param("010c0d05", "410c1f400d320582", id="three at once"),
        pytest.param("010d33", "410d32", id="one of two is there"),
        pytest.param("0100", "410098188013", id="which are there"),
        pytest.param("0180", "418000000001", id="which lead further"),
        pytest.param("01a0", "41a004000000", id="which are there, the last"),
        pytest.param("01c0", "7f0112", id="there are no more"),
        pytest.param("0133", "7f0112", id="a PID it has not"),
        pytest.param("0200" + "00", "42000040000000", id="nothing frozen: what could be"),
        pytest.param("020200", "4202000000", id="nothing frozen: no code"),
        pytest.param("020c00", "7f0212", id="nothing frozen: no value"),
        pytest.param("020c01", "7f0231", id="a second frame"),
        pytest.param("020c", "7f0231", id="no frame named"),
        pytest.param("03", "4300", id="no stored code"),
        pytest.param("07", "4700", id="no pending code"),
        pytest.param("0a", "4a00", id="no permanent code"),
        pytest.param("0902", VIN.hex(), id="VIN"),
        pytest.param("0904", "490402" + b"37805-RBB-J530\0\0CB6015A0\0\0\0\0\0\0\0\0".hex(), id="calibration ids"),
        pytest.param("090a", "490a01" + b"ECM\0-EngineControl\0\0".hex(), id="name"),
        pytest.param("0900", "490050400000", id="which identities are there"),
        pytest.param("090204", VIN.hex(), id="two identities: the first"),
        pytest.param("0906", "7f0912", id="an identity it has not"),
        pytest.param("22f190", "62f190" + b"ABC".hex(), id="a DID"),
        pytest.param("22f191", "7f2231", id="a DID it has not"),
        pytest.param("22f1", "7f2231", id="half a DID"),
        pytest.param("01", "7f0113", id="no PID"),
        pytest.param("0300", "7f0313", id="too long"),
        pytest.param("04", "7f0411", id="to clear codes: not here"),
        pytest.param("2ef19000", "7f2e11", id="to write: not here"),
        pytest.param("", "7f0011", id="nothing"),
    ],
)
def test_a_unit_answers_who_asks_it_alone(question: str, answer: str) -> None:
    unit = Ecu(readings=driving(), dids={0xF190: b"ABC"})
    assert unit.answer(bytes.fromhex(question), is_functional=False).hex() == answer


@pytest.mark.parametrize("question", ["0133", "020c00", "0906", "22f191", "04", "01"])
def test_to_everybody_a_unit_says_nothing_rather_than_no_unless_it_is_of_that_kind(question: str) -> None:
    unit = engine(driving())
    assert unit.answer(bytes.fromhex(question), is_functional=True) == b""
    unit.refuses = True
    assert unit.answer(bytes.fromhex(question), is_functional=True)[:2].hex() == "7f" + question[:2]


def test_a_second_unit_shares_what_the_sensors_say_and_has_no_vin() -> None:
    unit = gearbox(driving())
    assert unit.answer(b"\x01\x0d", is_functional=True) == b"\x41\x0d\x32"
    assert unit.answer(b"\x01\x05", is_functional=True) == b""
    assert unit.answer(b"\x09\x02", is_functional=True) == b""
    assert text(unit.answer(b"\x09\x0a", is_functional=True)) == ("090A", "TCM-TransmisCtrl")


def test_readings_follow_the_drive() -> None:
    now = Readings()
    now.follow(State(time_s=9.0, speed_mps=10.0, distance_m=2500.0, coolant_c=63.0), odometer_km=100.0)
    assert (now.speed_kmh, now.rpm, now.coolant_c, now.odometer_km) == (36.0, 1950.0, 63.0, 102.5)
    assert (now.battery_v, now.run_s) == (14.1, 9.0)
    now.follow(State(engine=False))
    assert (now.battery_v, now.run_s, now.rpm) == (12.6, 0.0, 0.0)


def test_values_beyond_what_their_bytes_can_say_are_cut() -> None:
    unit = engine(Readings(speed_kmh=300, coolant_c=-60))
    assert unit.answer(b"\x01\x0d\x05", is_functional=True) == b"\x41\x0d\xff\x05\x00"


@pytest.mark.parametrize(
    ("after", "there", "bits"),
    [(0, [1], "80000000"), (0, [0x20], "00000001"), (0x20, [1, 0x21, 0x40, 0x41], "80000001"), (0, [], "00000000")],
)
def test_a_bitmap_begins_with_its_first_number_on_top(after: int, there: list[int], bits: str) -> None:
    assert bitmap(after, there).hex() == bits


@given(some.sets(some.integers(1, 0xFF)))
def test_what_is_there_is_found_by_following_the_bitmaps(there: set[int]) -> None:
    led, found, after = steps(there), set(), 0
    while True:
        bits = int.from_bytes(bitmap(after, led), "big")
        found |= {after + 1 + place for place in range(32) if bits >> (31 - place) & 1}
        after += 0x20
        if after not in found:
            break
    assert found - set(range(0x20, 0x100, 0x20)) == there - set(range(0x20, 0x100, 0x20))


def test_the_decode_table_reads_every_value_the_units_tell() -> None:
    decoder, unit = Decoder(compile_obd()), engine(driving())
    told = {}
    for pid in VALUES:
        frame = single_frame(unit.answer(bytes([1, pid]), is_functional=True))
        assert frame is not None
        told |= {signal: float(value) for _, _, signal, value in decoder.rows((0, 0, ENGINE, frame))}
    wanted = {"0104": 40, "0105": 90, "010C": 2000, "010D": 50, "0111": 20, "011C": 6, "011F": 77, "012F": 61}
    wanted |= {"0142": 14.1, "01A6": 48_211.3}
    assert told == pytest.approx(wanted, abs=0.2)


# ---- trouble codes --------------------------------------------------------------------------------------------------


def told(unit: Ecu, service: int) -> str:
    """Codes, as the terminal words them."""
    words = text(unit.answer(bytes([service]), is_functional=True))
    assert words is not None
    return words[1]


def test_codes_appear_light_the_lamp_freeze_the_moment_and_clear() -> None:
    unit = engine(driving())
    unit.trouble.pending.append("P0301")
    assert [told(unit, service) for service in (3, 7, 10)] == ["", "P0301", ""]
    assert unit.answer(b"\x01\x01", is_functional=True)[2] == 0x00
    unit.confirm("P0301")
    unit.readings.speed_kmh = 0
    unit.confirm("C0300")
    assert [told(unit, service) for service in (3, 7, 10)] == ["P0301 C0300"] * 3
    assert unit.answer(b"\x01\x01", is_functional=True) == b"\x41\x01\x82\x07\x65\x00"
    assert unit.answer(b"\x02\x02\x00", is_functional=True) == b"\x42\x02\x00\x03\x01"
    assert unit.answer(b"\x02\x0d\x00\x05\x00", is_functional=True) == b"\x42\x0d\x00\x32\x05\x00\x82"
    unit.trouble.clear()
    assert [told(unit, service) for service in (3, 7, 10)] == ["", "", "P0301 C0300"]
    assert unit.answer(b"\x01\x01", is_functional=True) == b"\x41\x01\x00\x07\x65\x65"
    assert unit.answer(b"\x02\x02\x00", is_functional=True) == b"\x42\x02\x00\x00\x00"
    unit.trouble.heal("P0301")
    assert told(unit, 10) == "C0300"


def test_a_code_that_heals_goes_from_everywhere_and_its_frame_with_the_last() -> None:
    trouble = Trouble()
    trouble.confirm("P0133", {0x0D: b"\x32"})
    trouble.confirm("P0134", {})
    trouble.heal("P0133")
    assert (trouble.stored, trouble.pending, trouble.permanent) == (["P0134"], ["P0134"], ["P0134"])
    assert trouble.frozen == {0x02: b"\x01\x33", 0x0D: b"\x32"}
    trouble.heal("P0134")
    assert not trouble.is_lit
    assert trouble.frozen == {}


@given(some.binary(min_size=2, max_size=2))
def test_a_codes_bytes_are_those_the_terminal_reads(pair: bytes) -> None:
    assert code_bytes(trouble_code(pair)) == pair


# ---- frames ---------------------------------------------------------------------------------------------------------


def port(habits: Habits | None = None, seed: int = 1) -> Port:
    return Port(engine(driving()), 0x7E0, ENGINE, habits, seed)


def said(unit: Port, *heard: tuple[int, int, str], until_us: int = 10_000_000) -> list[tuple[int, str]]:
    """What it sends until then, each frame as text; frames are heard at their times."""
    frames: list[Frame] = []
    for t_us, identifier, data in heard:
        frames += unit.due(t_us)
        unit.hear(t_us, identifier, bytes.fromhex(data))
    frames += unit.due(until_us)
    assert all(identifier == unit.ecu_id for _, identifier, _ in frames)
    return [(t_us, data.hex()) for t_us, _, data in frames]


def test_a_short_answer_is_one_frame_in_its_time_filled_up_or_not() -> None:
    speed = (100, 0x7DF, "02010d0000000000")
    assert said(port(), speed) == [(8_100, "03410d32aaaaaaaa")]
    assert said(port(Habits(answer_us=50_000, padding=None)), speed) == [(50_100, "03410d32")]


@pytest.mark.parametrize(
    ("identifier", "data"),
    [
        pytest.param(0x7E1, "02010d", id="another unit's question"),
        pytest.param(EXTENDED | 0x18DB33F1, "02010d", id="everybody's in 29 bits"),
        pytest.param(0x7DF, "", id="an empty frame"),
        pytest.param(0x7DF, "0301", id="a torn frame"),
        pytest.param(0x7DF, "1008010203040506", id="a long question"),
        pytest.param(0x7E0, "300000", id="flow control nobody waits for"),
    ],
)
def test_what_is_no_question_to_it_is_not_answered(identifier: int, data: str) -> None:
    assert said(port(), (0, identifier, data)) == []


def test_a_long_answer_waits_for_flow_control_from_its_own_tester() -> None:
    asked = (0, 0x7DF, "020902")
    first, rest = [(8_000, "1014490201314847")], ["21434d3832363333", "2241303034333532"]
    assert said(port(), asked, (9_000, 0x7E0, "300000")) == first + list(zip([9_000, 9_250], rest, strict=True))
    assert said(port(), asked, (9_000, 0x7E0, "300005")) == first + list(zip([9_000, 14_000], rest, strict=True))
    for not_for_it in [(9_000, 0x7E1, "300000"), (9_000, 0x7DF, "300000"), (7_000, 0x7E0, "300000")]:
        unit = port()
        assert said(unit, asked, not_for_it) + said(unit, until_us=20_000_000) == first
        assert unit.given_up == 1


@pytest.mark.parametrize(
    ("flow", "count", "given_up"),
    [
        pytest.param([(9_000, "300100"), (10_000, "300100")], 3, 0, id="in blocks of one"),
        pytest.param([(9_000, "300100")], 2, 1, id="the second block never asked for"),
        pytest.param([(9_000, "310000"), (60_000, "310000"), (120_000, "300000")], 3, 0, id="patience first"),
        pytest.param([(9_000, "320000"), (10_000, "300000")], 1, 0, id="no room"),
        pytest.param([(9_000, "3000")], 1, 1, id="torn"),
        pytest.param([(8_000 + FLOW_US, "300000")], 3, 0, id="just in time"),
        pytest.param([(8_001 + FLOW_US, "300000")], 1, 1, id="just too late"),
    ],
)
def test_flow_control_is_obeyed(flow: list[tuple[int, str]], count: int, given_up: int) -> None:
    unit = port()
    assert len(said(unit, (0, 0x7E0, "020902"), *[(t_us, 0x7E0, data) for t_us, data in flow])) == count
    assert unit.given_up == given_up


@pytest.mark.parametrize(
    ("pause", "wait_us"), [(0, 0), (0x7F, 127_000), (0x80, 127_000), (0xF0, 127_000), (0xF1, 100), (0xF9, 900), (0xFA, 127_000)]
)  # fmt: skip
def test_separation_times_are_those_of_the_standard(pause: int, wait_us: int) -> None:
    assert pause_us(pause) == wait_us


def test_it_may_ask_for_patience_before_it_answers() -> None:
    unit = port(Habits(pending=2, pending_us=40_000, padding=None))
    wait = "037f0178"
    assert said(unit, (0, 0x7DF, "02010d")) == [(8_000, wait), (48_000, wait), (88_000, "03410d32")]


def test_while_it_answers_it_hears_no_other_question() -> None:
    assert said(port(), (0, 0x7DF, "02010d"), (100, 0x7DF, "02010c")) == [(8_000, "03410d32aaaaaaaa")]
    assert said(port(), (0, 0x7DF, "020902"), (9_000, 0x7DF, "02010c")) == [(8_000, "1014490201314847")]


def test_of_two_answers_at_once_the_lower_identifier_comes_first() -> None:
    units = Ecus(car(driving()).ports[::-1])
    units.hear(0, 0x7DF, b"\x02\x01\x0d")
    assert units.next_us() == 8_000
    assert [identifier for _, identifier, _ in units.due(8_000)] == [ENGINE, GEARBOX]
    assert units.next_us() is None


def test_it_can_be_silent_lose_frames_and_take_its_time_the_same_for_the_same_seed() -> None:
    unit = port(Habits(is_silent=True))
    assert said(unit, (0, 0x7DF, "02010d")) == []
    unit.habits.is_silent = False
    assert len(said(unit, (0, 0x7DF, "02010d"))) == 1
    habits = Habits(jitter_us=30_000, loses=0.5)
    runs = [
        said(port(habits, seed), *[(t_us, 0x7E0, data) for t_us in range(0, 10**7, 200_000) for data in ("020904",)],
             *[(10**7, 0x7E0, "300000")], until_us=2 * 10**7)
        for seed in (1, 1, 2)
    ]  # fmt: skip
    assert runs[0] == runs[1] != runs[2]
    assert all(8_000 <= t_us % 200_000 <= 38_000 for t_us, data in runs[0] if data[0] == "1")


# ---- both ends ------------------------------------------------------------------------------------------------------


class Talk:
    """The terminal's side, guarded, and the units on a bus that carries a frame in no time, from frame to frame."""

    def __init__(self, units: Ecus, *, extended: bool = False) -> None:
        self.units, self.now_us, self.guard = units, 0, Guard(uds_ids=[0x7E0, EXTENDED | 0x18DA10F1])
        self.link = IsoTp(self._send, extended=extended)

    def _send(self, t_us: int, identifier: int, data: bytes) -> str:
        why = self.guard.frame(t_us, identifier, data)
        if not why:
            self.units.hear(t_us, identifier, data)
        return why

    def ask(self, request: Request, within_us: int = 200_000) -> list[Answer]:
        """The answers that come in this time."""
        assert self.link.ask(self.now_us, request) == ""
        told: list[Answer] = []
        until_us = self.now_us + within_us
        while (next_us := self.units.next_us()) is not None and next_us <= until_us:
            self.now_us = max(self.now_us, next_us)
            heard = [(t_us, 0, identifier, 0, data) for t_us, identifier, data in self.units.due(self.now_us)]
            told += self.link.hear(heard)
        self.now_us = until_us
        self.link.step(until_us)
        return told


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("padding", [None, 0x00, 0xAA])
def test_the_terminal_understands_every_unit(wide: bool, padding: int | None) -> None:
    units = car(driving(), wide=wide)
    for one in units.ports:
        one.habits.padding = padding
    units.ports[0].habits.pending = 1
    for code in ("P0133", "C0300", "B1A2F", "U0100"):
        units.ports[0].ecu.confirm(code)
    first, second = (one.ecu_id for one in units.ports)
    talk = Talk(units, extended=wide)

    def words(request: Request) -> dict[int, str]:
        answers = talk.ask(request)
        assert sum(answer.payload[0] == 0x7F for answer in answers) == 1, "one asked for patience"
        return {answer.ecu: (text(answer.payload) or ("", ""))[1] for answer in answers if answer.payload[0] != 0x7F}

    assert words(Request(0x09, b"\x02")) == {first: "1HGCM82633A004352"}
    assert words(Request(0x09, b"\x04")) == {first: "37805-RBB-J530 CB6015A0", second: "28103-5B2-A01"}
    assert words(Request(0x09, b"\x0a")) == {first: "ECM-EngineControl", second: "TCM-TransmisCtrl"}
    for service in (3, 7, 10):
        assert words(Request(service)) == {first: "P0133 C0300 B1A2F U0100", second: ""}
    assert words(Request(0x09, b"\x02", units.ports[0].tester_id)) == {first: "1HGCM82633A004352"}
    six = {answer.payload for answer in talk.ask(Request(0x01, b"\x0c\x0d\x05\x11\x04\x42"))}
    assert bytes.fromhex("410c1f400d32058211330466423714") in six
    units.ports[0].ecu.dids[0xF190] = b"1HGCM82633A004352"
    did = talk.ask(Request(0x22, b"\xf1\x90", units.ports[0].tester_id))
    assert [one.payload for one in did if one.payload[0] != 0x7F] == [b"\x62\xf1\x90" + VIN[3:]]
    lost = {"timeout", "malformed", "unexpected", "sequence", "interrupted", "too_long", "refused", "other"}
    assert not any(talk.link.counters().get(reason) for reason in lost)
    assert not sum(one.given_up for one in units.ports)


@settings(max_examples=30, deadline=None)
@given(some.integers(0, 10_000), some.floats(0.05, 0.6))
def test_with_frames_lost_answers_are_whole_or_counted_as_lost(seed: int, share: float) -> None:
    units = car(driving(), seed=seed)
    for one in units.ports:
        one.habits.loses = share
    talk, asked, whole = Talk(units), 0, 0
    for _ in range(10):
        answers = talk.ask(Request(0x09, b"\x04", 0x7E0), within_us=1_300_000)
        asked, whole = asked + 1, whole + len(answers)
        assert all(answer.payload == units.ports[0].ecu.answer(b"\x09\x04", is_functional=False) for answer in answers)
    counts = talk.link.counters()
    assert whole + counts["timeout"] + counts.get("sequence", 0) == asked


# ---- on a bus, with threads -----------------------------------------------------------------------------------------


@contextmanager
def served(bus: can.BusABC) -> Iterator[Ecus]:
    """A car on a bus, patient with a busy machine."""
    over, units = threading.Event(), car(driving())
    for one in units.ports:
        one.habits.flow_us = round(WAIT_S * 1e6)
    with bus:
        thread = threading.Thread(target=serve, args=(bus, units, over.is_set))
        thread.start()
        try:
            yield units
        finally:
            over.set()
            thread.join()


@pytest.fixture(params=["virtual", "slcan"])
def wired(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Interface and channel the terminal opens to reach the car."""
    if request.param == "slcan":
        bus: can.BusABC = Adapter(tmp_path / "adapter")
        channel = str(tmp_path / "adapter")
    else:
        bus, channel = can.Bus(interface="virtual", channel="ecu-test"), "ecu-test"
    with served(bus):
        yield request.param, channel


NAME, OTHER_NAME = b"\x49\x0a\x01ECM\0-EngineControl\0\0", b"\x49\x0a\x01TCM\0-TransmisCtrl\0\0\0"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (Request(0x01, b"\x0d"), {ENGINE: b"\x41\x0d\x32", GEARBOX: b"\x41\x0d\x32"}),
        (Request(0x09, b"\x02"), {ENGINE: VIN}),
        (Request(0x09, b"\x0a"), {ENGINE: NAME, GEARBOX: OTHER_NAME}),
        (Request(0x09, b"\x0a", 0x7E1), {GEARBOX: OTHER_NAME}),
    ],
)
def test_a_car_on_a_bus_is_asked_through_the_driver_and_its_guard(
    wired: tuple[str, str], monkeypatch: pytest.MonkeyPatch, request_: Request, told: dict[int, bytes]
) -> None:
    monkeypatch.setattr("drivers.bus.isotp.CONSECUTIVE_US", round(WAIT_S * 1e6))  # however busy the machine is
    monkeypatch.setattr("drivers.bus.isotp.ANSWER_US", round(WAIT_S * 1e6))
    guard, answers = Guard(), []
    interface, channel = wired
    options = {"sleep_after_open": 0} if interface == "slcan" else {}
    source = open_can(interface, channel, number=3, listen_only=False, options=options, guard=guard)
    asker = CanAsker(source.send, channel=3)
    try:
        assert asker.ask(request_) == ""
        while len(answers) < len(told):
            assert select.select([source.fileno()], [], [], WAIT_S)[0], f"only {answers}"
            asker.hear(picked(source.read()))
            answers += asker.answers()
    finally:
        source.close()
    assert {answer.ecu: answer.payload for answer in answers} == told
    assert guard.counters()["flows"] == sum(len(payload) > 7 for payload in told.values())
    assert asker.foreign() == 0


def test_a_car_on_a_bus_answers_a_tester_built_on_can_isotp() -> None:
    address = isotp.Address(isotp.AddressingMode.Normal_11bits, rxid=ENGINE, txid=0x7E0)
    params = {"blocksize": 4, "stmin": 1, "tx_padding": 0, "rx_consecutive_frame_timeout": round(WAIT_S * 1000)}
    with (
        served(can.Bus(interface="virtual", channel="ecu-test")) as units,
        can.Bus(interface="virtual", channel="ecu-test") as bus,
    ):
        units.ports[0].ecu.dids[0x1234] = bytes(range(200))
        tester = isotp.CanStack(bus, address=address, params=params)
        tester.start()
        try:
            for question, answer in [(b"\x09\x02", VIN), (b"\x22\x12\x34", b"\x62\x12\x34" + bytes(range(200)))]:
                tester.send(question)
                assert tester.recv(block=True, timeout=WAIT_S) == answer
        finally:
            tester.stop()
