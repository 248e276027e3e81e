"""The books of a soak: what the flood sent and ended, what arrived and when, how the terminal looked; an outcome."""

from collections.abc import Mapping
from typing import Any

from agent.codec import Record
from hil.books import account
from hil.soak.outcome import Bus, Look, Timed, ended_by, quantile
from hil.subscriber import Inbox

KINDS = ("classic", "64-byte FD")
"""Of the two buses, in their order."""
KIND = "over_rev"
"""The event that the flood makes and ends."""


class SoakBooks:
    """Filled while it runs. Times are microseconds of boot time; those of an outcome seconds since `begin_us`."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.begin_us = 0
        self.sent: dict[str, int] = {}
        self._arrived_us: dict[int, int] = {}
        self._closed_us: dict[int, int] = {}
        self._looks: list[Look] = []

    def note(self, record: Record, now_us: int) -> None:
        """A new record arrived."""
        self._arrived_us[record.seq] = now_us

    def hear(self, flood: Mapping[str, Any]) -> None:
        """What the flood said last."""
        self.sent = dict(flood.get("sent", {}))
        self._closed_us.update({int(number): int(at_us) for number, at_us in flood.get("closed", ())})

    def look(self, now_s: float, memory_mib: tuple[float, float], waiting: int) -> None:
        """How the terminal is now."""
        resident_mib, anonymous_mib = memory_mib
        self._looks.append(Look(round(now_s, 2), resident_mib, anonymous_mib, waiting, sum(self.sent.values())))

    def sources(self) -> dict[str, dict[str, int]]:
        """The terminal's counters by bus, as its newest health record has them."""
        health = self.inbox.bodies("health")
        return dict(health[-1].body["sources"]) if health else {}

    def is_counted(self) -> bool:
        """Whether a health record accounts for every frame sent."""
        told = self.sources()
        return all(_received(told, name) + _dropped(told, name) >= count for name, count in self.sent.items())

    def is_complete(self) -> bool:
        """Whether the last record is a seal and none is missing."""
        devices = {device for device, _ in self.inbox.records}
        last = max((seq for _, seq in self.inbox.records), default=-1)
        is_sealed = any(record.seq == last for record in self.inbox.bodies("seal"))
        return is_sealed and not any(self.inbox.missing(device) for device in devices)

    def timed(self, synced_us: Mapping[int, int]) -> list[Timed]:
        """Every event that arrived, from its last frame to flash and to here.

        Nothing is published before it is on flash: where the look at the store came later than the record, the record
        tells.
        """
        closed_us, found = sorted(self._closed_us.values()), []
        for record in self.inbox.bodies("event"):
            at_us = ended_by(record.body["end_us"], closed_us) if record.body["event"] == KIND else None
            if at_us is not None and record.seq in self._arrived_us:
                arrived_us, flash_us = self._arrived_us[record.seq], synced_us.get(record.seq)
                flash_ms = None if flash_us is None else (min(flash_us, arrived_us) - at_us) / 1000
                found.append(Timed(self._seconds(at_us), flash_ms, (arrived_us - at_us) / 1000))
        return found

    def words(self, synced_us: Mapping[int, int]) -> str:
        """How it stands, in one line."""
        look, sources, timed = self._looks[-1], self.sources(), self.timed(synced_us)
        dropped = sum(_dropped(sources, name) for name in sources)
        told = [f"{look.frames:,} frames sent", f"{dropped} dropped", f"{look.waiting} waiting"]
        told += [f"{look.resident_mib:.1f} MiB"]
        told += [f"event to broker p99 {quantile([one.broker_ms for one in timed], 0.99):.0f} ms"] if timed else []
        return ", ".join(told)

    def fields(self, flood: Mapping[str, Any], synced_us: Mapping[int, int], flooded_s: float) -> dict[str, Any]:
        """Fields of the outcome, once nothing more comes."""
        told, seals = self.sources(), self.inbox.bodies("seal")
        return {
            "flooded_s": round(flooded_s, 3),
            "late_s": flood.get("late_s", 0.0),
            "refused": flood.get("refused", 0),
            "buses": tuple(
                Bus(name=name, kind=kind, sent=count, received=_received(told, name), dropped=_dropped(told, name))
                for kind, (name, count) in zip(KINDS, self.sent.items(), strict=False)
            ),
            "counters": dict(seals[-1].body["frames"]) if seals else {},
            "looks": tuple(self._looks),
            "closed_s": tuple(self._seconds(at_us) for at_us in sorted(self._closed_us.values())),
            "timed": tuple(self.timed(synced_us)),
            "cpu_share": self._cpu_share(flooded_s),
            "turn_ms": self._turn_ms(),
            "account": account(self.inbox),
        }

    def _seconds(self, at_us: int) -> float:
        return round((at_us - self.begin_us) / 1e6, 3)

    def _cpu_share(self, flooded_s: float) -> float | None:
        """Of one core, between the first and the last health record of the flood; None: too short to tell."""
        ticks = [(self._seconds(record.t_us), record.body["cpu_us"]) for record in self.inbox.bodies("health")]
        ticks = [tick for tick in ticks if 0 <= tick[0] <= flooded_s]
        if len(ticks) < 2:
            return None
        (first_s, first_us), (last_s, last_us) = ticks[0], ticks[-1]
        return float(round((last_us - first_us) / 1e6 / (last_s - first_s), 4))

    def _turn_ms(self) -> float:
        """The longest turn of the loop, as health tells it; the first record's goes back to the start."""
        return max(
            (record.body["loop"]["turn_us_max"] / 1000 for record in self.inbox.bodies("health")[1:]), default=0.0
        )


def _received(sources: Mapping[str, Mapping[str, int]], name: str) -> int:
    return sources.get(name, {}).get("frames", 0)


def _dropped(sources: Mapping[str, Mapping[str, int]], name: str) -> int:
    return sources.get(name, {}).get("dropped", 0)
