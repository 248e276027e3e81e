"""The car behind an ELM327: found by python-OBD, asked one question at a time, its answers judged one by one.

The only file that imports python-OBD, and imported only in the adapter's own process (drivers.elm.adapter).
"""

import logging
from collections import Counter, deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import serial
from obd import elm327
from obd.protocols import (
    ISO_15765_4_11bit_250k,
    ISO_15765_4_11bit_500k,
    ISO_15765_4_29bit_250k,
    ISO_15765_4_29bit_500k,
)

from drivers.batch import EXTENDED
from drivers.bus.diagnostic import FUNCTIONAL, NEGATIVE, RESPONSE_PENDING, Answer, Request
from drivers.elm.line import Reply, find, recall, say
from drivers.elm.listen import choose
from drivers.elm.probe import Adapter, set_up
from drivers.elm.serial import GuardedPort

PROTOCOLS: dict[str, Any] = {
    kind.ELM_ID: kind
    for kind in (ISO_15765_4_11bit_500k, ISO_15765_4_29bit_500k, ISO_15765_4_11bit_250k, ISO_15765_4_29bit_250k)
}
"""python-OBD's readers of each protocol the guard lets pass, by the ELM's number, in the order they are tried."""

WIDE = frozenset("79")
FIRST = Request(0x01, b"\0")
SERVICES = frozenset({"01", "02", "03", "07", "09", "0A", "22"})
"""A line that begins so is a request somebody echoes: no control unit answers on such an identifier."""
POSITIVE = 0x40
CODES = 0x43
READ_BY_IDENTIFIER = 0x22
BEFORE_MOST = 64
"""An answer to one of so many different requests made before is late; to anything else, another tester's."""
COUNT_MOST = 9
REFUSED_MOST = 3
"""An adapter that refused a number of answers so often is told none any more."""
SLOW = "ATSTFF"
"""Waits 1.02 s for the car: what asks for patience (NRC 0x78) gets it."""

logging.getLogger("obd").setLevel(logging.CRITICAL + 1)  # what goes wrong is counted here, by kind


class UnconfirmedError(Exception):
    """The adapter did not confirm a setting that a request depends on."""


class Car:
    """A car that answered. Raises PortError when the port goes, UnconfirmedError when the adapter must be reset."""

    def __init__(self, port: GuardedPort, adapter: Adapter, number: str, protocol: Any, faults: Counter[str]) -> None:
        self.protocol = number
        self._port = port
        self._adapter = adapter
        self._read = protocol
        self._faults = faults
        self._header = FUNCTIONAL
        self._counts: dict[Request, int] = {}
        self._before: deque[Request] = deque(maxlen=BEFORE_MOST)
        self._is_slow = False

    def try_stpx(self) -> None:
        """Ask by STPX what was answered before: the fast way is taken only where it works."""
        if self._adapter.stn:
            self._adapter.has_stpx = True
            self._adapter.has_stpx = bool(self.ask(FIRST)[0])
            if not self._adapter.has_stpx and not find(self._port):
                raise UnconfirmedError("no answer after STPX")

    def ask(self, request: Request) -> tuple[list[Answer], Reply]:
        """One question; every answer to it, and how the adapter replied."""
        reply = self._set_header(request.to) or say(self._port, self._line(request))
        if self._port.refusal:
            return [], reply
        answers = self.judge(request, reply)
        self._faults.update(reply.kinds)
        self._learn(request, reply, answers)
        if request not in self._before:
            self._before.append(request)
        return answers, reply

    def _set_header(self, to: int) -> Reply | None:
        """Tell the adapter who the next request is for; the reply when the guard refused, None when all is well."""
        if self._adapter.has_stpx or to == self._header:
            return None
        reply = say(self._port, f"ATSH{self._identifier(to)[-6:]}")
        if self._port.refusal:
            return reply
        if not reply.is_ok:
            raise UnconfirmedError(f"no header {self._identifier(to)}")
        self._header = to
        return None

    def _line(self, request: Request) -> str:
        """The request as the adapter wants it."""
        count = self._counts.get(request, 0) if self._adapter.counts_refused < REFUSED_MOST else 0
        payload = request.payload.hex().upper()
        if self._adapter.has_stpx:
            return f"STPXH:{self._identifier(request.to)},D:{payload}" + (f",R:{count}" if count else "")
        return payload + (f"{count:X}" if count else "")

    def _identifier(self, to: int) -> str:
        if to == FUNCTIONAL:
            return "18DB33F1" if self.protocol in WIDE else "7DF"
        return f"{to & ~EXTENDED:08X}" if to & EXTENDED else f"{to:03X}"

    def judge(self, request: Request, reply: Reply) -> list[Answer]:
        """Whole answers to this request. What is torn, late or somebody else's is counted and dropped."""
        found = []
        for t_us, lines in _messages(reply.frames, self.protocol in WIDE):
            payload = self._payload(lines)
            ecu = _identifier(lines[0], self.protocol in WIDE)
            if payload is None or ecu is None:
                reply.kinds["echo" if lines[0][:2] in SERVICES else "truncated"] += 1
            elif _fits(payload, request):
                found.append(Answer(t_us, ecu, payload))
            else:
                is_late = any(_fits(payload, before) for before in self._before)
                reply.kinds["late" if is_late else "foreign"] += 1
        return found

    def _payload(self, lines: list[str]) -> bytes | None:
        """What python-OBD makes of the frames of one message; None: not whole."""
        try:
            messages = [message for message in self._read(lines) if message.parsed()]
        except (IndexError, ValueError):  # python-OBD trusts lengths
            return None
        if len(messages) != 1:
            return None
        frames = messages[0].frames
        size = next((frame.data_len for frame in frames if frame.data_len), 0)
        return bytes(messages[0].data) if len(frames) == len(lines) and _is_whole(messages[0].data, size) else None

    def _learn(self, request: Request, reply: Reply, answers: list[Answer]) -> None:
        """How many lines to wait for next time, and whether the chip must wait longer for this car."""
        if any(answer.payload[:1] == bytes([NEGATIVE]) and answer.payload[2] == RESPONSE_PENDING for answer in answers):
            self._counts[request] = 0
            if not self._is_slow and self._adapter.can("ATST"):
                self._is_slow = say(self._port, SLOW).is_ok
        elif "unknown" in reply.kinds and self._counts.pop(request, 0):
            self._adapter.counts_refused += 1
        elif answers and len(reply.frames) == len(answers) and not reply.kinds and len(answers) <= COUNT_MOST:
            self._counts[request] = max(len(answers), self._counts.get(request, 0))
        else:
            self._counts.pop(request, None)


def find_car(port: GuardedPort, adapter: Adapter, numbers: Sequence[str], faults: Counter[str]) -> Car | None:
    """Listen at which rate others talk, then ask 0100 by one protocol after the other, as python-OBD does it.

    None when nobody answers.
    """
    chip: elm327.ELM327 | None = None
    for number in choose(port, numbers) if len(numbers) > 1 else numbers:
        chip = _try(port, chip, number)
        reply = recall(port)
        car = Car(port, adapter, number, PROTOCOLS[number]([]), faults)
        is_found = bool(car.judge(FIRST, reply))
        faults.update(reply.kinds)
        if is_found:
            set_up(port, adapter)
            car.try_stpx()
            return car
    return None


def _try(port: GuardedPort, chip: elm327.ELM327 | None, number: str) -> elm327.ELM327:
    """Let python-OBD ask 0100 by this protocol; UnconfirmedError when it never came to that."""
    port.is_searching = True
    try:
        if chip is None:
            chip = _reset(port, number)
        else:
            chip.set_protocol(number)
    except (AttributeError, IndexError, ValueError) as why:  # it trusts that its port stays and that lines are whole
        port.check()
        raise UnconfirmedError(f"python-OBD: {why}") from why
    finally:
        port.is_searching = False
    port.check()
    if port.sent != FIRST.payload.hex():
        raise UnconfirmedError(port.sent)
    return chip


def _reset(port: GuardedPort, number: str) -> elm327.ELM327:
    """python-OBD's way in: it resets the chip, sets it up and tries a protocol. It can open the guarded port only.

    Where it waits by the clock it need not: the port waits for the prompt.
    """
    elm327.serial = SimpleNamespace(
        serial_for_url=lambda *_, **__: port, PARITY_NONE=serial.PARITY_NONE, SerialException=serial.SerialException
    )
    elm327.time = SimpleNamespace(sleep=lambda _: None)
    return elm327.ELM327(port.portstr, port.baudrate, number, None, check_voltage=False)


def _messages(frames: list[tuple[int, str]], is_wide: bool) -> list[tuple[int, list[str]]]:
    """Frames of one message together, and when its last one came: single frames alone, the others by sender.

    python-OBD would drop two single frames of one control unit, such as "wait" (NRC 0x78) and the answer that follows.
    """
    digits = 8 if is_wide else 3
    singles = [(t_us, [text]) for t_us, text in frames if text[digits : digits + 1] not in ("1", "2")]
    longer: dict[str, tuple[int, list[str]]] = {}
    for t_us, text in frames:
        if text[digits : digits + 1] in ("1", "2"):
            _, lines = longer.get(text[:digits], (0, []))
            longer[text[:digits]] = (t_us, [*lines, text])
    return singles + list(longer.values())


def _identifier(line: str, is_wide: bool) -> int | None:
    """Who answered, as drivers.batch writes it; None: this is no control unit's identifier (ISO 15765-4)."""
    number = int(line[: 8 if is_wide else 3], 16)
    if is_wide:
        return number | EXTENDED if number & ~0xFF == 0x18DAF100 else None
    return number if number & ~0x7 == 0x7E8 else None


def _fits(payload: bytes, request: Request) -> bool:
    """Whether this answers that: its service and, where it has one, its first identifier; or it refuses the service."""
    if payload[0] == NEGATIVE:
        return len(payload) == 3 and payload[1] == request.service
    size = 2 if request.service == READ_BY_IDENTIFIER else 1
    return (
        payload[0] == request.service | POSITIVE and payload[1 : 1 + size][: len(request.data)] == request.data[:size]
    )


def _is_whole(payload: bytearray, size: int) -> bool:
    """Whether all that was announced came. Of trouble codes python-OBD keeps as many as the answer counts."""
    is_cut = len(payload) >= 2 and payload[0] == CODES and len(payload) == 2 + 2 * payload[1]
    return len(payload) == size or is_cut
