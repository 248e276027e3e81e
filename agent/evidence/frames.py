"""The raw frames of a crash as a candump log, which candump, canplayer, python-can and others read."""

from collections.abc import Iterator
from pathlib import Path

from agent.capture.ring import Entry
from agent.errors import StorageError
from agent.evidence.dossier import Dossier, dossier
from agent.outbox.recordfile import read_pile
from agent.world.dating import Dating
from drivers.batch import ERROR, EXTENDED, FD, FRAME, REMOTE

ID_BITS = 0x1FFFFFFF
ERROR_BIT = 0x20000000
"""Of an error frame, as linux/can.h has it; the other bits are its class."""


def export(records: Path, number: int, output: Path) -> int:
    """The frames of this event, from a file of records or a store. InputError: there is no evidence of it."""
    pile = read_pile(records)
    told = dossier(pile.records, number)
    dating = Dating([record.body for record in pile.records if record.kind == "clock"])
    lines = list(candump(told, dating))
    try:
        output.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    except OSError as error:
        raise StorageError(f"{output}: cannot be written: {error.strerror}") from error
    missing = "".join(f"; {words}" for words in told.missing)
    print(f"{output}: {len(lines)} frames of event {number}, a candump log{missing}")
    return 0


def candump(told: Dossier, dating: Dating) -> Iterator[str]:
    """Its frames, bus n as can<n>: in UTC where a clock record dates them, else in seconds of their boot."""
    moment = dating.moment(told.boot, told.blow_us)
    ahead_us = 0 if moment is None else moment.utc_us - told.blow_us
    return (_line(entry, entry.t_us + ahead_us) for entry in told.entries if entry.kind == FRAME)


def _line(entry: Entry, at_us: int) -> str:
    """(seconds) bus id#data, as candump -L of can-utils writes it: #R asks, ##0 is CAN FD, an error bit is the id's."""
    number, data = entry.id & ID_BITS, entry.payload.hex().upper()
    is_wide = entry.flags & ERROR or entry.id & EXTENDED
    name = f"{number | (ERROR_BIT if entry.flags & ERROR else 0):0{8 if is_wide else 3}X}"
    body = "#R" if entry.flags & REMOTE else f"##0{data}" if entry.flags & FD else f"#{data}"
    return f"({at_us // 1_000_000}.{at_us % 1_000_000:06d}) can{entry.channel} {name}{body}"
