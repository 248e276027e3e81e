"""Golden drives: recordings in tests/golden, each beside what comes of it, x.csv or x.log beside x.expected.jsonl.

What comes of a drive is what `tbox replay --json` says, for people to read in a difference, and a last line with a hash of
every output of the core, to its last bit. `make golden` (this file run as a program) writes it anew, deliberately.
"""

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent.core import Core
from agent.maps.compile import compile_map
from agent.maps.maps import SHIPPED
from agent.replay.replay import replay, told
from agent.settings import Settings
from agent.settings.file import load
from agent.vehicle import Table
from drivers.recordings.recording import open_recordings
from tests.native import told as told_to_the_bit
from tests.native.grid_drives import BUS, grid_drives
from tests.packed import read

GOLDEN = Path(__file__).resolve().parent / "golden"
GRID = GOLDEN / "grid.txt"
HOW = tomllib.loads((GOLDEN / "drives.toml").read_text())


@cache
def table_of(path: Path) -> Table:
    """A vehicle map, compiled once."""
    return compile_map(path)


@dataclass(frozen=True)
class Golden:
    """One drive and how it is replayed."""

    path: Path

    @property
    def name(self) -> str:
        """Its story."""
        return self.path.stem

    @property
    def expected(self) -> Path:
        """What must come of it."""
        return self.path.with_suffix(".expected.jsonl")

    @property
    def settings(self) -> Settings:
        """The defaults, and what is set for it."""
        return load(None, HOW.get(self.name, {}).get("sets", []))

    @property
    def table(self) -> Table:
        """The OBD-II map, or its own."""
        name = HOW.get(self.name, {}).get("vehicle")
        return table_of(GOLDEN / name if name else SHIPPED / "obd2.toml")

    @property
    def inputs(self) -> bytes:
        """Its inputs, packed."""
        return read(self.path)

    def outcome(self) -> str:
        """What comes of it now, as the lines of its expected file."""
        things = replay(self.settings, self.table, open_recordings([self.path], None))
        lines = [json.dumps(record, allow_nan=False) for record in map(told, things) if record]
        count, sha256 = digest(self.settings, self.table, self.inputs)
        return "\n".join([*lines, json.dumps({"record": "core", "outputs": count, "sha256": sha256})]) + "\n"


def digest(settings: Settings, table: Table, inputs: bytes) -> tuple[int, str]:
    """How many outputs the core makes of these inputs, and a hash of each to the last bit (`repr` of a float) and of the ring."""
    core = Core(settings, table)
    outputs = core.feed(inputs) + core.finish()
    text = "\n".join(map(repr, outputs)).encode() + core.freeze(1 << 24)
    return len(outputs), hashlib.sha256(text).hexdigest()


def grid_outcomes() -> str:
    """What comes of the drives of tests/native/grid_drives.py: a line each, as in tests/golden/grid.txt."""
    drives = ((name, *digest(settings, BUS, inputs)) for name, settings, inputs in grid_drives())
    return "".join(f"{name} {count} {sha256}\n" for name, count, sha256 in drives)


def all_drives() -> Iterator[Golden]:
    """In order of their names."""
    for path in sorted([*GOLDEN.glob("*.csv"), *GOLDEN.glob("*.log")]):
        yield Golden(path)


def main() -> int:
    """Write what is expected anew and say what changed."""
    changed = 0
    for drive in all_drives():
        now = drive.outcome()
        if not drive.expected.exists() or drive.expected.read_text() != now:
            drive.expected.write_text(now)
            changed += 1
            print(f"{drive.name}: changed")
    print(f"{changed} of {len(list(all_drives()))} golden drives come out otherwise: look at `git diff tests/golden`")
    grid = grid_outcomes()
    changed = len(set(grid.splitlines()) - set(GRID.read_text().splitlines() if GRID.exists() else []))
    GRID.write_text(grid)
    print(f"{changed} grid drives come out otherwise: look at `git diff {GRID.relative_to(GOLDEN.parent.parent)}`")
    changed = told_to_the_bit.write(told_to_the_bit.wanted())
    print(f"{changed} tests' drives come out otherwise: look at `git diff tests/golden/told.txt`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
