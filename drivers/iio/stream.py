"""One IIO device with a buffer: set up, switched on, and read in batches from its character device."""

import errno
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers import sysfs
from drivers.errors import DeviceError
from drivers.iio import tree as iio_tree
from drivers.iio.scan import Element, Scan, element
from drivers.iio.sensor import AXES, Row, Sensor
from drivers.iio.stamp import Stamps
from drivers.iio.tree import FORCE
from drivers.source import boot_us

RECORDS = 1024
"""Records read at once at most; the kernel keeps the rest."""

HELD_S = 2.0
"""The kernel keeps samples for so long when nobody reads."""

FIXES = {
    errno.EACCES: "may this user open it? See the udev rule",
    errno.EBUSY: "another program reads it: is iio-sensor-proxy running?",
    errno.ENOENT: "its node is missing: does udev run?",
}


class NoBufferError(DeviceError):
    """The device is there but gives no stream: reading its attributes may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the sensor shall measure. `latency_s`: so long a sample may wait in the kernel for others."""

    rate_hz: float
    latency_s: float
    accel_range_mps2: float
    gyro_range_radps: float
    trigger: str

    def reach(self, kind: str) -> float:
        """The range wanted of this kind."""
        return self.accel_range_mps2 if kind == FORCE else self.gyro_range_radps


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one device: boot times, and the rows of each kind it measures."""

    times_us: list[int]
    rows: dict[str, list[Row]]


NOTHING = Batch([], {})


def set_up(folder: Path, kind: str, wanted: Wanted) -> tuple[float, list[Element]]:
    """Rate and range of one kind; returns the rate in effect and the elements of its axes, where it has a buffer."""
    elements = [one for axis in AXES if (one := element(folder, f"{kind}_{axis}")) is not None]
    rate_hz = iio_tree.set_rate(folder, kind, wanted.rate_hz)
    iio_tree.set_range(folder, kind, wanted.reach(kind), elements)
    return rate_hz, elements


class Stream:
    """A device while its buffer runs. `kinds`: what is wanted of it, FORCE, RATE or both."""

    def __init__(self, root: Path, dev: Path, folder: Path, kinds: tuple[str, ...], wanted: Wanted) -> None:
        """Open it. NoBufferError where it has no buffer or refuses it, DeviceError where it cannot be opened now."""
        if not (folder / "buffer" / "enable").exists():
            raise NoBufferError(f"{folder.name}: has no buffer")
        self._folder = folder
        self._rest = b""
        self._fd = _opened(dev / folder.name)
        try:
            self._begin(root, kinds, wanted)
        except DeviceError:
            os.close(self._fd)
            raise

    def _begin(self, root: Path, kinds: tuple[str, ...], wanted: Wanted) -> None:
        """Set it up and switch it on, now that it is ours alone. Of `kinds` the first must be in its records."""
        folder = self._folder
        sysfs.put(folder / "buffer" / "enable", "0")
        set_ups = {kind: set_up(folder, kind, wanted) for kind in kinds}
        if not set_ups[kinds[0]][1]:
            raise NoBufferError(f"{folder.name}: its records do not hold {kinds[0]}")
        rate_hz = max(rate_hz for rate_hz, _ in set_ups.values())
        iio_tree.set_trigger(root, folder, wanted.trigger, rate_hz)
        clock = iio_tree.set_clock(folder)
        self._scan = Scan(_switched_on(folder, [one.name for _, found in set_ups.values() for one in found]))
        there = {one.name: one for one in self._scan.elements}
        self._stamps = Stamps(clock if "timestamp" in there else None, 1e6 / rate_hz)
        self._sensors = {kind: _sensor(folder, kind, there, rate_hz) for kind in kinds if set_ups[kind][1]}
        _switch_on(folder, max(1, math.floor(rate_hz * wanted.latency_s)), math.ceil(rate_hz * HELD_S))

    def fileno(self) -> int:
        """Readable when as many samples have come as are waited for."""
        return self._fd

    def is_there(self) -> bool:
        """Whether the kernel still shows the device."""
        return (self._folder / "buffer" / "enable").exists()

    def read(self) -> Batch:
        """Take what has come; DeviceError when the device went. Never blocks."""
        records = self._rest + self._read()
        whole = len(records) - len(records) % self._scan.record_bytes
        self._rest = records[whole:]
        if not whole:
            return NOTHING
        columns = self._scan.columns(records[:whole])
        times_us = self._stamps.boot(columns.get("timestamp"), whole // self._scan.record_bytes, boot_us())
        return Batch(times_us, {kind: self._rows(kind, columns) for kind in self._sensors})

    def counters(self) -> dict[str, int]:
        """Tell what the sensors counted, samples whose stamp was not used, and samples that are missing."""
        counters = {"restamped": self._stamps.restamped, "missed": self._stamps.missed}
        for sensor in self._sensors.values():
            counters |= sensor.counters()
        return counters

    def close(self) -> None:
        """Switch it off and let it go; a second call does nothing."""
        if self._fd >= 0:
            sysfs.put(self._folder / "buffer" / "enable", "0")
            os.close(self._fd)
        self._fd = -1

    def _rows(self, kind: str, columns: dict[str, Sequence[int]]) -> list[Row]:
        sensor = self._sensors[kind]
        return sensor.rows([columns[f"{kind}_{axis}"] for axis in sensor.axes])

    def _read(self) -> bytes:
        try:
            found = os.read(self._fd, self._scan.record_bytes * RECORDS)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise DeviceError(f"{self._folder.name}: went while it was read: {error.strerror}") from error
        if not found:
            raise DeviceError(f"{self._folder.name}: went: its stream ended")
        return found


def _opened(node: Path) -> int:
    """The character device, which only one program may hold."""
    try:
        return os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(_said(node.name, "cannot be opened", error)) from error


def _switch_on(folder: Path, watermark: int, length: int) -> None:
    """Let the buffer run: so many samples before we are called, so many kept at most."""
    buffer = folder / "buffer"
    sysfs.put(buffer / "length", str(max(2 * watermark, length)))
    sysfs.put(buffer / "watermark", str(watermark))
    try:
        sysfs.write(buffer / "enable", "1")
    except OSError as error:
        raise NoBufferError(_said(folder.name, "its buffer cannot be switched on", error)) from error


def _said(name: str, what: str, error: OSError) -> str:
    fix = FIXES.get(error.errno or 0)
    return f"{name}: {what}: {error.strerror}" + (f": {fix}" if fix else "")


def _switched_on(folder: Path, names: list[str]) -> list[Element]:
    """Switch on these elements and the stamp, off all others; returns those that are on then."""
    scan = folder / "scan_elements"
    wanted = [*names, "timestamp"]
    for place in sorted(scan.glob("in_*_en")):
        name = place.name.removeprefix("in_").removesuffix("_en")
        sysfs.put(place, "1" if name in wanted else "0")
    on = [place for place in sorted(scan.glob("in_*_en")) if sysfs.text(place) == "1"]
    found = [element(folder, place.name.removeprefix("in_").removesuffix("_en")) for place in on]
    elements = [one for one in found if one is not None]
    if not set(names) <= {one.name for one in elements}:
        raise NoBufferError(f"{folder.name}: its axes cannot be switched on: may this user write its attributes?")
    return elements


def _sensor(folder: Path, kind: str, there: dict[str, Element], rate_hz: float) -> Sensor:
    axes = "".join(axis for axis in AXES if f"{kind}_{axis}" in there)
    return Sensor(folder, kind, axes, {axis: there[f"{kind}_{axis}"].limits for axis in axes}, rate_hz)
