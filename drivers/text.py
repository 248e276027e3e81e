"""A recording's text: plain or gzip, in blocks of whole lines, counted; a torn end is what was there before it."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 18
LINE_BYTES = 1 << 16
"""A line longer than this is none: it is cut, so that binary waste cannot fill the memory."""

GZIP_MAGIC = b"\x1f\x8b\x08"
GZIP_WBITS = 31
BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Tally:
    """What was read of one recording, and what was not understood."""

    path: Path
    lines_read: int = 0
    lines_bad: int = 0
    first_bad: int = 0
    inputs: int = 0
    late: int = 0
    truncated: bool = False
    remark: str = ""

    def bad(self, line: int) -> None:
        """Count a line that was left out; `line` is its number from 1."""
        self.lines_bad += 1
        self.first_bad = self.first_bad or line

    def warning(self) -> str:
        """All that a person should know about this recording, in one line; empty when it was read whole."""
        parts = [self.remark] if self.remark else []
        if self.lines_bad:
            where = f"{self.lines_bad} of {self.lines_read} lines not understood and left out"
            parts.append(f"{where}, the first is line {self.first_bad}")
        if self.truncated:
            parts.append("its end is torn, read up to there")
        if self.late:
            parts.append(f"{self.late} inputs stand more than 1 s out of order")
        return f"{self.path}: {'; '.join(parts)}" if parts else ""


def chunks(path: Path, tally: Tally) -> Iterator[bytes]:
    """Bytes of a file, unzipped when its content is gzip. A torn or failing end sets `tally.truncated`."""
    with path.open("rb") as file:
        head = file.read(CHUNK_BYTES)
        rest = iter(lambda: file.read(CHUNK_BYTES), b"")
        try:
            if head.startswith(GZIP_MAGIC):
                yield from _unzipped(head, rest, tally)
            else:
                yield head
                yield from rest
        except (OSError, zlib.error):
            tally.truncated = True


def _unzipped(head: bytes, rest: Iterator[bytes], tally: Tally) -> Iterator[bytes]:
    """Bytes of one or more gzip members (RFC 1952), a chunk at a time."""
    member = zlib.decompressobj(GZIP_WBITS)
    piece = head
    while piece:
        spare = member.copy()
        try:
            yield member.decompress(piece, CHUNK_BYTES)
        except zlib.error:
            yield _rescued(spare, piece)
            raise
        piece = member.unconsumed_tail
        if member.eof:
            piece = member.unused_data.lstrip(b"\0") or next(rest, b"").lstrip(b"\0")
            if piece:
                member = zlib.decompressobj(GZIP_WBITS)
        elif not piece:
            piece = next(rest, b"")
    yield member.flush()
    tally.truncated = not member.eof


def _rescued(member: "zlib._Decompress", piece: bytes) -> bytes:
    """What a piece still gives before the byte that is wrong: zlib throws it away with the error."""
    found = bytearray()
    with suppress(zlib.error):
        for byte in piece:
            found += member.decompress(bytes([byte]))
    return bytes(found)


def head(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a recording, unzipped, without a byte-order mark: enough to tell its type."""
    start = b""
    for chunk in chunks(path, Tally(path)):
        start += chunk
        if len(start) >= size:
            break
    return start[:size].removeprefix(BOM)


def blocks(path: Path, tally: Tally) -> Iterator[list[str]]:
    """Whole lines without their ends, many at a time; bytes read as Latin-1, so that any content passes."""
    for block in byte_blocks(path, tally):
        yield line_texts(block)


def line_texts(block: bytes) -> list[str]:
    """Lines of a block as text."""
    return block.decode("latin-1").replace("\r", "").split("\n")


def byte_blocks(path: Path, tally: Tally) -> Iterator[bytes]:
    """Whole lines, many at a time, counted; a line feed stands between two, and after the last of them none.

    The last line counts without a line end too, but not where the file is torn: it may be half a number.
    """
    carry = b""
    start = True
    for chunk in chunks(path, tally):
        head, feed, carry = (carry + chunk).rpartition(b"\n")
        if start and feed:
            head, start = head.removeprefix(BOM), False
        if len(carry) > LINE_BYTES:
            if start:
                carry, start = carry.removeprefix(BOM), False
            head, feed, carry = head + feed + carry[:LINE_BYTES], b"\n", b""
        if feed:
            yield _counted(head, tally)
    if carry and not tally.truncated:
        yield _counted(carry.removeprefix(BOM) if start else carry, tally)


def _counted(block: bytes, tally: Tally) -> bytes:
    tally.lines_read += block.count(b"\n") + 1
    return block
