"""Asking the car: the deciders' words carried to the devices, and the car's answers back to them.

A line is a bus or an adapter that may be asked. What it is asked, and when, diagnosis.py decides; here questions
meet devices, which come and go.
"""

import logging
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.asking.diagnosis import Body, Census, Diagnosis, Open
from agent.asking.silence import Signs
from agent.core import Sample
from drivers.batch import ERROR, EXTENDED, FRAME, INPUT_BYTES
from drivers.bus.diagnostic import Answer, Request
from drivers.bus.pick import Picked, picked
from drivers.rack import Opener, Rack
from drivers.source import Source

GAVE_WAY, BUS_OFF, RESTARTED, COUNTED = 0x02, 0x40, 0x100, 0x200
"""Error classes of the kernel's error frames (linux/can/error.h). A controller that lost the arbitration has met no
error: many tell of it each time, and questions, which have low priority, lose it often. The last is no class: it says
that the controller's counters stand beside."""

CENSUS_INPUTS = 64
"""So many inputs of a batch are looked at while a bus is searched for."""

HEAD = struct.Struct("=qIBBBB64x")
BUS_KNOWN_US = 3_000_000
"""An estimate of the car older than this tells nothing of whether it runs."""

FORBIDDEN = ("bus_off", "bus_error", "tester", "low_voltage")
"""Silences in which an adapter may not even look for its car."""

log = logging.getLogger("tbox")


class Device(Protocol):
    """What carries questions out for a line, whatever device is there now."""

    def hear(self, frames: list[Picked]) -> None:
        """Take in the diagnostic frames of this turn."""
        ...

    def ask(self, request: Request, *, is_extended: bool) -> str:
        """Send a question. Empty when it went, else why not."""
        ...

    def answers(self) -> list[Answer]:
        """What came since the last call."""
        ...

    def foreign(self) -> int:
        """Requests of others, ever."""
        ...

    def is_proved(self) -> bool | None:
        """Whether the device itself says that a car answers; None: it cannot know."""
        ...

    def permit(self, may_look: bool | None) -> None:
        """Whether it may look for a car by itself; None: as it sees fit."""
        ...

    def counters(self) -> dict[str, int]:
        """Totals that only grow."""
        ...


@dataclass(slots=True)
class Line:
    """One bus or adapter. `opener` makes the way to open it at a bit rate, able to send or not; None: an adapter.

    `opened`: how it is open at first. `also`: identifiers beside those of OBD-II that are asked or answer.
    """

    name: str
    number: int
    diagnosis: Diagnosis
    device: Device
    opener: Callable[[Open], Opener] | None = None
    opened: Open | None = None
    also: tuple[int, ...] = ()
    source: Source | None = None
    errors: int = 0
    is_bus_off: bool = False
    reason: str = field(default="-")


class Asking:
    """All lines, over one rack."""

    def __init__(self, lines: list[Line], rack: Rack) -> None:
        self.lines, self._rack = lines, rack
        self._also = tuple(sorted({identifier for line in lines for identifier in line.also}))
        self._sample: Sample | None = None
        self._frames = 0
        self._is_live = False
        self._saved = self._state()

    def note(self, sample: Sample) -> None:
        """A second went by: what is known of the car now."""
        self._sample = sample
        adapters = {line.name for line in self.lines if line.opener is None}
        counters = self._rack.counters().items() if adapters else ()
        frames = sum(told.get("frames", 0) for name, told in counters if name not in adapters)
        self._is_live, self._frames = frames > self._frames, frames

    def turn(self, now_us: int, batch: bytes) -> Iterator[Body]:
        """Once round: what was answered, and what is asked next. Gives bodies of `dtc` records."""
        if not self.lines:
            return
        frames = picked(batch, self._also) if batch else []
        for line in self.lines:
            mine = [frame for frame in frames if frame[1] == line.number]
            line.device.hear(mine)
            yield from line.diagnosis.hear(now_us, line.device.answers())
            self._step(line, now_us, mine, batch)

    def wait_s(self, now_us: int, most_s: float) -> float:
        """How long the loop may wait for inputs before somebody has to be asked."""
        waits = [(line.diagnosis.wake_us() - now_us) / 1e6 for line in self.lines]
        return max(0.0, min([most_s, *waits]))

    def renew(self, now_us: int) -> dict[str, str]:
        """Ask every unit again who it is and what it has, as soon as that may be; of each line why it is silent."""
        for line in self.lines:
            line.diagnosis.poller.renew(now_us)
        return {line.name: line.diagnosis.silence.reason for line in self.lines}

    def health(self, now_us: int) -> dict[str, Any]:
        """Of each line why it is silent, who answers, and what was counted."""
        return {line.name: line.diagnosis.health(now_us) | {"transport": line.device.counters()} for line in self.lines}

    def state(self) -> dict[str, Any]:
        """What must outlive a start, of each line: to be saved."""
        self._saved = self._state()
        return self._saved

    def is_unsaved(self) -> bool:
        """Whether there is more to save than `state` gave last."""
        return self._state() != self._saved

    def _state(self) -> dict[str, Any]:
        return {line.name: line.diagnosis.state() for line in self.lines}

    def _step(self, line: Line, now_us: int, frames: list[Picked], batch: bytes) -> None:
        """What the deciders want of this line now."""
        diagnosis = line.diagnosis
        self._note_device(line, frames)
        is_sought = line.opener is not None and not diagnosis.is_proved
        census = _census(batch, line.number) if is_sought else Census()
        match diagnosis.step(now_us, self._signs(line, now_us), census):
            case Open() as how:
                self._open(line, how)
            case Request() as request:
                why = line.device.ask(request, is_extended=diagnosis.is_extended)
                if why:
                    diagnosis.refused(now_us, request, why)
        is_on = self._ignition(line) or None
        line.device.permit(False if diagnosis.silence.reason in FORBIDDEN else is_on)
        if diagnosis.silence.reason != line.reason:
            line.reason = diagnosis.silence.reason
            log.info("%s: %s", line.name, f"silent: {line.reason}" if line.reason else "asking")

    def _open(self, line: Line, how: Open) -> None:
        """Open the bus another way, unless it is open so already."""
        if line.opener is not None and how != line.opened:
            self._rack.reopen(line.name, line.opener(how))
            line.opened = how

    def _note_device(self, line: Line, frames: list[Picked]) -> None:
        """Error frames of the controller, and whether it took itself off the bus; a device opened anew has not."""
        source = self._rack.source(line.name)
        line.is_bus_off = line.is_bus_off and source is line.source
        line.source = source
        for _, _, identifier, flags, _ in frames:
            if flags & ERROR:
                line.errors += bool(identifier & ~(GAVE_WAY | COUNTED))
                line.is_bus_off = bool(identifier & BUS_OFF) or (line.is_bus_off and not identifier & RESTARTED)
            else:
                line.is_bus_off = False

    def _ignition(self, line: Line) -> bool | None:
        """For an adapter: what a bus that is awake tells, as a wire would. A bus is told by its own frames."""
        told = self._sample.value("ignition") if self._sample is not None and self._is_live else None
        return None if told is None or line.opener is not None else told >= 0.5

    def _signs(self, line: Line, now_us: int) -> Signs:
        """What is known now, for the silence decider."""
        sample = self._sample
        is_fresh = sample is not None and now_us - sample.at_us < BUS_KNOWN_US
        told: Mapping[str, float | None] = _told(sample) if sample is not None and is_fresh else {}
        ignition, speed_mps = told.get("ignition"), told.get("speed")
        proved = line.device.is_proved()
        return Signs(
            is_there=line.source is not None,
            is_bus_off=line.is_bus_off,
            is_proved=line.diagnosis.is_proved if proved is None else proved,
            errors=line.errors,
            foreign=line.device.foreign(),
            frames=line.source.counters().get("frames", 0) if line.source is not None else 0,
            ignition=None if ignition is None else ignition >= 0.5,
            ignition_line=self._ignition(line) if is_fresh else None,
            rpm=told.get("rpm"),
            speed_mps=told.get("gnss_speed") if speed_mps is None else speed_mps,
            voltage_v=told.get("battery"),
        )


def _told(sample: Sample) -> dict[str, float | None]:
    return {name: sample.value(name) for name in ("ignition", "rpm", "speed", "gnss_speed", "battery")}


def _census(batch: bytes, channel: int) -> Census:
    """What kinds of frames the beginning of a batch holds."""
    frames = [0, 0]
    errors = 0
    for at in range(0, min(len(batch), CENSUS_INPUTS * INPUT_BYTES), INPUT_BYTES):
        _, identifier, kind, number, _, flags = HEAD.unpack_from(batch, at)
        if kind == FRAME and number == channel:
            errors += bool(flags & ERROR)
            frames[bool(identifier & EXTENDED)] += not flags & ERROR
    return Census(frames[0], frames[1], errors)
