"""ELM327 and STN adapters: a process of their own asks the car; here its answers become frames, values and counters.

The process (drivers.elm.adapter) holds the port, python-OBD and whatever goes wrong with either. It ends with the port
or with this process, whichever goes first; the rack opens a new one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.batch import SIGNAL_INDEX, frame, value
from drivers.bus.diagnostic import Answer, Asker, Request
from drivers.errors import DeviceError
from drivers.guard import REQUESTS_PER_S, Guard
from drivers.source import boot_us

STATES = ("starting", "meeting", "mute", "waiting", "searching", "silent", "car")
"""The process starts; the adapter is looked for; nobody answers at the port; the engine is off; protocols are tried; no
car answered, and none is asked until the next wake; a car answers."""

ENGINE_VOLTS = 13.2
FUNCTIONAL_ID = 0x7DF
"""Stands for everybody's identifier, of 29 bits too: the guard has the same rule for both."""
BATTERY = SIGNAL_INDEX["battery"]
SINGLE_BYTES = 7
"""The most one classic frame holds behind its length."""
HELD_ANSWERS = 256
LINE_BYTES_MOST = 65_536
READ_BYTES = 65_536
HUNG_S = 60.0
"""The process tells something far oftener, whatever the adapter does; one that does not hangs, and is ended."""
END_S = 1.0
"""How long the process gets to end by itself, and again after SIGTERM."""


@dataclass(slots=True)
class Known:
    """What is remembered of adapter and car from one opening to the next."""

    baudrate: int = 0
    protocol: str = ""


def open_elm(  # noqa: PLR0913 - an adapter has that many settings, each by name
    port: str,
    *,
    number: int,
    baudrate: int = 0,
    protocol: str = "",
    engine_volts: float = ENGINE_VOLTS,
    requests_per_s: float = REQUESTS_PER_S,
    uds_ids: Sequence[int] = (),
    known: Known | None = None,
) -> "Elm":
    """Open the adapter at this serial port; its frames carry the channel `number`.

    `baudrate` 0: found out. `protocol`: the ELM's number (6 and 8: 11 bits at 500 and 250 kbit/s, 7 and 9: 29 bits);
    empty: found out. No car is asked below `engine_volts` at the adapter's socket, unless `permit` says so. `uds_ids`:
    what a trusted map lets service 22 be asked of. The same `known` given again makes the next opening quicker.
    Returns at once; DeviceError when there is no such port.
    """
    if not Path(port).exists():
        raise DeviceError(f"ELM327 {port!r}: not there: is it plugged in, or paired and bound (rfcomm)?")
    known = known if known is not None else Known()
    arguments = [
        f"--baudrate={baudrate}",
        f"--protocol={protocol}",
        f"--known={known.protocol}",
        f"--known-baudrate={known.baudrate}",
        f"--engine-volts={engine_volts}",
        f"--requests-per-s={requests_per_s}",
        *(f"--uds-id={identifier}" for identifier in uds_ids),
    ]
    return Elm(port, number, arguments, Guard(uds_ids, requests_per_s), known)


class Elm(Asker):
    """An adapter, read and asked. What is asked, and when, is its user's schedule; one request is under way at most."""

    def __init__(self, port: str, number: int, arguments: Sequence[str], guard: Guard, known: Known) -> None:
        self.name = port
        self.state = "starting"
        """One of STATES."""
        self.about: dict[str, Any] = {}
        """Who the adapter is and what it can: banner, baudrate, stn, missing commands, is_clone, protocol."""
        self._number = number
        self._guard = guard
        self._known = known
        self._heard = bytearray()
        self._answers: deque[Answer] = deque()
        self._counters = {"frames": 0, "dropped": 0, "errors": 0, "requests": 0, "answers": 0}
        self._faults: Counter[str] = Counter()
        self._is_busy = False
        self._end = ""
        self._heard_s = time.monotonic()
        command = [sys.executable, "-m", "drivers.elm.adapter", port, *arguments]
        try:
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
        except OSError as why:
            raise DeviceError(f"ELM327 {port}: its process cannot be started: {why}") from why
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._in, self._out = self._child.stdin.fileno(), self._child.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    @property
    def pid(self) -> int:
        """The process."""
        return self._child.pid

    def fileno(self) -> int:
        """Readable when the process has told something, or has gone."""
        return self._out

    def read(self) -> bytes:
        """Answers that fit one frame as frames, the supply as a value; DeviceError when port or process went."""
        packed = bytearray()
        is_over = False
        while not is_over:
            try:
                data = os.read(self._out, READ_BYTES)
            except BlockingIOError:
                break
            is_over = not data
            self._heard += data
            self._heard_s = time.monotonic()
            *lines, rest = self._heard.split(b"\n")
            self._heard = bytearray(rest)
            for line in lines:
                packed += self._take(json.loads(line))
        if (is_over and not packed) or len(self._heard) > LINE_BYTES_MOST:
            raise DeviceError(f"ELM327 {self.name}: {self._end or 'its process ended'}")
        return bytes(packed)

    def counters(self) -> dict[str, int]:
        """Frames, answers dropped because nobody took them, requests, and what went wrong by kind (`errors`: all)."""
        self._watch()
        return self._counters | {"errors": sum(self._faults.values())} | dict(self._faults)

    def ask(self, request: Request) -> str:
        """Hand a request to the process, whose own guard has the last word. Empty when it was; else why not.

        The state, when that is not "car"; "busy" while the request before is under way; a reason of the guard's; "bus"
        when the process takes nothing.
        """
        self._watch()
        now_us = boot_us()
        if self.state != "car":
            return self.state
        if self._is_busy:
            return "busy"
        payload = request.payload
        if why := self._guard.frame(now_us, request.to or FUNCTIONAL_ID, bytes([len(payload)]) + payload):
            return why
        if not self._tell(ask=payload.hex(), to=request.to):
            return "bus"
        self._is_busy = True
        self._counters["requests"] += 1
        return ""

    def answers(self) -> list[Answer]:
        """Whole answers since the last call, oldest first."""
        answers = list(self._answers)
        self._answers.clear()
        return answers

    def foreign(self) -> int:
        """Answers to what was never asked here: another tester."""
        return self._faults["foreign"]

    def permit(self, may_ask: bool | None) -> None:
        """Say whether the car may be looked for, whatever the supply shows; None: the supply decides, as at first.

        True counts as a wake: a car that never answered is asked once more.
        """
        self._tell(permit=may_ask)

    def close(self) -> None:
        """End the process within seconds, kindly first, and let it go; a second call does nothing."""
        if self._child.stdin is None or self._child.stdin.closed:
            return
        with suppress(OSError):
            self._child.stdin.close()
        for number in (0, signal.SIGTERM, signal.SIGKILL):
            self._child.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(END_S)
                break
        assert self._child.stdout is not None
        self._child.stdout.close()

    def _watch(self) -> None:
        """End a process that hangs; `read` finds it gone then."""
        if time.monotonic() - self._heard_s > HUNG_S:
            self._child.kill()

    def _tell(self, **message: Any) -> bool:
        """A line to the process; False: it takes none."""
        try:
            os.write(self._in, json.dumps(message).encode() + b"\n")
        except (BlockingIOError, BrokenPipeError):
            return False
        return True

    def _take(self, message: dict[str, Any]) -> bytes:
        """One message of the process, as inputs."""
        self.state = message.get("state", self.state)
        self._end = message.get("end", self._end)
        if "about" in message:
            self.about = message["about"]
            self._known.baudrate = self.about["baudrate"]
            self._known.protocol = self.about["protocol"] or self._known.protocol
        if "faults" in message:
            self._faults = Counter(message["faults"])
        if "volts" in message:
            return value(message["t_us"], BATTERY, message["volts"])
        if "answers" in message:
            self._is_busy = False
            return b"".join(self._answer(*answer) for answer in message["answers"])
        return b""

    def _answer(self, t_us: int, ecu: int, told: str) -> bytes:
        """Keep an answer for who asked; as a frame for the core, when it fits one."""
        payload = bytes.fromhex(told)
        self._counters["answers"] += 1
        if len(self._answers) < HELD_ANSWERS:
            self._answers.append(Answer(t_us, ecu, payload))
        else:
            self._counters["dropped"] += 1
        if len(payload) > SINGLE_BYTES:
            return b""
        self._counters["frames"] += 1
        return frame(t_us, self._number, ecu, bytes([len(payload)]) + payload)
