"""The car on a machine that is late: it drives on unheard, at its own time, and only a blow waits for who hears it."""

import select
import time

import can
import msgspec
import pytest

from hil.car.broadcast import Broadcast
from hil.car.car import PERIODS
from hil.car.recorded_car import RecordedCar
from hil.car.road import Moment
from hil.car.vehicle import Clock
from hil.drive import State
from hil.scenes.recorded import Frame
from hil.scenes.scenario_table import Scenario

BLOW = {"label": "crash", "lasts_s": 0.1, "blow_mps": 5.0}


def scenario(*legs: dict[str, object]) -> Scenario:
    table = {"title": "t", "why": "w.", "places": ["kernel"], "expect": {}, "drive": legs}
    return msgspec.convert(table, Scenario)


def driven(legs: list[dict[str, object]], stalls: dict[float, float], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Times of the moments that come, on a machine that stands still at some of them for so long."""
    now_s = 100.0

    def wait(_r: object, _w: object, _x: object, wait_s: float) -> tuple[list[int], list[int], list[int]]:
        nonlocal now_s
        now_s += wait_s
        return ([0] if now_s > 100.5 else []), [], []

    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    monkeypatch.setattr(select, "select", wait)
    seen = []
    for moment in Clock(scenario(*legs), lambda _: None).moments():
        seen.append(moment.time_s)
        now_s += stalls.get(moment.time_s, 0.0)
    return seen


def steps(first: int, last: int) -> list[float]:
    return [number / 100 for number in range(first, last + 1)]


@pytest.mark.parametrize(
    ("legs", "stalls", "times"),
    [
        pytest.param([{"label": "drives", "lasts_s": 1}], {}, steps(0, 50), id="in time"),
        pytest.param([{"label": "drives", "lasts_s": 1}], {0.10: 0.02}, steps(0, 50), id="caught up"),
        pytest.param([{"label": "drives", "lasts_s": 1}], {0.10: 0.205}, steps(0, 10) + steps(29, 50), id="left out"),
        pytest.param([{"label": "drives", "lasts_s": 0.1}, BLOW], {0.10: 0.205}, steps(0, 32), id="a blow waits"),
    ],
)
def test_what_a_late_machine_missed_is_left_out_but_for_a_blow(
    legs: list[dict[str, object]], stalls: dict[float, float], times: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert driven(legs, stalls, monkeypatch) == times


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        pytest.param([0], set(PERIODS), id="all at first"),
        pytest.param([0, 1], {"ACCEL"}, id="a step later the quickest"),
        pytest.param([0, 99], {name for name, every in PERIODS.items() if every < 100}, id="just before the slow ones"),
        pytest.param([0, 101], set(PERIODS), id="what was due in between"),
    ],
)
def test_a_message_whose_time_was_missed_comes_with_the_next(asked: list[int], names: set[str]) -> None:
    broadcast = Broadcast(scenario({"label": "drives", "lasts_s": 2}), 1)
    said = [broadcast.frames(Moment(State(time_s=step / 100))) for step in asked]
    assert len(said[-1]) == len(names)


class Bus:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send(self, message: can.Message) -> None:
        """One more."""
        self.sent.append(message.data[0])

    def recv(self, _: float) -> None:
        """Nobody says anything."""


def test_of_a_recording_that_comes_late_only_the_newest_of_each_identifier_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, bus = 100.0, Bus()
    every_100_ms = [Frame(number * 100_000, "can0", "123", f"{number:02X}") for number in range(12)]

    def wait(_r: object, _w: object, _x: object, wait_s: float) -> tuple[list[int], list[int], list[int]]:
        nonlocal now_s
        now_s += 0.55 if len(bus.sent) == 3 else wait_s  # the machine stands still from 0.2 s on
        return ([0] if now_s > 101.5 else []), [], []

    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    monkeypatch.setattr(select, "select", wait)
    RecordedCar(bus, every_100_ms).drive()  # type: ignore[arg-type]
    assert bus.sent == [0, 1, 2, 7, 8, 9, 10, 11]
