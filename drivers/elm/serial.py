"""The one port to an ELM327: whatever speaks through it, python-OBD too, is judged in C before its first byte goes out.

Imported only in the adapter's own process (drivers.elm.adapter).
"""

import select
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import serial

from drivers.source import boot_us

PROMPT = b">"
STOP = b" "
"""Ends a monitor, alone and without carriage return."""
LEAD = "    "
"""Before a request: an adapter passes over spaces, and what gets lost on the line is lost from them first. A request
without its first letters may be another one."""
MONITOR_WAIT_S = 0.3
"""Silence after which a bus is silent: somebody on a live one sends at least ten times a second."""
AT_WAIT_S = 1.0
"""An AT command is answered within milliseconds, over Bluetooth within a few hundred."""
RESET_WAIT_S = 3.0
REQUEST_WAIT_S = 1.5
"""Silence after which nothing more comes: the chip waits for the car at most 1.02 s (ATST FF)."""
SEARCH_WAIT_S = 5.0
"""The first request by a protocol: the chip finds out whether there is a bus at all."""
WRITE_WAIT_S = 2.0
ANSWERED_MOST = 16_384
"""Bytes of one reply: the longest ISO-TP message (4,095) in frames, with spaces, is less. The rest is not heard."""

SEARCH_LETTERS = frozenset(b"SEARCHING BUS INIT:.\r\n\0")
"""What is heard while the chip searches, and nothing else is."""

Result = TypeVar("Result")

TO_CONFIRM = ("ATTP", "ATSP", "ATSH")
"""Commands that decide where requests go: one that is not confirmed leaves nobody knowing."""


class Judge(Protocol):
    """drivers.guard.Guard, as far as a line needs it."""

    def line(self, t_us: int, text: str) -> str:
        """Boot time and line: empty when it may go out now, else the reason."""
        ...

    def forget(self) -> None:
        """What was said last was not confirmed: no request goes out before a reset."""
        ...


class Interrupter(Protocol):
    """What must be noticed while the adapter is waited for."""

    def fileno(self) -> int:
        """Readable when there is something."""
        ...

    def pump(self) -> None:
        """Take what is there; raises when waiting is over."""
        ...


class PortError(OSError):
    """The port is gone, or cannot be opened."""


class GuardedPort:
    """A serial port with pyserial's names, as far as python-OBD uses them.

    A line that the guard refuses stays here, is counted (one that is only early is not), and is answered as the chip
    answers what it does not know: "?".
    """

    def __init__(self, path: str, guard: Judge, interrupter: Interrupter, faults: Counter[str]) -> None:
        try:
            self._serial = serial.Serial(path, timeout=0, write_timeout=WRITE_WAIT_S, exclusive=True)
        except (OSError, ValueError) as why:
            raise PortError(f"cannot be opened: {why}") from why
        self.portstr = path
        self.timeout: float | None = None
        """python-OBD sets it; how long is waited depends on what was said."""
        self.sent = ""
        """The line that went out last, without its lead."""
        self.refusal = ""
        """Why the guard refused the line before; empty when it went out."""
        self.answered = bytearray()
        """What was read since."""
        self.is_searching = False
        """Whether no car has answered yet by this protocol."""
        self._guard = guard
        self._interrupter = interrupter
        self._faults = faults
        self._unsent = bytearray()
        self._heard = bytearray()
        self._patience_s = AT_WAIT_S
        self._failure = ""

    # ---- pyserial's names ----

    @property
    def baudrate(self) -> int:
        """Bits per second."""
        return int(self._serial.baudrate)

    @baudrate.setter
    def baudrate(self, baudrate: int) -> None:
        self._guarded(lambda: setattr(self._serial, "baudrate", baudrate))

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        self._fetch(0)
        return len(self._heard)

    def write(self, data: bytes) -> int:
        """Send whole lines, each ended by a carriage return, or STOP; what has no end yet waits for it."""
        if data == STOP and not self._unsent:
            self._send(STOP.decode(), end=b"")
            return 1
        self._unsent += data
        while b"\r" in self._unsent:
            line, _, rest = bytes(self._unsent).partition(b"\r")
            self._unsent[:] = rest
            self._send(line.decode("latin-1"))
        return len(data)

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; none when what was asked for is not coming any more, or too much of it."""
        if len(self.answered) >= ANSWERED_MOST:
            self._heard.clear()
            return b""
        if not self._heard:
            self._fetch(self._patience_s)
        if not self._heard:
            self._patience_s = 0.0  # python-OBD asks again and again
        data = bytes(self._heard[:size])
        del self._heard[:size]
        self.answered += data
        if not SEARCH_LETTERS.issuperset(data):
            self._patience_s = min(self._patience_s, REQUEST_WAIT_S)
        return data

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """python-OBD lets go; the port stays open for who opened it."""

    def reset_input_buffer(self) -> None:
        """Throw away what came unasked, and count it."""
        if self.in_waiting:
            self._faults["stray"] += 1
        self._heard.clear()

    flushInput = reset_input_buffer  # noqa: N815 - the name python-OBD calls it by

    # ---- its owner's ----

    def check(self) -> None:
        """Raise PortError when the port failed while python-OBD, which swallows that, had it."""
        if self._failure:
            raise PortError(self._failure)

    def drain(self, quiet_s: float, limit: int = 100) -> None:
        """Throw away whatever comes until nothing has come for so long; a line that never rests is left."""
        for _ in range(limit):
            self._heard.clear()
            self._fetch(quiet_s)
            if not self._heard:
                return

    def waits(self, wait_s: float) -> bool:
        """Whether something comes within this time."""
        self._fetch(wait_s)
        return bool(self._heard)

    def shut(self) -> None:
        """Let the port go for good."""
        with suppress(OSError, serial.SerialException):
            self._serial.close()

    def _send(self, line: str, end: bytes = b"\r") -> None:
        """One line, if the guard lets it pass."""
        if self.sent.replace(" ", "").upper().startswith(TO_CONFIRM) and b"OK" not in self.answered:
            self._guard.forget()
        told = LEAD + line if self._asks(line) else line
        self.refusal = self._guard.line(boot_us(), told)
        if self.refusal:
            if self.refusal != "rate":
                self._faults["refused"] += 1
            self._heard += b"?\r\r>"
            return
        self.sent = line
        self.answered.clear()
        self._patience_s = self._patience_for(line)
        self._guarded(lambda: self._serial.write(told.encode("latin-1") + end))

    @staticmethod
    def _asks(line: str) -> bool:
        """Whether this is a request to the car."""
        tight = line.replace(" ", "").upper()
        return tight.startswith("STPX") or (bool(tight) and not tight.startswith(("AT", "ST")))

    def _patience_for(self, line: str) -> float:
        command = line.replace(" ", "").upper()
        if command == "ATMA":
            return MONITOR_WAIT_S
        if command in ("ATZ", "ATWS"):
            return RESET_WAIT_S
        if command.startswith("AT") or command in ("STI", "STDI"):
            return AT_WAIT_S
        return SEARCH_WAIT_S if self.is_searching else REQUEST_WAIT_S

    def _fetch(self, wait_s: float) -> None:
        """Wait for bytes of the adapter; whoever else calls meanwhile is heard."""
        until_us = boot_us() + int(wait_s * 1e6)
        while True:
            left_s = max(0.0, (until_us - boot_us()) / 1e6)
            fds = [self._guarded(self._serial.fileno), self._interrupter.fileno()]
            ready = select.select(fds, [], [], left_s)[0]
            if fds[1] in ready:
                self._interrupter.pump()
            if fds[0] in ready:
                self._heard += self._guarded(lambda: self._serial.read(4096))
                return
            if left_s == 0.0:
                return

    def _guarded(self, act: Callable[[], Result]) -> Result:
        """Do it; a port that went is remembered and said."""
        self.check()
        try:
            return act()
        except (OSError, serial.SerialException, ValueError, TypeError) as why:
            self._failure = f"went while it was used: {why}"
            raise PortError(self._failure) from why
