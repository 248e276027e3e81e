"""A car on a bus that the daemon may ask, without a bus: real lines, rack, guard and ISO-TP on a time the test turns."""

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from agent.asking.asking import Asking
from agent.maps import maps
from agent.settings import Can, Settings
from agent.settings.obd import Obd
from agent.sources.lines import make_lines
from agent.sources.openers import can_opener
from agent.vehicle import Table
from drivers.batch import ERROR, frame
from drivers.errors import DeviceError
from drivers.guard import Guard
from drivers.rack import Rack
from hil.car import ecu_bus
from hil.car.ecu import Readings
from tests.ride import START, told

S = 1_000_000
MS = 1000
TURN_US = 250 * MS
BUS_OFF, RESTARTED = 0x40, 0x100


class FakeBus:
    """A bus as the rack opens it. What is sent passes the guard first."""

    def __init__(self, world: "World", number: int, guard: Guard | None) -> None:
        self.name = "can0"
        self._world, self._number, self._guard = world, number, guard
        self._fd = os.eventfd(1)
        self._frames = 0

    def fileno(self) -> int:
        """Readable."""
        return self._fd

    def read(self) -> bytes:
        """What the units and others said; DeviceError when it was pulled out."""
        if not self._world.is_plugged:
            raise DeviceError("it was pulled out")
        frames = self._world.due()
        self._frames += len(frames)
        return b"".join(frame(at_us, self._number, ident, data, flags) for at_us, ident, data, flags in frames)

    def send(self, t_us: int, identifier: int, data: bytes) -> str:
        """As drivers.bus.can's."""
        if self._guard is None:
            return "listen_only"
        if self._world.refuses or not self._world.is_plugged:
            return self._world.refuses or "bus"
        return self._guard.frame(t_us, identifier, data) or self._world.take(identifier, data)

    def counters(self) -> dict[str, int]:
        """Frames heard."""
        return {"frames": self._frames}

    def close(self) -> None:
        """The descriptor goes."""
        os.close(self._fd)


class World:
    """The car, its bus and one terminal on it; `run` lets time pass."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        obd: Obd | None = None,
        kept: Mapping[str, Any] | None = None,
        table: Table | None = None,
        seed: int = 1,
    ) -> None:
        monkeypatch.setattr("agent.sources.openers.open_can", self._open)
        monkeypatch.setattr("drivers.bus.can_asker.boot_us", lambda: self.now_us)
        self.rng = Random(seed)
        self.now_us = 1000 * S
        self.ecus = ecu_bus.car(Readings(speed_kmh=50, rpm=1500), seed=seed)
        self.is_plugged = True
        self.refuses = ""
        self.volts: float | None = 14.1
        self.sent: list[tuple[int, int, bytes]] = []
        self.speeds_us: list[int] = []
        """When the units told the speed."""
        self.opened: list[tuple[int, bool]] = []
        """Bit rate and listen_only of each opening."""
        self.told: list[dict[str, Any]] = []
        self.signals: dict[str, float] = {}
        self._says: deque[tuple[int, bytes, int]] = deque()
        self._second_us = 0
        settings = Settings(can=(Can(interface="slcan", listen_only=False),), obd=obd or Obd())
        table = table or maps.load(Path("obd2.toml"))
        self.rack = Rack({"can0": can_opener(settings.can[0], table)}, clock=lambda: self.now_us / S)
        self.asking = Asking(make_lines(settings, table, self.rack, kept or {}), self.rack)
        (self.line,) = self.asking.lines

    def run(self, seconds: float) -> "World":
        """Let time pass, as the daemon's loop would turn."""
        end_us = self.now_us + round(seconds * S)
        while self.now_us < end_us:
            self.turn()
            wait_us = round(self.asking.wait_s(self.now_us, TURN_US / S) * S)
            next_us = self.ecus.next_us()
            due_us = wait_us if next_us is None else min(wait_us, next_us - self.now_us)
            self.now_us = min(self.now_us + max(due_us, MS), end_us)
        return self

    def turn(self) -> None:
        """Once round."""
        if self.now_us >= self._second_us:
            self._second_us = self.now_us + S
            values = told(**self.signals, **({} if self.volts is None else {"battery": self.volts}))
            self.asking.note(replace(START, at_us=self.now_us, values=values))
        batch = self.rack.read(0)
        self.told += self.asking.turn(self.now_us, batch)

    def say(self, identifier: int, data: bytes, flags: int = 0) -> None:
        """Somebody else on the bus."""
        self._says.append((identifier, data, flags))

    def fail(self, kind: int) -> None:
        """An error frame of the controller."""
        self.say(kind, bytes(8), ERROR)

    def due(self) -> list[tuple[int, int, bytes, int]]:
        """What is heard now."""
        said = [(self.now_us, *one) for one in self._says]
        self._says.clear()
        answers = self.ecus.due(self.now_us)
        self.speeds_us += [at_us for at_us, _, data in answers if data[1:3] == b"\x41\x0d"]
        return said + [(at_us, identifier, data, 0) for at_us, identifier, data in answers]

    def take(self, identifier: int, data: bytes) -> str:
        """A frame of the terminal's, on the bus."""
        self.sent.append((self.now_us, identifier, data))
        self.ecus.hear(self.now_us, identifier, data)
        return ""

    def requests(self, since_us: int = 0) -> list[tuple[int, bytes]]:
        """Questions, flow control left out."""
        return [(at_us, data[1 : 1 + data[0]]) for at_us, _, data in self.sent if data[0] <= 7 and at_us >= since_us]

    def health(self) -> dict[str, Any]:
        """Of the one line."""
        said: dict[str, Any] = self.asking.health(self.now_us)["can0"]
        return said

    def _open(self, _interface: str, _channel: str, *, number: int, **how: Any) -> FakeBus:
        if not self.is_plugged:
            raise DeviceError("not there")
        self.opened.append((how["bitrate"] or 0, how["listen_only"]))
        return FakeBus(self, number, None if how["listen_only"] else how["guard"])
