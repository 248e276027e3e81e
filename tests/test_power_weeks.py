"""Weeks of parked and driven cars whose batteries the power decider must not flatten, the same car without it beside."""

from collections.abc import Callable

import pytest

from agent.settings.power import Power as PowerSettings
from tests.parking import DAY_S, NO_OFF, WITH_HOOKS, Battery, Car, Sensor

OFF_MA = 1.5
"""What this terminal may take on average where the battery is at 11.8 V: its draw when off, and a rare look."""


@pytest.mark.parametrize("mean_c", [-14.0, 10.0, 34.0])
@pytest.mark.parametrize("capacity_ah", [36.0, 60.0, 95.0])
@pytest.mark.parametrize("age", [0.0, 0.9])
def test_60_days_parked_never_take_what_would_flatten_it(mean_c: float, capacity_ah: float, age: float) -> None:
    for seed, quiescent_ma in ((1, 10.0), (2, 30.0)):

        def car(seed: int = seed, quiescent_ma: float = quiescent_ma, *, draws: bool = True) -> Car:
            battery = Battery(capacity_ah=capacity_ah, age=age, charge=0.9)
            return Car(seed=seed, battery=battery, mean_c=mean_c, quiescent_ma=quiescent_ma, draws=draws).run(60)

        ours, alone = car(), car(draws=False)
        assert ours.taken_ah <= WITH_HOOKS.budget_ah + 1.0, "its allowance, and a month switched off"
        assert ours.battery.charge >= alone.battery.charge - ours.taken_ah / ours.battery.left_ah - 0.02
        if ours.crossed_s is not None:
            low_s = 60 * DAY_S - ours.crossed_s
            assert low_s < DAY_S or ours.low_ma_s / low_s <= OFF_MA
        if alone.lowest_v >= 12.1:
            assert ours.crossed_s is None, "the car alone is far from its floor, and so it is with us"


def test_switched_off_is_what_saves_the_rest_and_without_it_is_told_how_much() -> None:
    def car(settings: PowerSettings) -> Car:
        return Car(seed=3, settings=settings, battery=Battery(capacity_ah=45, age=0.5, charge=0.8)).run(60)

    off, suspended = car(WITH_HOOKS), car(NO_OFF)
    assert off.taken_ah < 3.5 < suspended.taken_ah < 60 * 24 * 0.0055
    assert suspended.wakes <= 60 + 20


def test_a_bus_that_chatters_all_night_is_not_worth_the_charge() -> None:
    quiet = Car(seed=4).run(30)
    chatty = Car(seed=4, chatter_s=1200.0).run(30)
    assert chatty.taken_ah < quiet.taken_ah + 1.0
    assert chatty.wakes < 30 * 5


@pytest.mark.parametrize("is_smart", [False, True])
def test_a_commuters_battery_stays_full_and_every_drive_is_seen(is_smart: bool) -> None:
    def commute(day: int) -> tuple[tuple[float, float], ...]:
        return () if day % 7 > 4 else ((27_000.0, 1500.0), (61_000.0, 1800.0))

    car = Car(seed=5, drives=commute, is_smart=is_smart, mean_c=2.0, battery=Battery(charge=0.8)).run(28)
    assert car.lowest_v > 12.3
    assert car.battery.charge > 0.85
    assert car.seen_s > 0.99 * car.driven_s


def test_a_drive_ends_the_sleep_of_a_battery_at_its_floor() -> None:
    car = Car(
        seed=6,
        battery=Battery(capacity_ah=36, age=0.9, charge=0.5),
        quiescent_ma=40.0,
        drives=lambda day: ((40_000.0, 7200.0),) if day == 20 else (),
    ).run(22)
    assert any("floor" in reason for _, _, reason in car.states)
    assert car.seen_s > 0.9 * car.driven_s


def stuck(volt: float) -> Callable[[float], float]:
    return lambda _volt: volt


@pytest.mark.parametrize("tells_engine", [True, False])
@pytest.mark.parametrize(
    "sensor",
    [
        pytest.param(Sensor(wrong=lambda _volt: None), id="absent"),
        pytest.param(Sensor(wrong=stuck(0.0)), id="0 V"),
        pytest.param(Sensor(wrong=stuck(12.6)), id="stuck at 12.6 V"),
        pytest.param(Sensor(wrong=stuck(14.1)), id="stuck at 14.1 V"),
        pytest.param(Sensor(wrong=lambda volt: volt + 1.5), id="reads 1.5 V too high"),
        pytest.param(Sensor(wrong=lambda volt: volt - 1.0), id="reads 1 V too low"),
        pytest.param(Sensor(wrong=lambda volt: volt * 2), id="reads twice"),
        pytest.param(Sensor(noise_v=0.4), id="noisy"),
        pytest.param(Sensor(step_v=0.5), id="coarse"),
    ],
)
def test_a_wrong_sensor_costs_a_known_charge_at_most(sensor: Sensor, tells_engine: bool) -> None:
    drives = {0: ((3600.0, 3600.0),), 30: ((3600.0, 3600.0),)}
    car = Car(seed=7, sensor=sensor, tells_engine=tells_engine, drives=lambda day: drives.get(day, ()))
    worst_ah = 0.0
    for _ in range(60):
        car.run(1)
        worst_ah = max(worst_ah, car.parked_ah)
    assert worst_ah <= WITH_HOOKS.budget_ah + 1.3
    if tells_engine:
        assert car.seen_s > 0.9 * car.driven_s


def test_a_truck_of_24_v_is_judged_as_a_car_is() -> None:
    car = Car(seed=8, nominal=2).run(60)
    plain = Car(seed=8).run(60)
    assert car.taken_ah == pytest.approx(plain.taken_ah, rel=0.05)
