"""CAN logs of other makers, through python-can: Vector ASC and BLF, PEAK TRC, ASAM MDF 4 (with asammdf).

Stamps stay as the file has them: an ASC and an old TRC count from their start, the others carry UTC. Channels count
from 0, as everywhere here. A line of ASC or TRC that python-can stumbles over is counted, and reading goes on behind
it; a binary log ends where it no longer makes sense, and is called truncated.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import islice
from typing import BinaryIO, TextIO, cast

from can import Message
from can.io.asc import ASCReader
from can.io.blf import BLFParseError, BLFReader
from can.io.trc import TRCReader

from drivers.bus.message import pack
from drivers.errors import RecordingError
from drivers.text import GZIP_MAGIC, Tally, blocks, chunks

BATCH = 1024
TIME_S_MAX = 1e11
BROKEN = (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, NotImplementedError)
"""What python-can 4.6 raises at a line it cannot read, and what `_packed` does."""

TORN = (*BROKEN, BLFParseError, struct.error, zlib.error, EOFError, OSError, AssertionError)
"""What it raises inside a binary log."""

STAMPED = re.compile(r"(\s*)(\d+\.\d+)(\s.*)$")
DELTAS = re.compile(r"\s*base\s+\w+\s+timestamps\s+relative", re.IGNORECASE)
ASC_WORDS = re.compile(r"\s*($|//|(date|base|no|internal|begin|end|start)\b)", re.IGNORECASE)


class Lines:
    """The lines of a log as the text file that python-can iterates, more than once if need be."""

    def __init__(self, tally: Tally) -> None:
        self._lines = (line for block in blocks(tally.path, tally) for line in block)
        self._extra: list[str] = []
        self.tally = tally
        self.number = 0
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        """Go on where reading stopped."""
        return self

    def __next__(self) -> str:
        if self._extra:
            return self._extra.pop()
        line = next(self._lines, None)
        if line is None:
            self.ended = True
            raise StopIteration
        self.number += 1
        return self.prepare(line)

    def prepare(self, line: str) -> str:
        """Make a line what python-can understands."""
        return line

    def again(self, line: str) -> None:
        """Count the line just given as bad; `line` comes before the next one."""
        self.tally.bad(self.number)
        self._extra.append(line)

    def close(self) -> None:
        """Do nothing: the file is closed when its last line is read."""


class AscLines(Lines):
    """An ASC's lines; stamps that count from the line before become stamps from the start, as python-can takes all."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._deltas = False
        self._time_s = 0.0

    def prepare(self, line: str) -> str:
        """Add deltas up; count what is neither an event nor of the header."""
        if DELTAS.match(line):
            self._deltas = True
        stamped = STAMPED.match(line)
        if stamped is None:
            if not ASC_WORDS.match(line):
                self.tally.bad(self.number)
            return line
        if not self._deltas:
            return line
        self._time_s += float(stamped[2])
        return f"{stamped[1]}{self._time_s:.6f}{stamped[3]}"


def read_asc(tally: Tally) -> Iterator[bytes]:
    """Frames of a Vector ASC log."""
    lines = AscLines(tally)
    # started again, the reader looks for the end of a header first, and this is one
    return _batches(_mended(ASCReader(cast("TextIO", lines)), lines, "internal events logged", 0))


def read_trc(tally: Tally) -> Iterator[bytes]:
    """Frames of a PEAK TRC log, 1.0 to 2.1."""
    lines = Lines(tally)
    return _batches(_mended(TRCReader(cast("TextIO", lines)), lines, ";", 1))


def read_blf(tally: Tally) -> Iterator[bytes]:
    """Frames of a Vector BLF log."""
    with _binary(tally) as file:
        try:
            reader = BLFReader(file)
        except TORN as error:
            raise RecordingError(f"{tally.path}: is no whole BLF: {error}") from error
        yield from _batches(_untorn(reader, tally, 0))


def read_mf4(tally: Tally) -> Iterator[bytes]:
    """Frames of an ASAM MDF 4 bus log; needs asammdf."""
    if find_spec("asammdf") is None:
        raise RecordingError(f"{tally.path}: is an MF4, which needs asammdf: pip install 'tbox-agent[mf4]'")
    from can.io.mf4 import MF4Reader  # noqa: PLC0415 - asammdf and numpy only when there is such a log

    with _binary(tally) as file:
        try:
            reader = MF4Reader(file)
        except Exception as error:  # asammdf raises whatever it trips over
            raise RecordingError(f"{tally.path}: is no MF4 that asammdf understands: {error}") from error
        yield from _batches(_untorn(reader, tally, 1))


def _packed(message: Message, first_channel: int) -> bytes:
    """A message at its own time; its channels count from `first_channel`. ValueError when it makes no sense."""
    if not abs(message.timestamp) <= TIME_S_MAX:
        raise ValueError("time")
    channel = max(0, message.channel - first_channel) if isinstance(message.channel, int) else 0
    return pack(message, round(message.timestamp * 1e6), channel)


def _mended(reader: Iterable[Message], lines: Lines, restart: str, first_channel: int) -> Iterator[bytes]:
    """Frames of a text reader that is started again after each line it stumbles over."""
    while not lines.ended:
        try:
            for message in reader:
                yield _packed(message, first_channel)
        except BROKEN:
            lines.again(restart)


def _untorn(reader: Iterable[Message], tally: Tally, first_channel: int) -> Iterator[bytes]:
    """Frames of a binary reader, up to where it stumbles."""
    try:
        for message in reader:
            yield _packed(message, first_channel)
    except TORN:
        tally.truncated = True


def _batches(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Frames, many at once."""
    while some := b"".join(islice(frames, BATCH)):
        yield some


def _binary(tally: Tally) -> BinaryIO:
    """Open a binary log; a gzipped one is unpacked into memory."""
    file = tally.path.open("rb")
    if not file.peek(3).startswith(GZIP_MAGIC):
        return file
    file.close()
    return io.BytesIO(b"".join(chunks(tally.path, tally)))
