"""What wears the flash: bytes the writer hands to the disk for an hour of driving, and for an hour parked.

The hour is made by tests/driven.py, at default settings: each record is committed by itself, as it comes, a journal
every 5 s of driving, and each record is confirmed when it is on flash. The parts are told by leaving some out: with a log
that is never written back, without journals, without confirmations. A year is DRIVEN_H of driving; the rest of it parked,
asleep where the box can sleep, else awake with its health record every minute. Beside it: what the kernel sent to the
disk meanwhile (proc(5), write_bytes: whole pages of the files, not what the file system or the flash add).
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unittest import mock

from agent.outbox import store, writer
from agent.outbox.outbox import Outbox
from agent.outbox.writer import Writer
from tests.accounts import ledger
from tests.driven import HEALTH_S, TRIP_S, Line, S, drive_of
from tests.native.figure import Figure

DRIVEN_H, YEAR_H = 600, 8760
HOUR_S = 3600
BUDGET_BYTES = 64_000_000
PARKED_JOURNAL_S = 300
NEVER_PAGES = 1 << 20


def figures(folder: Path) -> Iterator[Figure]:
    """All of it."""
    drive = list(drive_of(1, has_journals=True))
    parked = _parked([line for line in drive if line.kind in ("health", "journal")])
    share = HOUR_S / TRIP_S / 1e6
    whole, paged = written(folder, drive)
    log, _ = written(folder, drive, is_log_only=True)
    records, _ = written(folder, [line for line in drive if line.kind != "journal"], is_log_only=True)
    bare, _ = written(folder, [line for line in drive if line.kind != "journal"], is_log_only=True, is_confirmed=False)
    awake, _ = written(folder, parked)
    yield Figure("flash: written for a driven hour", whole * share, "MB")
    yield Figure("flash:   journals in the log", (log - records) * share, "MB")
    yield Figure("flash:   records in the log", bare * share, "MB")
    yield Figure("flash:   confirmations in the log", (records - bare) * share, "MB")
    yield Figure("flash:   written back from the log", (whole - log) * share, "MB")
    yield Figure("flash: sent to the disk for a driven hour", paged * share, "MB")
    yield Figure("flash: written for an hour parked and awake", awake / 1e6, "MB")
    yield Figure(f"flash: a year, {DRIVEN_H} h driven, else asleep", whole * share * DRIVEN_H / 1000, "GB")
    year = whole * share * DRIVEN_H + awake / 1e6 * (YEAR_H - DRIVEN_H)
    yield Figure(f"flash: a year, {DRIVEN_H} h driven, else awake", year / 1000, "GB")


def written(
    folder: Path, lines: Sequence[Line], *, is_log_only: bool = False, is_confirmed: bool = True
) -> tuple[int, int]:
    """Bytes the writer wrote for these, and bytes that went to the disk; the file system's own are not in it."""
    made = Path(tempfile.mkdtemp(dir=folder))
    with mock.patch.object(writer, "CONFIRM_WAIT_S", 0.0):
        with mock.patch.object(store, "WAL_PAGES", NEVER_PAGES if is_log_only else store.WAL_PAGES):
            outbox = Outbox.open(made / store.STORE_NAME, BUDGET_BYTES, "bench")
        book, thread = ledger(outbox.boot, outbox.tail()), Writer(outbox)
        before = disk_bytes()
        for line in lines:
            if line.kind == "journal":
                thread.put([], line.body["content"])
            else:
                thread.put(book.number(line.kind, line.at_us, line.body))
            _settle(thread, is_confirmed=is_confirmed)
        total, paged = thread.written_bytes, disk_bytes() - before
        thread.close()
    shutil.rmtree(made)
    return total, paged


def disk_bytes() -> int:
    """What this process caused to be sent to a disk so far."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def _settle(thread: Writer, *, is_confirmed: bool) -> None:
    """Until it is on flash, and confirmed there."""
    while not thread.is_settled:
        pass
    with suppress(BlockingIOError):
        synced = thread.take().synced
    if is_confirmed and synced:
        thread.confirm(seq for seq, _ in synced)
        while any(thread.depth.values()):
            pass


def _parked(lines: Sequence[Line]) -> list[Line]:
    """An hour of health records, and the journal every 5 min, of these."""
    health = next(line for line in lines if line.kind == "health")
    journal = next(line for line in lines if line.kind == "journal")
    return [
        replace(line, at_us=second * S)
        for second in range(HEALTH_S, HOUR_S + 1, HEALTH_S)
        for line in ([health, journal] if second % PARKED_JOURNAL_S == 0 else [health])
    ]
