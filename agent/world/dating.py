"""When was that, in UTC, and how surely: from the clock records of its boot (DESIGN 2). Pure.

A clock record says what time it was at one moment of its boot, and how wrong that may be. A moment is dated by the
record that is surest there: its own bound, and what a quartz may have drifted since or until then. Records that nobody
vouches for count only where there is no other; a clock that was never set (before 2020) dates nothing. Numbers, not
clocks, say what came first: dating changes no order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.world.clock import DRIFT_SHARE
from agent.world.hours import CLOCK_FROM_US


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in UTC; `u_us` bounds its error, None: nobody vouches for it. `source` as in the clock record."""

    utc_us: int
    u_us: int | None
    source: str


class Dating:
    """Clock records in, moments dated."""

    def __init__(self, clocks: Iterable[Mapping[str, Any]]) -> None:
        """Bodies of clock records, in their order; what is malformed or of a clock that was never set is left out."""
        self._boots: dict[int, list[Mapping[str, Any]]] = {}
        for body in clocks:
            numbers = [body.get(name) for name in ("boot", "boot_us", "utc_us")]
            if all(type(one) is int for one in numbers) and body["utc_us"] >= CLOCK_FROM_US:
                self._boots.setdefault(body["boot"], []).append(body)

    def __bool__(self) -> bool:
        """Whether anything can be dated."""
        return bool(self._boots)

    def moment(self, boot: int, at_us: int) -> Moment | None:
        """This moment of this boot; None: nothing dates it."""
        known = self._boots.get(boot, [])
        vouched = [body for body in known if type(body.get("u_us")) is int]
        if not known:
            return None
        best = min(vouched, key=lambda body: _u_us(body, at_us)) if vouched else _nearest(known, at_us)
        u_us = _u_us(best, at_us) if vouched else None
        return Moment(best["utc_us"] + at_us - best["boot_us"], u_us, str(best.get("source", "system")))


def _u_us(body: Mapping[str, Any], at_us: int) -> int:
    """The error of a date by this record: its own, and a quartz's since then."""
    return int(body["u_us"]) + abs(at_us - int(body["boot_us"])) // DRIFT_SHARE


def _nearest(known: list[Mapping[str, Any]], at_us: int) -> Mapping[str, Any]:
    """Told nearest to it: a clock that was set in between was told then."""
    return min(known, key=lambda body: abs(at_us - int(body["boot_us"])))
