"""What must be true at the end of the demo, each as a sentence that holds or not. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.codec import Record
from hil.car.scenario import EXPECTED, Expected
from hil.subscriber import Inbox

DISTANCE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to be so."""

    holds: bool
    words: str


@dataclass(frozen=True, slots=True)
class Drive:
    """What the bench knows of the drive besides what arrived: the truth, and when the link was cut (boot time, us)."""

    distance_m: float
    frames_dropped: int
    cut_us: tuple[int, int]


def check(inbox: Inbox, drive: Drive) -> list[Check]:
    """Everything that had to arrive, and in which form."""
    return [
        *_events(inbox.bodies("event"), drive),
        *_trip(inbox, drive),
        *_account(inbox),
        Check(not drive.frames_dropped, f"the bus lost no frame ({drive.frames_dropped} lost)"),
    ]


def _events(records: Sequence[Record], drive: Drive) -> Iterator[Check]:
    """Each expected event once, none besides."""
    for expected in EXPECTED:
        found = [record for record in records if _is(record.body, expected)]
        yield Check(len(found) == 1, f"{expected.event}: {expected.words}{_count(len(found))}")
    others = [record.body["event"] for record in records if not any(_is(record.body, one) for one in EXPECTED)]
    yield Check(not others, f"no other event{': but ' + ', '.join(others) if others else ''}")
    first, last = drive.cut_us
    during = [record.body["event"] for record in records if first < record.body["start_us"] < last]
    yield Check(
        "harsh_braking" in during, f"begun while there was no link, delivered later: {', '.join(during) or 'none'}"
    )


def _is(body: Mapping[str, Any], expected: Expected) -> bool:
    return body.get("event") == expected.event and expected.direction in (None, body.get("direction"))


def _count(found: int) -> str:
    return "" if found == 1 else f" (arrived {found} times)"


def _trip(inbox: Inbox, drive: Drive) -> Iterator[Check]:
    """One trip, of the right length, ended for the right reason."""
    starts, ends = inbox.bodies("trip_start"), inbox.bodies("trip_end")
    yield Check(len(starts) == len(ends) == 1, f"one trip began and ended ({len(starts)} began, {len(ends)} ended)")
    for end in ends[:1]:
        told_m = end.body["distance_m"]
        is_near = abs(told_m - drive.distance_m) <= DISTANCE_SHARE * drive.distance_m
        yield Check(is_near, f"its distance: {told_m:.1f} m, truly {drive.distance_m:.1f} m")
        yield Check(end.body["end_reason"] == "stopped", f"its end: {end.body['end_reason']}")
    yield Check(bool(inbox.bodies("samples")), f"its samples arrived ({len(inbox.bodies('samples'))} records)")
    parts = [(record.body["part"], record.body["parts"]) for record in inbox.bodies("evidence")]
    yield Check(
        [number for number, _ in parts] == list(range(len(parts))) and parts[-1:] == [(len(parts) - 1, len(parts))],
        f"the crash's evidence arrived, every frame of the last half minute ({len(parts)} parts)",
    )


def _account(inbox: Inbox) -> Iterator[Check]:
    """One device, no number missing, nothing contradictory."""
    devices = sorted({device for device, _ in inbox.records})
    yield Check(len(devices) == 1, f"one device ({', '.join(device.hex() for device in devices) or 'none'})")
    for device in devices:
        highest = max(seq for known, seq in inbox.records if known == device)
        missing = inbox.missing(device)
        yield Check(not missing, f"records 0 to {highest}, none missing{': but ' + str(missing) if missing else ''}")
    again = f", {inbox.redelivered} came twice and were known by (device, seq)" if inbox.redelivered else ", none twice"
    yield Check(not inbox.faults, f"each on its lane{again}" + "".join(f"; {fault}" for fault in inbox.faults))
    seals = inbox.bodies("seal")
    yield Check(bool(seals), f"{len(seals)} seals, signed by the device")
    for seal in seals[-1:]:
        frames = seal.body["frames"]
        used = frames["decoded"] + frames["unmapped"] + frames["rejected"] + frames["dropped"]
        words = ", ".join(f"{count} {name}" for name, count in frames.items() if name != "in")
        yield Check(frames["in"] == used > 0, f"no frame unaccounted for: {frames['in']} in = {words}")
