"""The summary for pricing: exact numbers, and nothing lost or changed by telling it in between."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SettingsError
from agent.replay.inputs import opened
from agent.replay.replay import replay
from agent.replay.replay import told as told_json
from agent.settings.file import load
from agent.trip import score, terms
from agent.trip.terms import Terms
from agent.world.hours import Dated, Hours
from tests.ride import EMPTY, KMH, NOON_US, Car, S, points, priced

# ---- distance -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kmh", "band"),
    [
        pytest.param(29.99, 0, id="just under 30"),
        pytest.param(30.0, 1, id="at 30: a band holds its lower edge"),
        pytest.param(50.0, 2, id="at 50"),
        pytest.param(89.99, 3, id="just under 90"),
        pytest.param(90.0, 4, id="at 90"),
        pytest.param(119.99, 4, id="just under 120"),
        pytest.param(250.0, 5, id="the last has no end"),
    ],
)
def test_distance_lies_in_the_band_of_its_speed(kmh: float, band: int) -> None:
    bands = Car().go(100, kmh).pricing()["speed_bands"]
    assert [index for index, one in enumerate(bands) if one["distance_m"]] == [band]
    assert bands[band]["distance_m"] == round(100 * kmh * KMH, 3)


def test_bands_are_told_with_their_edges() -> None:
    bands = Car().go(10, 36).go(10, 72).pricing()["speed_bands"]
    assert [(one["from_kmh"], one["to_kmh"], one["distance_m"]) for one in bands] == [
        (0.0, 30.0, 0.0), (30.0, 50.0, 100.0), (50.0, 70.0, 0.0), (70.0, 90.0, 200.0), (90.0, 120.0, 0.0), (120.0, None, 0.0),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 200)), min_size=1, max_size=60))
def test_bands_add_up_to_the_distance(legs: list[tuple[int, float]]) -> None:
    car = Car().go(1, 36)
    for seconds, kmh in legs:
        car.go(seconds, kmh)
    summary = car.summary()
    millimetres = [round(band["distance_m"] * 1000) for band in summary["pricing"]["speed_bands"]]
    assert sum(millimetres) == round(summary["distance_m"] * 1000)


# ---- the hours of the day -------------------------------------------------------------------------------------------


def test_without_utc_no_hour_is_known() -> None:
    pricing = Car().go(100, 36).pricing()
    assert [pricing[key] for key in ("hours_m", "night_m", "night_share", "clock", "dated_m")] == [
        None,
        None,
        None,
        None,
        0.0,
    ]


@pytest.mark.parametrize(
    ("timezone", "hour"),
    [("UTC", 12), ("Europe/Berlin", 14), ("America/New_York", 8), ("Asia/Kolkata", 17), ("Asia/Kathmandu", 17)],
)
def test_hours_are_those_of_the_time_zone(timezone: str, hour: int) -> None:
    car = priced(timezone=timezone)
    car.trips.date(Dated(NOON_US, "ntp"))
    pricing = car.go(100, 36).pricing()
    assert pricing["hours_m"] == [1000.0 if each == hour else 0.0 for each in range(24)]
    assert (pricing["timezone"], pricing["clock"]) == (timezone, "ntp")


@pytest.mark.parametrize(
    ("start_s", "night_m"),
    [
        pytest.param(22 * 3600 - 101, 0.0, id="just before 22:00"),
        pytest.param(22 * 3600 - 1, 1000.0, id="from 22:00"),
        pytest.param(29 * 3600 - 101, 1000.0, id="just before 5:00"),
        pytest.param(29 * 3600 - 1, 0.0, id="from 5:00"),
        pytest.param(22 * 3600 - 51, 500.0, id="half and half"),
    ],
)
def test_night_is_from_22_to_5(start_s: int, night_m: float) -> None:
    car = Car()
    car.trips.date(Dated(NOON_US + (start_s - 12 * 3600) * S, "ntp"))
    pricing = car.go(100, 36).pricing()
    assert (pricing["night_m"], pricing["night_share"]) == (night_m, night_m / 1000)


def test_what_was_driven_before_the_clock_was_set_has_no_hour() -> None:
    car = Car().go(50, 36)
    car.trips.date(Dated(0, "system"))
    car.go(50, 36)
    car.trips.date(Dated(NOON_US, "ntp"))
    pricing = car.go(100, 36).pricing()
    assert (pricing["dated_m"], sum(pricing["hours_m"])) == (1000.0, 1000.0)


def test_the_hour_is_right_on_both_sides_of_a_change_to_summer_time() -> None:
    hours = Hours("Europe/Berlin")
    change_us = 1_743_296_400 * S  # 2025-03-30 01:00 UTC: 02:00 becomes 03:00
    assert [hours.at(change_us - 1), hours.at(change_us), hours.at(change_us - 1)] == [1, 3, 1]


# ---- time, smoothness, quality --------------------------------------------------------------------------------------


def test_the_time_over_the_limit_is_a_share_of_the_time_it_was_known() -> None:
    pricing = Car().go(100, 36).go(75, 45, limit=50).go(25, 60, limit=50).pricing()
    assert (pricing["limit_known_us"], pricing["over_limit_share"]) == (100 * S, 0.25)
    assert Car().go(100, 36).pricing()["over_limit_share"] is None


def test_smoothness_is_the_root_mean_square_of_the_acceleration_while_moving() -> None:
    car = Car().go(30, 36, forward=2.0).go(30, 36, forward=-1.0).go(20, 36, forward=None).go(100, 0, forward=3.0)
    pricing = car.pricing()
    assert pricing["rms_mps2"] == 1.581  # the square root of (4 + 1) / 2
    assert pricing["rpa_mps2"] == 1.0  # 2 m/s² on half of the way on which it was known
    assert Car().go(100, 36, forward=None).pricing()["rms_mps2"] is None


@pytest.mark.parametrize(("forward", "rpa"), [(0.1, 0.0), (0.101, 0.101)])
def test_only_a_push_counts_as_positive_acceleration(forward: float, rpa: float) -> None:
    assert Car().go(100, 36, forward=forward).pricing()["rpa_mps2"] == rpa


def test_quality_is_the_share_of_the_driving_that_could_be_judged() -> None:
    assert Car().go(90, 36).go(30, 36, judged=False).pricing()["judged_share"] == 0.75


def test_fatigue_is_what_the_core_counted_during_the_trip() -> None:
    car = Car().go(100, 36, fatigue_us=5 * S).go(100, 36, fatigue_us=65 * S)
    pricing = car.pricing()
    assert pricing["fatigue_us"] == 65 * S
    assert points(car.go(100, 36, fatigue_us=605 * S)) == {"fatigue": 2.52}
    second = car.go(300, 0, fatigue_us=605 * S).go(200, 36, fatigue_us=625 * S).pricing()
    assert second["fatigue_us"] == 20 * S


# ---- telling it in between ------------------------------------------------------------------------------------------

SECONDS = st.tuples(
    st.floats(0, 150), st.floats(-9, 9) | st.none(), st.floats(0, 100) | st.none(), st.booleans(), st.booleans()
)


@given(st.lists(SECONDS, min_size=1, max_size=80), st.sets(st.integers(0, 80)), st.integers(0, 80))
def test_a_summary_in_between_never_changes_the_final_one(
    seconds: list[tuple[Any, ...]], asked: set[int], dated_at: int
) -> None:
    finals = []
    for is_asked in (False, True):
        car = priced(tank_l=50.0).go(1, 36)
        for index, (kmh, forward, fuel, is_event, is_limit) in enumerate(seconds):
            if index == dated_at:
                car.trips.date(Dated(NOON_US, "ntp"))
            car.go(1, kmh, forward=forward, fuel=fuel, limit=50 if is_limit else None, lat=index * 1e-4, lon=0.0)
            if is_event:
                car.event("harsh_braking")
            if is_asked and index in asked:
                car.summary()
                car.pricing()
        finals.append(car.go(300, 0).ended)
    assert finals[0] == finals[1]
    assert len(finals[0]) == 1


def test_two_trips_have_an_account_each() -> None:
    car = Car().go(300, 36).event("harsh_braking").go(300, 0).go(300, 72).go(300, 0)
    first, second = (summary["pricing"] for summary in car.ended)
    assert first["events"]["harsh_braking"]["low"] == 1
    assert second["events"] == {}
    assert [band["distance_m"] for band in second["speed_bands"]] == [0.0, 0.0, 0.0, 6000.0, 0.0, 0.0]


# ---- in a replay ----------------------------------------------------------------------------------------------------


def replayed(folder: Path, start_s: int) -> dict[str, Any]:
    """The trip record of 300 s at 20 m/s, with an hour of the day where the axis is UTC."""
    recording = folder / "drive.csv"
    recording.write_text("time_s,speed_mps\n" + "".join(f"{start_s + second},20.0\n" for second in range(301)))
    things = replay(load(None, ["device.timezone=Asia/Tokyo"]), EMPTY, opened([recording], None))
    return next(line for thing in things if (line := told_json(thing)) and line["record"] == "trip")


def test_a_replay_tells_the_summary_in_seconds(tmp_path: Path) -> None:
    pricing = replayed(tmp_path, 0)["pricing"]
    assert (pricing["duration_s"], pricing["fatigue_s"], pricing["limit_known_s"]) == (300.0, 0.0, 0.0)
    assert pricing["hours_m"] is None
    assert [key for key in pricing if key.endswith("_us")] == []


def test_a_replay_knows_the_hour_where_its_axis_is_utc(tmp_path: Path) -> None:
    pricing = replayed(tmp_path, NOON_US // S)["pricing"]
    assert (pricing["hours_m"][21], pricing["clock"], pricing["timezone"]) == (6000.0, "recording", "Asia/Tokyo")


def test_a_replay_uses_the_formula_that_is_set(tmp_path: Path) -> None:
    settings = load(None, ["trip.score=gone.toml"])
    recording = tmp_path / "drive.csv"
    recording.write_text("time_s,speed_mps\n0,1\n1,1\n")
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        next(replay(settings, EMPTY, opened([recording], None)))


def test_the_terms_are_those_of_settings_and_map() -> None:
    table = replace(EMPTY, tank_l=45.0)
    assert terms.load(load(None, ["device.timezone=Asia/Tokyo"]), table) == Terms(score.Formula(), "Asia/Tokyo", 45.0)
