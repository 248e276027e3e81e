"""Supply voltage, read slowly: an ADC of Linux IIO behind a divider, or what hwmon or power_supply show.

iio           in_CHANNEL_raw, (raw + offset) x scale in mV, or in_CHANNEL_input in mV       CHANNEL as in "voltage0"
hwmon         CHANNEL_input in mV                                                           "in1"
power_supply  CHANNEL in µV                                                                 "voltage_now"
"""

from collections.abc import Callable
from pathlib import Path

from drivers import sysfs
from drivers.batch import SIGNAL_INDEX, value
from drivers.errors import DeviceError, DriverError
from drivers.sampler import Sampler
from drivers.source import Source, boot_us

BATTERY = SIGNAL_INDEX["battery"]
SUPPLY_V_MAX = 40.0
"""A 24 V truck stays under 32 V; more is a divider that is not as it was said, or a broken wire."""

NOTHING_V = 0.5
"""Less, while nothing else was ever seen, is an input that is not connected; afterwards it is a plug pulled out."""

CLASSES = {"iio": "bus/iio/devices", "hwmon": "class/hwmon", "power_supply": "class/power_supply"}
CHANNELS = {"iio": "voltage0", "hwmon": "in0", "power_supply": "voltage_now"}


def open_supply(
    kind: str,
    device: str,
    channel: str = "",
    *,
    ratio: float = 1.0,
    period_s: float = 1.0,
    sysfs_root: Path = Path("/sys"),
) -> Source:
    """Open the voltage `channel` ("": the first) of the device of this name; the supply is `ratio` times what it reads.

    `kind` is a key of CLASSES. Raises DriverError for another, DeviceError when the device or its channel is not there.
    """
    if kind not in CLASSES:
        raise DriverError(f"no kind of supply {kind!r}: known are {' '.join(CLASSES)}")
    root = sysfs_root / CLASSES[kind]
    folder = next((path for path in sorted(root.glob("*")) if sysfs.is_called(path, device)), None)
    if folder is None:
        there = sysfs.names(sorted(root.glob("*")))
        raise DeviceError(f"supply: no device {device!r} in {root}: is its driver loaded? Devices there: {there}")
    gauge = Gauge(_meter(kind, folder, channel or CHANNELS[kind]), ratio)
    return Sampler("supply", period_s, gauge.sample, gauge.tell)


class Gauge:
    """Reads the voltage, and holds back what no supply is."""

    def __init__(self, read_v: Callable[[], float], ratio: float) -> None:
        self._read_v, self._ratio = read_v, ratio
        self._was_seen = False
        self._absurd = 0

    def sample(self) -> bytes:
        """One reading as an input, none when it is absurd; OSError or ValueError when there is none."""
        volt = self._read_v() * self._ratio
        is_supply = NOTHING_V <= volt <= SUPPLY_V_MAX
        is_pulled = self._was_seen and 0 <= volt < NOTHING_V
        self._was_seen |= is_supply
        if not is_supply and not is_pulled:
            self._absurd += 1
            return b""
        return value(boot_us(), BATTERY, volt)

    def tell(self) -> dict[str, int]:
        """Readings that no supply gives."""
        return {"absurd": self._absurd}


def _meter(kind: str, folder: Path, channel: str) -> Callable[[], float]:
    """What reads the voltage at the channel, in volts."""
    if kind == "iio":
        raw, place = folder / f"in_{channel}_raw", folder / f"in_{channel}_input"
        if raw.exists():
            return _adc(folder, channel, raw)
    else:
        raw, place = folder, folder / (f"{channel}_input" if kind == "hwmon" else channel)
    if not place.exists():
        raise DeviceError(f"supply: {folder.name} has no channel {channel!r}")
    per_volt = 1e6 if kind == "power_supply" else 1e3
    return lambda: float(sysfs.read(place)) / per_volt


def _adc(folder: Path, channel: str, raw: Path) -> Callable[[], float]:
    """Of an ADC that gives steps; scale and offset stand by the channel, or by all of its kind."""
    shared = channel.partition("_")[0].rstrip("0123456789")
    scale = sysfs.first(folder, f"in_{channel}_scale", f"in_{shared}_scale")
    offset = sysfs.first(folder, f"in_{channel}_offset", f"in_{shared}_offset")
    scale_mv = sysfs.number(scale) if scale else None
    if scale_mv is None:
        raise DeviceError(f"supply: {folder.name} does not say the scale of {channel!r}")
    offset_steps = (sysfs.number(offset) if offset else None) or 0.0
    return lambda: (float(sysfs.read(raw)) + offset_steps) * scale_mv / 1000
