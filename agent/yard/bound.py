"""The running agent and its binding: what trips carry, whether this is the right car, what is told of it.

The store decides what was told: the newest `binding` record that is there is held against the files when the agent
starts, so after a power cut nothing is told twice and nothing stays untold. Bodies of `binding` records:

    {state: "bound", binding, vin, by, content, previous}      previous: the binding before; None: there was none
    {state: "removed", binding, vin, by, content, previous}
    {state: "wrong_vin" or "right_vin", binding, vin, found, trip}    right_vin: it is back in its own car
"""

import logging
import re
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.codec import CodecError, Record, decode, kind_number
from agent.errors import TboxError
from agent.ledger.ledger import Ledger
from agent.yard import pairing
from agent.yard.binding import VIN, Bond, Tie, match

log = logging.getLogger("tbox")

_NEWEST = "SELECT raw FROM records WHERE kind=? AND raw IS NOT NULL ORDER BY seq DESC LIMIT 64"


class Bound:
    """Once a second `turn`; what it returns must be kept. `told` is what `told_in` found in the store."""

    def __init__(self, state: Path, told: tuple[Mapping[str, Any], str]) -> None:
        self.tie = Tie()
        self._state = state
        self._told, self._found = told
        self._stamp: tuple[int, int, int] | None = None
        self._look()

    def health(self) -> dict[str, Any]:
        """For health records."""
        return {"binding": self.tie.ended() or None}

    def turn(self, ledger: Ledger, now_us: int, asking: Mapping[str, Any], trip: int | None) -> list[Record]:
        """A second went by. `asking` as the asking's health; `trip` the seq of the open trip's start."""
        self._look()
        self.tie.heard = vins_in(asking)
        return [record for body in self._news(trip) for record in ledger.number("binding", now_us, body)]

    def _look(self) -> None:
        """The file, where it changed; what cannot be read leaves things as they are."""
        stamp = pairing.stamp_of(self._state)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.tie.bond = pairing.bond_in(self._state)
        except TboxError as why:
            log.warning("%s", why)

    def _news(self, trip: int | None) -> list[dict[str, Any]]:
        """Bodies of records for what changed."""
        bond, bodies = self.tie.bond, []
        if bond.state == "none" and self._told.get("state") == "bound":
            bond = Bond(state="removed", binding=str(self._told.get("binding")), by=("its file is gone",))
        if bond.state != "none" and (bond.state, bond.content) != (self._told.get("state"), self._told.get("content")):
            previous = self._told.get("binding") if self._told.get("state") == "bound" else None
            named = {"binding": bond.binding, "vin": bond.vin, "by": list(bond.by), "content": bond.content}
            self._told, self._found = {"state": bond.state, **named, "previous": previous}, bond.vin
            bodies.append(dict(self._told))
            log.info("this box is %s: %s", bond.state, bond.binding)
        how = match(bond, self.tie.heard)
        found = bond.vin if how == "right" else self.tie.heard[0] if how == "wrong" else self._found
        if found != self._found:
            self._found = found
            body = {"state": f"{how}_vin", "binding": bond.binding, "vin": bond.vin, "found": found, "trip": trip}
            bodies.append(body)
            log.warning("binding %s is for %s, this car is %s", bond.binding, bond.vin, found)
        return bodies


def vins_in(asking: Mapping[str, Any]) -> tuple[str, ...]:
    """What units told as their VIN, each once, in order; `asking` as the asking's health. What is none is left out."""
    texts = [pair for line in asking.values() for pair in line.get("identity", {}).items()]
    return tuple(sorted({text for what, text in texts if what.startswith("0902") and re.fullmatch(VIN, text)}))


def told_in(store: sqlite3.Connection) -> tuple[dict[str, Any], str]:
    """What the account says: the body that bound or removed last, and the VIN that was found since; empty: nothing."""
    found = ""
    for (raw,) in store.execute(_NEWEST, (kind_number("binding"),)):
        with suppress(CodecError):
            body = dict(decode(raw).body)
            if body.get("state") in {"bound", "removed"}:
                return body, found or str(body.get("vin", ""))
            found = found or str(body.get("found", ""))
    return {}, found
