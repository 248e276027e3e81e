"""What becomes of a batch of messages: stored, had before, or refused with the reason. Pure; a store does the rest.

A store gives what it knows (`wanted` says of which records) and writes down what `judge` returns, in one transaction.
Two receivers may judge records of one terminal at the same time: a record counts once, since its number is taken once
in the store; that neighbours fit each other is seen only where one of them was stored before, and by `tbox verify`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.codec import Record
from agent.ledger.fleet import Certificate
from agent.ledger.key import device_of
from agent.ledger.receipt import Ranges
from hil.receiver.intake import Arrival, Known, covered, fault, links_of, public_of, read

Place = tuple[bytes, int]
"""A device and a number."""


@dataclass(slots=True)
class Book:
    """What is known of a device's account: its first key, handovers to later ones, and what is settled of it."""

    public: bytes | None = None
    links: list[Record] = field(default_factory=list)
    settled: Ranges = field(default_factory=Ranges)


@dataclass(frozen=True, slots=True)
class Mark:
    """Of a stored record: its hash, and the hash it leads back to."""

    hash: bytes
    prev: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is not stored as a record, and why."""

    arrived: Arrival
    reason: str


@dataclass(slots=True)
class Judged:
    """A batch after it: the records that are new, each with its hash, those refused, how many were there before.

    `owners` are the devices behind the terminals' topics, `books` their accounts as they will be, `news` what this
    batch settles of each; nothing where all of it was there before: who sends again has missed a receipt.
    """

    owners: dict[str, bytes]
    books: dict[bytes, Book]
    kept: list[tuple[Record, bytes]] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    again: int = 0
    news: dict[bytes, Ranges] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """A message and the record in it, or why there is none."""

    arrived: Arrival
    record: Record | str


def read_all(arrived: Iterable[Arrival]) -> list[Reading]:
    """The part that needs no store."""
    return [Reading(one, read(one)) for one in arrived]


def wanted(readings: Iterable[Reading], books: Mapping[bytes, Book]) -> set[Place]:
    """Which stored records `judge` looks at: each number and its neighbours, as far as they are settled."""
    found: set[Place] = set()
    for record in records_in(readings):
        settled = books[record.device].settled if record.device in books else Ranges()
        around = (record.seq - 1, record.seq, record.seq + 1)
        found.update((record.device, seq) for seq in around if seq in settled)
    return found


def records_in(readings: Iterable[Reading]) -> list[Record]:
    """Those that are records."""
    return [reading.record for reading in readings if isinstance(reading.record, Record)]


def judge(
    readings: Sequence[Reading],
    owners: dict[str, bytes],
    books: dict[bytes, Book],
    marks: dict[Place, Mark],
    fleet: bytes | None = None,
) -> Judged:
    """Take one after the other, each beside those before it. All three that the store told grow.

    `fleet`: the public key whose certificate a device's `boot` records must bring; None: any device may come.
    """
    judged = Judged(owners, books)
    for reading in readings:
        terminal, record = reading.arrived.terminal, reading.record
        if isinstance(record, str):
            judged.refused.append(Refusal(reading.arrived, record))
            continue
        book = books.setdefault(record.device, Book())
        reason = fault(record, _known(record, owners.get(terminal), book, marks)) or _stranger(record, fleet)
        if reason:
            judged.refused.append(Refusal(reading.arrived, reason))
            continue
        owners[terminal] = record.device
        if (record.device, record.seq) in marks:
            judged.again += 1
            judged.news.setdefault(record.device, Ranges())
        else:
            _keep(judged, record, marks)
    return judged


def _known(record: Record, owner: bytes | None, book: Book, marks: Mapping[Place, Mark]) -> Known:
    same = marks.get((record.device, record.seq))
    before = marks.get((record.device, record.seq - 1))
    after = marks.get((record.device, record.seq + 1))
    return Known(
        same=same.hash if same else None,
        hash_before=before.hash if before else None,
        prev_after=after.prev if after else None,
        device=owner,
        public=book.public,
        links=tuple(book.links),
    )


def _stranger(record: Record, fleet: bytes | None) -> str:
    """Why this boot's device is none of the fleet's; empty: it is, or nobody asks."""
    if fleet is None or record.kind != "boot":
        return ""
    told = record.body.get("key")
    certificate = Certificate.read(told.get("certificate")) if isinstance(told, dict) else None
    if certificate is None:
        return "the fleet does not vouch for this device: no certificate"
    is_vouched = certificate.device == record.device and certificate.is_by(fleet)
    return "" if is_vouched else "the fleet does not vouch for this device: another's certificate"


def _keep(judged: Judged, record: Record, marks: dict[Place, Mark]) -> None:
    """It is new and fits: the account goes on with it."""
    digest = record.hash
    marks[record.device, record.seq] = Mark(digest, record.prev)
    judged.kept.append((record, digest))
    book, news = judged.books[record.device], judged.news.setdefault(record.device, Ranges())
    public = public_of(record)
    if book.public is None and public is not None and device_of(public) == record.device:
        book.public = public
    book.links += [link for link in links_of(record) if link not in book.links]
    for first, last in covered(record):
        book.settled.add(first, last)
        news.add(first, last)
