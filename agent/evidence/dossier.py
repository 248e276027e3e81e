"""The evidence of one event, put together from records: its table, all that came in, what is missing. Pure."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.capture.ring import Entry, entries
from agent.codec import CodecError, Record
from agent.errors import InputError

INFLATED_MAX = 1 << 22
"""A part holds 60,000 bytes of the ring; whoever wrote the file may say otherwise."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """What records tell of one event; `entries` in the order they came in, on the axis of `boot`."""

    event: Record
    parts: tuple[Record, ...]
    boot: int
    table: dict[str, Any] | None
    entries: tuple[Entry, ...]
    missing: tuple[str, ...]
    """What of it is not here, in words."""

    first: int | None = None
    """The event it was caught with, where another came first: the table is of that one."""

    @property
    def blow_us(self) -> int:
        """Time zero."""
        told = (self.table or {}).get("zero_us", self.event.body.get("start_us"))
        return told if isinstance(told, int) else 0


def numbers(records: Iterable[Record]) -> list[int]:
    """The events of which there is evidence here, by their number."""
    return sorted({record.body["event"] for record in records if _is_part(record)})


def dossier(records: Sequence[Record], number: int | None = None) -> Dossier:
    """Of the event of this number, None: the only one. InputError: there is none, or several."""
    there = numbers(records)
    if number is None and len(there) != 1:
        found = f"of events {', '.join(map(str, there))}: name one" if there else "of no event"
        raise InputError(f"there is evidence {found}")
    seq = there[0] if number is None else number
    event = next((one for one in records if one.seq == seq and one.kind == "event"), None)
    parts = sorted((one for one in records if _is_part(one) and one.body["event"] == seq), key=_part)
    see = next((one.body.get("see") for one in parts if one.body.get("form") == "same"), None)
    first = see if see in there else None
    if first is not None:
        parts = sorted((one for one in records if _is_part(one) and one.body["event"] == first), key=_part)
    if event is None or not parts:
        known = ", ".join(map(str, there)) or "none"
        raise InputError(f"there is no evidence of an event {seq} here; of these there is: {known}")
    table = next((one.body.get("table") for one in parts if one.body.get("form") == "table"), None)
    boot = int(parts[0].body.get("boot", parts[0].boot))
    came, bad = _entries(parts)
    missing = (*_missing(parts), *bad)
    return Dossier(event, tuple(parts), boot, table if isinstance(table, dict) else None, tuple(came), missing, first)


def _is_part(record: Record) -> bool:
    body = record.body
    return record.kind == "evidence" and type(body.get("event")) is int and type(body.get("part")) is int


def _part(record: Record) -> int:
    return int(record.body["part"])


def _entries(parts: Iterable[Record]) -> tuple[list[Entry], list[str]]:
    """All that the parts hold, and which cannot be read."""
    found: list[Entry] = []
    bad: list[str] = []
    for part in parts:
        data = part.body.get("data")
        if part.body.get("form") != "ring" or not isinstance(data, bytes):
            continue
        try:
            found += entries(zlib.decompressobj().decompress(data, INFLATED_MAX))
        except (zlib.error, CodecError):
            bad.append(f"part {_part(part)} cannot be unpacked")
    return found, bad


def _missing(parts: Sequence[Record]) -> Iterator[str]:
    """Parts that are not here."""
    told = {_part(one) for one in parts}
    total = next((one.body["parts"] for one in reversed(parts) if one.body.get("parts")), None)
    end = total if isinstance(total, int) else max(told) + 1
    gone = sorted(set(range(end)) - told)
    if gone:
        yield f"parts {', '.join(map(str, gone))} are not here"
    if total is None:
        yield "its last part is not here: there may be more"
    if any(one.body.get("is_capped") for one in parts):
        yield "not everything had room: what is farthest from the blow was left out"
