"""The adapter's end of a serial line made of a pty: whole lines in, bytes out, some of them late."""

import os
import pty
import termios
import time
import tty
from collections import deque
from collections.abc import Sequence

READ_BYTES = 4096
FULL_S = 0.005
"""Until a line that is full is tried again."""
BAUDRATES = (9_600, 38_400, 57_600, 115_200, 230_400, 500_000)


class Line:
    """Closed until `open`. Not for several threads."""

    def __init__(self) -> None:
        self.path = ""
        """What the terminal opens; another one after each `open`."""
        self.is_listening = False
        """Whether the next byte, whatever it is, stops something and means nothing else."""
        self._master = self._slave = -1
        self._heard = bytearray()
        self._later: deque[tuple[float, bytes]] = deque()

    @property
    def fds(self) -> list[int]:
        """What is readable when something came."""
        return [self._master] if self._master >= 0 else []

    def open(self) -> None:
        """A new pty, the old one closed."""
        self.close()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)

    def close(self) -> None:
        """As when the adapter is pulled out."""
        for fd in {self._master, self._slave} - {-1}:
            os.close(fd)
        self._master = self._slave = -1
        self._heard.clear()
        self._later.clear()
        self.is_listening = False

    @property
    def baudrate(self) -> int:
        """The speed the terminal has set, in bits per second; 0: one that has no name here."""
        speed = termios.tcgetattr(self._slave)[5]
        return next((rate for rate in BAUDRATES if getattr(termios, f"B{rate}") == speed), 0)

    def wait_s(self, now_s: float) -> float | None:
        """How long nothing has to be said; None: for ever."""
        return max(0.0, self._later[0][0] - now_s) if self._later else None

    def take(self, ready: Sequence[int]) -> list[str]:
        """Whole lines that came, without their end; a byte that only stops something is a line of its own."""
        if self._master in ready:
            self._heard += os.read(self._master, READ_BYTES)
        stops = self._heard[:1] if self.is_listening else b""
        if stops:
            self.is_listening = False
            del self._heard[:1]
        *lines, rest = self._heard.split(b"\r")
        self._heard = bytearray(rest)
        return [bytes(line).decode("latin-1") for line in (*([stops] if stops else []), *lines)]

    def say(self, text: str, delay_s: float = 0.0) -> None:
        """Bytes to the terminal, after all that was said before."""
        self._later.append((time.monotonic() + delay_s, text.encode("latin-1")))

    def flush(self, now_s: float) -> None:
        """Write what is due, as far as the line takes it."""
        while self._later and self._later[0][0] <= now_s and self._master >= 0:
            due_s, data = self._later.popleft()
            try:
                count = os.write(self._master, data)
            except BlockingIOError:
                count = 0
            if count < len(data):
                self._later.appendleft((max(due_s, now_s + FULL_S), data[count:]))
                return
