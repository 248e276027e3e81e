"""What a platform runs, started here and ended by process number: database, broker, receivers; and what they use."""

import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import psycopg

from hil import ROOT
from hil.fleet.brokers import BROKERS, STOP_S, Broker
from hil.fleet.usage import cpu_s, tree_cpu_s
from hil.places.places import PlaceError
from hil.postgres import Postgres
from hil.wires.broker import BrokerError

TAKING = "taking records"
"""What a receiver says when it is ready."""


class Engines:
    """A database, a broker, and so many receivers; all of it on the loopback, in a folder of its own."""

    broker: Broker

    def __init__(self, folder: Path, receivers: int, engine: str) -> None:
        """Nothing runs before it is entered."""
        self.folder, self._engine = folder, engine
        self.database = Postgres(settings=("max_wal_size=2GB", "shared_buffers=256MB", "checkpoint_timeout=15min"))
        self._names = [str(number + 1) for number in range(receivers)]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._gone_s = 0.0

    def __enter__(self) -> Self:
        """PlaceError: a part does not start."""
        self.database.__enter__()
        try:
            self.broker = BROKERS[self._engine](self.folder)
        except BrokerError as why:
            self.database.__exit__(None, None, None)
            raise PlaceError(str(why)) from None
        for name in self._names:
            self.start(name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            process.wait(STOP_S)
        self.broker.stop()
        self.database.__exit__(kind, error, at)

    def start(self, name: str) -> None:
        """A part of the broker, or a receiver."""
        if name in self.broker.names:
            self.broker.start(name)
            return
        words = [sys.executable, "-m", "hil.receiver", "--store", self.database.address]
        words += self.broker.words(self._names.index(name))
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)  # noqa: S603  (ours)

    def kill(self, name: str) -> None:
        """As a power cut does."""
        if name in self.broker.names:
            self.broker.kill(name)
            return
        process = self._running.pop(name)
        self._gone_s += cpu_s(process.pid)
        process.kill()
        process.wait(STOP_S)

    def await_receivers(self) -> None:
        """Until every receiver takes records. PlaceError: one does not come."""
        until_s = monotonic() + STOP_S
        for name in self._names:
            while TAKING not in (said := self._log(name).read_text()):
                if monotonic() > until_s:
                    told = " ".join(said.split())[-300:] or "they say nothing"
                    raise PlaceError(f"the receivers do not start: {told}")
                sleep(0.1)

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds so far of broker, receivers and database."""
        receivers = self._gone_s + sum(cpu_s(process.pid) for process in self._running.values())
        return {"broker": self.broker.cpu_s(), "receivers": receivers, "database": tree_cpu_s(self.database.pid)}

    def stored(self) -> dict[str, int]:
        """Records, devices, dead letters, bytes of the whole database."""
        with psycopg.connect(self.database.address) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM devices),"
                " (SELECT count(*) FROM dead_letters), pg_database_size(current_database())"
            ).fetchone()
        return dict(zip(("records", "devices", "refused", "bytes"), row or (0, 0, 0, 0), strict=True))

    def heads(self) -> dict[bytes, tuple[int, int, bytes]]:
        """Of each device: how many records, how many numbers, and the hash of its last one."""
        query = (
            "SELECT device, count(*), count(DISTINCT seq), (array_agg(hash ORDER BY seq DESC))[1]"
            " FROM records GROUP BY device"
        )
        with psycopg.connect(self.database.address) as connection:
            rows = connection.execute(query).fetchall()
        return {device: (count, numbers, head) for device, count, numbers, head in rows}

    def _log(self, name: str) -> Path:
        return self.folder / f"receiver-{name}.log"


def missing() -> str:
    """What has to be installed first; empty: the database is here."""
    return "" if Postgres.is_here() else "apt-get install postgresql"
