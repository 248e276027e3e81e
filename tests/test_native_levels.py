"""Levels that are passed and held: engine speed, coolant, supply; each at its threshold and just under it, for its hold."""

import pytest

from agent.core import Core, Event
from agent.settings.file import load
from agent.vehicle import Table
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import Timed, Told, drive, packed, steady, us, value

LIMIT = ["detect.over_rev.limit_rpm=6000"]


def rows(signal: str, numbers: list[float], start_s: float = 0.0) -> list[Timed]:
    """One a second."""
    return [(start_s + i, value(start_s + i, signal, number)) for i, number in enumerate(numbers)]


def found(told: Told, *names: str) -> list[tuple]:
    return [(e.name, e.start_us / 1e6, e.end_us / 1e6, e.value) for e in told.events(*names)]


@pytest.mark.parametrize(
    ("rpm", "wanted"),
    [
        pytest.param([3000, 6000, 6000, 6000, 3000], [("over_rev", 1, 3, 6000)], id="at the limit for 2 s"),
        pytest.param([3000, 5999, 5999, 5999, 3000], [], id="just under the limit"),
        pytest.param([3000, 6000, 6000, 3000], [], id="just under the hold"),
        pytest.param([6000, 5990, 6000, 6000], [], id="the hold begins again"),
        pytest.param([6000, 6200, 6100, 5901, 6050, 5899], [("over_rev", 0, 4, 6200)], id="the hysteresis bridges"),
        pytest.param([6000, 6000, 6000], [("over_rev", 0, 2, 6000)], id="until the input ends"),
        pytest.param([6000, 6000, 6000, 10, 6000, 6000, 6000], [("over_rev", 0, 2, 6000), ("over_rev", 4, 6, 6000)], id="two"),
    ],
)  # fmt: skip
def test_over_rev(rpm: list[float], wanted: list[tuple]) -> None:
    assert found(drive(rows("rpm", rpm), sets=LIMIT)) == wanted


def test_over_rev_is_told_when_it_ends_and_comes_from_the_car() -> None:
    (event,) = drive(rows("rpm", [3000, 6000, 6000, 6400, 3000, 800]), steady(5, 1, "speed", 20), sets=LIMIT).events()
    assert (event.at_us, event.peak_mps2, event.sources, event.severity) == (us(4), None, ("vehicle",), "low")
    assert (event.entry_mps, event.exit_mps, event.delta_v_mps, event.rule) == (20, 20, 0, None)


def test_without_a_limit_no_speed_is_too_fast() -> None:
    assert not drive(rows("rpm", [9000] * 9), steady(9, 1, "coolant", 0)).events()


def test_the_limit_is_the_maps_where_the_settings_have_none() -> None:
    table = Table(name="", powertrain="combustion", vehicle_class="car", messages=(), limit_rpm=4000)
    for sets, wanted in (([], 1), (LIMIT, 0)):
        made = Core(load(None, sets), table)
        outputs = made.feed(packed(rows("rpm", [4100] * 5))) + made.finish()
        assert len([o for o in outputs if isinstance(o, Event)]) == wanted


def test_rows_further_apart_than_the_hold_are_no_run() -> None:
    apart = [(at, value(at, "rpm", 6500)) for at in (0, 2.6, 5.2)]
    assert not drive(apart, sets=LIMIT).events()
    assert len(drive([(at, value(at, "rpm", 6500)) for at in (0, 2.5)], sets=LIMIT).events()) == 1


def test_a_second_value_of_the_same_moment_changes_nothing() -> None:
    for other in (10, 9000):
        twice = [row for at in range(4) for row in ((at, value(at, "rpm", 6000)), (at, value(at, "rpm", other)))]
        assert found(drive(twice, sets=LIMIT)) == [("over_rev", 0, 3, 6000)]
    supply = [(0.0, value(0, "battery", 12.5)), *rows("battery", [12.5, 0.0, 0.0, 0.0])]
    assert found(drive(supply)) == [("unplugged", 1, 3, 0)]


@pytest.mark.parametrize(
    ("coolant", "rpm", "wanted"),
    [
        pytest.param(49.9, 3900, 1, id="cold, at the share of the limit"),
        pytest.param(49.9, 3899, 0, id="just under it"),
        pytest.param(50.0, 3900, 0, id="warm"),
        pytest.param(-40.0, 3900, 0, id="a sensor that is not there"),
        pytest.param(None, 3900, 0, id="nobody tells the coolant"),
    ],
)
def test_a_cold_engine_has_a_lower_limit(coolant: float | None, rpm: float, wanted: int) -> None:
    told = drive(
        steady(9, 1, "coolant", coolant) if coolant is not None else [], rows("rpm", [800, *[rpm] * 4, 800]), sets=LIMIT
    )
    assert found(told) == [("cold_rev", 1, 4, rpm)] * wanted


def test_an_engine_that_warms_up_ends_cold_rev() -> None:
    coolant = [*steady(4, 1, "coolant", 48), *steady(9, 1, "coolant", 51, 4.5)]
    assert found(drive(coolant, rows("rpm", [4000] * 10), sets=LIMIT)) == [("cold_rev", 0, 4, 4000)]


@pytest.mark.parametrize(
    ("degrees", "wanted"),
    [
        pytest.param([116] * 11, [("overheat", 0, 10, 116)], id="over it for 10 s"),
        pytest.param([115] * 20, [], id="at 115 it is not over"),
        pytest.param([116] * 10, [], id="just under the hold"),
        pytest.param([116] * 9 + [114] + [116] * 9, [], id="the hold begins again"),
        pytest.param([216] * 20, [], id="a broken wire"),
        pytest.param([120] * 30 + [111] * 9 + [120] * 20, [("overheat", 0, 10, 120)], id="one that goes on"),
        pytest.param([120] * 11 + [109] + [120] * 11, [("overheat", 0, 10, 120), ("overheat", 12, 22, 120)], id="two"),
        pytest.param(
            [120] * 11 + [160] + [120] * 11, [("overheat", 0, 10, 120), ("overheat", 12, 22, 120)], id="a wire"
        ),
    ],
)
def test_overheat(degrees: list[float], wanted: list[tuple]) -> None:
    assert found(drive(rows("coolant", degrees))) == wanted


@pytest.mark.parametrize(("apart_s", "wanted"), [(60, 1), (60.000001, 0)])
def test_a_low_battery_is_told_by_rows_as_far_apart_as_its_hold(apart_s: float, wanted: int) -> None:
    assert len(drive([(i * apart_s, value(i * apart_s, "battery", 11.5)) for i in range(5)]).events()) == wanted


def test_overheat_is_told_at_once_and_severe_from_125() -> None:
    for degrees, level in ((124.9, "medium"), (125, "high")):
        (event,) = drive(rows("coolant", [degrees] * 60)).events()
        assert (event.at_us, event.severity) == (us(10), level)


@pytest.mark.parametrize(
    ("volts", "wanted"),
    [
        pytest.param([11.79] * 61, [("low_battery", 0, 60, 11.79)], id="under the floor for 60 s"),
        pytest.param([11.8] * 90, [], id="at the floor"),
        pytest.param([11.79] * 60, [], id="just under the hold"),
        pytest.param([12.6] * 5 + [9.1, 7.2, 9.8, 10.4] + [14.2] * 90, [], id="the starter"),
        pytest.param([12.1] * 5 + [4.9, 5.8, 9.8] + [14.2] * 90, [], id="the starter in the cold"),
        pytest.param([11.5] * 20 + [12.0] + [11.5] * 50, [], id="it recovers in between"),
        pytest.param([0.0] * 90, [], id="an input that is not connected"),
        pytest.param([11.5] * 61 + [12.2] * 9 + [11.5] * 90, [("low_battery", 0, 60, 11.5)], id="it goes on"),
        pytest.param([11.5] * 61 + [12.4] + [11.5] * 61, [("low_battery", 0, 60, 11.5), ("low_battery", 62, 122, 11.5)], id="again"),
    ],
)  # fmt: skip
def test_low_battery(volts: list[float], wanted: list[tuple]) -> None:
    assert found(drive(rows("battery", volts)), "low_battery") == wanted


@pytest.mark.parametrize(
    ("volts", "wanted"),
    [
        pytest.param([12.5, 5.9, 5.9, 5.9, 5.9], [("unplugged", 1, 3, 5.9)], id="gone for 2 s"),
        pytest.param([12.5, 6.0, 6.0, 6.0, 6.0], [], id="just not gone"),
        pytest.param([12.5, 0.0, 0.0, 12.5], [], id="just under the hold"),
        pytest.param([8.9, 0.0, 0.0, 0.0], [], id="there was no supply to lose"),
        pytest.param([9.0, 0.2, 0.1, 0.2], [("unplugged", 1, 3, 0.1)], id="there was just enough"),
        pytest.param([12, 0, 0, 0, 0, 0, 12, 0, 0, 0], [("unplugged", 1, 3, 0), ("unplugged", 7, 9, 0)], id="plugged in again"),
        pytest.param([12, 0, 0, 0, 8, 0, 0, 0], [("unplugged", 1, 3, 0)], id="a plug that has no contact yet"),
    ],
)  # fmt: skip
def test_unplugged(volts: list[float], wanted: list[tuple]) -> None:
    assert found(drive(rows("battery", volts))) == wanted


@pytest.mark.parametrize("rule", ["over_rev", "cold_rev", "overheat", "low_battery", "unplugged"])
def test_a_rule_that_is_off_says_nothing(rule: str) -> None:
    parts = (
        rows("rpm", [7000, 7000, 7000, 7000]),
        rows("coolant", [40.0] * 4),
        rows("coolant", [120.0] * 12, 100),
        rows("battery", [11.0] * 90),
        rows("battery", [12.0, 0.0, 0.0, 0.0], 200),
    )
    names = {e.name for e in drive(*parts, sets=LIMIT).events()}
    assert names == {"over_rev", "cold_rev", "overheat", "low_battery", "unplugged"}
    assert {e.name for e in drive(*parts, sets=[*LIMIT, f"detect.{rule}.enabled=false"]).events()} == names - {rule}
