"""A running terminal looked at from outside, without a word to it: its memory, and when its records are on flash."""

import mmap
import sqlite3
import threading
import time
from pathlib import Path

from hil.books import boot_us

POLL_S = 0.001
OPEN_S = 0.05
CHANGES = slice(8, 12)
"""Of the WAL-index's header: a number that grows with each commit, after its sync (sqlite.org/walformat.html)."""


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory, and what of it is anonymous (proc(5)); zeros when it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0, 0.0
    rows = dict(line.split(":", 1) for line in text.splitlines())
    resident, anonymous = (int(rows.get(name, "0").split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return round(resident, 3), round(anonymous, 3)


class Flash:
    """When each record was on flash: by number, microseconds of boot time, up to POLL_S late.

    A thread looks at the store's shared index, which costs no system call, and asks the store, read-only, when a commit
    has come.
    """

    def __init__(self, store: Path) -> None:
        self.synced_us: dict[int, int] = {}
        self._store = store
        self._last = -1
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="flash", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no further."""
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        index = Path(f"{self._store}-shm")
        while not index.exists() or index.stat().st_size < CHANGES.stop:
            if self._is_over.wait(OPEN_S):
                return
        rows = sqlite3.connect(f"{self._store.as_uri()}?mode=ro", uri=True)
        with index.open("rb") as file, mmap.mmap(file.fileno(), CHANGES.stop, prot=mmap.PROT_READ) as header:
            seen = b""
            while not self._is_over.is_set():
                now = header[CHANGES]
                if now != seen and self._note(rows, boot_us()):
                    seen = now
                time.sleep(POLL_S)
        rows.close()

    def _note(self, rows: sqlite3.Connection, now_us: int) -> bool:
        """What is there now and was not the last time; False when it must be asked again: the store is being made."""
        try:
            new = rows.execute("SELECT seq FROM records WHERE seq > ? ORDER BY seq", (self._last,)).fetchall()
        except sqlite3.OperationalError:
            return False
        for (seq,) in new:
            self.synced_us[seq] = now_us
            self._last = seq
        return True
