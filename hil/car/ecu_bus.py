"""Simulated control units on a bus: their answers cut into frames (ISO 15765-2), in their own time, with their faults.

Pure: frames and time in, frames out, the same for the same seed. `serve` puts them on any bus of python-can.
Written apart from what the agent uses to put messages together, so that each can be held against the other.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import can

from hil.car.ecu import PENDING, Ecu, Readings, engine, gearbox

WIDE = 0x80000000
"""In an identifier: it has 29 bits."""

EVERYBODY = (0x7DF, WIDE | 0x18DB33F1)
FLOW_US = 75_000
"""How long units wait for flow control (N_Bs, ISO 15765-4)."""

SERVE_S = 0.02
"""How long a served bus is waited on at most."""

Frame = tuple[int, int, bytes]
"""When (µs), identifier (WIDE: 29 bits), data."""


@dataclass(slots=True)
class Habits:
    """How a unit answers, right or wrong. May be changed while it runs."""

    answer_us: int = 8_000
    jitter_us: int = 0
    pending: int = 0
    """So many times it says "response pending" before each answer, a wait of `pending_us` after each."""
    pending_us: int = 30_000
    padding: int | None = 0xAA
    """What fills its frames up to 8 bytes; None: they are as long as they need."""
    is_silent: bool = False
    loses: float = 0.0
    """Share of consecutive frames that never reach the bus."""
    flow_us: int = FLOW_US
    """How long it waits for flow control."""


class Port:
    """One unit on the bus: answers on `ecu_id`, is asked on `tester_id` or with everybody else."""

    def __init__(self, ecu: Ecu, tester_id: int, ecu_id: int, habits: Habits | None = None, seed: int = 1) -> None:
        self.ecu = ecu
        self.tester_id, self.ecu_id = tester_id, ecu_id
        self.habits = habits or Habits()
        self.given_up = 0
        """Answers nobody sent flow control for, or not in time."""
        self._random = random.Random(f"{seed} {ecu_id}")  # noqa: S311 # it must repeat
        self._queue: deque[tuple[int, bytes]] = deque()
        self._rest = b""
        self._number = 0
        self._wait_until_us: int | None = None

    def hear(self, t_us: int, identifier: int, data: bytes) -> None:
        """Take a frame of the bus: a question, or flow control for the answer that was begun."""
        is_functional = identifier in EVERYBODY and (identifier ^ self.ecu_id) & WIDE == 0
        self._give_up(t_us)
        if not data or not (is_functional or identifier == self.tester_id) or self.habits.is_silent:
            return
        size = data[0]
        if size >> 4 == 3 and not is_functional:
            self._go_on(t_us, data)
        elif 0 < size < len(data) and size <= 7 and not self._queue and not self._rest:
            self._answer(t_us, data[1 : 1 + size], is_functional=is_functional)

    def due(self, t_us: int) -> list[Frame]:
        """Take the frames whose time has come."""
        self._give_up(t_us)
        frames = []
        while self._queue and self._queue[0][0] <= t_us:
            at_us, data = self._queue.popleft()
            if data[0] >> 4 == 1:
                self._wait_until_us = at_us + self.habits.flow_us
            if data[0] >> 4 != 2 or self._random.random() >= self.habits.loses:
                frames.append((at_us, self.ecu_id, self._padded(data)))
        return frames

    def next_us(self) -> int | None:
        """When there is something to send, as things stand."""
        return self._queue[0][0] if self._queue else None

    def _answer(self, t_us: int, question: bytes, *, is_functional: bool) -> None:
        """Think, perhaps ask for patience, then answer."""
        answer = self.ecu.answer(question, is_functional=is_functional)
        if not answer:
            return
        at_us = t_us + self.habits.answer_us + round(self._random.random() * self.habits.jitter_us)
        for _ in range(self.habits.pending):
            self._queue.append((at_us, bytes([3, 0x7F, question[0], PENDING])))
            at_us += self.habits.pending_us
        if len(answer) <= 7:
            self._queue.append((at_us, bytes([len(answer)]) + answer))
            return
        self._queue.append((at_us, bytes([0x10 | len(answer) >> 8, len(answer) & 0xFF]) + answer[:6]))
        self._rest, self._number = answer[6:], 1

    def _go_on(self, t_us: int, data: bytes) -> None:
        """Obey flow control: go on, wait, or stop."""
        if self._wait_until_us is None or len(data) < 3:
            return
        status = data[0] & 0xF
        if status == 0:
            self._send_block(t_us, data[1], pause_us(data[2]))
        elif status == 1:
            self._wait_until_us = t_us + self.habits.flow_us
        else:
            self._stop()

    def _send_block(self, t_us: int, frames: int, pause: int) -> None:
        """Queue so many consecutive frames; 0: all."""
        count = 0
        while self._rest and (count < frames or not frames):
            self._queue.append((t_us + count * max(pause, 250), bytes([0x20 | self._number]) + self._rest[:7]))
            self._rest, self._number, count = self._rest[7:], (self._number + 1) & 0xF, count + 1
        self._wait_until_us = t_us + count * max(pause, 250) + self.habits.flow_us if self._rest else None

    def _give_up(self, t_us: int) -> None:
        if self._wait_until_us is not None and t_us > self._wait_until_us:
            self.given_up += 1
            self._stop()

    def _stop(self) -> None:
        self._rest, self._wait_until_us = b"", None

    def _padded(self, data: bytes) -> bytes:
        return data if self.habits.padding is None else data.ljust(8, bytes([self.habits.padding]))


def pause_us(pause: int) -> int:
    """STmin: 00..7F ms, F1..F9 hundreds of µs, anything else the longest (ISO 15765-2)."""
    if 0xF1 <= pause <= 0xF9:
        return (pause - 0xF0) * 100
    return min(pause, 0x7F) * 1000


class Ecus:
    """All units of a car."""

    def __init__(self, ports: Sequence[Port]) -> None:
        self.ports = list(ports)

    def hear(self, t_us: int, identifier: int, data: bytes) -> None:
        """Let every unit hear a frame."""
        for port in self.ports:
            port.hear(t_us, identifier, data)

    def due(self, t_us: int) -> list[Frame]:
        """Take the frames whose time has come, in order: of two at once the lower identifier wins, as on the wire."""
        return sorted(frame for port in self.ports for frame in port.due(t_us))

    def next_us(self) -> int | None:
        """When there is something to send, as things stand."""
        return min((at_us for port in self.ports if (at_us := port.next_us()) is not None), default=None)


def car(readings: Readings, *, wide: bool = False, seed: int = 1) -> Ecus:
    """An engine and a gearbox, on 7E8 and 7E9, or on 18DAF110 and 18DAF118."""
    if wide:
        ids = [(WIDE | 0x18DA10F1, WIDE | 0x18DAF110), (WIDE | 0x18DA18F1, WIDE | 0x18DAF118)]
    else:
        ids = [(0x7E0, 0x7E8), (0x7E1, 0x7E9)]
    units = (engine(readings), gearbox(readings))
    return Ecus([Port(unit, *pair, seed=seed) for unit, pair in zip(units, ids, strict=True)])


def serve(bus: can.BusABC, ecus: Ecus, is_over: Callable[[], bool]) -> None:
    """Answer on a bus until it is over; blocks."""
    now_us = time.monotonic_ns() // 1000
    while not is_over():
        next_us = ecus.next_us()
        message = bus.recv(SERVE_S if next_us is None else min(SERVE_S, max(0, next_us - now_us) / 1e6))
        now_us = time.monotonic_ns() // 1000
        if message is not None and not message.is_error_frame and not message.is_remote_frame:
            ecus.hear(now_us, message.arbitration_id | (WIDE if message.is_extended_id else 0), bytes(message.data))
        for _, identifier, data in ecus.due(now_us):
            bus.send(can.Message(arbitration_id=identifier & ~WIDE, is_extended_id=identifier >= WIDE, data=data))
