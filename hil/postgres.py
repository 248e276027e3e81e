"""A PostgreSQL of one's own for a while: a fresh cluster in a folder, on a Unix socket and a free loopback port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from hil.wires.broker import free_port

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
OWNER = "postgres"
"""PostgreSQL refuses to run as root: there, as the user that Debian's package makes."""


class Postgres:
    """Ready when entered; `address` is what libpq takes."""

    def __init__(self, folder: Path | None = None, settings: tuple[str, ...] = ()) -> None:
        """`settings`: more of postgresql.conf, each as `name=value`."""
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="tbox-pg-", dir=folder))
        self._data = self._folder / "data"
        self._settings = settings
        self.address = f"postgresql://{OWNER}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            shutil.chown(self._folder, OWNER)
        self._run("initdb", "-D", str(self._data), "-U", OWNER, "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop("immediate")
        shutil.rmtree(self._folder)

    @staticmethod
    def is_here() -> bool:
        """Whether it is installed."""
        return (BINARIES / "initdb").exists()

    @property
    def pid(self) -> int:
        """The server's process."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        words = [f"-p {self.port}", "-h 127.0.0.1", f"-k {self._folder}", *(f"-c {one}" for one in self._settings)]
        self._run(
            "pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "-o", " ".join(words), "start"
        )

    def stop(self, how: str = "fast") -> None:
        """End it in order, or as a power cut would ("immediate")."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", how, "stop")

    def _run(self, name: str, *words: str) -> None:
        is_root = os.geteuid() == 0
        user = pwd.getpwnam(OWNER) if is_root else None
        subprocess.run(  # noqa: S603  (our own words)
            [str(BINARIES / name), *words],
            check=True,
            capture_output=True,
            cwd="/",
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
