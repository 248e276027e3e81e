"""Weeks out of reach, in seconds: what the store keeps, what it says it dropped, how it empties."""

from collections.abc import Mapping
from pathlib import Path

from agent.outbox.store import STORE_NAME
from agent.uplink.pace import BACKLOG_BYTES
from tests.driven import DAY_S, day
from tests.endurance import ALL, DEFAULT_BYTES, LATENCY_S, LIVE_LANES, PROTECTED, RATE_BPS, Story, drain, out_of_reach

TRIPS = 2
"""Trips that differ; the days repeat them."""

LONG_BYTES = 4000
"""More than any record of that week has, with a live one of each lane at the same time."""

SMALL_BYTES, TINY_BYTES = 4_000_000, 600_000
WEEK = 7


def stay(folder: Path, budget_bytes: int, crashes: Mapping[int, int]) -> Story:
    """A week of 8 h a day, with crashes on some of them."""
    return out_of_reach(folder, WEEK, budget_bytes, day(DAY_S, TRIPS), crashes=crashes)


def test_a_week_fits_the_default_budget_four_times_without_a_gap(tmp_path: Path) -> None:
    story = stay(tmp_path, DEFAULT_BYTES, {3: 0})
    assert story.report is not None
    assert (story.report.problems, story.report.dropped) == ([], [])
    assert {kind: story.gone(kind) for kind in ALL} == dict.fromkeys(ALL, 0)
    assert story.used_bytes * 30 / WEEK < DEFAULT_BYTES


def test_a_small_store_keeps_events_trip_ends_and_evidence_and_says_which_samples_it_dropped(tmp_path: Path) -> None:
    story = stay(tmp_path, SMALL_BYTES, {3: 2_000_000})
    assert story.report is not None
    assert story.used_bytes <= SMALL_BYTES
    assert {kind: story.gone(kind) for kind in PROTECTED} == dict.fromkeys(PROTECTED, 0)
    assert story.report.problems == []
    dropped = {entry["kind"]: 0 for entry in story.report.dropped}
    for entry in story.report.dropped:
        dropped[entry["kind"]] += entry["last"] - entry["first"] + 1
    assert dropped == {kind: story.gone(kind) for kind in ("samples", "health") if story.gone(kind)}
    assert dropped["samples"] > story.made["samples"] / 2
    assert story.left["samples"] > 0


def test_a_full_store_empties_while_the_car_drives_on(tmp_path: Path) -> None:
    out_of_reach(tmp_path, 2, SMALL_BYTES, day(DAY_S, TRIPS))
    size = (tmp_path / STORE_NAME).stat().st_size
    gone = drain(tmp_path, SMALL_BYTES)
    assert gone.hours * 3600 < 1.2 * size / RATE_BPS


def test_a_week_of_backlog_delays_live_records_of_no_lane(tmp_path: Path) -> None:
    """The bound: the bytes of backlog that may be ahead, with a long record over them, and the way there and back."""
    out_of_reach(tmp_path, WEEK, DEFAULT_BYTES, day(DAY_S, TRIPS))
    gone = drain(tmp_path, DEFAULT_BYTES)
    assert gone.hours * 3600 > 100, "too short to delay anything"
    for lane in LIVE_LANES:
        assert len(gone.live_s[lane]) > 5
        assert gone.live_s[lane][-1] < (BACKLOG_BYTES + LONG_BYTES) / RATE_BPS + LATENCY_S, lane


def test_what_is_never_dropped_is_vouched_for_to_the_last(tmp_path: Path) -> None:
    story = out_of_reach(tmp_path, 4, TINY_BYTES, day(DAY_S, TRIPS), crashes={0: 0})
    assert story.report is not None
    assert story.report.problems == []
    assert story.gone("event") > 0
    assert {kind: story.gone(kind) for kind in ("evidence", "gap", "key")} == {"evidence": 0, "gap": 0, "key": 0}
