"""NMEA 0183: sentences of one UTC moment are one fix; as a receiver's log also what day it was.

RMC, GGA, GNS and GLL tell of a moment, ZDA of the date; VTG, GSA and GSV have no time and belong to the moment that is
open. No more is read. A sentence counts only with its checksum right; one may stand behind other bytes, as in logs that
mix NMEA with a receiver's binary protocol.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from drivers.gnss.sentence import BY_GLL, DAY_US, NOWHERE, Epoch, number, of_moment, sound, vtg, zda
from drivers.gnss.sky import Sky
from drivers.text import Tally

UNDATED_MAX = 36_000
"""So many fixes (an hour at 10 Hz) wait for the first date; a log without any is taken as 1970-01-01."""


class Moments:
    """Sentences in, moments out: each once, when the next begins or when it is closed.

    GLL alone makes a moment only where nothing better comes: a receiver that sends RMC too may give GLL a time of its
    own (a Garmin 48 is a second ahead), and it tells no speed.
    """

    def __init__(self) -> None:
        self.open: Epoch | None = None
        self.closed: Epoch | None = None
        """The last one that was given out."""

        self.late = 0
        """Sentences that came after their moment was closed."""

        self.date: tuple[int, int] | None = None
        """What ZDA said last: time of day in microseconds, day since 1970."""

        self._sky = Sky()
        self._rank = 0

    def hear(self, fields: list[str], heard_us: int = 0) -> Epoch | None:
        """Take a sound sentence; the moment it ended. ValueError when it is malformed."""
        kind = fields[0][2:]
        if kind == "GSV":
            self._sky.hear(fields)
        elif kind == "ZDA":
            self.date = zda(fields) or self.date
        elif kind in ("VTG", "GSA"):
            self._add(kind, fields)
        else:
            return self._take(of_moment(fields), heard_us)
        return None

    def close(self) -> Epoch | None:
        """End the open moment."""
        done, self.open = self.open, None
        if done is None or done.rank == BY_GLL < self._rank:
            return None
        if done.clock_day is None and self.date is not None and done.is_same(Epoch(self.date[0])):
            done.clock_day = self.date[1]
        done.cn0_dbhz = self._sky.moment()
        self.closed = done
        return done

    def _take(self, told: Epoch | None, heard_us: int) -> Epoch | None:
        """What a sentence with a time does to the open moment."""
        if told is None:
            return None
        self._rank = max(self._rank, told.rank)
        if told.is_same(self.open):
            assert self.open is not None
            self.open.joined(told)
            return None
        if self.open is None and told.is_same(self.closed):
            self.late += 1
            return None
        if told.rank == BY_GLL < self._rank:
            return None
        done = self.close()
        told.heard_us, self.open = heard_us, told
        return done

    def _add(self, kind: str, fields: list[str]) -> None:
        """Sentences without a time: VTG's motion where RMC has none, GSA's HDOP."""
        if kind == "VTG":
            motion = vtg(fields)
            if self.open is not None and self.open.motion == NOWHERE:
                self.open.motion = motion
        elif len(fields) > 16 and self.open is not None:
            self.open.note_hdop(number(fields[16]))


@dataclass(slots=True)
class Receiver:
    """Lines of a log in, fixes out, dated."""

    moments: Moments = field(default_factory=Moments)
    last_us: int | None = None
    undated: list[Epoch] = field(default_factory=list)
    guessed: bool = False

    def hear(self, line: str) -> list[bytes]:
        """Take one line; the fixes it completes. ValueError when it holds no sound sentence."""
        fixes: list[bytes] = []
        is_sound = False
        for fields in sound(line):
            is_sound = True
            fixes += self._placed(self.moments.hear(fields))
            if self.last_us is None and self.moments.date is not None:
                of_day_us, day = self.moments.date
                self.last_us = day * DAY_US + of_day_us
        if not is_sound:
            raise ValueError(line)
        return fixes

    def close(self) -> list[bytes]:
        """End the open moment; what is dated now."""
        return self._placed(self.moments.close())

    def dated(self) -> list[bytes]:
        """All that waited, on the days nearest to the date that is known."""
        stamps: list[int] = []
        near_us = self.last_us
        if near_us is None and self.undated and self.undated[-1].day is None:
            self.undated[-1].day = next((e.clock_day for e in reversed(self.undated) if e.clock_day is not None), None)
            self.guessed |= self.undated[-1].day is None
        for epoch in reversed(self.undated):
            near_us = _on_day(epoch, near_us)
            stamps.append(near_us)
        fixes = [epoch.packed(t_us) for epoch, t_us in zip(self.undated, reversed(stamps), strict=True)]
        self.last_us = stamps[0] if stamps else self.last_us
        self.undated.clear()
        return fixes

    def _placed(self, done: Epoch | None) -> list[bytes]:
        """A moment that ended waits for a date, or is dated."""
        if done is None:
            return []
        self.undated.append(done)
        known = done.day is not None or self.last_us is not None
        return self.dated() if known or len(self.undated) >= UNDATED_MAX else []


def read(blocks: Iterable[list[str]], tally: Tally) -> Iterator[bytes]:
    """Fixes of a log, packed; lines without a sound sentence are counted."""
    receiver = Receiver()
    for lines in blocks:
        fixes: list[bytes] = []
        for at, line in enumerate(lines, start=tally.lines_read - len(lines) + 1):
            try:
                if line and not line.startswith("#"):
                    fixes += receiver.hear(line)
            except ValueError:
                tally.bad(at)
        if fixes:
            yield b"".join(fixes)
    rest = b"".join([*receiver.close(), *receiver.dated()])
    if receiver.guessed:
        tally.remark = "tells no date, taken as 1970-01-01"
    if rest:
        yield rest


def _on_day(epoch: Epoch, near_us: int | None) -> int:
    """UTC microseconds of an epoch: on its own date, else on the day that brings it nearest to another moment."""
    if epoch.day is not None:
        return epoch.day * DAY_US + epoch.of_day_us
    days = 0 if near_us is None else (near_us - epoch.of_day_us + DAY_US // 2) // DAY_US
    return days * DAY_US + epoch.of_day_us
