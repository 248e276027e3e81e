"""The report page: everything that happened is on it, nothing else is needed to read it, and no text breaks it."""

import re
from typing import Any

import msgspec
import pytest

from agent.core import EVENTS as EVENT_NAMES
from agent.page.page import page
from agent.page.plot import Line, Mark, bounds, clock, nice_step, time_chart
from agent.page.plot_track import track
from agent.page.words import EVENT_WORDS
from agent.settings.rules import Harsh
from tests.pages import (
    EVENTS,
    PRICING,
    SAMPLES,
    SCORE,
    UTC_S,
    Reader,
    event,
    full,
    sample,
    trip,
)


def test_nothing_outside_the_page_is_needed() -> None:
    text = full()
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|src=", text)
    assert all((told.get("href") or "#").startswith("#") for _, told in Reader(text).seen)


def test_every_event_has_a_card_and_a_number_on_every_plot() -> None:
    read = Reader(full())
    cards = read.all("article", "card")
    assert [card["id"] for card in cards] == [f"event-{number}" for number in range(1, 6)]
    links = [told["href"] or "" for told in read.all("a", "badge")]
    plots = 5  # speed, acceleration forward and to the left, engine, the way
    assert sorted(links) == sorted(f"#event-{number}" for number in range(1, 6) for _ in range(plots))


@pytest.mark.parametrize(
    "words",
    [
        "Harsh braking", "Harsh acceleration", "Harsh cornering, left", "Idling", "Crash",  # what
        "10:00:20", "1 January 2026, times in UTC",  # when
        "0.63 g", "6.20 m/s²", "Δv 43 km/h, 19 g", "12 s",  # how strong, how long
        "72 → 36 km/h", "front", "speed, motion sensor", "90 %", "-1.00000, -1.00000", "locked",  # what else is known
        "900 m", "1 min 00 s", "50 s", "90 km/h", "65 km/h", "stood long enough with the engine off",  # the trip
        "12 345", "short 2", "A note.", "jolt from below 4",  # the data
        "83 of 100", "good", "16.6 of 25", "2 low, 1 high", " of 25 no limit was known", "0 of 5",  # the score
        "100 minus these points; formula ffffffffffffffff", "over 30", "800 m", "Distance by hour, Europe/Paris",
        "2 low, 1 high, 16.6 on 100 km", "25.0 % of the 1 min 00 s a limit was known", "time from a kept clock",
        "2 min 05 s", "root mean square 0.71 m/s², relative positive acceleration 0.123 m/s²",
        "1.0 l, level 60.0 → 58.0 %", "-5.0 m of 905 m; it went from 905 to 906 km", "1.0056 of ours, learned over 52.0 km",
        "+3.0 m of 897 m in the same seconds",  # what it is priced on
        "Peak 6.20 m/s² ≥ 3.43 m/s²", "Lasted 2.0 s ≥ 0.5 s", "Speed before 72 km/h ≥ 10 km/h", "size of the acceleration that makes an event: 3.43 m/s² (0.35 g)", "slower is not judged",
        "Δv 43 km/h ≥ 8 km/h", "set of rules abc",  # why it is an event
    ],
)  # fmt: skip
def test_it_says(words: str) -> None:
    assert words in re.sub(r"\s+", " ", Reader(full()).text)


def test_text_from_outside_is_escaped() -> None:
    evil = '<i onload="x">&'
    parts = [part | {"part": evil, "reason": evil} for part in SCORE["parts"]]
    scored = SCORE | {"formula": evil, "band": evil, "parts": parts}
    kinds = {evil: PRICING["events"]["harsh_braking"]}
    priced = PRICING | {"timezone": evil, "clock": evil, "score": scored, "events": kinds}
    text = page(
        evil,
        [trip(end_reason=evil, pricing=priced)],
        [
            event(
                evil,
                UTC_S,
                sources=[evil],
                direction=evil,
                rules=evil,
                settings={evil: evil},
                settings_words=[evil],
                rule=evil,
            )
        ],
        [],
        {evil: evil},
        notes=[evil],
    )
    assert "<i onload" not in text
    assert evil in Reader(text).text


def test_the_same_drive_gives_the_same_bytes() -> None:
    assert full() == full()


def test_an_event_outside_any_trip_is_told_apart() -> None:
    read = Reader(page("Drive", [trip()], [event("idling", UTC_S + 500, trip=None)], SAMPLES, {}))
    assert "Outside any trip" in read.text
    assert len(read.all("article", "card")) == 1


def test_without_a_trip_it_says_so_and_still_shows_what_there_is() -> None:
    read = Reader(page("Drive", [], [], SAMPLES, {}))
    assert "No trip in this input" in read.text
    assert read.all("polyline", "speed")


def test_without_anything_it_is_still_a_page() -> None:
    assert "Nothing was driven" in Reader(page("Drive", [], [], [], {})).text


@pytest.mark.parametrize("key", ["speed_mps", "forward_mps2", "left_mps2", "lat_deg", "rpm"])
def test_a_signal_that_is_not_known_leaves_its_plot_out(key: str) -> None:
    missing = [one | {key: None} for one in SAMPLES]
    few, many = Reader(page("Drive", [trip()], EVENTS, missing, {})), Reader(full())
    assert len(few.all("figure")) == len(many.all("figure")) - 1


def test_a_hole_in_the_data_is_a_hole_in_the_line() -> None:
    holed = [one for one in SAMPLES if not UTC_S + 20 < one["time_s"] < UTC_S + 40]
    assert len(Reader(page("Drive", [trip()], [], holed, {})).all("polyline", "speed")) == 2


def test_a_trip_without_a_score_says_why() -> None:
    priced = PRICING | {"score": SCORE | {"value": None, "band": None, "reason": "too short", "parts": []}}
    read = Reader(page("Drive", [trip(pricing=priced)], [], SAMPLES, {}))
    assert "None: too short." in read.text
    assert "of 100" not in read.text


def test_a_trip_that_was_never_priced_is_still_a_page() -> None:
    read = Reader(page("Drive", [trip(pricing=None)], EVENTS, SAMPLES, {}))
    assert not read.all("div", "score")
    assert len(read.all("article", "card")) == 5


def test_an_hour_that_is_not_known_and_a_limit_that_was_not_are_said() -> None:
    dark = {"hours_m": None, "night_m": None, "night_share": None, "clock": None, "over_limit_share": None}
    text = Reader(page("Drive", [trip(pricing=PRICING | dark)], [], SAMPLES, {})).text
    assert "The time of day was not known." in text
    assert "no limit was known" in text


@pytest.mark.parametrize(
    ("name", "direction", "told"),
    [
        ("harsh_braking", None, ["-3.43"]),
        ("harsh_acceleration", None, ["+3.43"]),
        ("harsh_cornering", "left", ["+3.43"]),
        ("harsh_cornering", "right", ["-3.43"]),
        ("harsh_cornering", None, ["+3.43", "-3.43"]),
        ("idling", None, []),
    ],
)
def test_the_threshold_lies_on_the_side_of_the_event(name: str, direction: str | None, told: list[str]) -> None:
    made = event(name, UTC_S + 20, direction=direction, settings=msgspec.to_builtins(Harsh()))
    read = Reader(page("Drive", [trip()], [made], SAMPLES, {}))
    assert [word for word in read.words if word.endswith("3.43")] == told


def test_a_card_shows_the_rows_around_its_event_where_there_are_some() -> None:
    window = [sample(UTC_S + 20 + tenth / 10, measured_mps2=-5.0, forward_mps2=None) for tenth in range(20)]
    read = Reader(page("Drive", [trip()], [event("harsh_braking", UTC_S + 20, window=window)], SAMPLES, {}))
    drawn = [told["points"] or "" for told in read.all("polyline", "measured")]
    assert [len(points.split()) for points in drawn] == [20]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param({"event": "over_rev", "value": 5120.4}, "5120 1/min", id="a value decides"),
        pytest.param({"event": "low_battery", "value": 11.62}, "11.6 V", id="a small value"),
        pytest.param({"event": "gnss_loss", "value": None}, "2 s", id="a length decides"),
        pytest.param(
            {"event": "rollover", "value": 61.0, "rule": "attitude"}, "Decided by gravity, at rest", id="its way"
        ),
        pytest.param({"event": "brand_new", "value": None}, "Brand new", id="one nobody named"),
    ],
)
def test_every_kind_of_event_has_words(told: dict[str, Any], words: str) -> None:
    made = event(**{"start_s": UTC_S + 20, "peak_mps2": None, "name": told.pop("event"), **told})
    assert words in Reader(page("Drive", [trip()], [made], SAMPLES, {})).text


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_event_of_the_core_has_words(name: str) -> None:
    assert name in EVENT_WORDS


def test_numbers_of_events_side_by_side_stay_readable() -> None:
    marks = [
        Mark(number, "low", at_s, at_s, None, "") for number, at_s in ((1, 10.0), (2, 11.0), (3, 99.0), (4, 100.0))
    ]
    text = time_chart([], (0.0, 100.0, 0.0), marks, unit="")
    assert re.findall(r"left:([0-9.]+)%\">[0-9]</a>", text) == ["10.00", "14.50", "95.50", "100.00"]


def test_two_trips_have_a_section_each() -> None:
    second = trip(trip=1, start_s=UTC_S + 1000, end_s=UTC_S + 1060)
    read = Reader(page("Drive", [trip(), second], [*EVENTS, event("harsh_braking", UTC_S + 1010, trip=1)], SAMPLES, {}))
    assert [word for word in read.words if word.startswith("Trip ")] == ["Trip 1 of 2", "Trip 2 of 2"]


def test_a_long_drive_is_thinned_and_keeps_its_peaks() -> None:
    heights = [(float(second), 120.0 if second == 7777 else 50.0) for second in range(20_000)]
    text = time_chart([Line("Speed", "speed", heights)], (0.0, 20_000.0, 0.0), [], unit="km/h", axis=(0.0, 20.0))
    points = next(told["points"] for told in Reader(text).all("polyline", "speed"))
    assert points is not None
    assert len(points.split()) < 2000
    assert min(float(pair.split(",")[1]) for pair in points.split()) == pytest.approx(1000 * (1 - 120 / 150), abs=0.1)


@pytest.mark.parametrize(("spread", "step"), [(100.0, 50.0), (60.0, 20.0), (1.0, 0.5), (0.0, 1.0), (7.9, 2.0)])
def test_steps_of_an_axis_are_round(spread: float, step: float) -> None:
    assert nice_step(spread, 4) == pytest.approx(step)


@pytest.mark.parametrize(
    ("heights", "floor", "expected"),
    [([0.0, 62.0], 0.0, (0.0, 80.0, 20.0)), ([-5.2, 4.8], None, (-10.0, 5.0, 5.0)), ([], 0.0, (0.0, 20.0, 5.0))],
)
def test_an_axis_holds_all_its_values(
    heights: list[float], floor: float | None, expected: tuple[float, float, float]
) -> None:
    assert bounds(heights, floor=floor, least=20.0 if floor is not None else 1.0) == expected


@pytest.mark.parametrize(
    ("time_s", "origin_s", "words"),
    [(UTC_S + 61, UTC_S, "10:01:01"), (161.0, 100.0, "1:01"), (3761.0, 100.0, "1:01:01"), (100.0, 100.0, "0:00")],
)
def test_a_moment_is_told_by_the_clock_or_since_the_start(time_s: float, origin_s: float, words: str) -> None:
    assert clock(time_s, origin_s) == words


@pytest.mark.parametrize("ahead", [180.0, -180.0], ids=["eastwards", "westwards"])
def test_a_way_over_the_last_meridian_is_as_long_as_elsewhere(ahead: float) -> None:
    way = [(-17.0, place) for place in (-0.001, 0.0005, 0.002)]
    there = [(latitude, (place + ahead + 180.0) % 360.0 - 180.0) for latitude, place in way]
    marks = [[Mark(1, "high", 0.0, 0.0, places[2], "")] for places in (way, there)]
    assert track(there, marks[1]) == track(way, marks[0])


def test_the_map_keeps_metres_square_and_says_how_long_they_are() -> None:
    way = [(-1.0, -1.0), (-1.0, -0.99), (-0.995, -0.99)]
    read = Reader(track(way, []))
    points = next(told["points"] for told in read.all("polyline"))
    assert points is not None
    first, second, third = ([float(number) for number in pair.split(",")] for pair in points.split()[:3])
    style = next(told["style"] for told in read.all("div", "map"))
    assert style is not None
    aspect = float(style.split(";")[0].split(":")[1])
    east, north = (second[0] - first[0]) * aspect, second[1] - third[1]
    assert east == pytest.approx(2 * north, rel=0.01)
    assert "200 m" in read.text
