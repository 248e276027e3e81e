"""Three axes of one kind: from the numbers a chip says to physical units, and what is wrong with them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from drivers import sysfs
from drivers.iio.tree import FORCE

STUCK_S = 5.0
AXES = "xyz"
UNITS = {FORCE: "m/s²"}

Row = tuple[float | None, float | None, float | None]
NO_ROW: Row = (None, None, None)
Limits = Mapping[str, tuple[int, int]]
"""Axis → the lowest and the highest number it can say, where that is known."""

log = logging.getLogger(__name__)


class Sensor:
    """Specific force (m/s²) or angular rate (rad/s): (raw + offset) x scale, turned by the mount matrix.

    `clipped` counts samples at the end of an axis's range: what was felt was more. `stuck` counts samples that repeat
    the one before, on all axes, for longer than STUCK_S; of an accelerometer only, whose noise tells that it lives.
    Both are handed on all the same: the core sees clipping by itself, and a coarse sensor at rest may repeat for long.
    """

    def __init__(self, folder: Path, kind: str, axes: str, limits: Limits, rate_hz: float) -> None:
        self.clipped = self.stuck = 0
        self.axes = axes
        self._name = sysfs.text(folder / "name") or folder.name
        self._kind = kind
        self._scales = [_of_axis(folder, kind, axis, "scale", 1.0) for axis in axes]
        self._offsets = [_of_axis(folder, kind, axis, "offset", 0.0) for axis in axes]
        self._limits = [limits.get(axis) for axis in axes]
        self._matrix = _mount_matrix(folder, kind) if axes == AXES else None
        self._repeats_max = max(round(STUCK_S * rate_hz), 10)
        self._last: tuple[int, ...] = ()
        self._repeats = 0

    def rows(self, columns: Sequence[Sequence[int]]) -> list[Row]:
        """One row per sample, from a column of numbers per axis of `axes`; an axis that is not there is None."""
        self._watch(columns)
        count = len(columns[0])
        numbers = dict(zip(self.axes, map(self._scaled, columns, self._scales, self._offsets), strict=True))
        x, y, z = (numbers.get(axis, [None] * count) for axis in AXES)
        rows: list[Row] = list(zip(x, y, z, strict=True))
        return rows if self._matrix is None else [_turned(self._matrix, row) for row in rows]

    def counters(self) -> dict[str, int]:
        """Tell samples at the end of the range, and, of an accelerometer, those that repeat for too long."""
        if self._kind == FORCE:
            return {"clipped": self.clipped, "stuck": self.stuck}
        return {"gyro_clipped": self.clipped}

    @staticmethod
    def _scaled(column: Sequence[int], scale: float, offset: float) -> list[float | None]:
        return [(raw + offset) * scale for raw in column]

    def _watch(self, columns: Sequence[Sequence[int]]) -> None:
        """Count what is at the end of its range, and what does not change any more."""
        for column, limits in zip(columns, self._limits, strict=True):
            if limits is not None and (max(column) >= limits[1] or min(column) <= limits[0]):
                self._count_clipped(columns)
                break
        if self._kind == FORCE:
            self._count_stuck(columns)

    def _count_clipped(self, columns: Sequence[Sequence[int]]) -> None:
        if not self.clipped:
            log.warning("%s: %s at the end of its range; if that is often, choose a wider one", self._name, self._kind)
        for row in zip(*columns, strict=True):
            ends = (limits is not None and raw in limits for raw, limits in zip(row, self._limits, strict=True))
            self.clipped += any(ends)

    def _count_stuck(self, columns: Sequence[Sequence[int]]) -> None:
        for row in zip(*columns, strict=True):
            self._repeats = self._repeats + 1 if row == self._last else 0
            self._last = row
            if self._repeats > self._repeats_max:
                self.stuck += 1
            if self._repeats == self._repeats_max:
                log.warning("%s: says the same for %.0f s now: %s", self._name, STUCK_S, row)


def _of_axis(folder: Path, kind: str, axis: str, what: str, otherwise: float) -> float:
    """A scale or an offset: of this axis, else of all."""
    found = sysfs.number(folder / f"in_{kind}_{axis}_{what}")
    if found is None:
        found = sysfs.number(folder / f"in_{kind}_{what}")
    return otherwise if found is None else found


def _mount_matrix(folder: Path, kind: str) -> list[list[float]] | None:
    """How the chip sits in the box, rows of "1, 0, 0; 0, 1, 0; 0, 0, 1"; None: straight, or not told."""
    place = sysfs.first(folder, f"in_{kind}_mount_matrix", "in_mount_matrix", "mount_matrix")
    try:
        told = sysfs.text(place) if place else None
        rows = [[float(word) for word in row.split(",")] for row in (told or "").split(";")]
    except ValueError:
        return None
    straight = [[float(i == j) for j in range(3)] for i in range(3)]
    return rows if [len(row) for row in rows] == [3, 3, 3] and rows != straight else None


def _turned(matrix: Sequence[Sequence[float]], row: Row) -> Row:
    x, y, z = ((a * (row[0] or 0.0) + b * (row[1] or 0.0) + c * (row[2] or 0.0)) for a, b, c in matrix)
    return x, y, z
