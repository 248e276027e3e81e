"""Refuelling and theft: the level before and after, through slosh, slopes, switched-off gauges and short stops."""

import math
from collections.abc import Sequence
from random import Random

import pytest

from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import Timed, Told, drive, value

Part = tuple[str, float, float]
"""("drive", "stand" or "off", seconds, level at its end); "off" tells nothing."""


def rows(parts: Sequence[Part], level: float, *, slosh: float = 2.0, step: float = 0.4) -> list[Timed]:
    """Speed at 1 Hz and level at 0.5 Hz, in steps; it sloshes in driving and for some seconds after."""
    luck, made, at = Random(5), [], 0
    for what, seconds, end in parts:
        for i in range(round(seconds)):
            now = level + (end - level) * i / seconds
            wave = (
                slosh * math.sin(at * 1.7) + luck.uniform(-1, 1)
                if what == "drive"
                else slosh * math.exp(-i / 3) * math.sin(at)
            )
            if what != "off":
                made.append((at, value(at, "speed", 15.0 if what == "drive" else 0.0)))
            if what != "off" and at % 2 == 0:
                made.append((at, value(at, "fuel", min(100.0, max(0.0, round((now + wave) / step) * step)))))
            at += 1
        level = end
    return made


def changes(told: Told) -> list[tuple]:
    return [(e.name, pytest.approx(e.value, abs=1.3)) for e in told.events("refuel", "fuel_drop")]


@pytest.mark.parametrize(
    ("parts", "level", "wanted"),
    [
        pytest.param([("drive", 100, 20), ("stand", 40, 20), ("stand", 120, 80), ("stand", 60, 80), ("drive", 60, 80)], 20,
                     [("refuel", 60)], id="with the ignition on"),
        pytest.param([("drive", 100, 20), ("stand", 20, 20), ("off", 400, 80), ("stand", 30, 80), ("drive", 60, 80)], 20,
                     [("refuel", 60)], id="with the ignition off"),
        pytest.param([("drive", 100, 20), ("stand", 4, 20), ("off", 400, 80), ("stand", 4, 80), ("drive", 90, 80)], 20,
                     [("refuel", 60)], id="off at once and driven off at once"),
        pytest.param([("drive", 100, 60), ("stand", 30, 60), ("off", 4000, 30), ("stand", 30, 30), ("drive", 60, 30)], 60,
                     [("fuel_drop", -30)], id="siphoned in the night"),
        pytest.param([("drive", 100, 60), ("stand", 30, 60), ("stand", 300, 50), ("stand", 60, 50)], 60,
                     [("fuel_drop", -8.5)], id="siphoned slowly: told over the threshold"),
        pytest.param([("drive", 3600, 60), ("stand", 90, 60), ("drive", 3600, 45)], 70, [], id="burnt, not stolen"),
        pytest.param([("drive", 90, 60), ("stand", 50, 60)] * 9, 60, [], id="a town's lights"),
        pytest.param([("drive", 100, 20), ("stand", 40, 20), ("off", 90, 90), ("stand", 40, 90), ("drive", 90, 90), ("stand", 200, 90)],
                     20, [("refuel", 70)], id="told once"),
    ],
)  # fmt: skip
def test_the_level_changes_while_it_stands(parts: list[Part], level: float, wanted: list[tuple]) -> None:
    assert changes(drive(rows(parts, level))) == wanted


def test_a_level_that_is_told_every_ten_seconds_is_of_the_stand_that_began_before_it() -> None:
    """Switched off 3 s after the stop and driven off 8 s after the start: the stand itself hears one level, at its end."""
    parts = [("drive", 97, 20), ("stand", 3, 20), ("off", 405, 80), ("stand", 8, 80), ("drive", 300, 80)]
    seldom = [(at, raw) for at, raw in rows(parts, 20) if raw[8] != batch.SIGNAL_INDEX["fuel"] or at % 10 == 0]
    assert changes(drive(seldom)) == [("refuel", 60)]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param(8.5, ["refuel"], id="over 8 %"), pytest.param(7.9, [], id="just under"),
        pytest.param(-8.5, ["fuel_drop"], id="over 8 % less"), pytest.param(-7.9, [], id="just under, less"),
    ],
)  # fmt: skip
def test_the_threshold_is_eight_percent(change: float, wanted: list[str]) -> None:
    parts = [("stand", 40, 50), ("off", 300, 50 + change), ("stand", 60, 50 + change)]
    assert [e.name for e in drive(rows(parts, 50, slosh=0, step=0.1)).events()] == wanted


def test_an_event_says_when_and_how_much() -> None:
    parts = [("drive", 100, 20), ("stand", 40, 20), ("off", 300, 70), ("stand", 90, 70)]
    (event,) = drive(rows(parts, 20)).events("refuel")
    assert (event.start_us / 1e6, event.severity, event.sources, event.peak_mps2) == (100, "low", ("vehicle",), None)
    assert 440 < event.end_us / 1e6 < 460


def test_a_gauge_that_wakes_up_at_zero_is_no_theft() -> None:
    parts = [("drive", 100, 60), ("stand", 40, 60), ("off", 300, 60), ("stand", 60, 60)]
    woken = [(440 + i / 2, value(440 + i / 2, "fuel", 0.0)) for i in range(10)]
    told = [row for row in rows(parts, 60) if not 440 <= row[0] < 445.5]
    assert not drive(told, woken).events()


def test_a_slope_at_the_kerb_moves_the_float_before_and_after() -> None:
    parts = [("drive", 200, 50), ("stand", 60, 50), ("off", 300, 50), ("stand", 60, 50), ("drive", 200, 50)]
    sloped = []
    for at, raw in rows(parts, 50):
        is_tilted = 200 <= at < 620 and raw[8] == 6
        sloped.append((at, value(at, "fuel", 50 + 9) if is_tilted else raw))
    assert not drive(sloped).events()


@pytest.mark.parametrize("rule", ["refuel", "fuel_drop"])
def test_a_rule_that_is_off_says_nothing(rule: str) -> None:
    parts = [("stand", 40, 20), ("off", 300, 80), ("stand", 60, 80), ("off", 300, 40), ("stand", 60, 40)]
    assert [e.name for e in drive(rows(parts, 20)).events()] == ["refuel", "fuel_drop"]
    assert [e.name for e in drive(rows(parts, 20), sets=[f"detect.{rule}.enabled=false"]).events()] == [
        name for name in ("refuel", "fuel_drop") if name != rule
    ]
