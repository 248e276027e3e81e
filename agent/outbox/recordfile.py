"""Records outside the store: the file that `trips export` and a receiver write, and `tbox verify` reads.

Such a file is a row of frames, each a msgpack bin (0xC4, 0xC5 or 0xC6, the length, the content). A content is

    the exact bytes of a record (DESIGN 4), in any order of lanes
    [seq, kind, hash]                  a stub: that record is not in this file, its kind's number and SHA-256 are
    {"public": .., "first": seq}       at the head of an export: the device's public key, and the first number that is
                                       in it, for it may be a part of the account; also "last", the last one; where
                                       there are such, "chain", the handovers from key to key, "certificate", the
                                       fleet's, and "receipt", the signed one of the platform that says most

A receiver needs the first only. What cannot be read is passed over, and said, up to the next frame that is one.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from agent.codec import COUNT_MAX, HASH_BYTES, CodecError, Record, decode, kind_name, kind_number, pack, unpack
from agent.errors import InputError, StorageError
from agent.ledger.fleet import CERTIFICATE_NAME, FILE_BYTES_MAX, Certificate
from agent.ledger.key import KEY_BYTES
from agent.ledger.key_chain import is_handed_over, told_of
from agent.ledger.receipt import ReceiptError, parse_receipt
from agent.outbox.store import open_readable

PILE_BYTES_MAX = 1 << 30
"""Of a record file: years of one terminal."""
PIECE_BYTES = 1 << 20
"""As much of it is asked for at once: a box that has little memory has no room for the most there might be."""

SQLITE_MAGIC = b"SQLite format 3\x00"

Row = tuple[int, int, bytes, bytes | None]
"""Of a store: number, kind's number, hash, and the bytes unless only the stub is left."""

RECEIPT = "receipt"
"""The name under which a store's table `account` keeps the signed receipt of the platform that says most."""

_KEY = kind_number("key")
_LAST = "last"
_VOUCHED = frozenset({_LAST, "chain", "certificate", RECEIPT})
_LENGTH_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_BEGIN = re.compile(rb"(?:\xC4.|\xC5..|\xC6....)\x98\x01", re.DOTALL)
"""A frame with the first two bytes of a record."""


@dataclass(slots=True)
class Pile:
    """What a file holds: records as they stand in it, stubs (kind, hash) by number, and what could not be read."""

    name: str
    records: list[Record] = field(default_factory=list)
    stubs: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    is_export: bool = False
    public: bytes | None = None
    first: int = 0
    last: int | None = None
    """The number it says it ends with; None: it says none."""
    faults: list[str] = field(default_factory=list)
    vouched: Mapping[str, Any] = field(default_factory=dict)
    """What speaks for it: `chain`, `certificate`, `receipt`, as they stand at the head of an export."""


def frame(content: bytes) -> bytes:
    """The content as one frame."""
    return pack(content)


def stub_frame(seq: int, kind: int, digest: bytes) -> bytes:
    """The frame that stands for a record that is not in the file."""
    return frame(pack([seq, kind, digest]))


def head_frame(public: bytes, first: int, vouched: Mapping[str, Any] | None = None, last: int | None = None) -> bytes:
    """The frame at the head of an export; `first` and `last` are the numbers that it begins and ends with."""
    end = {} if last is None else {_LAST: last}
    return frame(pack({"public": public, "first": first, **end, **(vouched or {})}))


def read_pile(path: Path) -> Pile:
    """What a record file or a store holds. InputError: it cannot be read, or there is nothing in it."""
    try:
        with path.open("rb") as file:
            is_store = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
        pile = _read_store(path) if is_store else _read_frames(path.name, _read_whole(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except StorageError as error:
        raise InputError(str(error)) from error
    if not pile.records and not pile.stubs:
        raise InputError(f"{path}: there are no records in it; give a file of `tbox trips export` or a receiver")
    return pile


def _read_whole(path: Path) -> bytes:
    """What a file holds, as far as it is one of records. InputError: it has no end, or one too far away."""
    whole = BytesIO()
    with path.open("rb") as file:
        while whole.tell() <= PILE_BYTES_MAX and (piece := file.read(PIECE_BYTES)):
            whole.write(piece)
    if whole.tell() > PILE_BYTES_MAX:
        raise InputError(f"{path}: has more than {PILE_BYTES_MAX >> 20} MiB; give the records of one device, or a part")
    return whole.getvalue()


def rows_of(connection: sqlite3.Connection) -> Iterator[Row]:
    """Everything in a store, by number."""
    yield from connection.execute("SELECT seq, kind, hash, raw FROM records ORDER BY seq")


def vouched_of(connection: sqlite3.Connection, state: Path) -> dict[str, Any]:
    """What a store and its folder hold that speaks for it."""
    told: dict[str, Any] = {}
    links = []
    for (raw,) in connection.execute("SELECT raw FROM records WHERE kind=? AND raw IS NOT NULL ORDER BY seq", (_KEY,)):
        with suppress(CodecError):
            links += [link] if is_handed_over(link := decode(raw)) else []
    if links:
        told["chain"] = told_of(links)
    with suppress(OSError, InputError), (state / CERTIFICATE_NAME).open("rb") as file:
        told["certificate"] = Certificate.parse(file.read(FILE_BYTES_MAX)).told()
    for (receipt,) in connection.execute("SELECT content FROM account WHERE name=?", (RECEIPT,)):
        told[RECEIPT] = receipt
    return told


def keeping(receipt: bytes) -> Callable[[sqlite3.Connection], object]:
    """What puts a receipt the platform signed into a store, within a transaction.

    One that says more stays: what the platform had once it cannot take back.
    """

    def keep(store: sqlite3.Connection) -> object:
        with suppress(ReceiptError):  # a damaged one does not stay
            for (before,) in store.execute("SELECT content FROM account WHERE name=?", (RECEIPT,)).fetchall():
                old, new = (parse_receipt(one, upto_max=COUNT_MAX) for one in (before, receipt))
                if old.word and new.word and old.word.key == new.word.key and old.upto > new.upto:
                    return None
        return store.execute("INSERT OR REPLACE INTO account VALUES (?,?)", (RECEIPT, receipt)).rowcount

    return keep


def first_of(rows: Sequence[Row]) -> int:
    """Where the account in a store begins: it keeps its `key` records for ever, but not what stood between them."""
    begin = next((at for at, row in enumerate(rows) if row[1] != _KEY), 0)
    while begin and rows[begin - 1][0] == rows[begin][0] - 1:
        begin -= 1
    return rows[begin][0] if rows else 0


def _read_store(path: Path) -> Pile:
    pile = Pile(path.name)
    try:
        with closing(open_readable(path)) as connection:
            connection.execute("BEGIN")  # the store as it is at one instant: a daemon may write beside
            rows = list(rows_of(connection))
            pile.last = _last_of(connection)
            pile.vouched = vouched_of(connection, path.parent)
    except sqlite3.Error as error:
        raise InputError(f"{path}: the store cannot be read: {error}") from error
    for seq, kind, digest, raw in rows:
        if raw is None:
            pile.stubs[seq] = (kind_name(kind), digest)
        else:
            _take(pile, raw, f"row {seq}")
    pile.first = first_of(rows)
    return pile


def _last_of(connection: sqlite3.Connection) -> int | None:
    """The number of the newest record, as a store keeps it beside them; None where it says none, or has lost some."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name='lost'").fetchone() and (
        connection.execute("SELECT 1 FROM lost").fetchone()
    ):
        return None
    row = connection.execute("SELECT content FROM account WHERE name='tail'").fetchone()
    with suppress(CodecError, KeyError, TypeError):
        told = unpack(row[0])["next_seq"]
        return int(told) - 1 if type(told) is int else None
    return None


def _read_frames(name: str, data: bytes) -> Pile:
    pile = Pile(name)
    at = 0
    while at < len(data):
        content, end = _frame_at(data, at)
        if content is not None and _take(pile, content, f"byte {at}"):
            at = end
            continue
        begin, at = at, _next_record(data, at + 1)
        if content is None:
            last = f", after seq {pile.records[-1].seq}" if pile.records else ""
            pile.faults.append(f"bytes {begin}..{at - 1}{last} are no frame: damaged or cut off")
    return pile


def _frame_at(data: bytes, at: int) -> tuple[bytes | None, int]:
    """The content of the frame at this byte and where the next begins; None when there is none."""
    size = _LENGTH_BYTES.get(data[at], 0)
    start = at + 1 + size
    end = start + int.from_bytes(data[at + 1 : start], "big")
    return (data[start:end], end) if size and start <= len(data) and end <= len(data) else (None, at)


def _next_record(data: bytes, at: int) -> int:
    """The next byte where a frame with a whole record begins; the end when there is none."""
    while begin := _BEGIN.search(data, at):
        content, _ = _frame_at(data, begin.start())
        try:
            decode(content or b"")
        except CodecError:
            at = begin.start() + 1
        else:
            return begin.start()
    return len(data)


def _take(pile: Pile, content: bytes, where: str) -> bool:
    """Put the content of a frame where it belongs; False when it is nothing known, which is said."""
    try:
        pile.records.append(decode(content))
    except CodecError as error:
        if not _take_other(pile, content):
            pile.faults.append(f"{where}: {error}")
            return False
    return True


def _take_other(pile: Pile, content: bytes) -> bool:
    try:
        other = unpack(content)
    except CodecError:
        return False
    match other:
        case [int(seq), int(kind), bytes(digest)] if seq >= 0 and kind >= 0 and len(digest) == HASH_BYTES:
            pile.stubs[seq] = (kind_name(kind), digest)
        case {"public": bytes(public), "first": int(first), **vouched} if (
            vouched.keys() <= _VOUCHED
            and len(public) == KEY_BYTES
            and first >= 0
            and type(vouched.get(_LAST, 0)) is int
        ):
            last = vouched.pop(_LAST, None)
            pile.is_export, pile.public, pile.first = True, public, first
            pile.last = last if isinstance(last, int) else None
            pile.vouched = {str(name): told for name, told in vouched.items()}
        case _:
            return False
    return True
