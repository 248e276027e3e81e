"""A simulated car for the poller: units that answer late, not at all, or "pending"; a loop that lets time pass."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count, pairwise
from random import Random
from typing import TypeVar

from agent.asking.poller import Poller
from agent.asking.wants import SLOW_US, Want, WantData
from agent.obd.findings import Finding
from drivers.batch import EXTENDED
from drivers.bus.diagnostic import FUNCTIONAL, Answer, Request

MS = 1000
S = 1_000_000
Found = TypeVar("Found", bound=Finding)
VIN = b"1HGCM82633A004352"
SPEED, RPM = 0x0D, 0x0C
WANTS = (
    Want(SPEED, 100 * MS),
    Want(RPM, 250 * MS),
    Want(0x04, 1 * S),
    Want(0x11, 1 * S),
    *(Want(pid, SLOW_US) for pid in (0x05, 0x2F, 0x42, 0xA6)),
)
SLOW_CAR = (280 * MS, 320 * MS)


def bits(base: int, pids: Iterable[int]) -> bytes:
    """A bitmap; its last bit says whether there is a next one."""
    pids = list(pids)
    named = [pid for pid in pids if base < pid <= base + 32 and pid % 32]
    if any(pid > base + 32 for pid in pids):
        named.append(base + 32)
    number = sum(1 << 32 - (pid - base) for pid in named)
    return number.to_bytes(4, "big")


@dataclass
class FakeEcu:
    """A control unit. `delay_us`: least and most it takes to answer."""

    identifier: int
    values: dict[int, bytes]
    delay_us: tuple[int, int] = (5 * MS, 15 * MS)
    texts: dict[int, bytes] = field(default_factory=dict)
    codes: dict[int, list[bytes]] = field(default_factory=dict)
    frame: dict[int, bytes] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)
    negative: dict[bytes, int] = field(default_factory=dict)
    """Requests (service and data) → the reason they are refused with."""
    loses: float = 0.0
    pends: float = 0.0
    """Shares of answers that are lost, and that come only after "response pending" and 1 to 4 s."""
    is_deaf: bool = False
    """Whether it does not answer at all."""
    is_hidden: bool = False
    """Whether a gateway keeps its own identifier from it."""
    is_lamp_on: bool = False

    @property
    def asked_on(self) -> int:
        """Its own identifier."""
        if self.identifier & EXTENDED:
            return EXTENDED | 0x18DA00F1 | (self.identifier & 0xFF) << 8
        return self.identifier - 8

    def answer(self, request: Request) -> bytes | None:
        """What it says to a request; None: nothing."""
        if request.payload in self.negative:
            return bytes([0x7F, request.service, self.negative[request.payload]])
        told = self._told(request)
        if told is None:
            return None if request.to == FUNCTIONAL else bytes([0x7F, request.service, 0x12])
        return bytes([request.service + 0x40]) + told

    def _told(self, request: Request) -> bytes | None:
        """What follows the service; None: nothing to say."""
        service, data = request.service, request.data
        if service in (0x03, 0x07, 0x0A):
            pairs = self.codes.get(service)
            return None if pairs is None else bytes([len(pairs)]) + b"".join(pairs)
        if service == 0x22:
            held = self.data.get(int.from_bytes(data, "big"))
        elif data[0] % 32 == 0:
            table: dict[int, bytes] = {0x01: self.values, 0x02: self.frame, 0x09: self.texts}[service]
            held = bits(data[0], table) if any(pid > data[0] for pid in table) else None
        else:
            held = self._held(service, data[0])
        return None if held is None else data + held

    def _held(self, service: int, pid: int) -> bytes | None:
        """The bytes of a PID or InfoType."""
        stored = self.codes.get(0x03, [])
        if service == 0x09:
            return b"\1" + self.texts[pid] if pid in self.texts else None
        if service == 0x02:
            return (stored[0] if stored else b"\0\0") if pid == 2 else self.frame.get(pid)
        return bytes([self.is_lamp_on << 7 | len(stored), 0x07, 0xE5, 0]) if pid == 1 else self.values.get(pid)


def engine(**more: object) -> FakeEcu:
    """An engine's unit with everything the shipped map wants."""
    values = {1: b"", 4: b"\x40", 5: b"\x5a", 0x0C: b"\x1a\xf8", 0x0D: b"\x32", 0x11: b"\x20", 0x2F: b"\x80"}
    values |= {0x42: b"\x36\xb0", 0xA6: b"\0\1\2\3"}
    plain: dict[str, object] = {
        "identifier": 0x7E8,
        "values": values,
        "texts": {2: VIN, 4: b"CAL-1\0\0\0\0\0\0\0\0\0\0\0"},
        "codes": {3: [], 7: [], 0x0A: []},
    }
    return FakeEcu(**(plain | more))  # type: ignore[arg-type]  # a test names what differs


def gearbox(**more: object) -> FakeEcu:
    """A second unit that tells the speed too."""
    plain: dict[str, object] = {"identifier": 0x7E9, "values": {1: b"", 0x0D: b"\x33"}, "codes": {3: [], 7: []}}
    return FakeEcu(**(plain | more))  # type: ignore[arg-type]  # a test names what differs


class Ride:
    """Poller and car on one axis of time. `turn_us`: how often the daemon's loop comes round (0: at once)."""

    def __init__(self, poller: Poller, *ecus: FakeEcu, seed: int = 1, turn_us: int = 0) -> None:
        self.poller = poller
        self.ecus = {ecu.identifier: ecu for ecu in ecus}
        self.rng = Random(seed)
        self.turn_us = turn_us
        self.now_us = 0
        self.may_ask = True
        self.refuses = ""
        """Why the bus takes no request; empty: it does."""
        self.asked: list[tuple[int, Request]] = []
        self.answered: list[Answer] = []
        self.owed: list[int] = []
        """How many answers to the request before were still to come, with each request."""
        self.found: list[Finding] = []
        self._coming: list[tuple[int, int, Answer]] = []
        self._order = count()

    def run(self, seconds: float) -> "Ride":
        """Let time pass."""
        end_us = self.now_us + round(seconds * S)
        while self.now_us < end_us:
            self.turn()
            self.now_us = min(max(self._next_us(), self.now_us + self.turn_us), end_us)
        return self

    def turn(self) -> None:
        """Once round."""
        came = []
        while self._coming and self._coming[0][0] <= self.now_us:
            came.append(heapq.heappop(self._coming)[2])
        self.answered += came
        self.found += self.poller.heard(self.now_us, came)
        request = self.poller.step(self.now_us, may_ask=self.may_ask)
        if request is None:
            return
        if self.refuses:
            self.poller.refused(self.now_us, request, self.refuses)
            return
        self.owed.append(len(self._coming))
        self.asked.append((self.now_us, request))
        for ecu in self.ecus.values():
            self._ask(ecu, request)

    def say(self, answer: Answer) -> None:
        """An answer nobody here asked for, or one that comes late."""
        heapq.heappush(self._coming, (answer.t_us, next(self._order), answer))

    def times(self, pid: int, service: int = 1) -> list[int]:
        """When the values of this PID came."""
        head = bytes([service + 0x40, pid])
        return [answer.t_us for answer in self.answered if answer.payload.startswith(head)]

    def asks(self, service: int, data: bytes | None = None) -> list[int]:
        """When this was asked."""
        return [at for at, asked in self.asked if asked.service == service and data in (None, asked.data)]

    def finds(self, kind: type[Found]) -> list[Found]:
        """What was found of a kind."""
        return [found for found in self.found if isinstance(found, kind)]

    def _next_us(self) -> int:
        coming_us = self._coming[0][0] if self._coming else 2**62
        wake_us = self.poller.wake_us() if self.may_ask else self.now_us + S // 10
        return max(min(wake_us, coming_us), self.now_us + 1)

    def _ask(self, ecu: FakeEcu, request: Request) -> None:
        is_meant = request.to == FUNCTIONAL or (request.to == ecu.asked_on and not ecu.is_hidden)
        payload = ecu.answer(request) if is_meant and not ecu.is_deaf else None
        if payload is None or self.rng.random() < ecu.loses:
            return
        at_us = self.now_us + self.rng.randint(*ecu.delay_us)
        if ecu.pends and self.rng.random() < ecu.pends:
            self.say(Answer(at_us, ecu.identifier, bytes([0x7F, request.service, 0x78])))
            at_us += self.rng.randint(1 * S, 4 * S)
        self.say(Answer(at_us, ecu.identifier, payload))


def poller(*data: WantData, wants: tuple[Want, ...] = WANTS, requests_per_s: float = 20.0, **more: object) -> Poller:
    """A poller with the shipped settings; a test names what differs."""
    return Poller(wants, data, **({"requests_per_s": requests_per_s, "codes_s": 300.0} | more))  # type: ignore[arg-type]


def most_in_a_second(times: list[int]) -> int:
    """Most requests within any second."""
    most = first = 0
    for last, at_us in enumerate(times):
        while times[first] <= at_us - S:
            first += 1
        most = max(most, last - first + 1)
    return most


def gaps(times: list[int]) -> list[int]:
    """Time between one and the next."""
    return [after - before for before, after in pairwise(times)]
