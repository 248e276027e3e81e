"""Trips, events and ways out of the database.

python -m hil.receiver.exports --store URL trips -o trips.csv

Formats, by the name's ending or --format: csv, parquet (needs pyarrow), geojson, gpx (a way). `--map FILE#TABLE`
renames and converts columns as that table says; shipped is iac27.toml, the shape of T/IAC 27's three files, without a
claim to conform.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from agent.errors import InputError, StorageError, TboxError
from hil.receiver.access import hidden
from hil.receiver.formats import FORMATS, write
from hil.receiver.library import Chosen, Library, Row
from hil.receiver.mapping import mapped

KINDS = ("trips", "events", "way")
PLAIN = {
    "trips": ("device", "trip", "start_utc", "end_utc", "lasts_s", "distance_m", "score", "end_reason"),
    "events": ("device", "seq", "kind", "trip", "start_utc", "lasts_s", "severity", "lat_deg", "lon_deg"),
}
"""Columns of a file without a map; a way has what was told."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    asked = _parser().parse_args(words)
    form = asked.format or asked.output.suffix.removeprefix(".")
    try:
        if form not in FORMATS:
            raise InputError(f"{asked.output}: what format? name it so, or say --format {'|'.join(FORMATS)}")
        with Library(asked.store) as library:
            rows = list(_rows(library, asked))
        table = mapped(rows, asked.map) if asked.map else _plain(rows, asked.what)
        write(table, form, asked.output)
    except TboxError as why:
        print(why, file=sys.stderr)
        return why.exit_code
    except psycopg.Error as why:
        print(hidden(f"{asked.store}: {' '.join(str(why).split())}"), file=sys.stderr)
        return StorageError.exit_code
    print(f"{len(table)} rows in {asked.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hil.receiver.exports", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=KINDS)
    parser.add_argument("--store", required=True, metavar="URL", help="the receiver's PostgreSQL database")
    parser.add_argument("--terminal", metavar="NAME", help="of this one only; a way needs it")
    parser.add_argument("--trip", type=int, metavar="N", help="of this trip only; a way needs it")
    parser.add_argument(
        "--map", metavar="FILE.toml#TABLE", help="columns as a table of this file says, e.g. iac27.toml#overview"
    )
    parser.add_argument("--format", choices=FORMATS)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    return parser


def _rows(library: Library, asked: argparse.Namespace) -> Iterator[Row]:
    """What is asked for. InputError: no such terminal or trip."""
    device = library.device_of(asked.terminal) if asked.terminal else None
    if asked.terminal and device is None:
        raise InputError(f"--terminal {asked.terminal}: nothing of it is stored")
    chosen = Chosen(device, asked.trip)
    if asked.what == "way":
        if device is None or asked.trip is None:
            raise InputError("a way needs --terminal and --trip")
        yield from library.way(device, asked.trip)
    else:
        yield from library.trips(chosen) if asked.what == "trips" else library.events(chosen)


def _plain(rows: Sequence[Row], what: str) -> list[Row]:
    names = PLAIN.get(what) or tuple(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


if __name__ == "__main__":
    sys.exit(main())
