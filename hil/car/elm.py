"""An ELM327 in software, on a pty: what the terminal asks of an adapter, answered by a simulated car, faults included.

adapter = Elm(link, car)        # the terminal opens `link`, which comes and goes with plug() and unplug()
adapter.fail("no prompt")       # the next request to the car goes wrong this way; FAULTS has them all
"""

import os
import random
import select
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Thread

from hil.car.elm_chip import GENUINE, Car, Chip, Flavour, Mode
from hil.car.elm_faults import FAULTS, Torn, spoil
from hil.car.elm_pty import Line

HEARD_MAX = 100_000


class Elm:
    """One adapter. A thread answers; `close` ends it.

    At another `baudrate` than its own it hears and says noise (0: every speed will do). `fault_share` of the requests
    to the car go wrong in one of the ways `faults`, the same for the same seed.
    """

    def __init__(  # noqa: PLR0913 - what it is, where, and how it fails, each by name
        self,
        link: Path,
        car: Car,
        flavour: Flavour = GENUINE,
        *,
        baudrate: int = 0,
        fault_share: float = 0.0,
        faults: Sequence[str] = FAULTS,
        seed: int = 1,
    ) -> None:
        self.link = link
        self.car = car
        self.heard: deque[str] = deque(maxlen=HEARD_MAX)
        """Every line the terminal ever sent, in capitals and without spaces."""
        self.failed: Counter[str] = Counter()
        """What went wrong, by kind."""
        self.fault_share = fault_share
        self._baudrate = baudrate
        self._kinds = tuple(faults)
        self._random = random.Random(seed)  # noqa: S311 # faults, and they must repeat
        self._wanted: deque[str] = deque()
        self._chip = Chip(car, flavour)
        self._line = Line()
        self._last = ""
        self._lock = Lock()
        self._is_closing = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self.plug()
        self._thread = Thread(target=self._serve, name="hil-elm", daemon=True)
        self._thread.start()

    def fail(self, *kinds: str) -> None:
        """The next requests to the car fail these ways, one each."""
        assert set(kinds) <= set(FAULTS), kinds
        self._wanted.extend(kinds)

    def plug(self) -> None:
        """The adapter comes, reset, at the same path."""
        with self._lock:
            self._chip.mode = Mode()
            self._line.open()
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(self._line.path)
        os.eventfd_write(self._wake, 1)

    def unplug(self) -> None:
        """The adapter goes, as when it is pulled out of its socket."""
        with self._lock:
            self.link.unlink(missing_ok=True)
            self._line.close()
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End of it; a second call does nothing."""
        if self._is_closing:
            return
        self._is_closing = True
        self.unplug()
        self._thread.join()
        os.close(self._wake)

    @property
    def requests(self) -> list[str]:
        """Everything that was meant for the car, as it was sent."""
        return [line for line in tuple(self.heard) if line.startswith("STPX") or not line.startswith(("AT", "ST", " "))]

    def _serve(self) -> None:
        """Answer until closed."""
        while not self._is_closing:
            with self._lock:
                fds, wait_s = [self._wake, *self._line.fds], self._line.wait_s(time.monotonic())
            ready = select.select(fds, [], [], wait_s)[0]
            if self._wake in ready:
                os.eventfd_read(self._wake)
                continue
            with self._lock:
                for text in self._line.take(ready):
                    self._hear(text)
                self._line.flush(time.monotonic())

    def _hear(self, text: str) -> None:
        """One line of the terminal; an empty one repeats the last."""
        if self._baudrate and self._line.baudrate != self._baudrate:
            self._line.say("\x80\xfe\x00")
            return
        if self._line_stopped(text):
            return
        if self._chip.mode.echo:
            self._line.say(f"{text}\r")
        line = "".join(text.split()).upper() or self._last
        self._last = line
        self.heard.append(line)
        if line.startswith(self._chip.flavour.deaf):
            return
        said = self._chip.hear(line)
        self._line.is_listening = said.listens
        if said.listens:
            self._line.say("".join(f"{line}\r" for line in said.lines))
        else:
            self._tell(said.lines, self._next_fault() if said.is_request else "")

    def _line_stopped(self, text: str) -> bool:
        """Whether this byte only ended a monitor."""
        if text != " ":
            return False
        self.heard.append(text)
        self._line.say("STOPPED\r\r>")
        return True

    def _next_fault(self) -> str:
        """How this request goes wrong; empty: not at all."""
        if self._wanted:
            return self._wanted.popleft()
        return self._random.choice(self._kinds) if self._random.random() < self.fault_share else ""

    def _tell(self, lines: Sequence[str], fault: str) -> None:
        """Say these lines and the prompt, or what the fault leaves of them."""
        torn = Torn("".join(f"{line}\r" for line in lines) + "\r>")
        if fault:
            torn = spoil(fault, lines, self._random)
            self.failed[fault] += 1
        self._line.say(torn.text.replace("\r", "\r\n" if self._chip.mode.line_feeds else "\r"), torn.delay_s)
        if torn.resets:
            self._chip.mode = Mode()
