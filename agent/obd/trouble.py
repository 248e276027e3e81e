"""From trouble codes, lamp and freeze frames to bodies of `dtc` records: what appeared, what cleared. Pure.

    {"dtc": "appeared" | "cleared", "code": "P0133", "kind": "stored" | "pending" | "permanent", "ecu": "7E8",
     "at_us": of the first read that showed it, "freeze": {"010C": 1726.0, ...} or None}
    {"dtc": "freeze", "code": ..., "ecu": ..., "at_us": ..., "freeze": {...}}      it came after its code was told
    {"dtc": "lamp", "is_on": true, "codes": 2, "ecu": ..., "at_us": ...}           the lamp (mil) changed

Anything counts when two reads in a row show it. A unit that does not answer changes nothing: only its own answer clears
a code. What was told is remembered across restarts, so that nothing is told twice, and forgotten when the VIN says that
this is another car. The numbers of a freeze frame are in SAE J1979's units, named as `tbox decode --obd` names them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.obd.ecu import name
from agent.obd.findings import Codes, Finding, Freeze, Identity, Monitors
from agent.obd.freeze import values

KINDS = {"03": "stored", "07": "pending", "0A": "permanent"}

Body = dict[str, Any]


LAMP, ON = "lamp", "on"
"""The lamp is kept as a code is: "on" appeared or cleared."""

VIN_LETTERS = 17


@dataclass(slots=True)
class Told:
    """Codes that records say are there, and when the latest reads first showed otherwise."""

    codes: set[str] = field(default_factory=set)
    otherwise_us: dict[str, int] = field(default_factory=dict)

    def read(self, t_us: int, codes: Iterable[str]) -> list[tuple[str, int]]:
        """Codes that two reads in a row showed to have appeared or cleared, each with the time of the first of them."""
        differ = self.codes.symmetric_difference(codes)
        certain = [(code, self.otherwise_us[code]) for code in sorted(differ) if code in self.otherwise_us]
        self.otherwise_us = {code: t_us for code in differ if code not in self.otherwise_us}
        self.codes.symmetric_difference_update(code for code, _ in certain)
        return certain


class Trouble:
    """The decider. `state`: what an earlier run gave as its own."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        kept = state or {"vins": [], "told": [], "framed": []}
        self._vins: dict[int, str] = dict(kept["vins"])
        self._told = {(ecu, what): Told(set(codes)) for ecu, what, codes in kept["told"]}
        self._framed: set[tuple[int, str]] = {(ecu, code) for ecu, code in kept["framed"]}
        """Codes whose freeze frame was told."""
        self._frames: dict[int, Freeze] = {}

    def state(self) -> dict[str, list[list[Any]]]:
        """What must survive a restart."""
        return {
            "vins": [[ecu, vin] for ecu, vin in sorted(self._vins.items())],
            "told": [[ecu, what, sorted(told.codes)] for (ecu, what), told in sorted(self._told.items())],
            "framed": [[ecu, code] for ecu, code in sorted(self._framed)],
        }

    def step(self, findings: Iterable[Finding]) -> list[Body]:
        """Bodies of `dtc` records for what these findings show, in their order."""
        return [body for found in findings for body in self._take(found)]

    def _take(self, found: Finding) -> list[Body]:
        match found:
            case Identity(what="0902"):
                self._identify(found)
            case Codes():
                return self._codes(found)
            case Monitors():
                return self._lamp(found)
            case Freeze():
                return self._freeze(found)
        return []

    def _identify(self, found: Identity) -> None:
        """Another VIN from the same unit: another car, of which nothing was told yet."""
        if len(found.text) != VIN_LETTERS:
            return
        if self._vins.get(found.ecu, found.text) != found.text:
            self._vins, self._told, self._framed, self._frames = {}, {}, set(), {}
        self._vins[found.ecu] = found.text

    def _codes(self, found: Codes) -> list[Body]:
        told = self._told.setdefault((found.ecu, found.service), Told())
        return [
            self._change(found, code, at_us, is_there=code in told.codes)
            for code, at_us in told.read(found.t_us, found.codes)
        ]

    def _change(self, found: Codes, code: str, at_us: int, *, is_there: bool) -> Body:
        """A code appeared or cleared; a stored one takes its freeze frame along, each frame for one appearance."""
        freeze = None
        if found.service == "03":
            place, frame = (found.ecu, code), self._frames.get(found.ecu)
            if not is_there:
                self._framed.discard(place)
            if frame is not None and frame.code == code:
                del self._frames[found.ecu]
                if is_there:
                    self._framed.add(place)
                    freeze = values(frame.parts)
        return {
            "dtc": "appeared" if is_there else "cleared",
            "code": code,
            "kind": KINDS[found.service],
            "ecu": name(found.ecu),
            "at_us": at_us,
            "freeze": freeze,
        }

    def _lamp(self, found: Monitors) -> list[Body]:
        told = self._told.setdefault((found.ecu, LAMP), Told())
        return [
            {"dtc": LAMP, "is_on": ON in told.codes, "codes": found.count, "ecu": name(found.ecu), "at_us": at_us}
            for _, at_us in told.read(found.t_us, [ON] if found.is_lamp_on else [])
        ]

    def _freeze(self, found: Freeze) -> list[Body]:
        """The frame is kept for its code; where that was told already, the frame follows it."""
        told = self._told.get((found.ecu, "03"))
        place = (found.ecu, found.code)
        if told is None or found.code not in told.codes:
            self._frames[found.ecu] = found
            return []
        if place in self._framed:
            return []
        self._framed.add(place)
        body = {"dtc": "freeze", "code": found.code, "ecu": name(found.ecu), "at_us": found.t_us}
        return [body | {"freeze": values(found.parts)}]
