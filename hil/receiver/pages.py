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
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import psycopg
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from hil.receiver import page_parts as parts
from hil.receiver.access import hidden
from hil.receiver.intake import NAME
from hil.receiver.library import Chosen, Library

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
REPORT_S_MAX = 60.0
FLEET = ("/", "Fleet")


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

    def show(self, title: str, lead: str, *sections: str, where: str = "") -> None:
        """A page of ours."""
        self.finish(parts.page(title, lead, where, sections))

    def device(self, library: Library, terminal: str) -> bytes:
        """The device behind a name. 404: nothing of it is stored."""
        found = library.device_of(terminal)
        if found is None:
            raise HTTPError(404, reason="no such vehicle")
        return found

    def write_error(self, status_code: int, **_: Any) -> None:
        """In words, without what happened inside."""
        where = parts.way_back(FLEET, here=f"Error {status_code}")
        self.show(self._reason.capitalize(), f"There is nothing to show ({status_code}).", where=where)


class Fleet(Page):
    """All vehicles."""

    def get(self) -> None:
        """The list."""
        with Library(self._address) as library:
            devices = library.devices()
        km, torn = sum(row["distance_km"] for row in devices), sum(not row["is_whole"] for row in devices)
        lead = f"{len(devices)} vehicles, {sum(row['trips'] for row in devices)} trips, {km:,.0f} km"
        lead += f'; <span class="bad">records of {torn} are missing</span>' if torn else ""
        listed = parts.table("Vehicles", parts.VEHICLES, devices)
        self.show("Fleet", lead, listed if devices else "<p>No terminal has sent anything yet.</p>")


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
        tables = (
            ("Trips", parts.TRIPS, [one | named for one in reversed(trips)]),
            ("Events", parts.EVENTS, [one | named for one in reversed(events)]),
            ("Numbers that will not come", parts.GAPS, gaps),
        )
        lead = f"Account {parts.whole(row)} &middot; last heard {parts.time(row['last_seen'])} &middot; {row['device']}"
        sections = [f"<h2>{name}</h2>{parts.table(name, columns, told)}" for name, columns, told in tables]
        self.show(terminal, lead, *sections[: 3 if gaps else 2], where=parts.way_back(FLEET, here=terminal))


class Trip(Page):
    """A trip's report."""

    async def get(self, terminal: str, trip: str) -> None:
        """As `tbox report` makes it."""
        with Library(self._address) as library:
            device = self.device(library, terminal)
            if not library.trips(Chosen(device, int(trip))):
                raise HTTPError(404, reason="no such trip, or its end has not come yet")
            frames = b"".join(library.records(device, int(trip)))
        above = (FLEET, (parts.vehicle_url(terminal), terminal))
        report = await asyncio.to_thread(reported, frames, terminal)
        self.finish(parts.led(report, parts.way_back(*above, here=f"Trip {trip}")))


class Evidence(Page):
    """A crash's page."""

    async def get(self, terminal: str, event: str) -> None:
        """With all records of the vehicle: the proof block is about the whole account."""
        with Library(self._address) as library:
            frames = b"".join(library.records(self.device(library, terminal)))
        above = (FLEET, (parts.vehicle_url(terminal), terminal))
        report = await asyncio.to_thread(reported, frames, terminal, "--event", event)
        self.finish(parts.led(report, parts.way_back(*above, here=f"Evidence {event}")))


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
        return out.read_text(encoding="utf-8").replace(escape(records.name), escape(name))


# ---- the server ------------------------------------------------------------------------------------------------------


def application(address: str) -> Application:
    """All pages over this database."""
    given = {"address": address}
    name = f"({NAME})"
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
        told = hidden(f"{asked.store}: {' '.join(str(why).split())}")
        print(f"{told}; has a receiver made its tables there?", file=sys.stderr)
        return 74
    except OSError as why:
        print(f"--port {asked.port}: {why.strerror}; name one that is free", file=sys.stderr)
        return 69
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
