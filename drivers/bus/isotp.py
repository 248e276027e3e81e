"""ISO-TP (ISO 15765-2) on one bus by can-isotp: questions out, the whole answers of every control unit in.

One state machine of can-isotp per control unit, fed frame by frame: no thread, no socket, and no need of the kernel's
can-isotp module, which would cost a socket per unit and answer first frames that a foreign tester caused. can-isotp
reads a clock of its own for its timeouts only; those are set to weeks, and time comes in with the frames instead.

Flow control goes out only for a message that begins as the answer to our own open question, and only while no other
tester has asked since. Everybody's answers are put together all the same; another tester sends its own flow control.
The box's own frames must not come in (python-can and SocketCAN leave them out): they would look like a foreign tester.

    byte 0        kind                   then
    0L            single frame, L bytes  00 L where CAN FD carries more than 8
    1L LL         first frame            the whole length on 12 bits, 6 bytes of the message
    2N            consecutive frame      N counts from 1 and goes round at F
    3F BB SS      flow control           F: 0 go on, BB 0: no further block, SS 0: no pause
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import isotp

from drivers.batch import ERROR, EXTENDED, REMOTE
from drivers.bus.diagnostic import FUNCTIONAL, NEGATIVE, RESPONSE_PENDING, Answer, Request, answer_id, request_id

Send = Callable[[int, int, bytes], str]
"""Puts a frame on the bus through the guard: time (µs), identifier, data. Empty when it went, else why not."""

Heard = tuple[int, int, int, int, bytes]
"""A frame: time (µs), channel, identifier (EXTENDED: 29 bits), flags, data."""

FUNCTIONAL_11, FUNCTIONAL_29 = 0x7DF, EXTENDED | 0x18DB33F1
SINGLE, FIRST, CONSECUTIVE, FLOW = range(4)
CLASSIC_BYTES = 8
REQUEST_BYTES_MAX = 7
"""A question is one frame: the guard lets no other pass."""

PADDING = 0xCC
"""What fills a frame of ours up to 8 bytes, as ISO 15765-4 wants it filled; the value is ISO 15765-2's."""

CONSECUTIVE_US = 1_000_000
"""A consecutive frame later than this is none of its message any more (N_Cr)."""

ANSWER_US = 5_000_000
"""How long a question stays open, from when it was sent or a unit last said "response pending" (P2*, ISO 14229-2)."""

UNITS_MAX = 64
"""Units told apart on one bus; a car has fewer, a bus of nonsense could name 255."""

ECHOES = {0x01: 1, 0x02: 1, 0x09: 1, 0x22: 2}
"""How many bytes of the question its answer repeats after the service."""

REASONS: Mapping[type[Exception], str] = MappingProxyType(
    {
        isotp.UnexpectedConsecutiveFrameError: "unexpected",
        isotp.ReceptionInterruptedWithSingleFrameError: "interrupted",
        isotp.ReceptionInterruptedWithFirstFrameError: "interrupted",
        isotp.WrongSequenceNumberError: "sequence",
        isotp.FrameTooLongError: "too_long",
    }
)
"""What can-isotp complains of, as a word for the counters; anything else is "malformed"."""

LOGGER_NAME = "drivers.bus.isotp.stack"
logging.getLogger(LOGGER_NAME).setLevel(logging.CRITICAL)  # a line for each broken frame would fill the journal

PARAMETERS = MappingProxyType(
    {
        "blocksize": 0,
        "stmin": 0,
        "tx_padding": PADDING,
        "max_frame_size": 4095,
        "rx_consecutive_frame_timeout": 2**31,
        "rx_flowcontrol_timeout": 2**31,
        "logger_name": LOGGER_NAME,
        "wait_func": lambda _s: None,  # tried out at every start; only threads use it
    }
)


class IsoTp:
    """Questions and answers on one bus, 11 and 29 bits. Nothing it hears raises; what is lost is counted by reason.

    `extended`: which width a functional request has; what is heard may have either. `uds`: identifiers beside those of
    ISO 15765-4, each with the one its unit answers on (0x79B: 0x7BB).
    """

    def __init__(
        self, send: Send, *, channel: int = 0, extended: bool = False, uds: Mapping[int, int] | None = None
    ) -> None:
        self.extended = extended
        self._send = send
        self._channel = channel
        self._ecus = dict(uds or {})
        self._testers = {ecu: tester for tester, ecu in self._ecus.items()}
        self._units: dict[int, _Unit] = {}
        self._counts: Counter[str] = Counter()
        self._asked: Request | None = None
        self._open_until_us = 0
        self._now_us = 0

    def ask(self, t_us: int, request: Request) -> str:
        """Send a question. Empty when it went, "busy" while an answer is still coming in, else what `send` said."""
        payload = request.payload
        assert len(payload) <= REQUEST_BYTES_MAX, f"a question of {len(payload)} bytes does not fit a frame"
        self.step(t_us)
        if any(unit.is_receiving for unit in self._units.values()):
            return "busy"
        to = request.to
        if to == FUNCTIONAL:
            to = FUNCTIONAL_29 if self.extended else FUNCTIONAL_11
        why = self._put(to, (bytes([len(payload)]) + payload).ljust(CLASSIC_BYTES, bytes([PADDING])), "requests")
        if not why:
            self._asked, self._open_until_us = Request(request.service, request.data, to), t_us + ANSWER_US
        return why

    def hear(self, frames: Iterable[Heard]) -> list[Answer]:
        """Take frames in, oldest first; tell the answers they completed. Other channels' frames are left alone."""
        answers = []
        for t_us, channel, identifier, flags, data in frames:
            if channel != self._channel or flags & (ERROR | REMOTE):
                continue
            self._now_us = max(self._now_us, t_us)
            tester = self._testers.get(identifier) or request_id(identifier)
            if tester is not None:
                payload = self._hear_unit(t_us, identifier, tester, data)
                answers += [Answer(t_us, identifier, payload)] if payload else []
            elif self._is_request(identifier):
                self._hear_tester(data)
        return answers

    def step(self, t_us: int) -> None:
        """Let time pass: what was begun and not gone on with is dropped."""
        self._now_us = max(self._now_us, t_us)
        for unit in self._units.values():
            self._counts["timeout"] += unit.expire(t_us)

    def foreign(self) -> int:
        """Requests heard, ever: other testers', since ours are not heard."""
        return self._counts["foreign"]

    def counters(self) -> dict[str, int]:
        """Totals that only grow: requests, answers, flow_controls, foreign, refused, and losses by reason."""
        return dict(self._counts)

    def _hear_unit(self, t_us: int, ecu: int, tester: int, data: bytes) -> bytes:
        """The message this frame of a unit completes; empty: none."""
        unit = self._units.get(ecu)
        if unit is None:
            if len(self._units) >= UNITS_MAX:
                self._counts["crowded"] += 1
                return b""
            unit = self._units[ecu] = _Unit(ecu, tester, self._control_flow, self._lose)
        self._counts["timeout"] += unit.expire(t_us)
        flaw = unit.flaw(data)
        if flaw:
            self._counts[flaw] += 1
            return b""
        payload = unit.hear(t_us, data, is_ours=self._is_ours(t_us, ecu, data))
        if payload:
            self._counts["answers"] += 1
            if payload[0] == NEGATIVE and payload[2:3] == bytes([RESPONSE_PENDING]) and self._asked is not None:
                self._open_until_us = t_us + ANSWER_US
        return payload

    def _is_ours(self, t_us: int, ecu: int, data: bytes) -> bool:
        """Whether a first frame begins an answer to our open question."""
        asked = self._asked
        if asked is None or t_us > self._open_until_us:
            return False
        to = self._ecus.get(asked.to) or answer_id(asked.to)
        if (to is not None and to != ecu) or (asked.to ^ ecu) & EXTENDED:
            return False
        echo = bytes([asked.service | 0x40]) + asked.data[: ECHOES.get(asked.service, 0)]
        return data[2 : 2 + len(echo)] == echo

    def _hear_tester(self, data: bytes) -> None:
        """Somebody else asks: nobody can tell any more whose answer comes next, so ours is no longer waited for."""
        if data and data[0] >> 4 in (CONSECUTIVE, FLOW):
            return
        self._counts["foreign"] += 1
        self._asked = None

    def _is_request(self, identifier: int) -> bool:
        return (
            identifier in (FUNCTIONAL_11, FUNCTIONAL_29)
            or identifier in self._ecus
            or answer_id(identifier) is not None
        )

    def _control_flow(self, message: isotp.CanMessage) -> None:
        """Send what can-isotp made: flow control is all it makes here."""
        identifier = message.arbitration_id | (EXTENDED if message.is_extended_id else 0)
        self._put(identifier, bytes(message.data), "flow_controls")

    def _put(self, identifier: int, data: bytes, what: str) -> str:
        why = self._send(self._now_us, identifier, data)
        self._counts["refused" if why else what] += 1
        return why

    def _lose(self, error: Exception) -> None:
        self._counts[REASONS.get(type(error), "malformed")] += 1


class _Unit:
    """One control unit's message in the making. Holds at most 4095 bytes."""

    def __init__(
        self, ecu: int, tester: int, send: Callable[[isotp.CanMessage], None], lose: Callable[[Exception], None]
    ) -> None:
        self._frame: isotp.CanMessage | None = None
        self._last_us = 0
        self._is_wide = bool(ecu & EXTENDED)
        self._ecu = ecu & ~EXTENDED
        mode = isotp.AddressingMode.Normal_29bits if self._is_wide else isotp.AddressingMode.Normal_11bits
        address = isotp.Address(mode, rxid=self._ecu, txid=tester & ~EXTENDED)
        self._stack = isotp.TransportLayerLogic(self._next, send, address, lose, dict(PARAMETERS))

    @property
    def is_receiving(self) -> bool:
        """Whether more of a message is to come."""
        return self._stack.is_rx_active()

    def expire(self, t_us: int) -> int:
        """Drop a message that did not go on in time; how many that were."""
        if not self.is_receiving or t_us - self._last_us <= CONSECUTIVE_US:
            return 0
        self._stack.stop_receiving()
        return 1

    def flaw(self, data: bytes) -> str:
        """What is wrong with a frame that can-isotp would take, or that would end a message it has no part in."""
        kind = data[0] >> 4 if data else FLOW
        if kind >= FLOW:
            return "other"
        if kind == SINGLE:
            is_bad = not data[0] and len(data) <= CLASSIC_BYTES
        elif kind == FIRST:
            is_bad = len(data) < CLASSIC_BYTES or 0 < ((data[0] & 0xF) << 8 | data[1]) <= len(data) - 2
        else:
            missing = self._stack.rx_frame_length - len(self._stack.rx_buffer)
            is_bad = self.is_receiving and len(data) <= min(missing, CLASSIC_BYTES - 1)
        if is_bad:
            self._stack.stop_receiving()
        return "malformed" if is_bad else ""

    def hear(self, t_us: int, data: bytes, *, is_ours: bool) -> bytes:
        """The message this frame completes; empty: none. Ours: a first frame is answered with flow control."""
        self._last_us = t_us
        self._frame = isotp.CanMessage(self._ecu, len(data), data, extended_id=self._is_wide)
        self._stack.params.listen_mode = not is_ours
        self._stack.process()
        return bytes(self._stack.recv() or b"")

    def _next(self, _wait_s: float) -> isotp.CanMessage | None:
        frame, self._frame = self._frame, None
        return frame
