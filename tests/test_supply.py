"""Supply voltage: an ADC behind a divider, hwmon, power_supply; what no supply is; devices that come and go."""

import select
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import sampler
from drivers.errors import DeviceError, DriverError
from drivers.rack import Rack
from drivers.source import Source, boot_us
from drivers.supply import Gauge, open_supply
from tests.packed import told

WAIT_S = 30.0
Open = Callable[..., Source]

ADC = {
    "bus/iio/devices/iio:device0/name": "accel",
    "bus/iio/devices/iio:device1/name": "adc",
    "bus/iio/devices/iio:device1/label": "supply",
    "bus/iio/devices/iio:device1/in_voltage0_raw": "1250",
    "bus/iio/devices/iio:device1/in_voltage1_raw": "100",
    "bus/iio/devices/iio:device1/in_voltage1_scale": "10",
    "bus/iio/devices/iio:device1/in_voltage2_input": "1100",
    "bus/iio/devices/iio:device1/in_voltage3_raw": "200",
    "bus/iio/devices/iio:device1/in_voltage3_offset": "-100",
    "bus/iio/devices/iio:device1/in_voltage4_vin_raw": "500",
    "bus/iio/devices/iio:device1/in_voltage_scale": "2",
}
HWMON = {"class/hwmon/hwmon0/name": "cpu", "class/hwmon/hwmon1/name": "ina226", "class/hwmon/hwmon1/in1_input": "12600"}
MAINS = {"class/power_supply/vehicle/voltage_now": "13800000"}


def write(root: Path, **attributes: str) -> None:
    for name, words in attributes.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(words + "\n")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    sources: list[Source] = []

    def start(*words: str, **more: float) -> Source:
        sources.append(open_supply(*words, period_s=0.01, sysfs_root=tmp_path, **more))
        return sources[-1]

    yield start
    for source in sources:
        source.close()


def heard(source: Source, count: int) -> list[float]:
    """The first voltages that come."""
    found: list[float] = []
    while len(found) < count:
        assert select.select([source.fileno()], [], [], WAIT_S)[0], f"{len(found)} of {count}, then silence"
        for _, signal, number in told(source.read()):
            assert signal == "battery"
            found.append(number)
    return found[:count]


@pytest.mark.parametrize(
    ("words", "ratio", "volt"),
    [
        pytest.param(("iio", "adc"), 5.0, 12.5, id="an ADC, the scale of all channels, a divider"),
        pytest.param(("iio", "adc", "voltage1"), 12.0, 12.0, id="a scale of its own"),
        pytest.param(("iio", "supply", "voltage2"), 11.0, 12.1, id="by label; millivolts ready made"),
        pytest.param(("iio", "iio:device1", "voltage3"), 60.0, 12.0, id="by folder; an offset"),
        pytest.param(("iio", "adc", "voltage4_vin"), 12.0, 12.0, id="a channel with a name"),
        pytest.param(("hwmon", "ina226", "in1"), 1.0, 12.6, id="hwmon"),
        pytest.param(("power_supply", "vehicle"), 1.0, 13.8, id="power_supply"),
    ],
)
def test_the_voltage_is_read(tmp_path: Path, opened: Open, words: tuple[str, ...], ratio: float, volt: float) -> None:
    write(tmp_path, **ADC, **HWMON, **MAINS)
    assert heard(opened(*words, ratio=ratio), 2) == pytest.approx([volt, volt])


def test_a_reading_carries_its_boot_time(tmp_path: Path, opened: Open) -> None:
    write(tmp_path, **HWMON)
    before_us = boot_us()
    source = opened("hwmon", "ina226", "in1")
    assert select.select([source.fileno()], [], [], WAIT_S)[0]
    (t_us, _, _), *_ = told(source.read())
    assert before_us <= t_us <= boot_us()


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("adc", "x"), DriverError, "no kind of supply 'adc': known are iio hwmon power_supply"),
        (("iio", "x"), DeviceError, r"supply: no device 'x' in .*: is its driver loaded\? Devices there: accel, adc"),
        (("hwmon", "x"), DeviceError, "Devices there: none"),
        (("iio", "adc", "voltage7"), DeviceError, "supply: iio:device1 has no channel 'voltage7'"),
        (("iio", "accel"), DeviceError, "supply: iio:device0 has no channel 'voltage0'"),
    ],
)
def test_what_cannot_be_opened_says_why(
    tmp_path: Path, opened: Open, words: tuple[str, ...], error: type[DriverError], said: str
) -> None:
    write(tmp_path, **ADC)
    with pytest.raises(DriverError, match=said) as caught:
        opened(*words)
    assert caught.type is error


def test_an_adc_that_does_not_say_its_scale_is_refused(tmp_path: Path, opened: Open) -> None:
    write(tmp_path, **{"bus/iio/devices/iio:device0/name": "adc", "bus/iio/devices/iio:device0/in_voltage0_raw": "1"})
    with pytest.raises(DeviceError, match="does not say the scale of 'voltage0'"):
        opened("iio", "adc")


@pytest.mark.parametrize(
    ("volts", "told_v"),
    [
        pytest.param([12.0, 40.0], [12.0, 40.0], id="as much as any supply has"),
        pytest.param([12.0, 40.01, 12.0], [12.0, 12.0], id="more than any has"),
        pytest.param([12.0, -0.01], [12.0], id="less than nothing"),
        pytest.param([0.0, 0.49, 0.0], [], id="nothing, from the first: it is not connected"),
        pytest.param([0.0, 0.5, 0.0], [0.5, 0.0], id="something at last"),
        pytest.param([12.0, 0.0, 0.0], [12.0, 0.0, 0.0], id="nothing, after a supply was seen: the plug was pulled"),
        pytest.param([41.0, 0.0], [], id="what was absurd was no supply"),
        pytest.param([float("nan")], [], id="no number"),
    ],
)
def test_what_no_supply_is_is_held_back_and_counted(volts: list[float], told_v: list[float]) -> None:
    gauge = Gauge(iter(volts).__next__, 1.0)
    got = [number for _ in volts for _, _, number in told(gauge.sample())]
    assert got == told_v
    assert gauge.tell() == {"absurd": len(volts) - len(told_v)}


def test_what_is_held_back_shows_in_the_counters(tmp_path: Path, opened: Open) -> None:
    write(tmp_path, **HWMON | {"class/hwmon/hwmon1/in1_input": "0"})
    source = opened("hwmon", "ina226", "in1")
    until_s = time.monotonic() + WAIT_S
    while source.counters()["absurd"] < 2:
        assert time.monotonic() < until_s
        assert not select.select([source.fileno()], [], [], 0.01)[0], "something was handed on"
    assert source.counters()["errors"] == 0


def test_it_is_asked_once_a_period(tmp_path: Path) -> None:
    write(tmp_path, **HWMON)
    source = open_supply("hwmon", "ina226", "in1", period_s=3600, sysfs_root=tmp_path)
    heard(source, 1)
    assert not select.select([source.fileno()], [], [], 0.05)[0]
    assert source.counters() == {"readings": 1, "unread": 0, "errors": 0, "absurd": 0}
    source.close()


def test_readings_that_nobody_fetches_are_counted(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "HELD_INPUTS", 3)
    write(tmp_path, **HWMON)
    source = opened("hwmon", "ina226", "in1")
    until_s = time.monotonic() + WAIT_S
    while source.counters()["unread"] < 2:
        assert time.monotonic() < until_s
        select.select([], [], [], 0.01)
    assert len(list(told(source.read()))) == 3


def test_a_supply_may_come_go_and_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.rack.RETRY_S_MIN", 0.01)
    monkeypatch.setattr("drivers.rack.RETRY_S_MAX", 0.01)
    rack = Rack({"supply": lambda: open_supply("hwmon", "ina226", "in1", period_s=0.01, sysfs_root=tmp_path)})
    until_s = time.monotonic() + WAIT_S
    for _ in range(3):
        assert rack.missing() == ["supply"]
        write(tmp_path, **HWMON)
        packed = b""
        while not packed:
            assert time.monotonic() < until_s
            packed = rack.read(0.02)
        assert next(told(packed))[2] == pytest.approx(12.6)
        shutil.rmtree(tmp_path / "class")
        while not rack.missing():
            assert time.monotonic() < until_s
            rack.read(0.02)
    assert rack.counters()["supply"]["losses"] == 3
    rack.close()
