"""What must hold of a store after a power cut, whoever made the cut."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.codec import LANES, Record
from agent.ledger.key import DeviceKey
from agent.ledger.ledger import Ledger, losses_of
from agent.ledger.receipt import Ranges
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import Pile, read_pile, rows_of
from agent.outbox.store import open_readable, read_reserve
from agent.proof.proof import check
from tests.accounts import KEY, ledger

TRACE_BYTES = 64
"""The end of a record's bytes that would give it away."""

CLOSED = {"stopped", "agent_stopped", "power_cut"}


@dataclass(slots=True)
class Told:
    """What had been put in, and what had been said of it, before a cut."""

    records: dict[int, Record] = field(default_factory=dict)
    journals: dict[int, bytes] = field(default_factory=dict)
    """By the number of the last record that was put with it; b"": cleared."""
    synced_upto: int = -1
    confirmed: Ranges = field(default_factory=Ranges)
    asked: Ranges = field(default_factory=Ranges)
    """To be delivered again."""
    is_damaged: bool = False
    """The file was damaged, before: something of it is lost, and said to be."""
    erasing: set[int] = field(default_factory=set)
    """A trip that the driver wants erased."""
    saved: set[int] = field(default_factory=set)
    """What is saved of a damaged one when nothing cuts in."""

    def copy(self) -> "Told":
        """Another one, which hears on."""
        return replace(
            self,
            records=dict(self.records),
            journals=dict(self.journals),
            confirmed=Ranges(self.confirmed),
            asked=Ranges(self.asked),
        )

    def put(self, records: list[Record], journal: bytes) -> None:
        """These are given to the writer. What was said to be safe stays what it is."""
        assert records[0].seq > self.synced_upto, f"{records[0].seq} is numbered again"
        self.records |= {one.seq: one for one in records}
        self.journals[records[-1].seq] = journal

    def confirm(self, first: int, last: int) -> None:
        """These are delivered."""
        self.confirmed.add(first, last)

    def ask(self, first: int, last: int) -> None:
        """These are asked for again: from now on they may be pending, and must be once that is done."""
        self.asked.add(first, last)

    def reopen(self) -> None:
        """What was asked for is pending again, or said to be gone."""
        self.confirmed = self.confirmed.split(self.asked)[1]
        self.asked = Ranges()


def look(store: Path, told: Told, budget_bytes: int, key: DeviceKey = KEY) -> Iterator[str]:
    """What is wrong with a store after a cut; it is written to as well."""
    reserved = read_reserve(store).seq
    outbox = Outbox.open(store, budget_bytes, "after the cut")
    try:
        yield from () if told.is_damaged else outbox.reports
        tail = outbox.tail()
        if tail.next_seq <= told.synced_upto:
            yield f"the account ends with {tail.next_seq - 1}, {told.synced_upto} was synced"
        if tail.next_seq > reserved and not told.is_damaged:
            yield f"{tail.next_seq - 1} was used and only what is below {reserved} was reserved"
        if tail.next_seq:
            yield from _differences(outbox, store, told)
        _go_on(outbox, ledger(outbox.boot, tail, key))
    finally:
        outbox.close()


def _differences(outbox: Outbox, store: Path, told: Told) -> Iterator[str]:
    """Against what was put in."""
    last = outbox.tail().next_seq - 1
    with closing(open_readable(store)) as connection:
        rows = {seq: (hash_, raw) for seq, _, hash_, raw in rows_of(connection)}
    if not told.is_damaged:
        yield from _ends(outbox, max(rows, default=-1), told)
    gone = Ranges((one.first, one.last) for one in outbox.losses())
    for seq, (hash_, raw) in rows.items():
        one = told.records[seq]
        if hash_ != one.hash or raw not in (None, one.raw):
            yield f"{seq} is another record"
    for seq, one in told.records.items():
        is_said = one.kind == "gap" and (seq in rows or seq in told.confirmed)  # delivered, the platform knows it
        for loss in losses_of(one) if is_said else []:
            gone.add(loss.first, loss.last)
    yield from _erased(store, rows.keys(), gone, told)
    pending = {seq for lane in LANES for seq, _ in outbox.pending(lane, -1, last + 1)}
    for seq in range(last + 1):
        if seq not in pending and seq not in gone and seq not in told.confirmed:
            yield f"{seq} was never confirmed, and will not be delivered"
    if lost := sorted(told.saved - pending):
        yield f"{lost[0]} (and {len(lost) - 1} more) could have been saved of a damaged store"


def _erased(store: Path, rows: Collection[int], gone: Ranges, told: Told) -> Iterator[str]:
    """Of a trip that is to be erased there is all, or there is nothing, in no file, and a gap record says so."""
    here = told.erasing & set(rows)
    if here and here != told.erasing:
        yield f"of the trip to be erased, {min(told.erasing - here)} is gone and {min(here)} is not"
    if told.erasing and not here:
        yield from (f"{seq} is erased and nothing says so" for seq in told.erasing if seq not in gone)
        files = [file.read_bytes() for file in store.parent.glob(f"{store.name}*")]
        left = [seq for seq in told.erasing if any(told.records[seq].raw[-TRACE_BYTES:] in file for file in files)]
        yield from (f"{seq} is erased and can still be read" for seq in left)


def _ends(outbox: Outbox, last_row: int, told: Told) -> Iterator[str]:
    """Where the account and the journal end: with one and the same group, or the one that was just being put."""
    last = outbox.tail().next_seq - 1
    end = told.records.get(last)
    if last_row != last or end is None or outbox.tail().head != end.hash:
        yield "the records do not end where the account does"
    if outbox.recovered() != (told.journals.get(last) or None):
        yield f"the journal is {outbox.recovered()!r}, not that of {last}"


def _go_on(outbox: Outbox, book: Ledger) -> None:
    """The agent starts on it."""
    records, losses = book.start(1, {}), outbox.losses()
    while records or losses:
        losses = outbox.append(records + book.gaps(1, losses))
        records = []


def prove(store: Path, told: Told) -> list[str]:
    """What `tbox verify` finds in the store and what was delivered, where there is a seal."""
    pile, delivered = read_pile(store), Pile("delivered")
    delivered.records = [told.records[seq] for span in told.confirmed for seq in range(span[0], span[1] + 1)]
    is_sealed = any(one.kind == "seal" for one in pile.records)
    return [str(one) for one in check([pile, delivered]).problems] if is_sealed else []


def trips(records: Sequence[Record]) -> Iterator[str]:
    """Each trip that began has one end, with a reason that is known."""
    ends = Counter(one.body["trip"] for one in records if one.kind == "trip_end")
    for one in records:
        if one.kind == "trip_start" and ends.pop(one.seq, 0) != 1:
            yield f"the trip that began with {one.seq} has not ended once"
        if one.kind == "trip_end" and one.body["end_reason"] not in CLOSED:
            yield f"a trip ended because of {one.body['end_reason']}"
    yield from (f"a trip ended that never began: {trip}" for trip in ends)


def evidence(records: Sequence[Record]) -> Iterator[str]:
    """The parts of an event's evidence are all there, once, and the last says how many they are."""
    parts: dict[int, list[Record]] = {}
    for one in (one for one in records if one.kind == "evidence"):
        parts.setdefault(one.body["event"], []).append(one)
    events = {one.seq for one in records if one.kind == "event"}
    for event, told in parts.items():
        if [one.body["part"] for one in told] != list(range(len(told))) or told[-1].body["parts"] != len(told):
            yield f"the evidence of {event} has the parts {[(one.body['part'], one.body['parts']) for one in told]}"
        if event not in events:
            yield f"there is evidence of {event}, which is no event"
