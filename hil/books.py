"""The books of a live run: what arrived and when, how the queue stood, what the car did; an outcome at the end."""

import math
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent.codec import Record
from hil.bench import run_agent
from hil.outcome import Account, Live, TruthRow, event_found, trip_found
from hil.subscriber import Inbox
from hil.terminal import Terminal

LOG_CHARACTERS = 20_000
LOAD_S = 1.0
"""So often the frames on the bus are noted."""


def boot_us() -> int:
    """Now, on the clock the records run on."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def utc_us() -> int:
    """What makes boot time UTC, by the wall clock as it stands."""
    return time.time_ns() // 1000 - boot_us()


class Books:
    """Filled while it runs. `utc_us` makes boot time UTC, truly."""

    is_box = False
    """Whether the terminal is a box elsewhere."""
    ahead_us = 0
    """How far this machine's clock is ahead of the terminal's."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.utc_us = utc_us()
        self._arrived: list[tuple[int, Record]] = []
        self._depths: list[tuple[float, int]] = []
        self._clock: list[tuple[int, float]] = []
        self._heard: list[tuple[float, int]] = [(0.0, 0)]
        self.loads: list[tuple[float, int]] = [(0.0, 0)]
        self._truth: dict[float, TruthRow] = {}

    def note(self, record: Record, now_us: int) -> None:
        """A new record arrived."""
        self._arrived.append((now_us, record))

    def see(self, truth: Mapping[str, Any], waiting: int | None) -> None:
        """Where the car is, and how many records wait on the terminal."""
        if not truth:
            return
        row = TruthRow(*(float(truth[name]) for name in TruthRow.__struct_fields__))
        self._truth[row.time_s] = row
        self._clock.append((int(truth["at_us"]), row.time_s))
        if int(truth["heard"]) != self._heard[-1][1]:
            self._heard.append((row.time_s, int(truth["heard"])))
        if row.time_s - self.loads[-1][0] >= LOAD_S:
            self.loads.append((row.time_s, int(truth["frames"])))
        if waiting is not None:
            self._depths.append((row.time_s, waiting))

    def is_complete(self, trips: int) -> bool:
        """So many trips have ended, each is sealed, and no number is missing."""
        ends, seals = self.inbox.bodies("trip_end"), self.inbox.bodies("seal")
        if len(ends) < trips:
            return False
        is_sealed = not ends or any(seal.seq > ends[-1].seq for seal in seals)
        devices = {device for device, _ in self.inbox.records}
        return bool(devices) and is_sealed and not any(self.inbox.missing(device) for device in devices)

    def is_closed(self) -> bool:
        """Whether the last record is the seal with which a terminal ends."""
        last = max(self.inbox.records.values(), key=lambda record: record.seq, default=None)
        return last is not None and last.kind == "seal"

    def outcome(self, truth: Mapping[str, Any], terminal: Terminal, link: str = "") -> dict[str, Any]:
        """The fields of an outcome; `link`: how the terminal's stood. Call it when the agent has ended."""
        seals = self.inbox.bodies("seal")
        frames = dict(seals[-1].body["frames"]) if seals else {}
        health = self.inbox.bodies("health")
        return {
            "events": tuple(event_found(record.body, *self.times_s(record)) for record in self.inbox.bodies("event")),
            "trips": tuple(trip_found(record.body, *self.times_s(record)) for record in self.inbox.bodies("trip_end")),
            "counters": frames,
            "not_judged": dict(health[-1].body.get("not_judged", {})) if health else {},
            "truth": tuple(self._truth.values()),
            "live": Live(
                account=account(self.inbox),
                exit_codes=tuple(terminal.exit_codes),
                depths=tuple(self._depths),
                latencies_ms=tuple(
                    round((now_us - self.ahead_us - record.t_us) / 1000, 2) for now_us, record in self._arrived
                ),
                loads=tuple(self.loads),
                heard=int(truth.get("heard", 0)),
                heard_by=tuple(self._heard),
                kinds=dict(Counter(record.kind for record in self.inbox.records.values())),
                trouble=trouble_words(record.body for record in self.inbox.bodies("dtc")),
                arrived_by=tuple(
                    (round(self.seconds(at_us), 3), number) for number, (at_us, _) in enumerate(self._arrived, 1)
                ),
                silences=silences(health[-1].body) if health else {},
                clocks=tuple(record.body["source"] for record in self.inbox.bodies("clock")),
                utc_error_s=self._utc_error_s(),
                car_dropped=int(truth.get("dropped", 0)),
                is_box=self.is_box,
                link=link,
                log=terminal.log()[-LOG_CHARACTERS:],
            ),
        }

    def seconds(self, at_us: int) -> float:
        """Boot time as time of the drive, which takes longer than it should where the machine is late."""
        index = bisect_right(self._clock, at_us, key=lambda tick: tick[0])
        before, after = self._clock[max(0, index - 1)], self._clock[min(index, len(self._clock) - 1)]
        if before == after or index == 0:
            return before[1] + (at_us - before[0]) / 1e6
        share = (at_us - before[0]) / (after[0] - before[0])
        return before[1] + share * (after[1] - before[1])

    def times_s(self, record: Record) -> tuple[float, float]:
        """When what it tells of began and ended, by the drive's clock."""
        start_us, end_us = (record.body[name] + self.ahead_us for name in ("start_us", "end_us"))
        return round(self.seconds(start_us), 6), round(self.seconds(end_us), 6)

    def _utc_error_s(self) -> float | None:
        """How far off the dates are: by the clock record that knows best, the last of equals; None without any."""
        clocks = [record.body for record in self.inbox.bodies("clock")]
        if not clocks:
            return None
        best = min(reversed(clocks), key=lambda body: math.inf if body["u_us"] is None else body["u_us"])
        off_us: int = abs(best["utc_us"] - best["boot_us"] - self.utc_us)
        return off_us / 1e6


def account(inbox: Inbox) -> Account:
    """Whether what arrived is complete, and what tbox itself says of it."""
    devices = sorted({device for device, _ in inbox.records})
    with tempfile.TemporaryDirectory(prefix="tbox-hil-") as folder:
        pile = Path(folder, "received.tbox")
        pile.write_bytes(inbox.framed())
        verify = run_agent(["verify", str(pile)])
    return Account(
        records=len(inbox.records),
        devices=len(devices),
        missing=tuple(number for device in devices for number in inbox.missing(device)),
        faults=tuple(inbox.faults),
        redelivered=inbox.redelivered,
        seals=len(inbox.bodies("seal")),
        starts=len(inbox.bodies("boot")),
        verify_code=verify.returncode,
        verify_words=(verify.stdout + verify.stderr).strip(),
    )


def silences(health: Mapping[str, Any]) -> dict[str, int]:
    """How often the terminal fell silent, by reason, on all of its buses."""
    told: Counter[str] = Counter()
    for line in health["asking"].values():
        told.update(line["silences"])
    return dict(told)


def trouble_words(bodies: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """What `dtc` records say, in order; a freeze frame, which may come with its code or after it, stands by it."""
    words: list[str] = []
    for body in bodies:
        if body["dtc"] == "lamp":
            words.append(f"lamp {'on' if body['is_on'] else 'off'}")
        elif body["dtc"] == "freeze":
            words.insert(words.index(f"appeared {body['code']} stored") + 1, f"freeze {body['code']}")
        else:
            words.append(f"{body['dtc']} {body['code']} {body['kind']}")
            words += [f"freeze {body['code']}"] if body["freeze"] else []
    return tuple(words)
