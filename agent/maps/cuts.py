"""Where signals lie in a frame: a DBC's messages and OBD-II answers as the cuts of the decode table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.maps import dbc, units
from agent.obd import pids
from agent.vehicle import (
    ALWAYS,
    BIG_ENDIAN,
    CHECKS,
    FLOAT,
    LIMITED,
    OBD,
    OBD_ID,
    PGN,
    PLAIN,
    SIGNED,
    Cut,
    Message,
)

NO_CUT = Cut(name="", unit="", start_bit=0, bits=0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A cut as a catalogue signal wants it; the name of its validity signal."""

    signal: int
    conversion: units.Conversion
    min: float
    max: float
    valid: str

    def applied(self, cut: Cut) -> Cut:
        """The cut in the catalogue's unit, with its limits."""
        factor, offset = self.conversion
        return replace(
            cut,
            signal=self.signal,
            scale=cut.scale * factor,
            offset=cut.offset * factor + offset,
            flags=cut.flags | LIMITED,
            min=self.min,
            max=self.max,
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of one source, and what the map wants of its signals (by name)."""

    channel: int
    message: dbc.Message
    wanted: dict[str, list[Wanted]]


Place = tuple[int, int]
"""Where a message is heard: channel, id in the table."""

KNOWN_MAX = {2: 1, 8: 0xFA, 16: 0xFAFF, 24: 0xFAFFFF, 32: 0xFAFFFFFF}
"""Bits of a number → the highest that is a value; above lie "error" and "not available" (SAE J1939-71, 5.1.4)."""


def known_only(signal: dbc.Signal, wanted: Wanted) -> Wanted:
    """The same wish for a signal of SAE J1939: what says "not available" lies outside its limits."""
    most = KNOWN_MAX.get(signal.bits)
    if most is None or signal.is_signed or signal.is_float:
        return wanted
    factor, offset = wanted.conversion
    edge = ((most + 0.5) * signal.scale + signal.offset) * factor + offset
    if signal.scale * factor > 0:
        return replace(wanted, max=min(wanted.max, edge))
    return replace(wanted, min=max(wanted.min, edge))


@dataclass(frozen=True, slots=True)
class Proof:
    """A counter and a checksum of a message, by name ("": none), ready for the table."""

    kind: str
    checksum: str
    counter: str
    counter_max: int
    data_ids: tuple[int, ...]
    slot: int = 0

    def cuts(self, message: dbc.Message) -> tuple[Cut, Cut]:
        """Where they lie: the cuts behind those of the signals."""
        checksum = _cut(message.signals[self.checksum]) if self.checksum else NO_CUT
        counter = _cut(message.signals[self.counter]) if self.counter else NO_CUT
        return checksum, replace(counter, max=self.counter_max)


def plain_message(
    channel: int, message: dbc.Message, wanted: Mapping[str, Sequence[Wanted]], proof: Proof | None = None
) -> Message:
    """A message of a DBC: the signals wanted (by name) with what selects and validates them; all when none is."""
    cuts = _Cuts(message)
    for name, wishes in wanted.items():
        for wish in wishes:
            cuts.want(name, wish)
    for name in () if wanted else message.signals:
        cuts.place(name)
    made = Message(
        name=message.name,
        id=message.table_id,
        channel=channel,
        length=message.length,
        kind=PGN if message.is_j1939 else PLAIN,
        cuts=tuple(cuts.cuts),
    )
    if proof is None:
        return made
    behind = proof.cuts(message)
    return replace(
        made, cuts=made.cuts + behind, check=CHECKS.index(proof.kind), slot=proof.slot, data_ids=proof.data_ids
    )


def obd_message(channel: int, rows: Iterable[tuple[pids.Pid, Wanted | None]]) -> Message:
    """Answers to service 01, sorted by PID."""
    cuts = [
        wanted.applied(_pid_cut(row)) if wanted else _pid_cut(row)
        for row, wanted in sorted(rows, key=lambda pair: pair[0].pid)
    ]
    return Message(name="OBD", id=OBD_ID, channel=channel, length=0, kind=OBD, cuts=tuple(cuts))


def _pid_cut(row: pids.Pid) -> Cut:
    return Cut(
        name=row.name,
        unit=row.unit,
        start_bit=8 * row.at + row.top,
        bits=row.width,
        flags=BIG_ENDIAN | SIGNED * row.is_signed,
        scale=row.scale,
        offset=row.offset,
        mux_from=row.pid,
        mux_to=row.pid,
        bytes=row.size,
    )


class _Cuts:
    """Cuts of one message as they are placed: a selector before what it selects, a cut for each span of its values."""

    def __init__(self, message: dbc.Message) -> None:
        self.cuts: list[Cut] = []
        self._message = message
        self._placed: dict[str, list[int]] = {}

    def want(self, name: str, wanted: Wanted) -> None:
        """Place a signal once more, as the catalogue wants it."""
        for cut in list(self._made(self._message.signals[name])):
            valid = self._beside(cut, wanted.valid) if wanted.valid else ALWAYS
            self.cuts.append(replace(wanted.applied(cut), valid_cut=valid))

    def place(self, name: str) -> list[int]:
        """Where the plain cuts of this signal are; none for what is no number."""
        signal = self._message.signals[name]
        if name not in self._placed and signal.is_number:
            made = list(self._made(signal))
            self._placed[name] = list(range(len(self.cuts), len(self.cuts) + len(made)))
            self.cuts.extend(made)
        return self._placed.get(name, [])

    def _beside(self, cut: Cut, valid: str) -> int:
        """The validity signal's cut in the same branch of the multiplexer, else its first."""
        branch = (cut.mux_cut, cut.mux_from, cut.mux_to)
        ways = self.place(valid)
        same = [i for i in ways if (self.cuts[i].mux_cut, self.cuts[i].mux_from, self.cuts[i].mux_to) == branch]
        return (same or ways)[0]

    def _made(self, signal: dbc.Signal) -> Iterator[Cut]:
        """A cut for each way to the signal."""
        plain = _cut(signal)
        if signal.selector is None:
            yield plain
            return
        for selector in self.place(signal.selector):
            for low, high in signal.selected:
                yield replace(plain, mux_cut=selector, mux_from=low, mux_to=high)


def _cut(signal: dbc.Signal) -> Cut:
    flags = FLOAT * signal.is_float | SIGNED * signal.is_signed | BIG_ENDIAN * signal.is_big_endian
    return Cut(
        name=signal.name,
        unit=signal.unit,
        start_bit=signal.start_bit,
        bits=signal.bits,
        flags=flags,
        scale=signal.scale,
        offset=signal.offset,
    )
