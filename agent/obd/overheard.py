"""Trouble codes and the lamp in a recording of what somebody asked a car: two readings in a row count. Pure."""

from collections.abc import Iterator
from typing import Any

from agent.obd.answers import Assembler
from agent.obd.findings import Finding, finding
from agent.obd.trouble import Body, Trouble
from drivers.batch import ERROR, REMOTE
from drivers.bus.diagnostic import Answer
from drivers.bus.pick import picked

NOTHING = dict.fromkeys(
    ("peak_mps2", "entry_mps", "exit_mps", "delta_v_mps", "delta_v_s", "lat_deg", "lon_deg", "direction", "rule")
)


class Overheard:
    """Batches in, `dtc` and `mil` events out, as `tbox replay` tells them."""

    def __init__(self) -> None:
        self._assemblers: dict[int, Assembler] = {}
        self._trouble = Trouble()

    def step(self, batch: bytes, trip: int | None) -> Iterator[dict[str, Any]]:
        """What this batch brings to an end; `trip` is the one that is open."""
        for found in self._findings(batch):
            yield from (event(body, trip) for body in self._trouble.step([found]))

    def _findings(self, batch: bytes) -> Iterator[Finding]:
        for t_us, channel, identifier, flags, data in picked(batch):
            assembler = self._assemblers.setdefault(channel, Assembler())
            payload = None if flags & (ERROR | REMOTE) else assembler.put(t_us, identifier, data)
            found = finding(Answer(t_us, identifier, payload)) if payload else None
            if found is not None:
                yield found


def event(body: Body, trip: int | None) -> dict[str, Any]:
    """A body of a `dtc` record as an event: `code` and `kind` of a trouble code, `value` 1 for a lamp that came on."""
    is_lamp = body["dtc"] == "lamp"
    at_s = body["at_us"] / 1e6
    return {
        "record": "event",
        "event": "mil" if is_lamp else "dtc",
        "start_s": at_s,
        "end_s": at_s,
        **NOTHING,
        "severity": "low" if body.get("kind") == "pending" else "medium",
        "confidence": 1.0,
        "sources": ["vehicle"],
        "dv_clipped": False,
        "locked": False,
        "value": float(body["is_on"]) if is_lamp else None,
        "trip": trip,
        "change": body["dtc"],
        "code": body.get("code"),
        "kind": body.get("kind"),
        "ecu": body["ecu"],
        "freeze": body.get("freeze"),
    }


def overheard_words(told: dict[str, Any]) -> str:
    """Such an event on one line."""
    if told["event"] == "mil":
        return f"mil: the lamp of unit {told['ecu']} went {'on' if told['value'] else 'off'}"
    what = "freeze frame" if told["change"] == "freeze" else f"{told['kind']} code"
    return f"dtc: {what} {told['code']} of unit {told['ecu']}" + (
        "" if told["change"] == "freeze" else f" {told['change']}"
    )
