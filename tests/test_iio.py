"""The motion sensor through Linux IIO: every layout of its records, clock, way to be set up and way to go."""

import errno
import math
import os
import select
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from drivers import sysfs
from drivers.errors import DeviceError
from drivers.iio import iio
from drivers.iio import stream as iio_stream
from drivers.iio.iio import open_iio
from drivers.rack import Rack
from drivers.sampler import ERRORS_MAX
from drivers.source import Source, boot_us
from tests.iio_chip import AXES, RECORDING, STAMP, WAIT_S, Chip, heard, recorded
from tests.packed import told

FORCES, RATES = AXES[:3], AXES[3:]
PLAIN = "le:s16/16>>0"
SIX = dict.fromkeys(AXES, PLAIN) | {"timestamp": STAMP}
THREE = dict.fromkeys(FORCES, PLAIN) | {"timestamp": STAMP}
SCALES = {"in_accel_scale": "0.0023956298828125", "in_anglvel_scale": "0.00030517578125"}
STEP_NS = 10_000_000

MakeChip = Callable[..., Chip]
Open = Callable[..., Source]


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[MakeChip]:
    """Sensors in the machine."""
    made: list[Chip] = []

    def make(types: dict[str, str], **more: str) -> Chip:
        made.append(Chip(tmp_path, types, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """The driver on that machine."""
    sources: list[Source] = []

    def start(*words: str, **more: object) -> Source:
        sources.append(open_iio(*words, sysfs_root=tmp_path / "sys", dev=tmp_path / "dev", **more))
        return sources[-1]

    yield start
    for source in sources:
        source.close()


def lost(source: Source) -> str:
    """Why a source ended."""
    while select.select([source.fileno()], [], [], WAIT_S)[0]:
        try:
            source.read()
        except DeviceError as why:
            return str(why)
    raise AssertionError("neither data nor an end")


# ---- what it says ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not RECORDING.exists(), reason="the recordings are not beside the project")
@pytest.mark.parametrize(
    ("types", "scale", "offset"),
    [
        pytest.param(SIX, 1, 0, id="16 bits, little-endian"),
        pytest.param(dict.fromkeys(AXES, "be:s16/16>>0") | {"timestamp": STAMP}, 1, 0, id="big-endian beside a little-endian stamp"),
        pytest.param({"timestamp": STAMP} | dict.fromkeys(AXES, PLAIN), 1, 0, id="the stamp first"),
        pytest.param(dict.fromkeys(AXES, "le:s12/16>>4") | {"timestamp": STAMP}, 16, 0, id="12 bits at the top of 16"),
        pytest.param(dict.fromkeys(AXES, "le:s14/16>>1") | {"timestamp": STAMP}, 4, 0, id="14 bits in the middle of 16"),
        pytest.param(dict.fromkeys(AXES, "be:s20/32>>8") | {"timestamp": STAMP}, 0.25, 0, id="20 bits in the middle of 32"),
        pytest.param(dict.fromkeys(AXES, "le:u16/16>>0") | {"timestamp": STAMP}, 1, -32768, id="unsigned with an offset"),
        pytest.param(dict.fromkeys(FORCES, "le:s8/8>>0") | dict.fromkeys(RATES, "be:s16/16>>0") | {"timestamp": STAMP}, 512, 0, id="8 bits beside 16"),
    ],
)  # fmt: skip
def test_a_recorded_drive_comes_out_as_it_was(
    chip: MakeChip, opened: Open, types: dict[str, str], scale: float, offset: int
) -> None:
    steps = [float(SCALES["in_accel_scale"]) * scale] * 3 + [float(SCALES["in_anglvel_scale"]) * scale] * 3
    shifts = {"in_accel_offset": str(offset), "in_anglvel_offset": str(offset)}
    sensor = chip(types, in_accel_scale=repr(steps[0]), in_anglvel_scale=repr(steps[3]), **shifts)
    source = opened()
    drive = list(recorded(1000))
    base_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 12_000_000_000
    stamps_ns = [base_ns + round((t - drive[0][0]) * 1e9) for t, _ in drive]
    raw = [[round(n / step) - offset for n, step in zip(numbers, steps, strict=True)] for _, numbers in drive]
    got = []
    for start in range(0, 1000, 50):
        sensor.send(raw[start : start + 50], stamps_ns[start : start + 50])
        got += heard(source, 50)
    assert [t_us for t_us, _ in got] == [stamp // 1000 for stamp in stamps_ns]
    for (_, numbers), row, (_, real) in zip(got, raw, drive, strict=True):
        assert numbers == [(n + offset) * step for n, step in zip(row, steps, strict=True)]
        assert all(abs(n - r) <= step / 2 for n, r, step in zip(numbers, real, steps, strict=True))
    assert source.counters()["samples"] == 1000


def test_a_record_torn_between_two_readings_is_put_together(chip: MakeChip, opened: Open) -> None:
    sensor, now_ns = chip(THREE), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    source = opened()
    record = b"\x01\x00\x02\x00\x03\x00\xff\xff" + now_ns.to_bytes(8, "little")
    sensor.write(record[:5])
    assert select.select([source.fileno()], [], [], WAIT_S)[0]
    assert source.read() == b""
    sensor.write(record[5:] + record[:1])
    assert heard(source, 1) == [(now_ns // 1000, [1.0, 2.0, 3.0, None, None, None])]


def test_an_axis_that_is_not_there_is_none(chip: MakeChip, opened: Open) -> None:
    sensor = chip({"accel_x": PLAIN, "accel_y": PLAIN, "anglvel_z": PLAIN, "timestamp": STAMP}, **SCALES)
    source = opened()
    sensor.send([[1000, -1000, 100]], [time.clock_gettime_ns(time.CLOCK_BOOTTIME)])
    scale, turn = float(SCALES["in_accel_scale"]), float(SCALES["in_anglvel_scale"])
    assert heard(source, 1)[0][1] == [1000 * scale, -1000 * scale, None, None, None, 100 * turn]


def test_each_axis_has_its_own_scale_where_it_tells_one(chip: MakeChip, opened: Open) -> None:
    sensor = chip(THREE, in_accel_scale="2", in_accel_y_scale="3", in_accel_z_offset="-10")
    source = opened()
    sensor.send([[1, 1, 1]], [time.clock_gettime_ns(time.CLOCK_BOOTTIME)])
    assert heard(source, 1)[0][1][:3] == [2, 3, -18]


@pytest.mark.parametrize("name", ["in_accel_mount_matrix", "in_mount_matrix", "mount_matrix"])
def test_the_mount_matrix_turns_the_samples(chip: MakeChip, opened: Open, name: str) -> None:
    sensor = chip(THREE, **{name: "0, 1, 0; -1, 0, 0; 0, 0, 1"})
    source = opened()
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    sensor.send([[1, 2, 3], [0, 0, 0]], [now_ns, now_ns + STEP_NS])
    assert [numbers[:3] for _, numbers in heard(source, 2)] == [[2, -1, 3], [0, 0, 0]]


@pytest.mark.parametrize("matrix", ["", "1, 0, 0; 0, 1, 0", "a, b, c; 0, 0, 0; 0, 0, 0", "1, 0, 0; 0, 1, 0; 0, 0, 1"])
def test_a_mount_matrix_that_is_none_turns_nothing(chip: MakeChip, opened: Open, matrix: str) -> None:
    sensor = chip(THREE, in_mount_matrix=matrix)
    source = opened()
    sensor.send([[1, 2, 3]], [time.clock_gettime_ns(time.CLOCK_BOOTTIME)])
    assert heard(source, 1)[0][1][:3] == [1, 2, 3]


# ---- what is wrong with it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "row", "clipped"),
    [
        pytest.param(PLAIN, [32767, 0, 0], 1, id="at the upper end"),
        pytest.param(PLAIN, [32766, 0, 0], 0, id="one under"),
        pytest.param(PLAIN, [0, 0, -32768], 1, id="at the lower end"),
        pytest.param(PLAIN, [0, 0, -32767], 0, id="one over"),
        pytest.param("le:s12/16>>4", [0, 2047, -2048], 1, id="12 bits, two axes, one sample"),
        pytest.param("le:s12/16>>4", [0, 2046, -2047], 0, id="12 bits, just inside"),
        pytest.param("le:u12/16>>0", [1, 4095, 1], 1, id="unsigned, at the upper end"),
        pytest.param("le:u12/16>>0", [1, 4094, 1], 0, id="unsigned, just inside"),
        pytest.param("le:u12/16>>0", [1, 2, 0], 1, id="unsigned, at the lower end"),
    ],
)
def test_a_sample_at_the_end_of_its_range_is_counted(
    chip: MakeChip, opened: Open, kind: str, row: list[int], clipped: int
) -> None:
    sensor = chip(dict.fromkeys(FORCES, kind) | {"timestamp": STAMP})
    source, now_ns = opened(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    sensor.send([[1, 2, 3], row], [now_ns, now_ns + 10_000_000])
    assert heard(source, 2)[1][1][:3] == row
    assert source.counters()["clipped"] == clipped


@pytest.mark.parametrize(("count", "stuck"), [(21, 0), (22, 1), (30, 9)])
def test_a_sensor_that_says_one_thing_for_five_seconds_is_counted(
    chip: MakeChip, opened: Open, count: int, stuck: int
) -> None:
    sensor = chip(THREE, sampling_frequency="4", sampling_frequency_available="4")
    source, now_ns = opened(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    sensor.send([[5, 6, 7]] * count, [now_ns - (count - i) * 250_000_000 for i in range(count)])
    heard(source, count)
    assert source.counters()["stuck"] == stuck
    sensor.send([[5, 6, 8]], [now_ns])
    heard(source, 1)
    assert source.counters()["stuck"] == stuck


# ---- its clock ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", ["boottime", "monotonic", "realtime"])
def test_stamps_of_any_clock_become_boot_time(
    chip: MakeChip, opened: Open, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(path: Path, words: str) -> bool:
        is_refused = path.name == "current_timestamp_clock" and words != known
        return not is_refused and kernel_put(path, words)

    kernel_put = sysfs.put
    monkeypatch.setattr(sysfs, "put", put)
    sensor = chip(THREE, current_timestamp_clock="realtime")
    source = opened()
    assert sensor.said("current_timestamp_clock") == known
    clock = {"boottime": time.CLOCK_BOOTTIME, "monotonic": time.CLOCK_MONOTONIC, "realtime": time.CLOCK_REALTIME}[known]
    before_us = boot_us()
    sensor.send([[1, 2, 3]], [time.clock_gettime_ns(clock)])
    after_us = boot_us()
    assert before_us - 1000 <= heard(source, 1)[0][0] <= after_us + 1000
    assert source.counters()["restamped"] == 0


def test_a_sensor_without_stamps_is_stamped_when_it_is_read(chip: MakeChip, opened: Open) -> None:
    sensor = chip(dict.fromkeys(FORCES, PLAIN), sampling_frequency="100", sampling_frequency_available="100")
    source = opened()
    sensor.send([[i, 0, 0] for i in range(20)])
    before_us = boot_us()
    times = [t_us for t_us, _ in heard(source, 20)]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([10_000] * 19, abs=1)
    assert before_us <= times[-1] <= boot_us()


# ---- how it is set up -----------------------------------------------------------------------------------------------


def test_it_is_set_up_as_wanted_and_switched_off_again(chip: MakeChip, opened: Open) -> None:
    sensor = chip(
        SIX | {"temp": PLAIN},
        sampling_frequency="12.5",
        sampling_frequency_available="12.5 26 52 104 208 416",
        in_accel_scale_available="0.000598 0.001196 0.002392 0.004785",
        in_accel_scale="0.000598",
        in_anglvel_scale_available="0.000076 0.000153 0.000305",
        in_anglvel_scale="0.000076",
    )
    sensor.tell(**{"scan_elements/in_temp_en": "1"})
    source = opened(rate_hz=200, latency_s=0.05, accel_range_g=8, gyro_range_dps=250)
    said = ("sampling_frequency", "in_accel_scale", "in_anglvel_scale", "current_timestamp_clock")
    assert [sensor.said(name) for name in said] == ["208", "0.002392", "0.000153", "boottime"]
    assert [sensor.said(f"buffer/{name}") for name in ("enable", "watermark", "length")] == ["1", "10", "416"]
    on = [name for name in sensor.types if sensor.said(f"scan_elements/in_{name}_en") == "1"]
    assert on == [*AXES, "timestamp"]
    source.close()
    source.close()
    assert sensor.said("buffer/enable") == "0"


def test_a_sample_waits_for_few_others_as_delivered(chip: MakeChip, opened: Open) -> None:
    sensor = chip(THREE, sampling_frequency="1", sampling_frequency_available="104 208")
    opened()
    assert [sensor.said(name) for name in ("sampling_frequency", "buffer/watermark")] == ["104", "2"]


@pytest.mark.parametrize(
    ("triggers", "current", "wanted", "attached"),
    [
        pytest.param(["chip-dev0"], "", "auto", "chip-dev0", id="its own data-ready line"),
        pytest.param(["other-dev1", "chip-dev0"], "", "auto", "chip-dev0", id="not another's"),
        pytest.param(["chip-trigger"], "", "auto", "chip-trigger", id="its own by another name"),
        pytest.param(["chip-dev0", "timer"], "timer", "auto", "timer", id="one is attached already"),
        pytest.param(["chip-dev0", "timer"], "", "timer", "timer", id="the one wanted"),
        pytest.param(["timer"], "", "auto", "timer", id="a timer, if nothing else"),
        pytest.param([], "", "auto", "", id="none: it may do without"),
    ],
)
def test_a_trigger_is_attached(
    chip: MakeChip, opened: Open, triggers: list[str], current: str, wanted: str, attached: str
) -> None:
    sensor = chip(THREE, sampling_frequency="104")
    sensor.tell(**{"trigger/current_trigger": current})
    for number, name in enumerate(triggers):
        folder = sensor.folder.parent / f"trigger{number}"
        folder.mkdir()
        (folder / "name").write_text(name)
        if name == "timer":
            (folder / "sampling_frequency").write_text("1")
    opened(trigger=wanted)
    assert sensor.said("trigger/current_trigger") == attached


def test_a_trigger_that_is_wanted_and_not_there_is_named(chip: MakeChip, opened: Open) -> None:
    chip(THREE).tell(**{"trigger/current_trigger": ""})
    with pytest.raises(DeviceError, match=r"no trigger 'hrtimer' in .*; there are none"):
        opened(trigger="hrtimer")


# ---- which one ------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(chip: MakeChip) -> list[Chip]:
    """A light sensor, two accelerometers, two gyroscopes."""
    gyro = dict.fromkeys(RATES, PLAIN) | {"timestamp": STAMP}
    return [
        chip({"intensity": PLAIN}, name="light"),
        chip(THREE, number=1, name="one_accel", label="base"),
        chip(gyro, number=2, name="two_gyro"),
        chip(gyro, number=3, name="one_gyro"),
        chip(THREE, number=10, name="lone", label="lid"),
    ]


@pytest.mark.parametrize(
    ("device", "gyro", "running"),
    [
        pytest.param("auto", "auto", [1, 3], id="the first, and the gyroscope of its name"),
        pytest.param("auto", "", [1], id="without a gyroscope"),
        pytest.param("one_accel", "auto", [1, 3], id="by name"),
        pytest.param("base", "auto", [1, 3], id="by label"),
        pytest.param("iio:device10", "auto", [10], id="by folder; no gyroscope is its own"),
        pytest.param("lid", "two_gyro", [2, 10], id="with another's"),
    ],
)
@pytest.mark.usefixtures("crowd")
def test_a_device_is_chosen_by_its_name(
    crowd: list[Chip], opened: Open, device: str, gyro: str, running: list[int]
) -> None:
    opened(device, gyro=gyro)
    on = [int(sensor.folder.name.removeprefix("iio:device")) for sensor in crowd if sensor.said("buffer/enable") == "1"]
    assert on == running


@pytest.mark.parametrize(
    ("device", "gyro", "words"),
    [
        ("nobody", "auto", "no accelerometer called 'nobody' in .*Devices there: light, one_accel, two_gyro, one_gyro, lone"),
        ("light", "auto", "no accelerometer called 'light'"),
        ("auto", "nobody", "no gyroscope called 'nobody' in"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("crowd")
def test_a_device_that_is_not_there_is_said_so(opened: Open, device: str, gyro: str, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        opened(device, gyro=gyro)


def test_no_sensor_at_all_is_said_so(opened: Open) -> None:
    with pytest.raises(DeviceError, match=r"no accelerometer in .*: is its kernel driver loaded. Devices there: none"):
        opened()


def test_devices_of_one_chip_are_known_by_the_folder_they_stand_in(
    chip: MakeChip, opened: Open, tmp_path: Path
) -> None:
    """The kernel's list holds links into the tree of buses."""
    gyro = dict.fromkeys(RATES, PLAIN)
    sensors = [chip(THREE, name="a"), chip(gyro, number=1, name="b"), chip(gyro, number=2, name="c")]
    for sensor, bus in zip(sensors, ("1-006a", "1-0068", "1-006a"), strict=True):
        home = tmp_path / "i2c" / bus
        home.mkdir(parents=True, exist_ok=True)
        sensor.folder.rename(home / sensor.folder.name)
        sensor.folder.symlink_to(home / sensor.folder.name)
    opened()
    assert [sensor.said("buffer/enable") for sensor in sensors] == ["1", "0", "1"]


# ---- two devices of one chip ----------------------------------------------------------------------------------------


def test_accelerometer_and_gyroscope_of_one_chip_are_one_sensor(crowd: list[Chip], opened: Open) -> None:
    _, force, _, rate, _ = crowd
    source, now_ns = opened(), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    rate.send([[i, 0, 0] for i in range(20)], [now_ns + i * STEP_NS for i in range(20)])
    force.send([[0, 0, i] for i in range(20)], [now_ns + i * STEP_NS - 2_000_000 for i in range(20)])
    got = heard(source, 20)
    assert [numbers for _, numbers in got] == [[0, 0, i, i, 0, 0] for i in range(20)]
    assert source.counters() == {
        "samples": 20, "missed": 0, "restamped": 0, "clipped": 0, "stuck": 0, "gyro_clipped": 0
    }  # fmt: skip


# ---- how it goes ----------------------------------------------------------------------------------------------------


def test_a_stream_that_ends_is_a_device_that_went(chip: MakeChip, opened: Open) -> None:
    sensor = chip(THREE)
    source = opened()
    sensor.end()
    assert "went: its stream ended" in lost(source)


def test_a_read_that_fails_is_a_device_that_went(chip: MakeChip, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_fd: int, _size: int) -> bytes:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    sensor = chip(THREE)
    source = opened()
    sensor.write(b"x")
    monkeypatch.setattr(iio_stream.os, "read", read)
    with pytest.raises(DeviceError, match="went while it was read: No such device"):
        iio_stream.Stream.read(source._streams[0])


def test_a_folder_that_vanished_is_a_device_that_went(
    chip: MakeChip, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iio, "LOOK_US", 10_000)
    sensor = chip(THREE)
    source = opened()
    sensor.pull()
    assert "the kernel shows it no more" in lost(source)


def test_a_sensor_that_falls_silent_is_a_device_that_went(
    chip: MakeChip, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iio, "LOOK_US", 10_000)
    monkeypatch.setattr(iio, "SILENT_S", 0.1)
    chip(THREE)
    assert "does its trigger run?" in lost(opened())


def test_a_sensor_without_its_node_is_tried_again(chip: MakeChip, opened: Open) -> None:
    chip(THREE).node.unlink()
    with pytest.raises(DeviceError, match=r"cannot be opened: .*: its node is missing: does udev run"):
        opened()


def test_a_sensor_that_another_program_reads_is_left_alone(
    chip: MakeChip, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(path: Path, flags: int) -> int:
        if path == sensor.node:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return kernel_open(path, flags)

    sensor, kernel_open = chip(THREE), os.open
    sensor.tell(**{"buffer/enable": "1", "sampling_frequency": "12.5"})
    monkeypatch.setattr(iio_stream.os, "open", busy)
    with pytest.raises(
        DeviceError, match=r"cannot be opened: .*: another program reads it: is iio-sensor-proxy running"
    ):
        opened()
    assert (sensor.said("buffer/enable"), sensor.said("sampling_frequency")) == ("1", "12.5")


def test_a_gyroscope_that_cannot_be_opened_leaves_the_accelerometer_off(crowd: list[Chip], opened: Open) -> None:
    crowd[3].node.unlink()
    with pytest.raises(DeviceError, match="iio:device3: cannot be opened"):
        opened()
    assert crowd[1].said("buffer/enable") == "0"


def test_a_layout_nobody_knows_is_said_so(chip: MakeChip, opened: Open) -> None:
    chip(dict.fromkeys(FORCES, "le:s24/24>>0"))
    with pytest.raises(DeviceError, match="cannot read elements of the type 'le:s24/24>>0'"):
        opened()


def test_the_sensor_may_come_go_and_return(chip: MakeChip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iio, "LOOK_US", 10_000)
    monkeypatch.setattr("drivers.rack.RETRY_S_MIN", 0.01)
    monkeypatch.setattr("drivers.rack.RETRY_S_MAX", 0.01)
    rack = Rack({"imu": lambda: open_iio(sysfs_root=tmp_path / "sys", dev=tmp_path / "dev")})
    until_s = time.monotonic() + WAIT_S
    for turn in range(3):
        assert rack.missing() == ["imu"]
        sensor = chip(THREE)
        while rack.missing():
            assert time.monotonic() < until_s
            rack.read(0.01)
        sensor.send([[turn, 0, 0]], [time.clock_gettime_ns(time.CLOCK_BOOTTIME)])
        packed = b""
        while not packed:
            assert time.monotonic() < until_s
            packed = rack.read(0.1)
        assert [numbers[0] for _, _, numbers in told(packed)] == [turn]
        sensor.pull()
        while not rack.missing():
            assert time.monotonic() < until_s
            rack.read(0.1)
    assert rack.counters()["imu"]["losses"] == 3
    rack.close()


# ---- without a buffer -----------------------------------------------------------------------------------------------

ATTRIBUTES = {"in_accel_x_raw": "100", "in_accel_y_raw": "-200", "in_accel_z_raw": "4093"} | SCALES
TURNS = {f"in_{name}_raw": "7" for name in RATES}


def without_buffer(sensor: Chip) -> Chip:
    for place in (sensor.folder / "buffer").iterdir():
        place.unlink()
    return sensor


def test_a_sensor_without_a_buffer_is_asked(chip: MakeChip, opened: Open) -> None:
    without_buffer(
        chip({}, **ATTRIBUTES, **TURNS, sampling_frequency="12.5", sampling_frequency_available="12.5 50 100")
    )
    source = opened(rate_hz=100)
    before_us = boot_us()
    got = heard(source, 3)[:3]
    scale, turn = float(SCALES["in_accel_scale"]), float(SCALES["in_anglvel_scale"])
    assert [numbers for _, numbers in got] == [[100 * scale, -200 * scale, 4093 * scale, *[7 * turn] * 3]] * 3
    assert before_us - 100_000 < got[0][0] < got[1][0] < got[2][0] <= boot_us()


def test_a_buffer_that_cannot_be_switched_on_is_done_without(chip: MakeChip, opened: Open) -> None:
    sensor = chip(THREE, **ATTRIBUTES)
    (sensor.folder / "buffer" / "enable").unlink()
    (sensor.folder / "buffer" / "enable").symlink_to("/dev/full")
    got = heard(opened(), 1)[0][1]
    assert got == [n * float(SCALES["in_accel_scale"]) for n in (100, -200, 4093)] + [None] * 3


def test_what_its_records_do_not_hold_is_none(chip: MakeChip, opened: Open) -> None:
    sensor = chip(THREE, **TURNS)
    source = opened()
    sensor.send([[1, 2, 3]], [time.clock_gettime_ns(time.CLOCK_BOOTTIME)])
    assert heard(source, 1)[0][1] == [1, 2, 3, None, None, None]


def test_records_without_forces_are_done_without(chip: MakeChip, opened: Open) -> None:
    chip(dict.fromkeys(RATES, PLAIN), **ATTRIBUTES, **TURNS)
    assert heard(opened(), 1)[0][1] == [
        *(n * float(SCALES["in_accel_scale"]) for n in (100, -200, 4093)),
        *[7 * float(SCALES["in_anglvel_scale"])] * 3,
    ]


def test_elements_that_cannot_be_switched_on_are_done_without(
    chip: MakeChip, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a user who may not write attributes."""
    monkeypatch.setattr(sysfs, "put", lambda _path, _words: False)
    chip(THREE, **ATTRIBUTES)
    assert heard(opened(), 1)[0][1][2] == 4093 * float(SCALES["in_accel_scale"])


def test_neither_buffer_nor_attributes_is_no_sensor(chip: MakeChip, opened: Open) -> None:
    without_buffer(chip(THREE))
    with pytest.raises(DeviceError, match="neither a buffer that runs nor attributes to read"):
        opened()


@pytest.mark.parametrize(
    ("failures", "is_lost"),
    [
        pytest.param(ERRORS_MAX - 1, False, id="one fewer than is too often"),
        pytest.param(ERRORS_MAX, True, id="too often in a row"),
    ],
)
def test_readings_that_fail_are_counted(
    chip: MakeChip, opened: Open, monkeypatch: pytest.MonkeyPatch, failures: int, is_lost: bool
) -> None:
    def read(path: Path) -> str:
        if path.name == "in_accel_y_raw" and left:
            raise left.pop()
        return kernel_read(path)

    kernel_read, left = sysfs.read, [OSError(errno.EIO, "no answer on the bus")] * failures
    monkeypatch.setattr(sysfs, "read", read)
    without_buffer(chip({}, **ATTRIBUTES))
    source = opened(rate_hz=50)
    if is_lost:
        assert "went while it was read: [Errno 5] no answer on the bus" in lost(source)
    else:
        heard(source, 2)
    assert source.counters()["errors"] == failures


def test_attributes_that_vanish_are_a_device_that_went(chip: MakeChip, opened: Open) -> None:
    sensor = without_buffer(chip({}, **ATTRIBUTES))
    source = opened()
    heard(source, 1)
    sensor.pull()
    assert "went while it was read" in lost(source)


def test_a_sensor_that_only_fails_is_a_device_that_went(chip: MakeChip, opened: Open) -> None:
    without_buffer(chip({}, **ATTRIBUTES, in_accel_z_scale="")).tell(in_accel_x_raw="?")
    source = opened()
    assert "went while it was read" in lost(source)
    assert source.counters()["errors"] == ERRORS_MAX


def test_degrees_become_radians_when_the_range_is_chosen(chip: MakeChip, opened: Open) -> None:
    sensor = chip(
        SIX, in_anglvel_scale="1", in_anglvel_scale_available=f"{math.radians(250) / 32767} {math.radians(500) / 32767}"
    )
    opened(gyro_range_dps=250)
    assert float(sensor.said("in_anglvel_scale")) == pytest.approx(math.radians(250) / 32767)
