"""Signals and bus load on the bench's page: as the car sends them, broken where it is silent."""

from typing import Any

import msgspec
import pytest

from hil.books import Books
from hil.car.broadcast import Broadcast
from hil.car.bus_faults import BusFaults
from hil.car.road import moments
from hil.report.chart import small
from hil.report.page_signals import frame_counts, load_plot, signals
from hil.scenes.scenario_file import find, read
from hil.scenes.scenario_table import Scenario


def scenario(**more: Any) -> Scenario:
    table = {
        "title": "a", "why": "a", "places": ["live"], "expect": {},
        "drive": [{"label": "a", "lasts_s": 6, "forward_mps2": 2.0}], **more,
    }  # fmt: skip
    return msgspec.convert(table, Scenario)


def test_every_signal_has_a_curve_over_the_whole_drive() -> None:
    curves = signals(scenario(), 1)
    assert {"SPEED", "RPM", "ODOMETER", "ACCEL_X", "GYRO_Z", "LATITUDE", "SATELLITES"} <= set(curves)
    assert "COUNTER" not in curves
    for parts in curves.values():
        (part,) = parts
        assert (part[0][0], len(part)) == (0.0, pytest.approx(300, abs=10))
        assert part[-1][0] == pytest.approx(6.0, abs=0.05)
    assert max(kmh for _, kmh in curves["SPEED"][0]) == pytest.approx(12 * 3.6, rel=0.1)


def test_a_curve_is_broken_while_nobody_says_it_and_only_that_one() -> None:
    silent = {"name": "missing_ecu", "what": "ENGINE", "from_s": 2, "to_s": 4}
    curves = signals(scenario(fault=[silent]), 1)
    before, after = curves["RPM"]
    assert before[-1][0] < 2
    assert after[0][0] >= 4
    assert len(curves["SPEED"]) == 1


@pytest.mark.parametrize("name", ["bad-bus", "missing-engine", "harsh-day"])
def test_the_load_is_what_the_car_and_its_faults_send(name: str) -> None:
    told = read(find(name))
    broadcast, strays = Broadcast(told, 1), BusFaults(told.fault, 1)
    sent, at = 0, dict(frame_counts(told, 1))
    for moment in moments(told):
        sent += len(strays.until(moment.time_s)) + len(broadcast.frames(moment))
        assert at.pop(moment.time_s, sent) in (sent, 0)
    assert not at


def test_the_load_says_what_would_fill_the_bus() -> None:
    assert "this was 50% at most" in load_plot([(0.0, 0), (1.0, 2000), (2.0, 2100)], (0.0, 2.0), [])
    assert load_plot([(0.0, 0)], (0.0, 2.0), []) == ""


def test_a_small_figure_is_as_high_as_its_curve() -> None:
    text = small("Battery", [[(0.0, 14.0), (1.0, 14.0)], [(3.0, 13.0)]], (0.0, 4.0), "V")
    assert text.count("<polyline") == 2
    assert all(f">{label}<" in text for label in ("13", "13.5", "14", "0:00", "0:04"))
    assert ">0<" not in text
    level = small("Latitude", [[(0.0, 47.0)]], (0.0, 4.0), "deg")
    assert ">47<" in level
    assert ">47.0005<" in level


def test_a_live_run_notes_the_frames_once_a_second() -> None:
    books, row = Books(), dict.fromkeys(("speed_mps", "forward_mps2", "left_mps2", "rpm", "distance_m", "heard"), 0.0)
    for tenth in range(25):
        books.see({**row, "at_us": tenth * 100_000, "time_s": tenth / 10, "frames": tenth * 20}, waiting=None)
    assert books.loads == [(0.0, 0), (1.0, 200), (2.0, 400)]
