"""What a simulated control unit says to OBD-II and UDS questions (SAE J1979, ISO 14229): bytes in, bytes out.

No bus, no time: ecu_bus.py cuts the answers into frames. It knows nothing of the agent, so each can be held against
the other.

    01 PID..        values; 00 20 40 .. bitmaps of what is there     41 PID bytes ..
    02 PID 00 ..    the same, frozen when the first code was stored  42 PID 00 bytes ..
    03 07 0A        stored, pending, permanent codes                 43 count, 2 bytes each
    09 TYPE         VIN, calibration ids, name                       49 TYPE count, text
    22 DID          one value, as the unit's maker says              62 DID bytes
    refusal                                                          7F service reason
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from hil.drive import State

NOT_SUPPORTED, PID_NOT_SUPPORTED, WRONG_LENGTH, PENDING, OUT_OF_RANGE = 0x11, 0x12, 0x13, 0x78, 0x31
VIN = "1HGCM82633A004352"
CODES = {0x03: "stored", 0x07: "pending", 0x0A: "permanent"}
AREAS = "PCBU"


@dataclass(slots=True)
class Readings:
    """What the units' sensors say now. Units of SAE J1979."""

    speed_kmh: float = 0.0
    rpm: float = 0.0
    coolant_c: float = 20.0
    load_pct: float = 0.0
    throttle_pct: float = 0.0
    odometer_km: float = 48_211.3
    battery_v: float = 12.6
    fuel_pct: float = 61.0
    run_s: float = 0.0

    def follow(self, state: State, odometer_km: float = 48_211.3) -> None:
        """Say what a drive says at this moment; `odometer_km` stood on the dial when it began."""
        self.speed_kmh, self.rpm, self.coolant_c = state.speed_mps * 3.6, state.rpm, state.coolant_c
        self.load_pct, self.throttle_pct = state.load_pct, state.throttle_pct
        self.odometer_km = odometer_km + state.distance_m / 1000
        self.battery_v = 14.1 if state.engine else 12.6
        self.run_s = state.time_s if state.engine else 0.0


def _number(value: float, size: int) -> bytes:
    """The nearest number these bytes can say, big-endian."""
    return min(max(round(value), 0), (1 << 8 * size) - 1).to_bytes(size, "big")


VALUES: Mapping[int, Callable[[Readings], bytes]] = {
    0x04: lambda now: _number(now.load_pct * 2.55, 1),
    0x05: lambda now: _number(now.coolant_c + 40, 1),
    0x0C: lambda now: _number(now.rpm * 4, 2),
    0x0D: lambda now: _number(now.speed_kmh, 1),
    0x11: lambda now: _number(now.throttle_pct * 2.55, 1),
    0x1C: lambda _: b"\x06",  # EOBD
    0x1F: lambda now: _number(now.run_s, 2),
    0x2F: lambda now: _number(now.fuel_pct * 2.55, 1),
    0x42: lambda now: _number(now.battery_v * 1000, 2),
    0xA6: lambda now: _number(now.odometer_km * 10, 4),
}
"""Service 01, without what concerns trouble codes."""

ENGINE_PIDS = tuple(VALUES)
GEARBOX_PIDS = (0x0C, 0x0D, 0x42)


def code_bytes(code: str) -> bytes:
    """Two bytes of a trouble code: "C0300" is 43 00 (SAE J2012)."""
    return bytes([AREAS.index(code[0]) << 6 | int(code[1]) << 4 | int(code[2], 16), int(code[3:], 16)])


def bitmap(after: int, there: Iterable[int]) -> bytes:
    """Which of the 32 numbers that follow are there, the first the top bit."""
    return sum(1 << (after + 32 - number) for number in there if after < number <= after + 32).to_bytes(4, "big")


def steps(there: Iterable[int]) -> list[int]:
    """What is there, and the bitmaps that lead to it: 20 says 40 is there when something beyond 40 is."""
    known = sorted(there)
    return sorted({*known, *range(0x20, max(known, default=0), 0x20)})


@dataclass(slots=True)
class Trouble:
    """The trouble codes of one unit, as they come and go."""

    stored: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    permanent: list[str] = field(default_factory=list)
    frozen: dict[int, bytes] = field(default_factory=dict)
    is_ready: bool = True
    """Whether the monitors have run since codes were cleared."""

    @property
    def is_lit(self) -> bool:
        """Whether the malfunction lamp is on."""
        return bool(self.stored)

    def confirm(self, code: str, values: Mapping[int, bytes]) -> None:
        """Seen again: stored, permanent, the lamp lit; the first code freezes the values."""
        for codes in (self.pending, self.stored, self.permanent):
            if code not in codes:
                codes.append(code)
        if not self.frozen:
            self.frozen = {0x02: code_bytes(code), **values}

    def clear(self) -> None:
        """A workshop cleared the codes: permanent ones stay until the unit itself finds them healed."""
        self.stored.clear()
        self.pending.clear()
        self.frozen = {}
        self.is_ready = False

    def heal(self, code: str) -> None:
        """The unit found that it is gone."""
        for codes in (self.pending, self.stored, self.permanent):
            if code in codes:
                codes.remove(code)
        if not self.stored:
            self.frozen = {}

    def status(self) -> bytes:
        """PID 01: lamp and count, then which monitors there are and which have yet to run."""
        return bytes([self.is_lit << 7 | len(self.stored), 0x07, 0x65, 0x00 if self.is_ready else 0x65])


@dataclass(slots=True)
class Ecu:
    """One control unit. Several may share their readings. `refuses`: says no to everybody's questions too."""

    name: str = "ECM\0-EngineControl"
    vin: str = VIN
    calibrations: tuple[str, ...] = ("37805-RBB-J530", "CB6015A0")
    readings: Readings = field(default_factory=Readings)
    pids: tuple[int, ...] = ENGINE_PIDS
    dids: dict[int, bytes] = field(default_factory=dict)
    trouble: Trouble = field(default_factory=Trouble)
    refuses: bool = False

    def confirm(self, code: str) -> None:
        """Find a fault: the code is stored, with what the sensors say now."""
        self.trouble.confirm(code, self._values())

    def answer(self, question: bytes, *, is_functional: bool) -> bytes:
        """What the unit says; empty: nothing, as to a question to all that is not for it."""
        services = {0x01: self._now, 0x02: self._frozen, 0x09: self._identity, 0x22: self._did}
        service = question[0] if question else 0
        if service in CODES:
            answer = self._codes(service) if len(question) == 1 else WRONG_LENGTH
        elif service in services:
            answer = services[service](question[1:]) if len(question) > 1 else WRONG_LENGTH
        else:
            answer = NOT_SUPPORTED
        if isinstance(answer, bytes):
            return bytes([service | 0x40]) + answer
        return b"" if is_functional and not self.refuses else bytes([0x7F, service, answer])

    def _values(self) -> dict[int, bytes]:
        return {pid: VALUES[pid](self.readings) for pid in self.pids}

    def _now(self, pids: bytes) -> bytes | int:
        values = {0x01: self.trouble.status(), **self._values()}
        return _told(values, pids)

    def _frozen(self, pairs: bytes) -> bytes | int:
        if len(pairs) % 2 or any(pairs[1::2]):
            return OUT_OF_RANGE
        values = self.trouble.frozen or {0x02: bytes(2)}
        return _told(values, pairs[::2], frame=b"\0")

    def _codes(self, service: int) -> bytes:
        codes: list[str] = getattr(self.trouble, CODES[service])
        return bytes([len(codes)]) + b"".join(map(code_bytes, codes))

    def _identity(self, types: bytes) -> bytes | int:
        items = {0x02: [(self.vin, 17)], 0x04: [(one, 16) for one in self.calibrations], 0x0A: [(self.name, 20)]}
        there = {
            type_: bytes([len(texts)]) + b"".join(text.encode().ljust(size, b"\0") for text, size in texts)
            for type_, texts in items.items()
            if texts and texts[0][0]
        }
        return _told(there, types[:1])

    def _did(self, did: bytes) -> bytes | int:
        known = self.dids.get(int.from_bytes(did, "big")) if len(did) == 2 else None
        return OUT_OF_RANGE if known is None else did + known


def _told(values: Mapping[int, bytes], asked: bytes, frame: bytes = b"") -> bytes | int:
    """Each number asked for that is there, then its bytes; bitmaps where they are asked for."""
    there = steps(values)
    parts = [
        bytes([number]) + frame + (values[number] if number in values else bitmap(number, there))
        for number in asked
        if number in values or number == 0 or number in there
    ]
    return b"".join(parts) or PID_NOT_SUPPORTED


def engine(readings: Readings) -> Ecu:
    """The unit that knows most."""
    return Ecu(readings=readings)


def gearbox(readings: Readings) -> Ecu:
    """A second unit, with fewer values and no VIN."""
    return Ecu("TCM\0-TransmisCtrl", "", ("28103-5B2-A01",), readings, GEARBOX_PIDS)
