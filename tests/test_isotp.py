"""ISO-TP over can-isotp: whole answers of several units, flow control only for what we asked, losses counted."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import can
import isotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from agent.obd.answers import Assembler
from drivers.batch import ERROR, EXTENDED, REMOTE
from drivers.bus.diagnostic import Answer, Request, answer_id, request_id
from drivers.bus.isotp import ANSWER_US, CONSECUTIVE_US, UNITS_MAX, Heard, IsoTp
from tests.packed import frames, read

CSS = Path(__file__).resolve().parents[2] / "shared/data/css_canedge"
LEAF = CSS / "data-processing__LOG__2F6913DB__00000004__00000001.log.gz"
ENGINE, GEARBOX, WIDE = 0x7E8, 0x7E9, EXTENDED | 0x18DAF110
VIN = b"\x49\x02\x01" + b"1HGCM82633A004352"
PARTS = (b"\x10\x14" + VIN[:6], b"\x21" + VIN[6:13], b"\x22" + VIN[13:20])
GO_ON = b"\x30\x00\x00\xcc\xcc\xcc\xcc\xcc"
ASK_VIN = Request(0x09, b"\x02")
WAIT_S = 30.0


class Link(IsoTp):
    """With what it sent."""

    def __init__(self, says: str = "", **options: object) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.times: list[int] = []
        self.says = says
        super().__init__(self._take, **options)  # type: ignore[arg-type]

    def _take(self, t_us: int, identifier: int, data: bytes) -> str:
        self.times.append(t_us)
        self.sent.append((identifier, data))
        return self.says

    def lost(self) -> dict[str, int]:
        """What went wrong, by reason."""
        fine = ("requests", "answers", "flow_controls", "foreign")
        return {reason: count for reason, count in self.counters().items() if count and reason not in fine}


def sent(identifier: int, *parts: bytes, start_us: int = 0, step_us: int = 10_000) -> list[Heard]:
    return [(start_us + i * step_us, 0, identifier, 0, part) for i, part in enumerate(parts)]


def cut(message: bytes) -> list[bytes]:
    """A message as its sender cuts it into classic frames."""
    if len(message) <= 7:
        return [bytes([len(message)]) + message]
    parts = [bytes([0x10 | len(message) >> 8, len(message) & 0xFF]) + message[:6]]
    return parts + [bytes([0x20 | n & 15]) + message[7 * n - 1 : 7 * n + 6] for n in range(1, (len(message) + 7) // 7)]


# ---- answers --------------------------------------------------------------------------------------------------------

LONG = bytes(i & 0xFF for i in range(160))


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        pytest.param(sent(ENGINE, b"\x03\x41\x0d\x32\xaa\xaa\xaa\xaa"), [(ENGINE, b"\x41\x0d\x32")], id="one padded"),
        pytest.param(sent(ENGINE, b"\x03\x41\x0d\x32"), [(ENGINE, b"\x41\x0d\x32")], id="one not padded"),
        pytest.param(sent(ENGINE, b"\x00\x09" + VIN[:9]), [(ENGINE, VIN[:9])], id="one of CAN FD"),
        pytest.param(sent(ENGINE, *PARTS), [(ENGINE, VIN)], id="three frames"),
        pytest.param(sent(ENGINE, *cut(VIN[:16])), [(ENGINE, VIN[:16])], id="the last one not padded"),
        pytest.param(sent(ENGINE, *[part.ljust(8, b"\0") for part in cut(VIN[:16])]), [(ENGINE, VIN[:16])],
                     id="the last one padded"),
        pytest.param(sent(WIDE, *PARTS), [(WIDE, VIN)], id="29 bits"),
        pytest.param(sent(ENGINE, *cut(LONG)), [(ENGINE, LONG)], id="a sequence that goes round"),
        pytest.param(sorted(sent(ENGINE, *PARTS) + sent(GEARBOX, *PARTS, start_us=4_000) + sent(WIDE, *PARTS)),
                     [(ENGINE, VIN), (WIDE, VIN), (GEARBOX, VIN)], id="three units interleaved"),
        pytest.param(sent(ENGINE, PARTS[0], GO_ON, *PARTS[1:]), [(ENGINE, VIN)], id="a unit's own flow control"),
        pytest.param(sent(ENGINE, PARTS[0], b"\x40\x00", *PARTS[1:]), [(ENGINE, VIN)], id="a frame of no kind"),
        pytest.param(sent(ENGINE, PARTS[0], b"\x02\x41\x0d", *PARTS), [(ENGINE, b"\x41\x0d"), (ENGINE, VIN)],
                     id="a single frame in between"),
        pytest.param(sent(0x123, *PARTS), [], id="no unit"),
        pytest.param(sent(0x7E8 | EXTENDED, *PARTS), [], id="no unit's identifier in 29 bits"),
        pytest.param([(0, 0, ENGINE, flag, b"\x02\x41\x0d") for flag in (ERROR, REMOTE)], [], id="no data frames"),
        pytest.param([(0, 1, ENGINE, 0, b"\x02\x41\x0d")], [], id="another channel"),
    ],
)  # fmt: skip
def test_answers_are_put_together_by_unit(heard: list[Heard], told: list[tuple[int, bytes]]) -> None:
    assert [(answer.ecu, answer.payload) for answer in Link().hear(heard)] == told


def test_an_answer_bears_the_time_of_its_last_frame() -> None:
    assert Link().hear(sent(ENGINE, *PARTS, start_us=500)) == [Answer(20_500, ENGINE, VIN)]


def test_frames_may_come_in_any_portions() -> None:
    heard = sorted(sent(ENGINE, *cut(LONG)) + sent(GEARBOX, *cut(LONG), start_us=300))
    whole, single = Link(), Link()
    assert whole.hear(heard) == [answer for frame in heard for answer in single.hear([frame])]


@pytest.mark.parametrize("size", [1, 6, 7, 8, 13, 14, 20, 62, 63, 4094, 4095])
def test_a_message_of_any_size_comes_back(size: int) -> None:
    message = random.Random(size).randbytes(size)
    link = Link()
    assert link.hear(sent(ENGINE, *cut(message), step_us=300)) == [
        Answer((len(cut(message)) - 1) * 300, ENGINE, message)
    ]
    assert not link.lost()


# ---- losses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heard", "lost"),
    [
        pytest.param(sent(ENGINE, PARTS[0], PARTS[2]), {"sequence": 1}, id="a frame lost"),
        pytest.param(sent(ENGINE, PARTS[0], PARTS[1], PARTS[1], PARTS[2]), {"sequence": 1, "unexpected": 1}, id="a frame twice"),
        pytest.param(sent(ENGINE, *PARTS[1:]), {"unexpected": 2}, id="the first frame lost"),
        pytest.param(sent(ENGINE, PARTS[0], b"\x02\x41\x0d"), {"interrupted": 1}, id="a single frame instead"),
        pytest.param(sent(ENGINE, PARTS[0], *PARTS[:2]), {"interrupted": 1}, id="begun again"),
        pytest.param(sent(ENGINE, PARTS[0], PARTS[1][:6], PARTS[2]), {"malformed": 1, "unexpected": 1}, id="a short frame"),
        pytest.param(sent(ENGINE, PARTS[0], PARTS[1][:7], PARTS[2]), {"malformed": 1, "unexpected": 1}, id="short by one byte"),
        pytest.param(sent(ENGINE, *PARTS, b"\x21\x01"), {"unexpected": 1}, id="one too many"),
        pytest.param(sent(ENGINE, PARTS[0][:7]), {"malformed": 1}, id="a short first frame"),
        pytest.param(sent(ENGINE, b"\x10\x06" + VIN[:6]), {"malformed": 1}, id="a first frame that should be single"),
        pytest.param(sent(ENGINE, b"\x10\x00\x00\x00\x20\x00" + VIN[:2]), {"too_long": 1}, id="more than 4095 bytes"),
        pytest.param(sent(ENGINE, b"\x08\x41\x0d\x32\0\0\0\0"), {"malformed": 1}, id="a single frame of 8 bytes"),
        pytest.param(sent(ENGINE, b"\x00\x03\x41\x0d\x32\0\0\0"), {"malformed": 1}, id="CAN FD's length in a classic frame"),
        pytest.param(sent(ENGINE, b""), {"other": 1}, id="nothing"),
        pytest.param(sent(ENGINE, b"\xf0\x01\x02"), {"other": 1}, id="no kind of ISO-TP"),
        pytest.param(sent(ENGINE, *PARTS[:2]) + sent(ENGINE, PARTS[2], start_us=CONSECUTIVE_US + 10_001),
                     {"timeout": 1, "unexpected": 1}, id="just too late"),
        pytest.param(sent(ENGINE, *PARTS[:2]) + sent(ENGINE, PARTS[2], start_us=CONSECUTIVE_US + 10_000), {}, id="just in time"),
    ],
)  # fmt: skip
def test_what_is_lost_is_counted_by_reason_and_what_follows_is_whole(heard: list[Heard], lost: dict[str, int]) -> None:
    link = Link()
    link.hear(heard)
    assert link.lost() == lost
    if not lost.get("interrupted"):
        assert [one.payload for one in link.hear(sent(ENGINE, *PARTS, start_us=5_000_000))] == [VIN]


def test_a_message_not_gone_on_with_is_dropped_when_time_passes() -> None:
    link = Link()
    link.hear(sent(ENGINE, PARTS[0], start_us=7))
    link.step(CONSECUTIVE_US + 7)
    assert not link.lost()
    link.step(CONSECUTIVE_US + 8)
    assert link.lost() == {"timeout": 1}


def test_units_beyond_the_limit_are_counted_and_nothing_is_kept_of_them() -> None:
    link = Link()
    for unit in range(UNITS_MAX + 5):
        link.hear(sent(EXTENDED | 0x18DAF100 | unit, b"\x1f\xff" + VIN[:6]))
    assert link.lost() == {"crowded": 5}
    assert len(link._units) == UNITS_MAX


# ---- questions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extended", "request_", "identifier", "data"),
    [
        (False, Request(0x01, b"\x0d"), 0x7DF, "02010dcccccccccc"),
        (True, Request(0x01, b"\x0d"), 0x18DB33F1 | EXTENDED, "02010dcccccccccc"),
        (False, Request(0x03), 0x7DF, "0103cccccccccccc"),
        (True, Request(0x22, b"\xf1\x90", 0x7E0), 0x7E0, "0322f190cccccccc"),
        (False, Request(0x0A, to=0x18DA10F1 | EXTENDED), 0x18DA10F1 | EXTENDED, "010acccccccccccc"),
        (False, Request(0x01, b"\x0c\x0d\x05\x11\x04\x2f"), 0x7DF, "07010c0d0511042f"),
    ],
)
def test_a_question_is_one_frame_filled_up(extended: bool, request_: Request, identifier: int, data: str) -> None:
    link = Link(extended=extended)
    assert link.ask(5, request_) == ""
    assert link.sent == [(identifier, bytes.fromhex(data))]
    assert link.times == [5]


def test_a_question_that_does_not_fit_a_frame_is_our_fault() -> None:
    with pytest.raises(AssertionError, match="8 bytes"):
        Link().ask(0, Request(0x22, bytes(7)))


def test_a_question_waits_while_an_answer_comes_in() -> None:
    link = Link()
    link.hear(sent(ENGINE, PARTS[0]))
    assert link.ask(1000, ASK_VIN) == "busy"
    assert not link.sent
    link.hear(sent(ENGINE, *PARTS[1:], start_us=2000))
    assert link.ask(20_000, ASK_VIN) == ""


def test_a_refused_question_is_told_and_opens_nothing() -> None:
    link = Link("service")
    assert link.ask(0, ASK_VIN) == "service"
    link.hear(sent(ENGINE, PARTS[0]))
    assert [data[0] for _, data in link.sent] == [0x02]
    assert link.lost() == {"refused": 1}


# ---- flow control ---------------------------------------------------------------------------------------------------

FOREIGN = sent(0x7DF, b"\x02\x09\x02")
PENDING = b"\x03\x7f\x09\x78"


@pytest.mark.parametrize(
    ("asked", "heard", "flow_to"),
    [
        pytest.param(ASK_VIN, sent(ENGINE, PARTS[0]), [0x7E0], id="asked of all"),
        pytest.param(ASK_VIN, sent(GEARBOX, PARTS[0]) + sent(ENGINE, PARTS[0]), [0x7E1, 0x7E0], id="two units"),
        pytest.param(ASK_VIN, sent(ENGINE, *PARTS), [0x7E0], id="once for a message"),
        pytest.param(ASK_VIN, sent(ENGINE, PARTS[0], *PARTS), [0x7E0, 0x7E0], id="again when begun again"),
        pytest.param(Request(0x09, b"\x02", 0x7E0), sent(ENGINE, PARTS[0]), [0x7E0], id="asked of this one"),
        pytest.param(Request(0x09, b"\x02", 0x7E1), sent(ENGINE, PARTS[0]), [], id="asked of another one"),
        pytest.param(Request(0x03), sent(ENGINE, b"\x10\x0a\x43\x04\x01\x33\x01\x34"), [0x7E0], id="codes"),
        pytest.param(Request(0x22, b"\xf1\x90", 0x7E0), sent(ENGINE, b"\x10\x14\x62\xf1\x90ABC"), [0x7E0], id="a DID"),
        pytest.param(Request(0x22, b"\xf1\x90", 0x7E0), sent(ENGINE, b"\x10\x14\x62\xf1\x91ABC"), [], id="another DID"),
        pytest.param(Request(0x22, b"\x01\x02", 0x79B), sent(0x7BB, b"\x10\x14\x62\x01\x02ABC"), [0x79B], id="a map's unit"),
        pytest.param(Request(0x22, b"\x01\x02", 0x79B), sent(ENGINE, b"\x10\x14\x62\x01\x02ABC"), [], id="not the map's unit"),
        pytest.param(Request(0x09, b"\x04"), sent(ENGINE, PARTS[0]), [], id="another question's answer"),
        pytest.param(ASK_VIN, sent(WIDE, PARTS[0]), [], id="the other width"),
        pytest.param(None, sent(ENGINE, PARTS[0]), [], id="nothing asked"),
        pytest.param(None, FOREIGN + sent(ENGINE, *PARTS), [], id="a foreign tester's answer"),
        pytest.param(ASK_VIN, FOREIGN + sent(ENGINE, PARTS[0]), [], id="a foreign tester asked since"),
        pytest.param(ASK_VIN, sent(0x7E0, GO_ON) + sent(ENGINE, PARTS[0]), [0x7E0], id="foreign flow control asks nothing"),
        pytest.param(ASK_VIN, sent(ENGINE, PARTS[0], start_us=ANSWER_US), [0x7E0], id="just in time"),
        pytest.param(ASK_VIN, sent(ENGINE, PARTS[0], start_us=ANSWER_US + 1), [], id="just too late"),
        pytest.param(ASK_VIN, sent(ENGINE, PENDING, PARTS[0], start_us=9, step_us=ANSWER_US), [0x7E0], id="after its patience"),
        pytest.param(ASK_VIN, sent(ENGINE, b"\x10\x00\x00\x00\x20\x00\x49\x02"), [], id="more than 4095 bytes"),
    ],
)  # fmt: skip
def test_flow_control_goes_to_the_unit_that_answers_us_and_to_no_other(
    asked: Request | None, heard: list[Heard], flow_to: list[int]
) -> None:
    link = Link(uds={0x79B: 0x7BB})
    if asked:
        link.ask(0, asked)
        link.sent.clear()
    link.hear(heard)
    assert link.sent == [(identifier, GO_ON) for identifier in flow_to]
    assert link.counters().get("flow_controls", 0) == len(flow_to)


def test_flow_control_in_29_bits_goes_back_to_the_unit_that_began() -> None:
    link = Link(extended=True)
    link.ask(0, ASK_VIN)
    link.hear(sent(WIDE, PARTS[0], start_us=40))
    assert link.sent[1:] == [(0x18DA10F1 | EXTENDED, GO_ON)]
    assert link.times == [0, 40]


@pytest.mark.parametrize(
    ("frame", "count"),
    [
        pytest.param((0x7DF, b"\x02\x01\x0c"), 1, id="to all"),
        pytest.param((0x18DB33F1 | EXTENDED, b"\x02\x01\x0c"), 1, id="to all, 29 bits"),
        pytest.param((0x7E3, b"\x02\x3e\x80"), 1, id="to one"),
        pytest.param((0x18DA10F1 | EXTENDED, b"\x02\x3e\x80"), 1, id="to one, 29 bits"),
        pytest.param((0x79B, b"\x02\x21\x01"), 1, id="to a unit of the map"),
        pytest.param((0x7E0, b"\x10\x14\x2e\xf1\x90ABC"), 1, id="a long one"),
        pytest.param((0x7E0, b""), 1, id="nothing, but where only testers speak"),
        pytest.param((0x7E0, GO_ON), 0, id="flow control"),
        pytest.param((0x7E0, PARTS[1]), 0, id="the rest of a long one"),
        pytest.param((0x18DB33F1, b"\x02\x01\x0c"), 0, id="29 bits' number in 11"),
        pytest.param((0x18DAF1F1 | EXTENDED, b"\x02\x01\x0c"), 0, id="the tester to itself"),
        pytest.param((0x7DE, b"\x02\x01\x0c"), 0, id="beside it"),
        pytest.param((ENGINE, b"\x02\x41\x0c"), 0, id="an answer"),
    ],
)
def test_requests_of_other_testers_are_counted(frame: tuple[int, bytes], count: int) -> None:
    link = Link(uds={0x79B: 0x7BB})
    link.hear(sent(*frame))
    assert link.foreign() == count


def test_every_unit_has_one_identifier_to_be_asked_on_and_one_to_answer_on() -> None:
    for identifier in [*range(0x800), *(EXTENDED | 0x18DA0000 | low for low in range(0x10000)), EXTENDED | 0x7E8]:
        tester, ecu = request_id(identifier), answer_id(identifier)
        assert tester is None or answer_id(tester) == identifier
        assert ecu is None or request_id(ecu) == identifier
        assert tester is None or ecu is None


# ---- the same as others make of it ----------------------------------------------------------------------------------


@pytest.mark.skipif(not LEAF.exists(), reason="needs the recordings in ../shared/data")
def test_a_recorded_uds_session_of_another_tester_is_put_together_as_the_decoder_does_it() -> None:
    heard = [
        (t, 0, identifier, flags, data) for t, _, identifier, data, flags in frames(read(LEAF)) if identifier > 0x700
    ]
    assembler, link = Assembler(), Link(uds={0x79B: 0x7BB})
    wanted = [
        Answer(t, 0x7BB, message)
        for t, _, identifier, _, data in heard
        if identifier == 0x7BB and (message := assembler.put(t, ENGINE, data)) is not None
    ]
    assert link.hear(heard) == wanted
    assert {len(answer.payload) for answer in wanted} >= {0x35}
    assert link.foreign() == sum(identifier == 0x79B and data[0] < 8 for _, _, identifier, _, data in heard)
    assert not link.sent


PIECES = some.one_of(
    some.sampled_from([*PARTS, PARTS[1][:5], b"\x10\x09" + VIN[:6], b"\x21\x01\x02\x03", b"\x02\x41\x0d", b"\x30\0\0"]),
    some.binary(max_size=8),
)


@settings(max_examples=200, deadline=None)
@given(some.lists(some.tuples(some.integers(0, 600_000), some.sampled_from([ENGINE, GEARBOX]), PIECES), max_size=40))
def test_whatever_comes_is_put_together_as_the_decoder_does_it(pieces: list[tuple[int, int, bytes]]) -> None:
    assembler, link, now_us = Assembler(), Link(), 0
    for step_us, identifier, data in pieces:
        now_us += step_us
        wanted = assembler.put(now_us, identifier, data)
        assert [one.payload for one in link.hear([(now_us, 0, identifier, 0, data)])] == ([wanted] if wanted else [])


IDENTIFIERS = some.one_of(
    some.sampled_from([ENGINE, GEARBOX, WIDE, 0x7BB, 0x79B, 0x7DF, 0x7E0, EXTENDED | 0x18DB33F1]),
    some.integers(0, 0xFF).map(lambda unit: EXTENDED | 0x18DAF100 | unit),
    some.integers(0, 2**32 - 1),
)
ANYTHING = some.tuples(
    some.integers(-(2**40), 2**40),
    some.integers(0, 1),
    IDENTIFIERS,
    some.sampled_from([0, 0, 0, 1, 2, 4]),
    some.one_of(PIECES, some.binary(max_size=64)),
)


@settings(max_examples=200, deadline=None)
@given(some.lists(ANYTHING, max_size=60), some.booleans())
def test_nothing_heard_raises_grows_or_sends_anything_but_flow_control(heard: list[Heard], extended: bool) -> None:
    link = Link(extended=extended, uds={0x79B: 0x7BB})
    for at in range(0, len(heard), 10):
        link.ask(heard[at][0], ASK_VIN)
        asked = len(link.sent)
        answers = link.hear(heard[at : at + 10])
        assert all(0 < len(answer.payload) <= 4095 for answer in answers)
        assert all(data == GO_ON and identifier in TESTERS for identifier, data in link.sent[asked:])
    assert len(link._units) <= UNITS_MAX
    assert all(len(unit._stack.rx_buffer) <= 4095 and not unit._stack.available() for unit in link._units.values())
    assert link.times == sorted(link.times)


TESTERS = {0x79B, *range(0x7E0, 0x7E8), *(EXTENDED | 0x18DA00F1 | unit << 8 for unit in range(0x100))}


# ---- against can-isotp's own stack, on a bus -------------------------------------------------------------------------


@pytest.fixture
def buses() -> Iterator[tuple[can.BusABC, can.BusABC]]:
    with (
        can.Bus(interface="virtual", channel="isotp-test") as ours,
        can.Bus(interface="virtual", channel="isotp-test") as theirs,
    ):
        yield ours, theirs


@pytest.mark.parametrize("padding", [None, 0x55])
@pytest.mark.parametrize(
    ("mode", "tester", "ecu"),
    [
        pytest.param(isotp.AddressingMode.Normal_11bits, 0x7E0, ENGINE, id="11 bits"),
        pytest.param(isotp.AddressingMode.Normal_29bits, EXTENDED | 0x18DA10F1, WIDE, id="29 bits"),
    ],
)
def test_a_unit_built_on_can_isotp_is_asked_and_answers(
    buses: tuple[can.BusABC, can.BusABC], mode: isotp.AddressingMode, tester: int, ecu: int, padding: int | None
) -> None:
    ours, theirs = buses
    address = isotp.Address(mode, rxid=tester & ~EXTENDED, txid=ecu & ~EXTENDED)
    unit = isotp.CanStack(
        theirs, address=address, params={"tx_padding": padding, "rx_flowcontrol_timeout": round(WAIT_S * 1000)}
    )
    unit.start()

    def send(_t_us: int, identifier: int, data: bytes) -> str:
        wide = bool(identifier & EXTENDED)
        ours.send(can.Message(arbitration_id=identifier & ~EXTENDED, is_extended_id=wide, data=data))
        return ""

    try:
        link = IsoTp(send)
        assert link.ask(5, Request(0x09, b"\x02", tester)) == ""
        assert unit.recv(block=True, timeout=WAIT_S) == b"\x09\x02"
        unit.send(b"\x49\x02" + LONG)
        told: list[Answer] = []
        until_s = time.monotonic() + WAIT_S
        while not told and time.monotonic() < until_s:
            message = ours.recv(0.1)
            if message is not None:
                identifier = message.arbitration_id | (EXTENDED if message.is_extended_id else 0)
                told += link.hear([(5, 0, identifier, 0, bytes(message.data))])
        assert [(one.ecu, one.payload) for one in told] == [(ecu, b"\x49\x02" + LONG)]
        assert link.counters()["flow_controls"] == 1
    finally:
        unit.stop()
