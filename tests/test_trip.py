"""Trips: when one begins, when it is numbered, when and why it ends. Samples are written here by hand, one a second."""

from dataclasses import dataclass, field

import pytest

from agent.core import Event, Sample
from agent.settings import Trip as TripRule
from agent.trip.trip import EventFound, Moment, TripEnded, Trips, TripStarted
from drivers.batch import SIGNALS

S = 1_000_000
RULE = TripRule()


@dataclass
class Road:
    """Drives a car second by second and collects what the trip room says."""

    trips: Trips = field(default_factory=lambda: Trips(RULE))
    at_s: int = 0
    distance_m: float = 0.0
    moving_us: int = 0
    idle_us: int = 0
    limit_us: int = 0
    motion_us: int | None = None
    engine_us: int | None = None
    odometer_m: float | None = None
    said: list[Moment] = field(default_factory=list)
    last: Sample | None = None

    def go(self, seconds: int, speed_mps: float, engine: str = "unknown", limit: bool = False) -> "Road":
        """So many seconds at this speed."""
        for _ in range(seconds):
            self.at_s += 1
            if speed_mps >= 1 / 3.6:
                self.moving_us, self.motion_us = self.moving_us + S, self.at_s * S
            elif engine == "on":
                self.idle_us += S
            if engine == "on":
                self.engine_us = self.at_s * S
            self.limit_us += S * limit
            self.distance_m += speed_mps
            self.last = self.sample(speed_mps, engine)
            self.said += self.trips.step(self.last)
        return self

    def sample(self, speed_mps: float, engine: str) -> Sample:
        """What the core would say now."""
        values: list[float | None] = [None] * len(SIGNALS)
        values[SIGNALS.index("speed")] = speed_mps
        values[SIGNALS.index("odometer")] = self.odometer_m
        return Sample(
            at_us=self.at_s * S, values=tuple(values), forward_mps2=None, left_mps2=None, distance_m=self.distance_m,
            over_limit_m=0.0, over_limit_us=0, limit_known_us=self.limit_us, moving_us=self.moving_us,
            idle_us=self.idle_us, judged_us=self.moving_us, motion_last_us=self.motion_us, engine_last_us=self.engine_us,
            max_speed_mps=speed_mps, engine=engine,
        )  # fmt: skip

    def event(self, name: str, start_s: int) -> "Road":
        """The core finds something."""
        self.said += self.trips.step(event(name, start_s))
        return self

    def end(self) -> list[Moment]:
        """The input ends here."""
        assert self.last is not None
        self.said += self.trips.finish(self.last, "end_of_input")
        return self.said

    def summaries(self) -> list[dict]:
        """The trips that ended so far."""
        return [m.summary for m in self.said if isinstance(m, TripEnded)]


def event(name: str, start_s: int) -> Event:
    """An event of one second."""
    return Event(
        at_us=(start_s + 1) * S, name=name, start_us=start_s * S, end_us=(start_s + 1) * S, peak_mps2=4.0, entry_mps=15.0,
        exit_mps=11.0, delta_v_mps=-4.0, delta_v_s=None, severity="low", confidence=0.9, sources=("speed",),
        lat_deg=None, lon_deg=None, direction=None, dv_clipped=False, locked=False,
    )  # fmt: skip


def spans(road: Road) -> list[tuple[float, float, str]]:
    """(start s, end s, reason) of each trip."""
    return [(t["start_us"] / S, t["end_us"] / S, t["end_reason"]) for t in road.summaries()]


@pytest.mark.parametrize(
    ("stand_s", "engine", "wanted"),
    [
        pytest.param(299, "unknown", 1, id="just under the wait it goes on"),
        pytest.param(300, "unknown", 2, id="300 s without motion end it"),
        pytest.param(400, "on", 1, id="a running engine keeps it"),
        pytest.param(400, "off", 2, id="a known engine at rest does not"),
    ],
)
def test_a_stop_parts_trips_or_not(stand_s: int, engine: str, wanted: int) -> None:
    road = Road().go(20, 0.0).go(100, 10.0).go(stand_s, 0.0, engine).go(100, 10.0)
    road.end()
    assert len(spans(road)) == wanted


def test_a_trip_is_from_first_to_last_motion() -> None:
    road = Road().go(20, 0.0).go(100, 10.0).go(400, 0.0)
    assert spans(road) == [(20.0, 120.0, "stopped")]
    assert road.summaries()[0]["distance_m"] == 1000.0
    assert road.summaries()[0]["moving_us"] == 100 * S


def test_recording_that_begins_in_motion_loses_no_metre() -> None:
    road = Road().go(60, 10.0)
    road.end()
    assert spans(road) == [(0.0, 60.0, "end_of_input")]
    assert road.summaries()[0]["distance_m"] == 600.0


def test_it_begins_when_the_engine_runs_and_ends_when_it_is_switched_off() -> None:
    road = Road().go(10, 0.0, "off").go(30, 0.0, "on").go(60, 10.0, "on").go(20, 0.0, "on").go(400, 0.0, "off")
    assert spans(road) == [(10.0, 120.0, "stopped")]
    assert road.summaries()[0]["idle_us"] == 50 * S


def test_ignition_flaps_and_shunts_are_no_trips() -> None:
    road = Road().go(10, 0.0, "off").go(60, 0.0, "on").go(30, 0.0, "off").go(2, 2.0, "on").go(400, 0.0, "off")
    assert road.end() == []


@pytest.mark.parametrize(("metres", "trips"), [(4.9, 0), (5.0, 1)])
def test_five_metres_make_a_trip(metres: float, trips: int) -> None:
    road = Road().go(1, metres)
    road.end()
    assert len(spans(road)) == trips


def test_it_is_numbered_at_five_metres_and_backdated() -> None:
    road = Road().go(20, 0.0, "on").go(1, 1.0, "on").go(1, 5.0, "on")
    assert road.said == [TripStarted(0, S)]


def test_events_before_the_number_wait_for_it_and_a_crash_does_not() -> None:
    road = Road().go(130, 0.0, "on").event("idling", 5).event("crash", 120)
    assert road.said == [EventFound(event("crash", 120), None)]
    road.go(3, 5.0, "on")
    assert road.said[1:] == [TripStarted(0, S), EventFound(event("idling", 5), 0)]


def test_events_of_a_drive_that_was_none_stand_alone() -> None:
    road = Road().go(130, 0.0, "on").event("idling", 5).go(2, 0.0, "off")
    assert road.said == [EventFound(event("idling", 5), None)]


def test_events_are_counted_where_they_happened() -> None:
    road = Road().go(60, 10.0).event("harsh_braking", 30).event("harsh_braking", 40).event("speeding", 20).go(400, 0.0)
    road.event("impact", 450)
    assert road.summaries()[0]["events"] == {"harsh_braking": 2, "speeding": 1}
    assert road.said[-1] == EventFound(event("impact", 450), None)


def test_the_limit_is_null_when_none_was_known() -> None:
    road = Road().go(60, 10.0)
    road.end()
    assert road.summaries()[0]["over_limit_us"] is None
    road = Road().go(60, 10.0, limit=True)
    road.end()
    assert road.summaries()[0]["over_limit_us"] == 0


def test_the_odometer_is_reconciled() -> None:
    road = Road(odometer_m=1000.0).go(50, 10.0)
    road.odometer_m = 1510.0
    road.go(1, 10.0)
    road.end()
    assert road.summaries()[0]["odometer"] == {
        "start_m": 1000.0, "end_m": 1510.0, "distance_m": 510.0, "difference_m": 0.0, "scale": 1.0,
    }  # fmt: skip


def test_the_open_trip_can_be_told_at_any_time() -> None:
    road = Road().go(1, 1.0)
    assert road.last is not None
    assert road.trips.interim(road.last, "power_cut") is None
    road.go(20, 10.0)
    told = road.trips.interim(road.last, "power_cut")
    assert told is not None
    assert (told["distance_m"], told["end_reason"]) == (201.0, "power_cut")


def test_two_trips_have_their_own_totals() -> None:
    road = Road().go(10, 0.0).go(60, 10.0).go(400, 0.0).go(30, 20.0).go(400, 0.0)
    assert [t["distance_m"] for t in road.summaries()] == [600.0, 600.0]
    assert [t["max_speed_mps"] for t in road.summaries()] == [10.0, 20.0]
    assert [m.trip for m in road.said if isinstance(m, TripStarted)] == [0, 1]


def test_an_unplugged_terminal_ends_the_trip_at_once() -> None:
    road = Road().go(20, 0.0).go(100, 10.0, "on").event("unplugged", 118)
    assert spans(road) == [(20.0, 120.0, "unplugged")]
    assert road.summaries()[0]["events"] == {"unplugged": 1}


def test_an_alarm_does_not_wait_for_its_trip() -> None:
    for name, told in (
        ("rollover", True),
        ("parked_impact", True),
        ("tow", True),
        ("unplugged", True),
        ("idling", False),
    ):
        road = Road().go(2, 0.0, "on").event(name, 1)
        assert bool([m for m in road.said if isinstance(m, EventFound)]) is told
