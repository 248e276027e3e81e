"""What comes of a scenario in place process, kept beside it: NAME.expected.jsonl, an event or a trip a line, rounded.

It changes only together with a change of behaviour that is meant: `python -m hil run NAME --place process --write`.
No place on earth stands in it, and no date: times are seconds from the scenario's begin.
"""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from hil.outcome import EventFound, Outcome, TripFound
from hil.report.verdict import Finding
from hil.scenes.scenario_file import FOLDER

DIGITS = {"start_s": 2, "end_s": 2, "peak_mps2": 1, "delta_v_mps": 1, "value": 1, "distance_m": 0}
"""Coarser than any machine's sine differs from another's."""
NAME = "as it was"


def beside(path: Path) -> Path:
    """Where the outcome of this scenario is kept."""
    return path.with_suffix(".expected.jsonl")


def text(outcome: Outcome) -> str:
    """The lines of its file."""
    events = sorted(outcome.events, key=lambda event: (event.start_s, event.kind))
    lines = [_line("event", event) for event in events] + [_line("trip", trip) for trip in outcome.trips]
    return "".join(f"{line}\n" for line in lines)


def write(path: Path, outcome: Outcome) -> bool:
    """Keep what came of it; whether that is another than before."""
    file, now = beside(path), text(outcome)
    if file.exists() and file.read_text(encoding="utf-8") == now:
        return False
    file.write_text(now, encoding="utf-8")
    return True


def compare(path: Path, outcome: Outcome) -> Iterator[Finding]:
    """Whether it came out as is kept. A scenario that does not ship may have nothing kept."""
    file = beside(path)
    way = f"if it is meant: python -m hil run {_named(path)} --place process --write"
    if file.exists():
        was, now = file.read_text(encoding="utf-8").splitlines(), text(outcome).splitlines()
        apart = [(one, two) for one, two in zip_longest(was, now) if one != two]
        yield Finding(NAME, not apart, f"{_told(apart)}; {way}" if apart else f"{len(now)} lines in {file.name}")
    elif path.parent == FOLDER:
        yield Finding(NAME, holds=False, words=f"there is no {file.name} yet; {way}")


def _line(record: str, found: EventFound | TripFound) -> str:
    """One event or trip; what is not known or not so is left out."""
    parts: dict[str, Any] = {"record": record}
    for name, told in msgspec.to_builtins(found).items():
        if told is not None and told is not False and told != []:
            parts[name] = round(told, DIGITS[name]) + 0.0 if name in DIGITS else told
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def _told(apart: list[tuple[str | None, str | None]]) -> str:
    """The first difference, and how many more there are."""
    was, now = apart[0]
    more = f", {len(apart) - 1} more lines differ" if len(apart) > 1 else ""
    return f"was {was or 'nothing'}, now {now or 'nothing'}{more}"


def _named(path: Path) -> str:
    return path.stem if path.parent == FOLDER else str(path)
