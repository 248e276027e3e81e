"""The motion sensor: a Linux IIO accelerometer, with a gyroscope where there is one, in one chip or two devices of it.

Its buffer is read where it has one (the kernel stamps each sample at its interrupt); else its attributes, one after the
other by a thread, at 50 Hz at most. Samples are specific force in m/s² and angular rate in rad/s on the sensor's axes,
turned by the mount matrix where the device tree has one.
"""

import logging
import math
import select
import time
from collections.abc import Iterator
from pathlib import Path

from drivers import sysfs
from drivers.batch import INPUT_BYTES, imu
from drivers.errors import DeviceError
from drivers.iio.pair import Pairing
from drivers.iio.sensor import AXES, NO_ROW, Row, Sensor
from drivers.iio.stream import NoBufferError, Stream, Wanted, set_up
from drivers.iio.tree import FORCE, RATE, Found, find
from drivers.sampler import Sampler
from drivers.source import Source, boot_us
from drivers.timer import Timer

GRAVITY_MPS2 = 9.80665
POLL_HZ_MAX = 50.0
LOOK_US = 1_000_000
SILENT_S = 5.0
"""A buffer that gave nothing for so long does not run: its trigger stopped, or the chip hangs."""

log = logging.getLogger(__name__)


def open_iio(  # noqa: PLR0913 - a sensor has that many settings, each by name
    device: str = "auto",
    *,
    gyro: str = "auto",
    rate_hz: float = 104.0,
    latency_s: float = 0.02,
    accel_range_g: float = 16.0,
    gyro_range_dps: float = 500.0,
    trigger: str = "auto",
    sysfs_root: Path = Path("/sys/bus/iio/devices"),
    dev: Path = Path("/dev"),
) -> Source:
    """Open the accelerometer of this name, label or folder ("auto": the first), and its gyroscope ("": none).

    Raises DeviceError when it is not there or cannot be read.
    """
    wanted = Wanted(
        rate_hz=rate_hz,
        latency_s=latency_s,
        accel_range_mps2=accel_range_g * GRAVITY_MPS2,
        gyro_range_radps=math.radians(gyro_range_dps),
        trigger=trigger,
    )
    found = find(sysfs_root, device, gyro)
    try:
        return BufferedImu(_streams(sysfs_root, dev, found, wanted))
    except NoBufferError as why:
        log.info("%s: reading its attributes instead", why)
        return _polled(found, wanted)


def _streams(root: Path, dev: Path, found: Found, wanted: Wanted) -> list[Stream]:
    """The streams of accelerometer and gyroscope; one when they are one device."""
    one_device = found.rate == found.force
    streams = [Stream(root, dev, found.force, (FORCE, RATE) if one_device else (FORCE,), wanted)]
    if found.rate is not None and not one_device:
        try:
            streams.append(Stream(root, dev, found.rate, (RATE,), wanted))
        except DeviceError:
            streams[0].close()
            raise
    return streams


class BufferedImu:
    """A Source (drivers.source) of streams: the accelerometer's first, and that of a gyroscope of its own."""

    name = "imu"

    def __init__(self, streams: list[Stream]) -> None:
        self._streams = streams
        self._pairing = Pairing()
        self._samples = 0
        self._heard_s = time.monotonic()
        self._timer = Timer()
        self._timer.set(LOOK_US)
        self._epoll = select.epoll()
        for fd in (self._timer.fileno(), *(stream.fileno() for stream in streams)):
            self._epoll.register(fd, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when samples have come, and once a second."""
        return self._epoll.fileno()

    def read(self) -> bytes:
        """Give the samples that have come; DeviceError when a device went or fell silent."""
        if self._timer.has_come():
            self._timer.set(LOOK_US)
            self._look()
        samples = self._single() if len(self._streams) == 1 else self._paired()
        packed = b"".join(imu(t_us, force + rate) for t_us, force, rate in samples)
        if packed:
            self._samples += len(packed) // INPUT_BYTES
            self._heard_s = time.monotonic()
        return packed

    def counters(self) -> dict[str, int]:
        """Tell samples, those that are missing, restamped, clipped or stuck."""
        counters = {"samples": self._samples}
        for stream in self._streams:
            for name, count in stream.counters().items():
                counters[name] = counters.get(name, 0) + count
        return counters

    def close(self) -> None:
        """Switch the devices off and let them go."""
        self._epoll.close()
        self._timer.close()
        for stream in self._streams:
            stream.close()

    def _single(self) -> Iterator[tuple[int, Row, Row]]:
        batch = self._streams[0].read()
        forces = batch.rows.get(FORCE, [])
        return zip(batch.times_us, forces, batch.rows.get(RATE, [NO_ROW] * len(forces)), strict=True)

    def _paired(self) -> Iterator[tuple[int, Row, Row]]:
        rates, forces = self._streams[1].read(), self._streams[0].read()
        timed_rates = list(zip(rates.times_us, rates.rows.get(RATE, []), strict=True))
        return self._pairing.take(list(zip(forces.times_us, forces.rows.get(FORCE, []), strict=True)), timed_rates)

    def _look(self) -> None:
        """A device that was pulled out may never make its descriptor readable."""
        if not all(stream.is_there() for stream in self._streams):
            raise DeviceError(f"{self.name}: went: the kernel shows it no more")
        if time.monotonic() - self._heard_s > SILENT_S:
            raise DeviceError(f"{self.name}: silent for {SILENT_S:.0f} s: does its trigger run?")


class _Attributes:
    """The attributes of a device, read one after the other. The moment is the middle of the reading."""

    def __init__(self, found: Found, wanted: Wanted) -> None:
        folders = {FORCE: found.force} | ({} if found.rate is None else {RATE: found.rate})
        self.rate_hz = min(wanted.rate_hz, POLL_HZ_MAX)
        self.sensors = {kind: _polled_sensor(folder, kind, wanted, self.rate_hz) for kind, folder in folders.items()}
        self._places = {
            kind: [folders[kind] / f"in_{kind}_{axis}_raw" for axis in sensor.axes]
            for kind, sensor in self.sensors.items()
        }

    def sample(self) -> bytes:
        """One sample; OSError or ValueError when an attribute cannot be read."""
        begin_us = boot_us()
        raw = {kind: [[int(sysfs.read(place))] for place in places] for kind, places in self._places.items()}
        t_us = (begin_us + boot_us()) // 2
        force, rate = (self.sensors[k].rows(raw[k])[0] if k in raw else NO_ROW for k in (FORCE, RATE))
        return imu(t_us, force + rate)

    def tell(self) -> dict[str, int]:
        """What the sensors counted."""
        return {name: count for sensor in self.sensors.values() for name, count in sensor.counters().items()}


def _polled_sensor(folder: Path, kind: str, wanted: Wanted, rate_hz: float) -> Sensor:
    _, elements = set_up(folder, kind, wanted)
    limits = {one.name[-1]: one.limits for one in elements}
    axes = "".join(axis for axis in AXES if (folder / f"in_{kind}_{axis}_raw").exists())
    if not axes:
        raise DeviceError(f"{folder.name}: has neither a buffer that runs nor attributes to read")
    return Sensor(folder, kind, axes, limits, rate_hz)


def _polled(found: Found, wanted: Wanted) -> Source:
    attributes = _Attributes(found, wanted)
    return Sampler("imu", 1 / attributes.rate_hz, attributes.sample, attributes.tell)
