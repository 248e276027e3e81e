"""A motion sensor that speaks on the CAN bus, as CSS Electronics' CANmod.gps does: through a map, with its valid bit."""

import gzip
import json
import math
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.core import Core, Event, Output
from agent.maps import compile as compiler
from agent.settings import defaults
from agent.vehicle import Table
from drivers.batch import frame, value

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "css_canedge"
DRIVES = ("matlab_3BA199E2_165_00000001-60FEB68B.log.gz", "matlab_3BA199E2_165_00000005-60FEBFEB.log.gz")
SPEED_ONLY = '[[source]]\nobd = true\n[signal.speed]\npid = "0D"\n[signal.rpm]\npid = "0C"\n'
AXES = {
    f"{kind}_{axis}": f"{word}{axis.upper()}"
    for kind, word in (("gyro", "AngularRate"), ("accel", "Acceleration"))
    for axis in "xyz"
}
DBC = """VERSION ""
NS_ :
BS_:
BU_:
BO_ 9 gnss_imu: 8 X
 SG_ AccelerationX : 1|10@1+ (0.125,-64) [-64|63.875] "m/s^2" X
 SG_ AccelerationY : 11|10@1+ (0.125,-64) [-64|63.875] "m/s^2" X
 SG_ AccelerationZ : 21|10@1+ (0.125,-64) [-64|63.875] "m/s^2" X
 SG_ AngularRateX : 31|11@1+ (0.25,-256) [-256|255.75] "deg/s" X
 SG_ AngularRateY : 42|11@1+ (0.25,-256) [-256|255.75] "deg/s" X
 SG_ AngularRateZ : 53|11@1+ (0.25,-256) [-256|255.75] "deg/s" X
 SG_ ImuValid : 0|1@1+ (1,0) [0|1] "" X
"""
STILL = (9.75, -0.5, 0.875)

with_data = pytest.mark.skipif(not DATA.exists(), reason="the recordings are not beside the project")


def imu_map(dbc: str = "imu.dbc") -> str:
    """The sensor on channel 1, beside OBD-II answers."""
    text = SPEED_ONLY + f'[[source]]\nchannel = 1\ndbc = "{dbc}"\n'
    for name, signal in AXES.items():
        text += f'[signal.{name}]\nmessage = "gnss_imu"\nsignal = "{signal}"\n' + 'valid = "ImuValid"\n'
    return text


def table(folder: Path) -> Table:
    (folder / "imu.dbc").write_text(DBC)
    (folder / "map.toml").write_text(imu_map())
    return compiler.compile_map(folder / "map.toml")


def imu_frame(
    t_us: int, force: tuple[float, ...], rate: tuple[float, ...] = (0, 0, 0), *, is_valid: bool = True
) -> bytes:
    """One frame of the sensor: m/s² and degrees/s."""
    bits, at = int(is_valid), 1
    for numbers, step, width in ((force, 0.125, 10), (rate, 0.25, 11)):
        for number in numbers:
            bits |= (round(number / step) + (1 << (width - 1))) << at
            at += width
    return frame(t_us, 1, 9, bits.to_bytes(8, "little"))


def silent_frame(t_us: int) -> bytes:
    """What the sensor sends while it has nothing to say: not valid, and -64 m/s² on all axes."""
    return frame(t_us, 1, 9, bytes(8))


def fed(core: Core, pieces: list[bytes]) -> list[Output]:
    return list(chain(core.feed(b"".join(pieces)), core.finish()))


# ---- single frames --------------------------------------------------------------------------------------------------


def test_a_frame_gives_specific_force_and_angular_rate_in_si(tmp_path: Path) -> None:
    core = Core(defaults(), table(tmp_path))
    core.feed(imu_frame(1_000_000, (9.75, -0.5, 63.875), (90, -256, 0.25)))
    known = core.snapshot(1_000_000)
    assert [known.value(f"accel_{axis}") for axis in "xyz"] == [9.75, -0.5, 63.875]
    assert [known.value(f"gyro_{axis}") for axis in "xyz"] == pytest.approx(
        [math.pi / 2, -256 * math.pi / 180, math.pi / 720]
    )


def test_a_frame_that_is_not_valid_is_counted_and_not_used(tmp_path: Path) -> None:
    core = Core(defaults(), table(tmp_path))
    core.feed(b"".join(imu_frame(10_000 * i, STILL) for i in range(1, 200)))
    before = core.counters()["values_rejected"]
    core.feed(silent_frame(2_000_000))
    after = core.counters()["values_rejected"]
    assert {why: after[why] - before[why] for why in after if after[why] != before[why]} == {"invalid": 6}
    assert [core.snapshot(2_000_000).value(f"accel_{axis}") for axis in "xyz"] == list(STILL)


def test_a_blow_among_frames_that_are_not_valid_is_one_crash(tmp_path: Path) -> None:
    """A car that stops from 50 km/h within 100 ms; every fifth frame is not valid."""
    core = Core(defaults(), table(tmp_path))
    pieces = []
    for i in range(1, 3000):
        t_us = 10_000 * i
        blow = -60.0 if 2000 <= i < 2023 else 0.0
        mps = 13.9 if i < 2005 else 0.0
        pieces += [value(t_us, 0, mps)] if i % 20 == 0 else []
        good = imu_frame(t_us, (blow, 0.125, 9.75))
        pieces.append(good if i % 5 else silent_frame(t_us))
    crashes = [told.name for told in fed(core, pieces) if isinstance(told, Event) and told.name in ("crash", "impact")]
    assert crashes == ["crash"]


# ---- recorded drives ------------------------------------------------------------------------------------------------


def replayed(log: Path, vehicle: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, Any]]]:
    """What `tbox replay` tells, by kind of record."""
    assert main(["replay", str(log), "--vehicle", str(vehicle), "--json", "-"]) == 0
    found: dict[str, list[dict[str, Any]]] = {}
    for line in capsys.readouterr().out.splitlines():
        record = json.loads(line)
        found.setdefault(record["record"], []).append(record)
    return found


def mapped(folder: Path, text: str) -> Path:
    (folder / "map.toml").write_text(text)
    return folder / "map.toml"


@with_data
@pytest.mark.parametrize("log", DRIVES)
def test_a_calm_drive_solves_how_the_sensor_sits_and_holds_no_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str
) -> None:
    told = replayed(DATA / log, mapped(tmp_path, imu_map(str(DATA / "canmod-gps.dbc"))), capsys)
    assert "event" not in told
    assert all(found["gravity_axis"][0] > 0.99 for found in told["calibration"]), "gravity lies near its +X"
    (trip,) = told["trip"]
    assert trip["judged_s"] / trip["moving_s"] > 0.9
    alone = replayed(DATA / log, mapped(tmp_path, SPEED_ONLY), capsys)["trip"][0]
    assert (trip["distance_m"], trip["start_s"], trip["end_s"]) == (
        alone["distance_m"],
        alone["start_s"],
        alone["end_s"],
    )


@with_data
def test_frames_that_are_not_valid_change_nothing_in_a_drive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording has none: they are put in, 2 ms after every 50th of the sensor's frames."""
    vehicle = mapped(tmp_path, imu_map(str(DATA / "canmod-gps.dbc")))
    spoiled, inserted, seen = tmp_path / "spoiled.log", 0, 0
    with gzip.open(DATA / DRIVES[0], "rt") as lines, spoiled.open("w") as out:
        for line in lines:
            out.write(line)
            seen += " 009#" in line
            if " 009#" in line and seen % 50 == 0:
                out.write(f"({float(line[1 : line.index(')')]) + 0.002:.6f}) can1 009#0000000000000000\n")
                inserted += 1
    clean, dirty = replayed(DATA / DRIVES[0], vehicle, capsys), replayed(spoiled, vehicle, capsys)
    more = dirty["counters"][0]["values_rejected"]["invalid"] - clean["counters"][0]["values_rejected"]["invalid"]
    assert inserted > 700
    assert more == 6 * inserted
    assert {kind: records for kind, records in dirty.items() if kind != "counters"} == {
        kind: records for kind, records in clean.items() if kind != "counters"
    }


@with_data
def test_a_sensor_under_its_desk_makes_no_trip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log of a battery read over UDS at a stand has the sensor's frames too."""
    log = DATA / "data-processing__LOG__2F6913DB__00000004__00000001.log.gz"
    told = replayed(log, mapped(tmp_path, imu_map(str(DATA / "canmod-gps.dbc")).replace("channel = 1\n", "")), capsys)
    assert set(told) == {"counters"}
    assert told["counters"][0]["decoded"] == 4724


def rejected(core: Core) -> dict[str, int]:
    """Reasons values were not used for, those that occurred."""
    return {why: count for why, count in core.counters()["values_rejected"].items() if count}


def test_the_first_frame_is_no_broken_sample(tmp_path: Path) -> None:
    core = Core(defaults(), table(tmp_path))
    core.feed(b"".join(imu_frame(10_000 * i, STILL) for i in range(1, 200)))
    assert rejected(core) == {}


def test_without_its_valid_bit_three_equal_axes_give_a_frame_away(tmp_path: Path) -> None:
    (tmp_path / "imu.dbc").write_text(DBC)
    (tmp_path / "map.toml").write_text(imu_map().replace('valid = "ImuValid"\n', ""))
    core = Core(defaults(), compiler.compile_map(tmp_path / "map.toml"))
    core.feed(
        b"".join(silent_frame(10_000 * i) if i % 10 == 0 else imu_frame(10_000 * i, STILL) for i in range(1, 101))
    )
    assert rejected(core) == {"nonsense": 10}


@pytest.mark.parametrize("lost", [None, "AccelerationX", "AccelerationY", "AccelerationZ"])
def test_axes_of_one_frame_stay_together(tmp_path: Path, lost: str | None) -> None:
    """Mixed with those of the frame before or after they would be three equal numbers, which no sensor says.

    `lost`: this axis is once out of its limits, and its value not used.
    """
    (tmp_path / "imu.dbc").write_text(DBC)
    (tmp_path / "map.toml").write_text(imu_map().replace('valid = "ImuValid"\n', "max = 50\n"))
    core = Core(defaults(), compiler.compile_map(tmp_path / "map.toml"))
    for i in range(1, 60):
        force = (
            [float(i % 30), float(i % 30 + 1), float(i % 30 + 1)]
            if i % 2
            else [float(i % 30 + 1), float(i % 30), float(i % 30)]
        )
        if i == 30 and lost is not None:
            force["XYZ".index(lost[-1])] = 60.0
        core.feed(imu_frame(10_000 * i, tuple(force)))
    assert rejected(core) == ({} if lost is None else {"invalid": 1})
