"""What a platform runs, started here and ended by process number: database, broker, receivers; and what they use."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import psycopg

from hil import ROOT
from hil.broker import BrokerError, find_mosquitto, free_port
from hil.places import PlaceError
from hil.postgres import Postgres

STOP_S = 60.0
TAKING = "taking records"
"""What a receiver says when it is ready."""
TICKS = os.sysconf("SC_CLK_TCK")
BROKER = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_dest stderr
log_type error
max_inflight_messages 0
max_queued_messages 0
max_connections -1
{more}"""


class Engines:
    """A database, a broker at `port`, and so many receivers; all of it on the loopback, in a folder of its own."""

    def __init__(self, folder: Path, receivers: int) -> None:
        """Nothing runs before it is entered."""
        self.folder, self.port, self.names = folder, free_port(), [str(number + 1) for number in range(receivers)]
        self.database = Postgres(settings=("max_wal_size=2GB", "shared_buffers=256MB", "checkpoint_timeout=15min"))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._used_s: dict[tuple[str, int], float] = {}

    def __enter__(self) -> Self:
        self.database.__enter__()
        self.start("broker")
        for name in self.names:
            self.start(name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            process.wait(STOP_S)
        self.database.__exit__(kind, error, at)

    def start(self, name: str) -> None:
        """The broker or a receiver. BrokerError: no mosquitto."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(self._words(name), cwd=ROOT, stdout=log, stderr=log)  # noqa: S603  (our own words)

    def await_receivers(self) -> None:
        """Until every receiver takes records. PlaceError: one does not come."""
        until_s = monotonic() + STOP_S
        for log in [self.folder / f"{name}.log" for name in self.names]:
            while TAKING not in (said := log.read_text()):
                if monotonic() > until_s:
                    raise PlaceError(
                        f"the receivers do not start: {' '.join(said.split())[-300:] or 'they say nothing'}"
                    )
                sleep(0.1)

    def kill(self, name: str) -> None:
        """As a power cut does."""
        self._note(name)
        self._running[name].kill()
        self._running.pop(name).wait(STOP_S)

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds so far of broker, receivers and database."""
        for name in self._running:
            self._note(name)
        broker = sum(used for (name, _), used in self._used_s.items() if name == "broker")
        receivers = sum(self._used_s.values()) - broker
        return {"broker": broker, "receivers": receivers, "database": _family_cpu_s(self.database.pid)}

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

    def _words(self, name: str) -> list[str]:
        if name != "broker":
            where = ["--store", self.database.address, "--broker", f"127.0.0.1:{self.port}"]
            return [sys.executable, "-m", "hil.receiver", *where, "--name", name]
        mosquitto = find_mosquitto()
        if mosquitto is None:
            raise BrokerError("the fleet needs mosquitto: apt-get install mosquitto")
        settings = self.folder / "mosquitto.conf"
        settings.write_text(BROKER.format(port=self.port, more="user root\n" if os.geteuid() == 0 else ""))
        return [mosquitto, "-c", str(settings)]

    def _note(self, name: str) -> None:
        process = self._running[name]
        self._used_s[name, process.pid] = _cpu_s(process.pid)


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process that runs; 0 where it is gone (proc(5), /proc/pid/stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _family_cpu_s(pid: int) -> float:
    """Of a process, its children, and those that ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(int(one) for one in fields[11:15]) / TICKS
    return own + sum(_cpu_s(int(child)) for child in children)


def missing() -> str:
    """What has to be installed first; empty: all is here."""
    needs = {"postgresql": Postgres.is_here(), "mosquitto": find_mosquitto() is not None}
    lacks = [name for name, is_here in needs.items() if not is_here]
    return f"apt-get install {' '.join(lacks)}" if lacks else ""
