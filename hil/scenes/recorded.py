"""Recordings as a scenario wants them: cut out, times from its begin, foreign tables in the contract's columns."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple, TextIO

import msgspec

from hil.scenes.recorded_table import RecordingTable

EXTENDED_DIGITS = 8
ERROR_FRAME = 0x20000000


class RecordedError(Exception):
    """A recording that is not what its scenario says; the text names the file."""


class Frame(NamedTuple):
    """A frame of a candump log, microseconds from the scenario's begin. `number` as it stands there."""

    t_us: int
    channel: str
    number: str
    data: str

    @property
    def is_error(self) -> bool:
        """Whether it tells of an error on the bus."""
        return bool(len(self.number) == EXTENDED_DIGITS and int(self.number, 16) & ERROR_FRAME)


def write(tables: Sequence[RecordingTable], folder: Path) -> list[Path]:
    """Each part as a file `tbox` reads. RecordedError."""
    zero_us = begin_us(tables)
    paths = []
    for number, table in enumerate(tables):
        path = folder / f"part-{number}.{'csv' if table.is_rows else 'log'}"
        lines = rows(table, zero_us) if table.is_rows else map(frame_line, frames(table, zero_us))
        with path.open("w", encoding="ascii", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
        paths.append(path)
    return paths


def lasts_s(tables: Sequence[RecordingTable]) -> float:
    """From the begin of the first part to the end of the last."""
    return (max(_span_us(table)[1] for table in tables) - begin_us(tables)) / 1e6


def begin_us(tables: Sequence[RecordingTable]) -> int:
    """Where what is taken of them begins, on their own axis: zero to the scenario."""
    return min(_span_us(table)[0] for table in tables)


def frames(table: RecordingTable, zero_us: int) -> Iterator[Frame]:
    """What is taken of a log, in its order."""
    first_us, last_us = _span_us(table)
    for frame in _logged(table):
        if first_us <= frame.t_us <= last_us:
            yield frame._replace(t_us=frame.t_us - zero_us)


def frame_line(frame: Frame) -> str:
    """As candump writes it."""
    return f"({frame.t_us // 1_000_000}.{frame.t_us % 1_000_000:06d}) {frame.channel} {frame.number}#{frame.data}"


def rows(table: RecordingTable, zero_us: int) -> Iterator[str]:
    """What is taken of a table, in the contract's columns, its header first."""
    first_us, last_us = _span_us(table)
    yield ",".join(table.columns)
    for cells in _cells(table):
        t_us = _time_us(table, cells)
        if first_us <= t_us <= last_us:
            yield ",".join(_told(table, cells, name, t_us - zero_us) for name in table.columns)


def _whole_us(table: RecordingTable) -> tuple[int, int]:
    """Times of its first and last input."""
    return _measured(msgspec.json.encode(table))


@cache
def _measured(written: bytes) -> tuple[int, int]:
    """The same of a table as JSON: it is read through once."""
    table = msgspec.json.decode(written, type=RecordingTable)
    if table.is_rows:
        times = [_time_us(table, cells) for cells in _cells(table)]
    else:
        times = [frame.t_us for frame in _logged(table)]
    if not times:
        raise RecordedError(f"{table.path}: nothing in it is what the scenario asks for")
    return min(times), max(times)


def _span_us(table: RecordingTable) -> tuple[int, int]:
    """Times between which it is taken, on its own axis."""
    first_us, last_us = _whole_us(table)
    begin = first_us + round(table.from_s * 1e6)
    return begin, last_us if table.to_s is None else min(last_us, first_us + round(table.to_s * 1e6))


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _logged(table: RecordingTable) -> Iterator[Frame]:
    """Every frame of a candump log; lines that are none are passed over."""
    with _open(table.file) as file:
        for line in file:
            stamp, _, rest = line.strip().partition(") ")
            channel, _, frame = rest.partition(" ")
            number, mark, data = frame.partition("#")
            is_wanted = table.channel in ("", channel) and (not table.ids or number in table.ids)
            if stamp.startswith("(") and mark and is_wanted:
                seconds, _, parts = stamp[1:].partition(".")
                yield Frame(int(seconds) * 1_000_000 + int(f"{parts:0<6}"[:6]), channel, number, data)


def _cells(table: RecordingTable) -> Iterator[dict[str, str]]:
    """Rows of a table by the names of their cells: those it asks for that have a time."""
    time = table.columns["time_s"].cell
    with _open(table.file) as file:
        tabbed = "\t" in file.readline()
        file.seek(0)
        reader = csv.DictReader(file, table.header or None, delimiter="\t" if tabbed else ",")
        asked = {column.cell for column in table.columns.values()} | set(table.where)
        if absent := asked - set(reader.fieldnames or ()):
            raise RecordedError(f"{table.path}: has no {' '.join(sorted(absent))}")
        for row in reader:
            if row[time] and all(row[name] == wanted for name, wanted in table.where.items()):
                yield row


def _time_us(table: RecordingTable, cells: dict[str, str]) -> int:
    column = table.columns["time_s"]
    return round(_seconds(cells[column.cell]) * column.scale * 1e6)


def _seconds(cell: str) -> float:
    """A number, or a date and time."""
    try:
        return float(cell)
    except ValueError:
        return datetime.fromisoformat(cell).replace(tzinfo=UTC).timestamp()


def _told(table: RecordingTable, cells: dict[str, str], name: str, t_us: int) -> str:
    """One cell of the contract; empty where the recording has none."""
    if name == "time_s":
        return f"{t_us / 1e6:.6f}"
    column = table.columns[name]
    return f"{float(cells[column.cell]) * column.scale:.10g}" if cells[column.cell] else ""
