"""A trip for other programs (the right to data portability, GDPR article 20): one JSON object, which names no device.

Keys: `trip_id`, its pseudonym; what `tbox trips show` tells; `event_list`; `notes`, what the driver put beside events;
`samples`, one object per chunk with `start_us`, `step_us` and the cells of each signal (null: not known).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent.codec import CodecError, Record
from agent.columns import decode_columns
from agent.errors import StorageError, UsageError
from agent.rights import trips

FORM = "tbox trip 1"
OF_DEVICE = ("trip", "boot", "seq", "request", "delivered")
"""Numbers that mean something on the device only; an event's number stays, notes refer to it."""


def export(state_dir: Path, output: Path, number: int | None) -> int:
    """Write the trip of this number. UsageError: none is named; InputError: there is none; StorageError."""
    if number is None:
        raise UsageError("--json is for one trip: name it with --trip; `tbox trips list` says which there are")
    told, records = trips.whole(state_dir, number)
    try:
        output.write_text(json.dumps(trip(told, records), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{output}: cannot be written: {error.strerror}") from error
    print(f"{output}: one trip as JSON; it names no device")
    return 0


def trip(told: Mapping[str, Any], records: Iterable[Record]) -> dict[str, Any]:
    """What was told of the trip, and its samples and notes."""
    rows, notes = [], []
    for record in records:
        if record.kind == "samples":
            rows.append(_chunk(record.body))
        elif record.kind == "command":
            notes.append(_of_drive(record.body))
    return {"form": FORM, **_of_drive(told), "notes": notes, "samples": [row for row in rows if row is not None]}


def _of_drive(told: Mapping[str, Any]) -> dict[str, Any]:
    """Without what names the device or a place in its account."""
    return {name: fact for name, fact in told.items() if name not in OF_DEVICE}


def _chunk(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """A chunk of samples; None for one that cannot be read."""
    try:
        chunk = decode_columns(body)
    except CodecError:
        return None
    return {"start_us": chunk.start_us, "step_us": chunk.step_us, "columns": chunk.columns}
