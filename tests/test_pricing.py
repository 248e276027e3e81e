"""The summary for pricing and the score: exact numbers, and nothing lost or changed by telling it in between."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import score
from agent.across import FATIGUE_US, REST_US, Odometer, Wheel
from agent.core import Event, Sample
from agent.errors import SettingsError
from agent.ground import cosine_of, metres
from agent.hours import Dated, Hours
from agent.settings import Trip as TripRule
from agent.settings_file import load
from agent.terms import Terms
from agent.trip import TripEnded, Trips
from drivers.batch import SIGNALS

S = 1_000_000
KMH = 1 / 3.6
NOON_US = 1_750_000_000_000_000 // 86_400_000_000 * 86_400_000_000 + 12 * 3_600_000_000
"""Noon UTC of a day in June 2025."""
START = Sample(
    at_us=0, values=(None,) * len(SIGNALS), forward_mps2=None, left_mps2=None, distance_m=0.0, over_limit_m=0.0,
    over_limit_us=0, limit_known_us=0, moving_us=0, idle_us=0, judged_us=0, motion_last_us=None, engine_last_us=None,
    max_speed_mps=None, engine="unknown",
)  # fmt: skip


def told(**signals: float | None) -> tuple[float | None, ...]:
    return tuple(signals.get(name) for name in SIGNALS)


@dataclass
class Car:
    """Drives second by second."""

    trips: Trips = field(default_factory=lambda: Trips(TripRule()))
    now: Sample = START
    ended: list[dict[str, Any]] = field(default_factory=list)

    def go(self, seconds: int, kmh: float, *, forward: float | None = 0.0, judged: bool = True, **more: Any) -> "Car":
        """So many seconds at this speed; `limit` (km/h) and signals by name go along."""
        limit = more.pop("limit", None)
        for _ in range(seconds):
            before, at_us = self.now, self.now.at_us + S
            moved, over = S * (kmh >= 1), limit is not None and kmh > limit
            self.now = Sample(
                at_us=at_us, values=told(speed=kmh * KMH, **more), forward_mps2=forward, left_mps2=None,
                distance_m=before.distance_m + kmh * KMH, over_limit_m=before.over_limit_m + kmh * KMH * over,
                over_limit_us=before.over_limit_us + S * over, limit_known_us=before.limit_known_us + S * (limit is not None),
                moving_us=before.moving_us + moved, idle_us=0, judged_us=before.judged_us + moved * judged,
                motion_last_us=at_us if moved else before.motion_last_us, engine_last_us=None, max_speed_mps=kmh * KMH,
                engine="unknown",
            )  # fmt: skip
            self.step(self.now)
        return self

    def step(self, output: Sample | Event) -> "Car":
        """An output of the core."""
        self.ended += [moment.summary for moment in self.trips.step(output) if isinstance(moment, TripEnded)]
        return self

    def event(self, name: str, severity: str = "low", confidence: float = 1.0) -> "Car":
        """Something was found in the second before."""
        return self.step(found(name, self.now.at_us, severity, confidence))

    def summary(self) -> dict[str, Any]:
        """The open trip as it stands."""
        interim = self.trips.interim(self.now, "test")
        assert interim is not None
        return interim

    def pricing(self) -> dict[str, Any]:
        """Its part for pricing."""
        return self.summary()["pricing"]


def found(name: str, at_us: int, severity: str, confidence: float) -> Event:
    return Event(
        at_us=at_us, name=name, start_us=at_us, end_us=at_us, peak_mps2=4.0, entry_mps=15.0, exit_mps=11.0,
        delta_v_mps=-4.0, delta_v_s=None, severity=severity, confidence=confidence, sources=("speed",), lat_deg=None,
        lon_deg=None, direction=None, dv_clipped=False, locked=False,
    )  # fmt: skip


def priced(**changed: Any) -> Car:
    return Car(Trips(TripRule(), Terms(**changed)))


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


@pytest.mark.parametrize(
    ("driven_us", "stand_us", "fatigue_us"),
    [
        pytest.param(FATIGUE_US, 0, 0, id="4 h are allowed"),
        pytest.param(FATIGUE_US + S, 0, S, id="a second more is not"),
        pytest.param(FATIGUE_US // 2 + S, REST_US - S, 2 * S, id="a short stand is no rest"),
        pytest.param(FATIGUE_US // 2 + S, REST_US, 0, id="20 min are"),
    ],
)
def test_fatigue_is_driving_beyond_4_h_without_a_rest(driven_us: int, stand_us: int, fatigue_us: int) -> None:
    wheel = Wheel()
    first = replace(START, at_us=driven_us, moving_us=driven_us, motion_last_us=driven_us, max_speed_mps=0.0)
    wheel.step(first)
    if stand_us:
        wheel.step(replace(first, motion_last_us=driven_us))
        wheel.step(replace(first, moving_us=2 * driven_us, motion_last_us=driven_us + stand_us))
    assert wheel.fatigue_us == fatigue_us


def test_a_hole_in_the_data_is_no_rest() -> None:
    wheel = Wheel()
    wheel.step(replace(START, moving_us=FATIGUE_US, motion_last_us=FATIGUE_US, max_speed_mps=20.0))
    wheel.step(replace(START, moving_us=FATIGUE_US + S, motion_last_us=FATIGUE_US + REST_US, max_speed_mps=20.0))
    assert wheel.fatigue_us == S


# ---- fuel, odometer, satellites -------------------------------------------------------------------------------------


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


# ---- events and score -----------------------------------------------------------------------------------------------


def test_events_are_counted_by_kind_and_severity() -> None:
    car = Car().go(2500, 36).event("harsh_braking").event("harsh_braking", "high").event("idling", "medium")
    assert car.pricing()["events"] == {
        "harsh_braking": {"low": 1, "medium": 0, "high": 1, "per_100_km": 8.0},
        "idling": {"low": 0, "medium": 1, "high": 0, "per_100_km": 4.0},
    }


def points(car: Car) -> dict[str, float]:
    return {part["part"]: part["points"] for part in car.pricing()["score"]["parts"] if part["points"]}


def test_a_perfect_trip_has_100_points() -> None:
    scored = Car().go(1000, 36).pricing()["score"]
    assert (scored["value"], scored["band"], scored["reason"]) == (100.0, "very good", None)
    assert [part["part"] for part in scored["parts"]] == list(score.UNITS)


@pytest.mark.parametrize(
    ("events", "lost"),
    [
        pytest.param([("harsh_braking", "low", 1.0)], {"harsh_braking": 5.0}, id="one on 20 km"),
        pytest.param([("harsh_braking", "medium", 1.0)], {"harsh_braking": 10.0}, id="by severity"),
        pytest.param([("harsh_braking", "low", 0.5)], {"harsh_braking": 2.5}, id="by confidence"),
        pytest.param([("harsh_braking", "high", 1.0)] * 9, {"harsh_braking": 25.0}, id="at most its cap"),
        pytest.param([("harsh_cornering", "low", 1.0)], {"harsh_cornering": 4.0}, id="bends weigh less"),
        pytest.param([("idling", "high", 1.0), ("crash", "high", 1.0)], {}, id="what is no part costs nothing"),
    ],
)
def test_events_cost_points(events: list[tuple[str, str, float]], lost: dict[str, float]) -> None:
    car = Car().go(2000, 36)
    for event in events:
        car.event(*event)
    assert points(car) == lost
    assert car.pricing()["score"]["value"] == 100 - sum(lost.values())


def test_rates_of_a_short_trip_are_taken_over_10_km() -> None:
    assert points(Car().go(200, 36).event("harsh_braking")) == {"harsh_braking": 10.0}


def test_each_part_costs_what_its_measure_says() -> None:
    car = Car()
    car.trips.date(Dated(NOON_US + 11 * 3_600_000_000, "ntp"))  # 23:00
    car.go(990, 36, limit=50, forward=0.8).go(10, 60, limit=50, forward=0.8)
    assert points(car) == {"speeding": 1.0, "night": 5.0, "roughness": 1.5}
    reasons = {part["part"]: part["reason"] for part in car.pricing()["score"]["parts"]}
    assert reasons["speeding"] == "1.0 % of the time with a known limit was above it"
    assert reasons["night"] == "100.0 % of the distance between 22:00 and 05:00"
    assert reasons["roughness"] == "root mean square 0.80 m/s² while moving"


def test_what_is_not_known_costs_nothing_and_says_so() -> None:
    parts = {part["part"]: part for part in Car().go(1000, 36, forward=None).pricing()["score"]["parts"]}
    unknown = {name: part["reason"] for name, part in parts.items() if part["measure"] is None}
    assert unknown == {
        "speeding": "no limit was known",
        "night": "the time of day was not known",
        "roughness": "acceleration was not known",
    }


@pytest.mark.parametrize(
    ("car", "reason"),
    [
        pytest.param(Car().go(199, 36), "too short: 2.0 km, at least 2.0 km are needed", id="just under 2 km"),
        pytest.param(Car().go(200, 36), None, id="2 km"),
        pytest.param(Car().go(100, 36).go(101, 36, judged=False), "too poorly judged: 50 % of the driving, at least 50 % are needed", id="just under half"),
        pytest.param(Car().go(100, 36).go(100, 36, judged=False), None, id="half"),
    ],
)  # fmt: skip
def test_a_trip_too_short_or_too_poorly_judged_has_no_score_but_a_reason(car: Car, reason: str | None) -> None:
    scored = car.pricing()["score"]
    assert scored["reason"] == reason
    assert (scored["value"] is None, scored["band"] is None, scored["parts"] == []) == ((reason is not None,) * 3)


KINDS = st.sampled_from(["harsh_braking", "harsh_acceleration", "harsh_cornering", "idling"])
EVENTS = st.tuples(KINDS, st.sampled_from(["low", "medium", "high"]), st.floats(0, 1))


@given(st.lists(EVENTS, max_size=30), EVENTS)
def test_another_event_never_raises_the_score(
    events: list[tuple[str, str, float]], more: tuple[str, str, float]
) -> None:
    car = Car().go(500, 72)
    for event in events:
        car.event(*event)
    before = car.pricing()["score"]["value"]
    assert 0 <= car.event(*more).pricing()["score"]["value"] <= before


@pytest.mark.parametrize(
    ("value", "word"), [(90.0, "very good"), (89.9, "good"), (75.0, "good"), (74.9, "fair"), (49.9, "poor")]
)
def test_a_score_has_a_word(value: float, word: str) -> None:
    measures = dict.fromkeys(score.UNITS, (0.0, "")) | {"harsh_braking": (100.0 - value, "")}
    formula = score.Formula(part=score.Parts(harsh_braking=score.Part(weight=1.0, cap=100.0)))
    assert score.score(formula, measures, 1e6, 1.0)["band"] == word


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


# ---- the formula as data --------------------------------------------------------------------------------------------


def test_the_shipped_formula_holds_every_default() -> None:
    assert score.load("score.toml") == score.Formula()


def test_the_caps_add_up_to_100() -> None:
    parts = score.load("score.toml").part
    assert sum(getattr(parts, name).cap for name in score.UNITS) == 100.0


def test_another_formula_has_another_id(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[part.night]\nweight = 1.0\ncap = 5.0\n")
    assert score.load(str(path)).part.night.weight == 1.0
    assert score.load(str(path)).id != score.Formula().id


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[part.nite]\n", "nite", id="an unknown part"),
        pytest.param("[part.night]\ncap = 101.0\n", "100", id="a cap over 100"),
        pytest.param("speed_bands_kmh = [50.0, 30.0]\n", "rise", id="bands upside down"),
        pytest.param("speed_bands_kmh = [0.0, 30.0]\n", "rise", id="a band of no width"),
        pytest.param("speed_bands_kmh = []\n", "length", id="no bands"),
        pytest.param("[part\n", "line 1", id="no TOML"),
    ],
)
def test_a_formula_that_is_wrong_names_file_and_fault(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=says) as why:
        score.load(str(path))
    assert str(why.value).startswith(str(path))


def test_a_formula_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        score.load(str(tmp_path / "gone.toml"))


@pytest.mark.parametrize("name", ["Europe/Berln", "../etc/passwd", "Europe", "/etc/passwd", "utc/"])
def test_a_time_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"device\.timezone"):
        load(None, [f"device.timezone={name}"])


def test_a_time_zone_that_is_misspelt_gets_its_nearest() -> None:
    with pytest.raises(SettingsError, match="the nearest known is Europe/Berlin"):
        load(None, ["device.timezone=Europe/Berln"])
