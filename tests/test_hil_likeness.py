"""Two ways through the agent laid beside each other: what counts as the same, exactly and on a bus."""

from typing import Any

import msgspec
import pytest

from hil.outcome import EventFound, Outcome, Told, TripFound
from hil.report.likeness import differences
from hil.report.verdict import judge
from hil.scenes.scenario_table import ExpectTable
from tests.test_hil_verdict import failed, scenario

EVENT = EventFound(
    kind="crash", start_s=12.0, end_s=12.1, severity="high", direction="front", peak_mps2=50.0, delta_v_mps=-9.0,
    is_locked=True, sources=("imu",),
)  # fmt: skip
EARLIER = EventFound(kind="idling", start_s=5.0, end_s=11.0)
TRIP = TripFound(start_s=1.0, end_s=30.0, distance_m=1000.0, end_reason="stopped")
LAST = TripFound(start_s=40.0, end_s=60.0, distance_m=500.0, end_reason="end_of_input")
STOPPED = msgspec.structs.replace(LAST, end_reason="agent_stopped")
FRAMES = {"in": 10, "decoded": 6, "unmapped": 4}


def told(place: str, other: dict[str, Any], **more: Any) -> list[str]:
    """The differences of a crash and two trips, told the other way with these changes."""
    first = {"events": (EVENT, EARLIER), "trips": (TRIP, LAST), "counters": FRAMES, **more}
    second = {"events": (EARLIER, EVENT), "trips": (TRIP, STOPPED), "counters": FRAMES, **other}
    outcome = Outcome(
        scenario="x", place=place, seed=1, took_s=1, drive_s=60, other=msgspec.convert(second, Told), **first
    )
    return list(differences(ExpectTable(tolerance_s=0.1), outcome))


def event(**more: Any) -> dict[str, Any]:
    return {"events": (EARLIER, msgspec.structs.replace(EVENT, **more))}


def trip(**more: Any) -> dict[str, Any]:
    return {"trips": (msgspec.structs.replace(TRIP, **more), STOPPED)}


ROWS = [
    # what the other way tells                       in place process                      on a bus
    ("all the same", {}, "", ""),
    ("later by a microsecond", event(start_s=12.000001), "", ""),
    (
        "later by three",
        event(start_s=12.000003),
        "event 1, crash at 12.00 s: start_s 12.0, the other way 12.000003",
        "",
    ),
    ("within the tolerance", event(end_s=12.199), "end_s 12.1, the other way 12.199", ""),
    ("just over it", event(end_s=12.201), "end_s", "end_s 12.1, the other way 12.201"),
    ("another side", event(direction="left"), "direction front, the other way left", "direction"),
    ("less severe", event(severity="low"), "severity", "severity high, the other way low"),
    ("not locked", event(is_locked=False), "is_locked", "is_locked"),
    ("other sources", event(sources=("imu", "speed")), "sources", "sources"),
    ("rounded", event(peak_mps2=50.001), "", ""),
    ("a little stronger", event(peak_mps2=50.4), "peak_mps2", ""),
    ("stronger", event(peak_mps2=50.6), "peak_mps2", "peak_mps2"),
    ("no size", event(peak_mps2=None), "peak_mps2 50.0, the other way None", "peak_mps2"),
    ("another change of speed", event(delta_v_mps=-8.0), "delta_v_mps", ""),
    ("one event less", {"events": (EARLIER,)}, "event 1, crash at 12.00 s: is told one way only", "one way only"),
    (
        "one more",
        {"events": (EARLIER, EVENT, EVENT)},
        "event 2, crash at 12.00 s: is told one way only",
        "one way only",
    ),
    ("a metre more", trip(distance_m=1001.0), "trip 0: distance_m 1000.0, the other way 1001.0", ""),
    ("a tenth more", trip(distance_m=1120.0), "distance_m", "distance_m"),
    ("begun a second later", trip(start_s=2.0), "trip 0: start_s", ""),
    ("begun two seconds later", trip(start_s=3.0), "start_s", "trip 0: start_s"),
    ("ended otherwise", trip(end_reason="unplugged"), "trip 0: ended stopped, the other way unplugged", "ended"),
    ("one trip", {"trips": (TRIP,)}, "trip 1: is told one way only", "one way only"),
    ("a frame less", {"counters": {**FRAMES, "in": 9}}, "frames: {'in': 10", ""),
]


@pytest.mark.parametrize(("other", "exact", "stamped"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_differs_is_said(other: dict[str, Any], exact: str, stamped: str) -> None:
    for place, words in (("process", exact), ("kernel", stamped)):
        found = told(place, other)
        assert len(found) == bool(words), found
        assert words in "".join(found)


def test_without_anything_to_lay_beside_it_is_red() -> None:
    outcome = Outcome(scenario="x", place="live", seed=1, took_s=1, drive_s=30, counters={"in": 1, "decoded": 1})
    assert failed(judge(scenario(same_as_replay=True), outcome)) == [
        "tbox run and tbox replay tell the same, within 0.1 s"
    ]
