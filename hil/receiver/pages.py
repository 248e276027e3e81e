"""The fleet on a page, read-only.

python -m hil.receiver.pages --store URL [--port 8080]

The fleet, a vehicle with its trips and events, a trip's report with events on its way, a crash's evidence with its
proof. The last two are what `tbox report` makes of the records, so a claims handler sees the same page wherever it was
made. On the loopback only, without a login: an operator's own front door stands before it.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import psycopg
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from agent.page_style import STYLE
from hil.receiver.library import Chosen, Library, Row

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
REPORT_S_MAX = 60.0
MORE_STYLE = """
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line);border-radius:14px}
th,td{padding:8px 12px;text-align:left;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
th{color:var(--soft);font-size:.8rem;font-weight:600}td.n,th.n{text-align:right}
.wide{overflow-x:auto}a{color:var(--speed)}.bad{color:var(--high);font-weight:650}.good{color:var(--forward);font-weight:650}
"""


class Page(RequestHandler):
    """What all pages share."""

    def initialize(self, address: str) -> None:
        """`address` of the database; a connection for each page."""
        self._address = address

    def set_default_headers(self) -> None:
        """Nothing from elsewhere, nothing that runs."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def show(self, title: str, lead: str, *sections: str) -> None:
        """A page of ours."""
        self.finish(
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<style>{STYLE}{MORE_STYLE}</style></head><body><main><header><h1>{escape(title)}</h1><p>{lead}</p></header>"
            f"{''.join(sections)}</main></body></html>"
        )

    def device(self, library: Library, terminal: str) -> bytes:
        """The device behind a name. 404: nothing of it is stored."""
        found = library.device_of(terminal)
        if found is None:
            raise HTTPError(404, reason="no such vehicle")
        return found

    def write_error(self, status_code: int, **_: Any) -> None:
        """In words, without what happened inside."""
        self.show(f"{status_code}", f'{escape(self._reason)}. <a href="/">The fleet</a>')


class Fleet(Page):
    """All vehicles."""

    def get(self) -> None:
        """The list."""
        with Library(self._address) as library:
            devices = library.devices()
        km = sum(row["distance_km"] for row in devices)
        lead = f"{len(devices)} vehicles, {sum(row['trips'] for row in devices)} trips, {km:,.0f} km"
        self.show("Fleet", lead, _table(_VEHICLES, devices) if devices else "<p>No terminal has sent anything yet.</p>")


class Vehicle(Page):
    """One of them."""

    def get(self, terminal: str) -> None:
        """Its trips and events, and what is missing of its account."""
        with Library(self._address) as library:
            chosen = Chosen(self.device(library, terminal))
            assert chosen.device is not None
            (row,), trips, events = library.devices(chosen), library.trips(chosen), library.events(chosen)
            gaps = library.gaps(chosen.device)
        named = {"terminal": terminal}
        lead = f'<a href="/">Fleet</a> · device {row["device"]} · {_whole(row)}'
        self.show(
            terminal,
            lead,
            "<h2>Trips</h2>" + _table(_TRIPS, [one | named for one in trips]),
            "<h2>Events</h2>" + _table(_EVENTS, [one | named for one in events]),
            "<h2>Numbers that will not come</h2>" + _table(_GAPS, gaps) if gaps else "",
        )


class Trip(Page):
    """A trip's report."""

    async def get(self, terminal: str, trip: str) -> None:
        """As `tbox report` makes it."""
        with Library(self._address) as library:
            device = self.device(library, terminal)
            if not library.trips(Chosen(device, int(trip))):
                raise HTTPError(404, reason="no such trip, or its end has not come yet")
            frames = b"".join(library.records(device, int(trip)))
        self.finish(await asyncio.to_thread(reported, frames, terminal))


class Evidence(Page):
    """A crash's page."""

    async def get(self, terminal: str, event: str) -> None:
        """With all records of the vehicle: the proof block is about the whole account."""
        with Library(self._address) as library:
            frames = b"".join(library.records(self.device(library, terminal)))
        self.finish(await asyncio.to_thread(reported, frames, terminal, "--event", event))


def reported(frames: bytes, name: str, *more: str) -> str:
    """The page that `tbox report` writes of these records. HTTPError 404 with its words where it writes none."""
    with tempfile.TemporaryDirectory(prefix="tbox-page-") as folder:
        records, out = Path(folder) / f"{name.replace('/', '_')}.records", Path(folder) / "page.html"
        records.write_bytes(frames)
        words = [sys.executable, "-m", "agent.cli", "report", str(records), "-o", str(out), *more]
        done = subprocess.run(words, capture_output=True, text=True, timeout=REPORT_S_MAX, check=False)  # noqa: S603  (ours)
        if done.returncode:
            said = done.stderr.strip().rpartition(f"{records}: ")[2] or "no report"
            raise HTTPError(404, reason=" ".join(said.split())[:200])
        return out.read_text(encoding="utf-8")


# ---- tables ----------------------------------------------------------------------------------------------------------


def _whole(row: Row) -> str:
    if row["is_whole"]:
        return '<span class="good">account without a hole</span>'
    return '<span class="bad">records are missing</span>'


def _time(value: Any) -> str:
    return escape(f"{value:%Y-%m-%d %H:%M} UTC") if value else "not known"


def _number(digits: int, unit: str = "", scale: float = 1.0) -> Any:
    return lambda value: "&ndash;" if value is None else f"{value * scale:,.{digits}f}{unit}"


def _link(row: Row, where: str, text: str) -> str:
    return f'<a href="/vehicle/{escape(row["terminal"], quote=True)}{where}">{escape(text)}</a>'


Column = tuple[str, str, Any]
"""Its head, how it stands (n: right), and how a cell comes of a row."""

_VEHICLES: Sequence[Column] = (
    ("Vehicle", "", lambda row: _link(row, "", row["terminal"])),
    ("Account", "", _whole),
    ("Trips", "n", lambda row: row["trips"]),
    ("km", "n", lambda row: _number(1)(row["distance_km"])),
    ("Events", "n", lambda row: row["events"]),
    ("Last heard", "", lambda row: _time(row["last_seen"])),
)
_TRIPS: Sequence[Column] = (
    ("Trip", "n", lambda row: _link(row, f"/trip/{row['trip']}", str(row["trip"]))),
    ("Begin", "", lambda row: _time(row["start_utc"])),
    ("Minutes", "n", lambda row: _number(0, scale=1 / 60)(row["lasts_s"] and float(row["lasts_s"]))),
    ("km", "n", lambda row: _number(1, scale=0.001)(row["distance_m"])),
    ("Score", "n", lambda row: _number(1)(row["score"])),
    ("End", "", lambda row: escape(str(row["end_reason"] or ""))),
)
_EVENTS: Sequence[Column] = (
    ("Event", "", lambda row: escape(row["kind"].replace("_", " "))),
    ("Begin", "", lambda row: _time(row["start_utc"])),
    ("Severity", "", lambda row: escape(str(row["severity"] or ""))),
    (
        "Trip",
        "n",
        lambda row: "&ndash;" if row["trip"] is None else _link(row, f"/trip/{row['trip']}", str(row["trip"])),
    ),
    ("Evidence", "", lambda row: _link(row, f"/evidence/{row['seq']}", "open") if row["evidence"] else ""),
)
_GAPS: Sequence[Column] = (
    ("From", "n", lambda row: row["first"]),
    ("To", "n", lambda row: row["last"]),
    ("Kind", "", lambda row: escape(row["kind"])),
    ("Reason", "", lambda row: escape(row["reason"])),
)


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """The rows; a sentence where there are none."""
    return f'<div class="wide"><table>{"".join(_lines(columns, rows))}</table></div>' if rows else "<p>None.</p>"


def _lines(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    heads = "".join(f'<th scope="col" class="{style}">{head}</th>' for head, style, _ in columns)
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f'<td class="{style}">{make(row)}</td>' for _, style, make in columns) + "</tr>"
    yield "</tbody>"


# ---- the server ------------------------------------------------------------------------------------------------------


def application(address: str) -> Application:
    """All pages over this database."""
    given = {"address": address}
    name = r"([\w.:@ -]{1,64})"
    return Application(
        [
            ("/", Fleet, given),
            (rf"/vehicle/{name}", Vehicle, given),
            (rf"/vehicle/{name}/trip/(\d{{1,18}})", Trip, given),
            (rf"/vehicle/{name}/evidence/(\d{{1,18}})", Evidence, given),
        ]
    )


async def _serve(address: str, port: int) -> None:
    server = HTTPServer(application(address))
    server.listen(port, "127.0.0.1")
    (listening,) = server._sockets.values()  # noqa: SLF001  (tornado tells a port it chose nowhere else)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
    await asyncio.Event().wait()


def main(words: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m hil.receiver.pages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", required=True, metavar="URL", help="the receiver's PostgreSQL database")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="default: 8080; 0: any that is free")
    asked = parser.parse_args(words)
    try:
        Library(asked.store).devices()
        asyncio.run(_serve(asked.store, asked.port))
    except psycopg.Error as why:
        print(f"{asked.store}: {' '.join(str(why).split())}; has a receiver made its tables there?", file=sys.stderr)
        return 74
    except OSError as why:
        print(f"--port {asked.port}: {why.strerror}; name one that is free", file=sys.stderr)
        return 69
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
