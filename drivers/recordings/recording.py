"""Recordings, read as if they were hardware: told by content, counted, several on one axis of time.

    recording = open_recordings([Path("drive.log.gz"), Path("imu.csv")])
    for batch in recording.batches():
        core.feed(batch)

Axes are the recordings' own: a CSV's `time_s`, a CAN log's stamps (ASC: from its start), NMEA's UTC since 1970.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

from drivers import text
from drivers.batch import INPUT_BYTES
from drivers.errors import RecordingError
from drivers.gnss import nmea
from drivers.recordings import candump, csv_table
from drivers.recordings.merge import merged, ordered, times_us
from drivers.recordings.player import Player
from drivers.recordings.sniff import FORMATS, kind
from drivers.text import Tally

GAP_US = 3_600_000_000
"""Recordings whose spans lie further apart than this do not belong on one axis."""

Reader = Callable[[Tally], Iterator[bytes]]


def _lines(read: Callable[[Iterator[list[str]], Tally], Iterator[bytes]]) -> Reader:
    """A reader of text as a reader of a file."""
    return lambda tally: read(text.blocks(tally.path, tally), tally)


def _bytes(read: Callable[[Iterator[bytes], Tally], Iterator[bytes]]) -> Reader:
    """A reader of lines as bytes as a reader of a file."""
    return lambda tally: read(text.byte_blocks(tally.path, tally), tally)


def _foreign(name: str) -> Reader:
    """A reader that needs python-can, which is loaded when it is."""

    def read(tally: Tally) -> Iterator[bytes]:
        from drivers.recordings import can_log  # noqa: PLC0415 - importing python-can takes longer than reading most tables

        readers = {"asc": can_log.read_asc, "blf": can_log.read_blf, "trc": can_log.read_trc, "mf4": can_log.read_mf4}
        return readers[name](tally)

    return read


UTC_FROM_US = 100_000_000_000_000
"""An axis that begins after this (1973) is UTC: no recording counts its own time for three years."""

READERS: dict[str, Reader] = {
    "candump": _bytes(candump.read),
    "asc": _foreign("asc"),
    "blf": _foreign("blf"),
    "trc": _foreign("trc"),
    "mf4": _foreign("mf4"),
    "nmea": _lines(nmea.read),
    "csv": _lines(csv_table.read),
}


@dataclass(slots=True)
class Part:
    """One recording, opened: its first batch is read, so that it is known to hold something."""

    tally: Tally
    format: str
    first: bytes
    rest: Iterator[bytes]

    @property
    def start_us(self) -> int:
        """When it begins."""
        return times_us(self.first)[0]

    def batches(self) -> Iterator[bytes]:
        """All of it, once."""
        for batch in chain([self.first], self.rest):
            self.tally.inputs += len(batch) // INPUT_BYTES
            yield batch


class Recording:
    """One or several recordings as one stream of inputs."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self.start_us = min(part.start_us for part in parts)
        """Time of the first input."""

    def batches(self, size: int = 4096) -> Iterator[bytes]:
        """Packed inputs in order of time, up to `size` at once. A recording is read once."""
        streams = [part.batches() for part in self._parts]
        step = size * INPUT_BYTES
        for batch in streams[0] if len(streams) == 1 else merged(streams):
            for start in range(0, len(batch), step):
                yield batch[start : start + step]

    @property
    def is_utc(self) -> bool:
        """Whether its axis is UTC since 1970, not the recording's own."""
        return self.start_us >= UTC_FROM_US

    @property
    def formats(self) -> list[str]:
        """What each recording turned out to be."""
        return [part.format for part in self._parts]

    @property
    def counters(self) -> dict[str, int]:
        """Totals up to here: lines_read and lines_bad (of text), inputs."""
        tallies = [part.tally for part in self._parts]
        return {
            "lines_read": sum(tally.lines_read for tally in tallies),
            "lines_bad": sum(tally.lines_bad for tally in tallies),
            "inputs": sum(tally.inputs for tally in tallies),
        }

    @property
    def truncated(self) -> bool:
        """Whether a recording's end turned out to be torn."""
        return any(part.tally.truncated for part in self._parts)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each recording that was only partly read; complete when `batches` has ended."""
        return [warning for part in self._parts if (warning := part.tally.warning())]


def open_recordings(paths: Sequence[Path], format: str | None = None) -> Recording:  # noqa: A002 - the option's name
    """Open recordings on one axis of time, in any order; `format` (one of FORMATS) overrides what their content says.

    Raises RecordingError for one that is missing, unreadable, a folder, not understood or of an unknown CSV column, and
    for several whose spans do not meet: they overlap, or the next begins within an hour of the end before.
    """
    if format is not None and format not in FORMATS:
        raise RecordingError(f"unknown format {format!r}: known are {' '.join(FORMATS)}")
    parts = [_open(Path(path), format) for path in paths]
    if not parts:
        raise RecordingError("no recording named")
    parts.sort(key=lambda part: (part.start_us, part.first))
    if len(parts) > 1:
        _check_spans(parts)
    return Recording(parts)


def play(paths: Sequence[Path], *, speed: float = 1.0, format: str | None = None) -> Player:  # noqa: A002 - as above
    """Play recordings as if they were hardware, `speed` times as fast; its stamps are moved onto CLOCK_BOOTTIME."""
    return Player(open_recordings(paths, format), speed)


def _open(path: Path, wanted: str | None) -> Part:
    """Open one recording and read its first batch."""
    try:
        _refuse(path)
        head = text.head(path)
        kinds = wanted or kind(head)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error
    if not kinds:
        is_table = csv_table.TIME.encode() in head.replace(b"\0", b"")  # with semicolons, or UTF-16
        hint = "; a CSV is UTF-8, begins with its header, and has commas between its cells" if is_table else ""
        raise RecordingError(f"{path}: nothing recognised: its content is none of {' '.join(FORMATS)}{hint}")
    tally = Tally(path)
    rest = _stream(tally, kinds)
    first = next(rest, b"")
    if not first:
        bad = f" ({tally.lines_bad} lines not understood)" if tally.lines_bad else ""
        raise RecordingError(f"{path}: nothing recognised: not one input in it, read as {kinds}{bad}")
    return Part(tally, kinds, first, rest)


def _stream(tally: Tally, kinds: str) -> Iterator[bytes]:
    """Batches of one recording, in order of time."""
    return ordered(READERS[kinds](tally), tally)


def _refuse(path: Path) -> None:
    """RecordingError for what is no file."""
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no regular file"
        raise RecordingError(f"{path}: is {what}: name the recordings themselves")


def _check_spans(parts: Sequence[Part]) -> None:
    """RecordingError when one begins more than GAP_US after all before it ended. Reads all but the last through."""
    end_us = parts[0].start_us
    for before, part in pairwise(parts):
        end_us = max(end_us, _end_us(before))
        gap_us = part.start_us - end_us
        if gap_us > GAP_US:
            raise RecordingError(
                f"{part.tally.path}: begins {gap_us / GAP_US:.1f} h after {before.tally.path} has ended: "
                "their times are not on one axis, or they are no parts of one drive; replay them apart"
            )


def _end_us(part: Part) -> int:
    """When a recording ends."""
    return max(times_us(batch)[-1] for batch in chain([part.first], _stream(Tally(part.tally.path), part.format)))
