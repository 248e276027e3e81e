"""What can be saved of a damaged store: whole records out of the pages of its file, whoever still points to them.

SQLite's file format (sqlite.org/fileformat2.html), as far as it is needed: a leaf page of a table begins with 0x0D, its
number of cells stands at 3, their places from 8 on. A cell is the payload's size, the row's number, the payload; what
does not fit into the page goes on in a chain of overflow pages.
The log beside it has a header of 32 bytes, then frames: 24 bytes and a page.
A record is taken only when it decodes, has its row's number, and its SHA-256 is the one that stands beside it.
"""

import hashlib
import mmap
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from agent.codec import RECORD_BYTES_MAX, CodecError, Record, decode
from agent.errors import StorageError

PAGE_BYTES = 4096
TABLE_LEAF = 0x0D
HEAD_BYTES, LOG_HEAD_BYTES, FRAME_HEAD_BYTES = 100, 32, 24
COLUMNS = 8
HASH, RAW = 6, 7
"""Columns of the table `records`."""

PAYLOAD_BYTES_MAX = RECORD_BYTES_MAX + 1024
LOCAL_BYTES = PAGE_BYTES - 35
LEAST_BYTES = (PAGE_BYTES - 12) * 32 // 255 - 23
INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""By serial type, up to the constants 0 and 1."""

FIRST_BLOB = 12
PageOf = Callable[[int], bytes]
"""A page by its number; shorter than a page: there is none."""

_MALFORMED = (IndexError, ValueError, struct.error, CodecError)


def records_in(path: Path) -> dict[int, Record]:
    """Every whole record in the store and its log, by number. StorageError: the file cannot be read."""
    try:
        log = path.with_name(path.name + "-wal")
        fresh = _log_pages(log.read_bytes()) if log.exists() else {}
        with path.open("rb") as file:
            if path.stat().st_size < PAGE_BYTES:
                return _found(memoryview(b""), fresh)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                return _found(view, fresh)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}; check the disk") from error


def _found(file: memoryview, fresh: Mapping[int, bytes]) -> dict[int, Record]:
    """Whole records; the log's pages hold for those of the file, which are looked at too."""
    found: dict[int, Record] = {}
    pages = len(file) // PAGE_BYTES

    def page_of(number: int) -> bytes:
        at = (number - 1) * PAGE_BYTES
        return fresh[number] if number in fresh else bytes(file[at : at + PAGE_BYTES])

    for number in range(1, pages + 1):
        found |= _of_page(bytes(file[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]), number, page_of)
    for number, page in fresh.items():
        found |= _of_page(page, number, page_of)
    return found


def _of_page(page: bytes, number: int, page_of: PageOf) -> dict[int, Record]:
    """The whole records whose cells are in this page."""
    begin = HEAD_BYTES if number == 1 else 0
    if page[begin] != TABLE_LEAF:
        return {}
    count = min(int.from_bytes(page[begin + 3 : begin + 5]), (PAGE_BYTES - begin) // 2)
    found: dict[int, Record] = {}
    for index in range(count):
        try:
            record = _record_at(page, int.from_bytes(page[begin + 8 + 2 * index : begin + 10 + 2 * index]), page_of)
        except _MALFORMED:
            continue
        if record is not None:
            found[record.seq] = record
    return found


def _record_at(page: bytes, at: int, page_of: PageOf) -> Record | None:
    """The record in the cell at this place; None: it is no record, or not as it was written."""
    size, at = _varint(page, at)
    row, at = _varint(page, at)
    if not 0 < size <= PAYLOAD_BYTES_MAX:
        return None
    columns = _columns(_payload(page, at, size, page_of))
    digest, raw = columns[HASH], columns[RAW]
    if not raw or not is_as_written(raw, digest):
        return None
    record = decode(raw)
    return record if record.seq == row else None


def is_as_written(raw: bytes, digest: bytes) -> bool:
    """Whether these are the bytes whose hash stands beside them."""
    return hashlib.sha256(raw).digest() == digest


def _payload(page: bytes, at: int, size: int, page_of: PageOf) -> bytes:
    """A cell's payload, put together with what of it is in overflow pages."""
    if size <= LOCAL_BYTES:
        return page[at : at + size]
    kept = LEAST_BYTES + (size - LEAST_BYTES) % (PAGE_BYTES - 4)
    local = kept if kept <= LOCAL_BYTES else LEAST_BYTES
    payload, after = page[at : at + local], int.from_bytes(page[at + local : at + local + 4])
    while len(payload) < size:
        beyond = page_of(after)
        if after == 0 or len(beyond) < PAGE_BYTES:
            raise ValueError("the chain of pages is torn")
        payload, after = payload + beyond[4:], int.from_bytes(beyond[:4])
    return payload[:size]


def _columns(payload: bytes) -> list[bytes]:
    """The bytes of each column of a row of `records`."""
    at, types = 0, []
    head, at = _varint(payload, at)
    while at < head:
        serial, at = _varint(payload, at)
        types.append(serial)
    if len(types) != COLUMNS:
        raise ValueError("of another table")
    columns = []
    for serial in types:
        size = (serial - FIRST_BLOB) // 2 if serial >= FIRST_BLOB else INTEGER_BYTES[serial]
        columns.append(payload[at : at + size])
        at += size
    return columns


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """SQLite's number of one to nine bytes, and where the next thing begins."""
    number = 0
    for index in range(8):
        number = number << 7 | data[at + index] & 0x7F
        if data[at + index] < 0x80:
            return number, at + index + 1
    return number << 8 | data[at + 8], at + 9


def _log_pages(log: bytes) -> dict[int, bytes]:
    """The pages of a write-ahead log up to its last whole commit, the newest of each number."""
    if len(log) < LOG_HEAD_BYTES or int.from_bytes(log[8:12]) != PAGE_BYTES:
        return {}
    pages: dict[int, bytes] = {}
    begun: dict[int, bytes] = {}
    for number, is_commit, page in _frames(log):
        begun[number] = page
        if is_commit:
            pages |= begun
            begun = {}
    return pages


def _frames(log: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Page number, whether it ends a commit, and the page, as far as salts and checksums hold."""
    order = ">" if log[3] & 1 else "<"
    salts, state = log[16:24], _checksum((0, 0), log[:24], order)
    for at in range(LOG_HEAD_BYTES, len(log) - PAGE_BYTES - FRAME_HEAD_BYTES + 1, PAGE_BYTES + FRAME_HEAD_BYTES):
        head, page = log[at : at + FRAME_HEAD_BYTES], log[at + FRAME_HEAD_BYTES :][:PAGE_BYTES]
        state = _checksum(_checksum(state, head[:8], order), page, order)
        if head[8:16] != salts or state != struct.unpack(">II", head[16:24]):
            return
        yield int.from_bytes(head[:4]), head[4:8] != bytes(4), page


def _checksum(state: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    """The log's checksum, gone on over data of a multiple of 8 bytes."""
    one, two = state
    for first, second in struct.iter_unpack(f"{order}II", data):
        one = one + first + two & 0xFFFFFFFF
        two = two + second + one & 0xFFFFFFFF
    return one, two
