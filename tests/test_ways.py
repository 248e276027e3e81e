"""Fuel, and our distance beside the vehicle's and the satellites'."""

from dataclasses import replace
from typing import Any

import pytest

from agent.trip.odometer import Odometer
from agent.world.ground import cosine_of, metres
from tests.ride import START, Car, priced, told


@pytest.mark.parametrize(
    ("tank_l", "levels", "fuel"),
    [
        pytest.param(50.0, (60.0, 58.0), (60.0, 58.0, 1.0, None), id="litres"),
        pytest.param(None, (60.0, 58.0), (60.0, 58.0, None, "the map names no tank_l"), id="no tank"),
        pytest.param(50.0, (58.0, 60.0), (58.0, 60.0, None, "the level rose"), id="tanked"),
        pytest.param(50.0, (None, None), (None, None, None, "no fuel level was told"), id="no level"),
    ],
)
def test_fuel_used(tank_l: float | None, levels: tuple[float | None, float | None], fuel: tuple[Any, ...]) -> None:
    said = priced(tank_l=tank_l).go(30, 36, fuel=levels[0]).go(30, 36, fuel=levels[1]).pricing()["fuel"]
    assert tuple(said.values()) == fuel


def test_the_way_by_satellites_stands_beside_ours() -> None:
    car = Car()
    for second in range(101):
        car.go(1, 36, lat=0.0, lon=second * 9.9 / 111_319.490793)
    assert car.pricing()["gnss"] == {"distance_m": 990.0, "over_m": 1000.0, "difference_m": 10.0, "scale": 0.99}


def test_a_fix_that_jumps_or_drifts_at_rest_is_left_out() -> None:
    car = Car().go(1, 36, lat=0.0, lon=0.0).go(1, 36, lat=1.0, lon=0.0).go(1, 36, lat=1.0, lon=0.0)
    car.go(1, 0, lat=1.0001, lon=0.0)
    assert car.pricing()["gnss"]["distance_m"] == 0.0
    assert Car().go(10, 36).pricing()["gnss"]["distance_m"] is None


@pytest.mark.parametrize(
    ("a", "b", "wanted_m"),
    [
        pytest.param((0.0, 0.0), (0.0, 1.0), 111_319.491, id="a degree of the equator"),
        pytest.param((0.0, 179.5), (0.0, -179.5), 111_319.491, id="across the date line"),
        pytest.param((44.5, 0.0), (45.5, 0.0), 111_131.8, id="a degree north at 45"),
        pytest.param((60.0, 10.0), (60.0, 10.01), 558.0, id="a hundredth east at 60"),
        pytest.param((10.0, 10.0), (10.0, 10.0), 0.0, id="nowhere"),
    ],
)
def test_distance_on_the_ellipsoid(a: tuple[float, float], b: tuple[float, float], wanted_m: float) -> None:
    assert metres(a, b) == pytest.approx(wanted_m, rel=3e-5, abs=1e-6)


@pytest.mark.parametrize(("degrees", "wanted"), [(0, 1.0), (60, 0.5), (90, 0.0), (-60, 0.5)])
def test_the_cosine(degrees: float, wanted: float) -> None:
    assert cosine_of(degrees * 0.017453292519943295) == pytest.approx(wanted, abs=1e-10)


def odometer(*told_m: tuple[float, float | None]) -> Odometer:
    made = Odometer()
    for ours_m, told_one in told_m:
        made.step(replace(START, distance_m=ours_m, values=told(odometer=told_one)))
    return made


@pytest.mark.parametrize(
    ("steps", "scale", "over_m"),
    [
        pytest.param([(0, 0), (90, 100), (1080, 1100)], 1.0101, 1000.0, id="from step to step, not from the start"),
        pytest.param([(0, 0), (90, 100), (1079, 1099)], None, 999.0, id="too short to learn from"),
        pytest.param([(0, 0), (90, 100), (90, 2000), (1080, 3000)], 1.0101, 1000.0, id="a jump is left out"),
        pytest.param([(0, 0), (90, 100), (500, None), (1080, 1100)], 1.0101, 1000.0, id="silence is no step"),
        pytest.param([(0, 0), (90, 100), (100, 50), (1090, 1050)], 1.0101, 1000.0, id="backwards is left out"),
    ],
)
def test_the_odometer_s_scale_is_learned(steps: list[Any], scale: float | None, over_m: float) -> None:
    assert odometer(*steps).told() == {"scale": scale, "over_m": over_m}
