"""`tbox decode`: every signal of every frame of a CAN log as CSV, through the same table code as the core.

A value is the shortest decimal that gives the same double again; whole numbers have no point. A cell is empty where
there is no value: a floating-point signal that is not a number.
"""

import csv
import struct
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from agent._core import ffi, lib
from agent.errors import InputError, SettingsError
from agent.maps.compile import compile_dbc, compile_obd
from agent.obd import answers as obd
from agent.replay.inputs import opened, warn, written
from agent.vehicle import Table
from drivers.batch import ERROR, FRAME, REMOTE
from drivers.errors import RecordingError
from drivers.recordings.recording import Recording

COLUMNS = ("time_s", "message", "signal", "value")
WHOLE_MAX = 2.0**53
_FRAME = struct.Struct("=qIBBBB64s")

Frame = tuple[int, int, int, bytes]
"""Time in microseconds, channel, identifier, data."""

Row = tuple[str, str, str, str]


class Decoder:
    """A table ready to decode frame by frame."""

    def __init__(self, table: Table) -> None:
        self._c = table.as_c(ffi)
        if not lib.tbox_table_check(self._c.table):
            raise SettingsError(f"{table.name}: signals that lie outside their messages")
        cuts = [(message.name, cut.name) for message in table.messages for cut in message.cuts]
        self._names = cuts
        self._room = max((len(message.cuts) for message in table.messages), default=0)
        self._out = ffi.new("tbox_decoded_t[]", self._room)

    def rows(self, frame: Frame) -> Iterator[Row]:
        """What a frame tells, in the order of its message."""
        t_us, channel, identifier, data = frame
        message = lib.tbox_table_find(self._c.table, channel, identifier)
        if message < 0:
            return
        found = lib.tbox_table_decode(self._c.table, message, data, len(data), self._out, self._room)
        time_s = _seconds(t_us)
        for told in self._out[0 : max(found, 0)]:
            yield (time_s, *self._names[told.cut], _number(told.value) if told.valid else "")


def run(log: Path, *, dbc: Path | None, csv: str) -> int:
    """The command: with a DBC, or (None) as OBD-II answers. `csv` is a file, or "-" for stdout."""
    decoder = Decoder(compile_dbc(dbc) if dbc else compile_obd())
    recording = opened([log], None)
    frames = _frames(recording, log)
    rows = _obd_rows(frames, decoder) if dbc is None else (row for frame in frames for row in decoder.rows(frame))
    first = list(islice(rows, 1))  # an input with nothing to decode says so before anything is written
    with written(csv, [log]) as out:
        _write(out, chain(first, rows))
    warn(recording)
    return 0


def _write(out: TextIO, rows: Iterable[Row]) -> None:
    """The table, quoted where a name needs it."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows)


def _frames(recording: Recording, log: Path) -> Iterator[Frame]:
    """Data frames of the log, in order. InputError when it holds no frame of any kind."""
    is_empty = True
    try:
        for batch in recording.batches():
            for t_us, identifier, kind, channel, length, flags, data in _FRAME.iter_unpack(batch):
                if kind == FRAME:
                    is_empty = False
                    if not flags & (ERROR | REMOTE) and length <= 64:
                        yield t_us, channel, identifier, data[:length]
    except RecordingError as why:
        raise InputError(str(why)) from None
    if is_empty:
        raise InputError(f"{log}: holds no CAN frame to decode")


def _obd_rows(frames: Iterator[Frame], decoder: Decoder) -> Iterator[Row]:
    """Values of service 01 and texts of services 03, 07, 09 and 0A, whole messages only, each bus on its own."""
    buses: dict[int, obd.Assembler] = {}
    for t_us, channel, identifier, data in frames:
        message = buses.setdefault(channel, obd.Assembler()).put(t_us, identifier, data)
        if not message:
            continue
        told, single = obd.text(message), obd.single_frame(message)
        if told:
            yield (_seconds(t_us), "OBD", *told)
        elif single:
            yield from decoder.rows((t_us, channel, identifier, single))


def _seconds(t_us: int) -> str:
    """Exact decimal seconds."""
    sign, size = ("-" if t_us < 0 else ""), abs(t_us)
    return f"{sign}{size // 1_000_000}.{size % 1_000_000:06d}"


def _number(number: float) -> str:
    return str(int(number)) if abs(number) < WHOLE_MAX and number.is_integer() else repr(number)
