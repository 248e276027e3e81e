"""What a terminal writes down of a day of driving, made through the rooms that make it, to fill stores with.

Trips of 40 min (tests/walks.py), with health every minute, clock records as the daemon makes them, an event every 7 min;
and the evidence of a crash (tests/wrecks.py). No seals: they are for whoever numbers the records.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

from agent.codec import LANES
from agent.core import Core, Sample
from agent.health import Health, Vitals, process
from agent.settings import Uplink as UplinkSettings
from agent.settings import defaults, rules_id
from agent.setup import Rest
from agent.trip.account import Account
from agent.trip.resume import Left
from agent.trip.trip import Trips
from agent.uplink.uplink import Uplink
from agent.world.clock import Reading, Stamp
from drivers.batch import SIGNALS
from tests import walks
from tests.accounts import ledger
from tests.ride import START, found
from tests.wrecks import SETTINGS, TABLE, Terminal

S = 1_000_000
DAY_S, TRIP_S, STAND_S = 8 * 3600, 2400, 360
T0_US = 1_763_800_000 * S
EVENT_S, HEALTH_S, CLOCK_S, JOURNAL_S = 420, 60, 600, 5
LEFT = Left(
    boot=100, stamp=Stamp("0f0e0d0c-0b0a-0908-0706-050403020100", 10**10, T0_US), rest=Rest(3600 * S, 900 * S), is_clean=False,
    kept={
        "asking": {"can0": {"state": "listen", "codes": [], "lamp": False, "answers": ["7E8"]}}, "evidence": [],
        "power": {"taken_ah": 0.25, "volt": 13.9, "since_us": 10**10, "state": "driving"},
        "place": {"at_us": 10**10, "lat_deg": 52.1234567, "lon_deg": 9.7654321, "odometer_m": 123456.7, "way_m": 12345.6},
        "sent": [[number * 3600 * S, 40_000] for number in range(24)],
    },
)  # fmt: skip
"""What a daemon on the road would want to know again, the open trip apart."""

EVENTS = ("harsh_braking", "harsh_acceleration", "harsh_cornering", "speeding", "idling")


@dataclass(frozen=True, slots=True)
class Line:
    """A record to be: when in the drive, and what it says; `trip` is filled in."""

    at_us: int
    kind: str
    body: Mapping[str, Any]


@cache
def day(seconds: int, trips: int) -> tuple[Line, ...]:
    """Driving for so long, in trips of TRIP_S of which so many differ; what the account says of it, in order."""
    drives = [tuple(drive_of(seed)) for seed in range(trips)]
    lines: list[Line] = []
    for number in range(seconds // TRIP_S):
        begin_us = number * (TRIP_S + STAND_S) * S
        lines += [replace(line, at_us=line.at_us + begin_us) for line in drives[number % trips]]
    return tuple(lines)


def drive_of(seed: int, *, has_journals: bool = False) -> Iterator[Line]:
    """One trip, through the rooms that make records of it; lines of kind `journal` say what a power cut must leave."""
    settings = defaults()
    book = ledger()
    trips, account = Trips(settings.trip), Account(book, settings.samples, rules_id(settings.detect))
    health, core = Health(settings.health.period_s, 0), Core(SETTINGS, TABLE)
    for sample in _samples(walks.walk(seed, TRIP_S, "obd")):
        now_us, at_s = sample.at_us, sample.at_us // S
        records = [record for moment in trips.step(sample) for record in account.moment(moment, now_us)]
        records += account.sample(sample)
        if account.is_driving and at_s % EVENT_S == 0:
            event = replace(found(EVENTS[at_s // EVENT_S % len(EVENTS)], now_us, "low", 0.9), lat_deg=52.1, lon_deg=9.7)
            records += [one for told in trips.step(event) for one in account.moment(told, now_us)]
        if account.is_driving and at_s % HEALTH_S == 0:
            records += book.number("health", now_us, health.body(now_us, vitals(core)))
        if account.is_driving and at_s % CLOCK_S == 0:
            records += book.number("clock", now_us, Reading(now_us, T0_US + now_us, 1500, "ntp").body(1))
        yield from (Line(now_us, one.kind, one.body) for one in records if one.kind != "seal")
        if has_journals and at_s % JOURNAL_S == 0:
            left = account.left(trips.interim(sample, "power_cut"), LEFT)
            yield Line(now_us, "journal", {"content": left.journal()})


def _samples(rows: Sequence[walks.Row]) -> Iterator[Sample]:
    """As the core tells a walk, and the stand after it, until the trip is over."""
    now = START
    for row in [*rows, *[{**rows[-1], "speed": 0.0}] * STAND_S]:
        speed, at_us = row["speed"] or 0.0, now.at_us + S
        is_moving, is_on = speed >= 1 / 3.6, at_us <= len(rows) * S
        now = replace(
            now, at_us=at_us, values=tuple(row.get(name) for name in SIGNALS), forward_mps2=0.0,
            distance_m=now.distance_m + speed, moving_us=now.moving_us + S * is_moving,
            idle_us=now.idle_us + S * (is_on and not is_moving), judged_us=now.judged_us + S * is_moving,
            motion_last_us=at_us if is_moving else now.motion_last_us,
            engine_last_us=at_us if is_on else now.engine_last_us, max_speed_mps=speed, engine="on" if is_on else "off",
        )  # fmt: skip
        yield now


def vitals(core: Core) -> Vitals:
    """What a terminal with one bus, a receiver and a sensor tells of itself."""
    source = {"frames": 123_456_789, "dropped": 0, "errors": 0, "bus_off": 0, "reopened": 1}
    return Vitals(
        core=core.counters(),
        sources=dict.fromkeys(("can0", "gnss", "imu"), source),
        queued=dict.fromkeys(LANES, 1234),
        store_bytes=12_345_678,
        flash={"written_bytes": 123_456_789, "driven_us": 123_456_789_000},
        link="down",
        uplink=Uplink(UplinkSettings(), stored_upto=-1, rng=Random(1)).counters(),
        process=process(),
        asking={"can0": {"state": "silent", "reason": "listening only", "answers": ["7E8", "7E9"]}},
        upkeep={"power": {"state": "driving", "reason": "engine on", "volt": 13.9, "taken_ah": 0.25}},
    )


@cache
def crash(data_bytes: int = 0) -> tuple[Mapping[str, Any], ...]:
    """Bodies of the evidence of a crash; their data made so long, all parts together. 0: as they come."""
    terminal = Terminal()
    terminal.drive()
    told = [record.body for record in terminal.records if record.kind == "evidence"]
    parts = [body for body in told if "data" in body]
    size = data_bytes // len(parts)
    return tuple(
        body if not size or body not in parts else {**body, "data": Random(1).randbytes(size)} for body in told
    )
