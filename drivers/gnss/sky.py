"""How loud the satellites are: carrier-to-noise of those in view, from NMEA's GSV sentences.

    $GPGSV,3,1,12,28,14,150,41,09,15,254,41,10,43,192,47,13,06,081,36*7A
           |  |  |  number, elevation, azimuth (degrees), C/N0 (dB-Hz; empty: not tracked), up to four a sentence
           |  |  in view      NMEA 4.11 appends the signal's id
           |  which sentence of them
           how many sentences

One number tells a jammer from a house: the mean of the four loudest. A jammer lifts the noise under all of them at
once, a house hides some and leaves the others as they were.
"""

from collections.abc import Iterable

from drivers.gnss.sentence import number

LOUDEST = 4
KEPT = 10
"""A group that was not told for so many moments is gone: GSV may come with every fifth moment only."""

GROUPS_MAX = 32
"""Talkers times signals; no receiver has more, and nonsense may not fill the memory."""

CN0_KEPT = 60
"""Satellites of one group."""

CN0_MAX_DBHZ = 99.0


def loudness_dbhz(told: Iterable[float]) -> float:
    """Mean C/N0 of the four loudest, in dB-Hz; where fewer are heard the missing count as 0."""
    return sum(sorted(told, reverse=True)[:LOUDEST]) / LOUDEST


class Sky:
    """Satellites of all talkers, as last told."""

    def __init__(self) -> None:
        self._groups: dict[str, list[float]] = {}
        self._ages: dict[str, int] = {}

    def hear(self, fields: list[str]) -> None:
        """Take a GSV sentence; ValueError when it is malformed."""
        signal = fields[-1] if len(fields) % 4 == 1 else ""
        group = fields[0][:2] + signal
        told = [number(text) for text in fields[7::4]]
        loud = [cn0 for cn0 in told if cn0 is not None and 0 <= cn0 <= CN0_MAX_DBHZ]
        if group not in self._groups and len(self._groups) >= GROUPS_MAX:
            return
        self._groups[group] = loud if fields[2:3] in (["1"], ["01"]) else self._groups.get(group, [])[-CN0_KEPT:] + loud
        self._ages[group] = 0

    def moment(self) -> float | None:
        """A moment has passed: how loud the satellites are at its end; None when no GSV told of them."""
        for group in [group for group, age in self._ages.items() if age >= KEPT]:
            del self._groups[group], self._ages[group]
        for group in self._ages:
            self._ages[group] += 1
        return loudness_dbhz(cn0 for group in self._groups.values() for cn0 in group) if self._groups else None
