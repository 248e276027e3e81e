"""Which IIO devices are the motion sensor, and how each is set up (Linux: Documentation/ABI/testing/sysfs-bus-iio)."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers import sysfs
from drivers.errors import DeviceError
from drivers.iio.scan import Element

FORCE, RATE = "accel", "anglvel"
STEM = "iio:device"
NEAR_ENOUGH = 0.98
"""A range ends a step or two under its round number: 16 g at 0.488 mg a step is 15.99 g."""

CLOCKS = {
    "boottime": time.CLOCK_BOOTTIME,
    "monotonic": time.CLOCK_MONOTONIC,
    "monotonic_coarse": time.CLOCK_MONOTONIC,
    "monotonic_raw": time.CLOCK_MONOTONIC_RAW,
    "realtime": time.CLOCK_REALTIME,
    "realtime_coarse": time.CLOCK_REALTIME,
    "tai": time.CLOCK_TAI,
}
WANTED_CLOCKS = ("boottime", "monotonic", "realtime")


@dataclass(frozen=True, slots=True)
class Found:
    """The folders of the accelerometer and of the gyroscope: one and the same, two, or no gyroscope."""

    force: Path
    rate: Path | None


def find(root: Path, device: str, gyro: str) -> Found:
    """The devices of these names, labels or folders; "auto": the first accelerometer, and its own gyroscope.

    `gyro` "": none. DeviceError when one that is wanted is not there.
    """
    able = [folder for folder in sysfs.folders(root, STEM) if has(folder, FORCE)]
    force = next((folder for folder in able if device == "auto" or sysfs.is_called(folder, device)), None)
    if force is None:
        wanted = "accelerometer" if device == "auto" else f"accelerometer called {device!r}"
        there = sysfs.names(sysfs.folders(root, STEM))
        raise DeviceError(f"no {wanted} in {root}: is its kernel driver loaded? Devices there: {there}")
    return Found(force, _gyro(root, force, gyro) if gyro else None)


def has(folder: Path, kind: str) -> bool:
    """Whether a device measures this about an axis."""
    names = (f"in_{kind}_{axis}_raw" for axis in "xyz")
    return sysfs.first(folder, *names, *(f"scan_elements/in_{kind}_{axis}_en" for axis in "xyz")) is not None


def _gyro(root: Path, force: Path, gyro: str) -> Path | None:
    able = [folder for folder in (force, *sysfs.folders(root, STEM)) if has(folder, RATE)]
    if gyro != "auto":
        found = next((folder for folder in able if sysfs.is_called(folder, gyro)), None)
        if found is None:
            raise DeviceError(
                f"no gyroscope called {gyro!r} in {root}. Devices there: {sysfs.names(sysfs.folders(root, STEM))}"
            )
        return found
    chip = force.resolve().parent
    named = (sysfs.text(force / "name") or "").replace("accel", "gyro")
    return next(
        (
            folder
            for folder in able
            if folder == force
            or (chip != root.resolve() and folder.resolve().parent == chip)
            or (named and sysfs.text(folder / "name") == named)
        ),
        None,
    )


def set_rate(folder: Path, kind: str, rate_hz: float) -> float:
    """Have it measure at the nearest rate it knows; returns the rate in effect, or the wanted one if it tells none."""
    place = sysfs.first(folder, f"in_{kind}_sampling_frequency", "sampling_frequency")
    if place is None:
        return rate_hz
    listed = sysfs.first(folder, f"{place.name}_available", "sampling_frequency_available")
    sysfs.put(place, _nearest(sysfs.text(listed) if listed else None, rate_hz))
    return sysfs.number(place) or rate_hz


def _nearest(available: str | None, wanted: float) -> str:
    """The word of "12.5 26 52" nearest to what is wanted, or a number in the span "[1 1 400]"."""
    words = _numbers((available or "").strip("[]"))
    if available and available.startswith("[") and words:
        return f"{min(max(wanted, float(words[0])), float(words[-1])):g}"
    return min(words, key=lambda word: abs(float(word) - wanted), default=f"{wanted:g}")


def _numbers(text: str) -> list[str]:
    """The words of a text that are numbers over 0."""
    return [word for word in text.split() if re.fullmatch(r"\d*\.?\d+(e[-+]?\d+)?", word) and float(word) > 0]


def set_range(folder: Path, kind: str, reach: float, elements: Sequence[Element]) -> None:
    """Choose the finest scale that still reaches so far (m/s², rad/s); the coarsest where none does."""
    words = sorted(_numbers(sysfs.text(folder / f"in_{kind}_scale_available") or ""), key=float)
    if not words or not elements:
        return
    high = elements[0].limits[1]
    enough = [word for word in words if float(word) * high >= reach * NEAR_ENOUGH]
    sysfs.put(folder / f"in_{kind}_scale", (enough or words[-1:])[0])


def set_clock(folder: Path) -> int:
    """Have records stamped by the best clock it knows; returns the one in effect, as `time` numbers it."""
    place = folder / "current_timestamp_clock"
    for name in WANTED_CLOCKS:
        if sysfs.put(place, name) and sysfs.text(place) == name:
            break
    return CLOCKS.get(sysfs.text(place) or "realtime", time.CLOCK_REALTIME)


def set_trigger(root: Path, folder: Path, wanted: str, rate_hz: float) -> None:
    """Attach what makes it measure, where it needs that and has none; "auto": its own data-ready line, else a timer.

    DeviceError when the one that is wanted is not there.
    """
    place = folder / "trigger" / "current_trigger"
    if not place.exists() or (wanted == "auto" and sysfs.text(place)):
        return
    triggers = {sysfs.text(path / "name") or path.name: path for path in sysfs.folders(root, "trigger")}
    number, chip = folder.name.removeprefix(STEM), sysfs.text(folder / "name") or ""
    timers = [name for name, path in triggers.items() if (path / "sampling_frequency").exists()]
    choice = [wanted] if wanted != "auto" else [f"{chip}-dev{number}", f"{chip}-trigger", *timers]
    name = next((name for name in choice if name in triggers), None)
    if name is not None:
        sysfs.put(triggers[name] / "sampling_frequency", f"{rate_hz:g}")
        sysfs.put(place, name)
    elif wanted != "auto":
        raise DeviceError(f"{folder.name}: no trigger {wanted!r} in {root}; there are {', '.join(triggers) or 'none'}")
