"""The score: each part costs what the formula says, and the formula is data."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SettingsError
from agent.settings.file import load
from agent.trip import score
from agent.world.hours import Dated
from tests.ride import NOON_US, Car, points

# ---- events and score -----------------------------------------------------------------------------------------------


def test_events_are_counted_by_kind_and_severity() -> None:
    car = Car().go(2500, 36).event("harsh_braking").event("harsh_braking", "high").event("idling", "medium")
    assert car.pricing()["events"] == {
        "harsh_braking": {"low": 1, "medium": 0, "high": 1, "per_100_km": 8.0},
        "idling": {"low": 0, "medium": 1, "high": 0, "per_100_km": 4.0},
    }


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
