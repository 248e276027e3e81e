"""`python -m tests.sample_sizes`: what an hour of samples costs in KB (of 1000 bytes), beside other ways, by column.

Bodies are those of `samples` records of 60 s, whole records have the 67 bytes before them too. The others get the same
numbers, rounded to the same steps, and no head: JSON + gzip and msgpack maps a row at a time, a minute at once; delta +
deflate a column after the other, differences in the fewest of 1, 2 or 4 bytes. Walks are an hour each (tests/walks.py);
recordings are counted in whole minutes, and scaled to an hour. Figures go to out/sample_sizes.json too.
"""

import gzip
import json
import struct
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgpack

from agent.codec import ZEROS, encode, pack
from agent.columns import choose_all, decode_columns, encode_columns
from agent.columns.bounds import bounds_of
from agent.settings.samples import Bounds
from agent.trip.account import RESOLUTION
from tests import walks

ROWS = 60
HOUR_S = 3600
TRIP_ID = "0f1e2d3c4b5a6978"
SEEDS = (1, 2)
TARGETS = {"exact, bodies": 32.0, "exact, records": 38.0, "bounded, bodies": 15.0}
OUT = Path(__file__).resolve().parents[1] / "out" / "sample_sizes.json"
WAYS = (
    "JSON + gzip", "msgpack maps", "delta + deflate", "exact, bodies", "exact, records", "bounded, bodies",
    "bounded, records",
)  # fmt: skip

Chunk = dict[str, list[float | None]]


def chunks(drives: Sequence[Sequence[walks.Row]]) -> Iterator[Chunk]:
    """Whole minutes, without columns that nobody told."""
    for drive in drives:
        for first in range(0, len(drive) - ROWS + 1, ROWS):
            rows = drive[first : first + ROWS]
            columns = {name: [row[name] for row in rows] for name in walks.SIGNALS}
            yield {name: cells for name, cells in columns.items() if any(cell is not None for cell in cells)}


def others(chunk: Chunk) -> Iterator[tuple[str, int]]:
    """What the other ways take."""
    digits = {name: max(0, -int(Decimal(repr(RESOLUTION[name])).as_tuple().exponent)) for name in chunk}
    rows = [
        {name: None if cells[row] is None else round(cells[row] or 0.0, digits[name]) for name, cells in chunk.items()}
        for row in range(ROWS)
    ]
    yield "JSON + gzip", len(gzip.compress(json.dumps(rows, separators=(",", ":")).encode(), 9))
    yield "msgpack maps", len(msgpack.packb(rows))
    yield "delta + deflate", len(zlib.compress(b"".join(map(deltas, chunk, chunk.values())), 9))


def deltas(name: str, cells: Sequence[float | None]) -> bytes:
    """Differences of what there is, and which rows there are where some are missing."""
    numbers = [round(cell / RESOLUTION[name]) for cell in cells if cell is not None]
    steps = [after - before for before, after in pairwise(numbers)]
    most = max(map(abs, steps), default=0)
    size = "b" if most < 1 << 7 else "h" if most < 1 << 15 else "i"
    holes = bytes(cell is None for cell in cells) if len(numbers) < len(cells) else b""
    return holes + struct.pack(f"<i{len(steps)}{size}", numbers[0], *steps)


def ours(chunk: Chunk, start_us: int) -> Iterator[tuple[str, float]]:
    """What our columns take, and each of them by its bits."""
    ways: dict[str, dict[str, float]] = {"exact": {}, "bounded": bounds_of(Bounds(), chunk)}
    for way, bounds in ways.items():
        body = {"trip": 40_000, **encode_columns(start_us, 10**6, chunk, RESOLUTION, bounds), "trip_id": TRIP_ID}
        yield f"{way}, bodies", len(pack(body))
        yield f"{way}, records", len(encode("samples", bytes(8), 300, 40_100, start_us + 60 * 10**6, ZEROS, body))
        for name, chosen in choose_all(10**6, chunk, RESOLUTION, bounds).items():
            yield f"{way} {name}", len(chosen.bits) / 8


def measured(drives: Sequence[Sequence[walks.Row]]) -> dict[str, float]:
    """KB an hour, by way and by column."""
    total: defaultdict[str, float] = defaultdict(float)
    count = 0
    for chunk in chunks(drives):
        for name, size in (*others(chunk), *ours(chunk, (HOUR_S + count * ROWS) * 10**6)):
            total[name] += size
        count += 1
    return {name: size / count * HOUR_S / ROWS / 1000 for name, size in total.items()}


def speeds(drives: Sequence[Sequence[walks.Row]]) -> str:
    """Milliseconds to encode and decode a minute."""
    minutes = list(chunks(drives))
    begin = time.process_time()
    exact = [encode_columns(0, 10**6, minute, RESOLUTION) for minute in minutes]
    middle = time.process_time()
    for minute in minutes:
        encode_columns(0, 10**6, minute, RESOLUTION, bounds_of(Bounds(), minute))
    late = time.process_time()
    for body in exact:
        decode_columns(body)
    parts = (middle - begin, late - middle, time.process_time() - late)
    took = [f"{part / len(minutes) * 1000:.1f}" for part in parts]
    return f"a minute takes {took[0]} ms exact, {took[1]} ms bounded, {took[2]} ms to decode"


def table(head: str, names: Sequence[str], found: dict[str, dict[str, float]]) -> Iterator[str]:
    """Rows by name, a column for each drive."""
    yield f"{head:18}" + "".join(f"{drive:>13}" for drive in found)
    for name in names:
        cells = [f"{found[drive][name]:13.2f}" if name in found[drive] else f"{'':13}" for drive in found]
        target = f"   target {TARGETS[name]:.0f}" if name in TARGETS else ""
        yield f"{name:18}" + "".join(cells) + target


def main() -> int:
    """Print the tables; 1 when a walk of a car's own steps misses a target."""
    drives = {f"walk {told}": [walks.walk(seed, HOUR_S, told) for seed in SEEDS] for told in walks.TOLD}
    drives |= dict(walks.recorded()) if walks.DATA.exists() else {}
    found = {name: measured(rows) for name, rows in drives.items()}
    print("\n".join(table("KB an hour", WAYS, found)), end="\n\n")
    for way in ("exact", "bounded"):
        print("\n".join(table(way, [f"{way} {name}" for name in walks.SIGNALS], found)), end="\n\n")
    print(speeds(drives["walk obd"]))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    missed = [
        f"{drive}: {way} {found[drive][way]:.2f} KB, wanted {most:.0f}"
        for drive in ("walk obd", "walk j1939")
        for way, most in TARGETS.items()
        if found[drive][way] > most
    ]
    print("\n".join(missed), end="\n" if missed else "")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
