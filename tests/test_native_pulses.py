"""Measured crash pulses from every side, in every box; and what only feels like a crash (the whole sweep: `make crashes`)."""

import csv
import gzip
import math
from itertools import product

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.near_misses import NEAR_MISSES
from tests.pulses import HIT_S, PULSES, RANGES_G, RATES_HZ, Box, Struck, fault, found
from tests.road import KMH, LEVEL, Timed, drive, steady, turned, us
from tests.test_native_crash import DATA
from tests.test_native_mounting import oblique, right_angles

MOUNTS = (LEVEL, oblique(0.7, 0.4, -1.2), right_angles()[7], oblique(2.4, 0.955, 0.785))
THIRD, HALF, SIXTH = math.sqrt(1 / 3), math.sqrt(1 / 2), math.sqrt(1 / 6)
ON_A_CORNER = ((THIRD, -HALF, -SIXTH), (THIRD, HALF, -SIXTH), (THIRD, 0.0, 2 * SIXTH))
"""Forward is felt alike by all three axes."""
SPEEDS = ((10.0, 0.0, 0.0), (1.0, KMH, 0.0), (2.0, KMH, 0.3), (0.0, 0.0, 0.0))


@pytest.mark.parametrize(("name", "side"), list(product(PULSES, range(0, 360, 45))))
def test_a_measured_pulse_from_any_side_is_one_crash_of_its_size(name: str, side: int) -> None:
    turn = side // 45 + (name == "taurus")
    struck, speed = Struck(name, side), SPEEDS[turn % 4]
    box = Box(
        RATES_HZ[turn % 3], MOUNTS[turn // 2 % 4], RANGES_G[turn % 3], 0.5 * (turn % 2), knows_mount=turn % 5 != 0
    )
    rows = struck.says(*speed)
    lost = struck.speed(HIT_S - 0.1) - min(struck.speed(HIT_S + k / 100) for k in range(35))
    crashes, _ = found(box.core(), rows, box.feels(struck.force))
    assert not fault(struck, box, crashes, max(0.0, lost) if rows else 0.0)


@pytest.mark.parametrize("range_g", RANGES_G)
@pytest.mark.parametrize("name", PULSES)
def test_axes_that_stand_still_make_no_pulse_doubtful(name: str, range_g: int) -> None:
    struck, box = Struck(name, 0), Box(400, LEVEL, range_g)
    (crash,), _ = found(box.core(), struck.says(10), box.feels(struck.force))
    assert (crash.name, crash.direction, crash.dv_clipped) == (
        "crash",
        "front",
        bool(range_g) and (name, range_g) != ("taurus", 16),
    )


def test_all_axes_at_the_end_of_their_range_are_a_blow_and_no_nonsense() -> None:
    struck, box = Struck("camry", 180), Box(400, ON_A_CORNER, 8.0)
    rows = box.feels(struck.force)
    assert any(len(set(batch._NUMBERS.unpack(raw)[6:9])) == 1 for _, raw in rows), "the drive is not what it should be"
    crashes, counters = found(box.core(), struck.says(10), rows)
    assert [c.name for c in crashes] == ["crash"]
    assert counters["values_rejected"]["nonsense"] == 0


@pytest.mark.parametrize("name", NEAR_MISSES)
@pytest.mark.parametrize("mount", range(2))
def test_what_only_feels_like_a_crash_is_none(name: str, mount: int) -> None:
    near = NEAR_MISSES[name]
    for hz in (100, 400)[mount : mount + 1]:
        box = Box(hz, MOUNTS[mount], noise_mps2=0.1, knows_mount=not mount)
        crashes, _ = found(box.core(), near.road().speed(), *near.told, box.feels(near.force(), near.road().seconds))
        assert [c.name for c in crashes] in ([[], ["impact"]] if near.is_impact else [[]])


def test_a_scooter_box_that_is_crashed_with_on_a_desk_is_in_no_car_crash() -> None:
    for name in ("Crashtest", "Normaldrive"):
        path = DATA / "escooter" / f"{name}.tsv"
        if not path.exists():
            pytest.skip("the recordings are not beside the project")
        told = [line.split("\t") for line in path.read_text().splitlines()]
        start = min(float(r[1]) for r in told)
        felt = sorted((round((float(r[1]) - start) / 1000, 3), [float(f) for f in r[2:5]]) for r in told)
        rows: list[Timed] = [(at, batch.imu(us(at), force)) for at, force in felt]
        assert not drive(steady(felt[-1][0], 1, "speed", 0.0), rows, mounted=False).events("crash", "impact")


def test_a_real_minute_with_a_real_imu_is_no_crash() -> None:
    path = DATA / "comma2k19" / "imu_gnss_speed.csv.gz"
    if not path.exists():
        pytest.skip("the recordings are not beside the project")
    speed, felt = [], []
    with gzip.open(path, "rt") as table:
        for row in csv.DictReader(table):
            at = float(row["t"]) - 46408
            if row["kind"] == "acc_mps2":
                felt.append((at, batch.imu(us(at), turned(LEVEL, [float(row[n]) for n in "abc"]))))
            elif row["kind"] == "ref_speed_mps":
                speed.append((at, batch.value(us(at), 0, float(row["a"]))))
    assert not drive(speed, felt, mounted=False).events("crash", "impact", "harsh_braking", "harsh_acceleration")
