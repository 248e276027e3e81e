"""The file under the outbox: one SQLite database, one writer, checked when opened, set aside when damaged."""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from agent.errors import StorageError
from agent.files import replace_file, sync_folder

APPLICATION = 0x74626F78  # "tbox", in the database's header
SCHEMA_VERSION = 1
STORE_NAME = "outbox.db"
PENDING, KEPT, DROPPED = range(3)  # a row's state
PAGE_BYTES = 4096
WAL_PAGES = 256
CACHE_KIB = 1024
SET_ASIDE_MAX = 2

_SCHEMA = f"""
CREATE TABLE records (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, lane INTEGER NOT NULL, state INTEGER NOT NULL,
    boot INTEGER NOT NULL, t_us INTEGER NOT NULL, hash BLOB NOT NULL, raw BLOB);
CREATE INDEX by_state ON records (state, lane, seq);
CREATE TABLE lost (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE account (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {SCHEMA_VERSION};
"""

_SENTENCES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space there",
    sqlite3.SQLITE_READONLY: "the store is read-only; mount it writable and give it to the user who runs tbox",
    sqlite3.SQLITE_CANTOPEN: "the store cannot be opened; check that its folder exists and belongs to this user",
    sqlite3.SQLITE_PERM: "the store may not be used by this user; check who owns it",
    sqlite3.SQLITE_BUSY: "another program holds the store; close it",
    sqlite3.SQLITE_CORRUPT: "the store is damaged; start tbox run, which sets it aside and goes on",
    sqlite3.SQLITE_NOTADB: "this is no store of tbox",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write; check it, and its quota and file size limits",
}
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class DamagedError(StorageError):
    """The database's content is not what was written."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Kept in a small file of its own, so that a lost database can never make a number be used twice.

    Numbers below `seq` may have been used; those below `floor` are known to be confirmed. `boot` was the last count.
    `is_open`: the store was not closed in order since, so a log must be beside it.
    """

    device: str = ""
    seq: int = 0
    boot: int = 0
    floor: int = 0
    is_open: bool = False


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """What SQLite and the system say, said as a StorageError with the fix."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = DamagedError if code in _DAMAGE else StorageError
        raise kind(f"{path}: {_SENTENCES.get(code, error)}") from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}; check the disk and the folder's rights") from error


def take_lock(path: Path) -> int:
    """Become the one writer beside this path; the lock goes with the process. StorageError: there is one."""
    with guarded(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        os.close(handle)
        raise StorageError(f"{path}: another tbox (process {holder}) writes here; stop it first") from None
    try:
        with guarded(path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode("ascii"), 0)
    except StorageError:
        os.close(handle)
        raise
    return handle


def open_writable(path: Path) -> sqlite3.Connection:
    """The database, made when it is missing, checked, each commit synced. DamagedError: set it aside."""
    with guarded(path):
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
            sync_folder(path.parent)
        except BaseException:
            connection.close()
            raise
    return connection


def open_readable(path: Path) -> sqlite3.Connection:
    """The database, to read only, also beside its writer. StorageError when it is not there or no store."""
    with guarded(path):
        if not path.is_file():
            raise StorageError(f"{path}: there is no store here; has tbox run ever started with this state folder?")
        # Without a log beside it nobody writes, and a folder that cannot be written needs no shared memory file then.
        mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True, timeout=5.0)
        try:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
        except BaseException:
            connection.close()
            raise
    if application != APPLICATION:
        connection.close()
        raise StorageError(f"{path}: this is no store of tbox")
    return connection


def machine_boot() -> str:
    """This boot of the machine, as the kernel names it; empty when it does not."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def set_aside(path: Path) -> Path:
    """Rename a damaged database out of the way, with the date; only the newest SET_ASIDE_MAX are kept.

    From then on nothing is missing beside a new one, however often the power goes while that is made.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    new, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while new.exists():
        number += 1
        new = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    with guarded(path):
        older = files_set_aside(path)
        for old in older[: max(0, len(older) - SET_ASIDE_MAX + 1)]:
            for suffix in ("", "-wal", "-shm"):
                old.with_name(old.name + suffix).unlink(missing_ok=True)
        for suffix in ("-wal", "-shm", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(new.with_name(new.name + suffix))
        sync_folder(path.parent)
    with suppress(DamagedError):  # whoever reads it next says so
        write_reserve(path, replace(read_reserve(path), is_open=False))
    return new


def files_set_aside(path: Path) -> list[Path]:
    """The damaged databases that were renamed out of the way, oldest first."""
    found = [one for one in path.parent.glob(f"{path.name}.damaged-*Z*") if not one.name.endswith(("-wal", "-shm"))]
    return sorted(found, key=lambda one: one.stat().st_mtime_ns)


def has_log(path: Path) -> bool:
    """Whether there is something in the log beside the database: a store that was not closed has one."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def read_reserve(path: Path) -> Reserve:
    """The reserve beside the database; the empty one when there is none. DamagedError when it is damaged."""
    file = _reserve_file(path)
    with guarded(file):
        try:
            content = json.loads(file.read_bytes())
            reserve = Reserve(**content)
            sound = all(type(one) is int and one >= 0 for one in (reserve.seq, reserve.boot, reserve.floor))
            sound = sound and type(reserve.is_open) is bool
            bytes.fromhex(reserve.device)
        except FileNotFoundError:
            return Reserve()
        except (ValueError, TypeError):
            sound = False
    if not sound:
        raise DamagedError(f"{file}: damaged")
    return reserve


def write_reserve(path: Path, reserve: Reserve) -> None:
    """Replace the reserve, synced."""
    file = _reserve_file(path)
    with guarded(file):
        replace_file(file, json.dumps(asdict(reserve)).encode("ascii") + b"\n")


def _reserve_file(path: Path) -> Path:
    return path.with_name(path.name + ".reserve")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Settings of the connection, the check, and the schema where the file is new."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_new = application == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_new and application != APPLICATION:
        raise StorageError(f"{path}: this is no store of tbox; name another state folder or move the file away")
    if version > SCHEMA_VERSION:
        raise StorageError(f"{path}: made by a newer tbox (form {version}); install that one again")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StorageError(f"{path}: this file system cannot hold the store (no shared memory); use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # Debian's default: what goes is overwritten
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * PAGE_BYTES}")
    if is_new:
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
        return
    with closing(connection.execute("PRAGMA quick_check(1)")) as check:
        fault = check.fetchone()[0]
    if fault != "ok":
        raise DamagedError(f"{path}: the store is damaged: {fault}")
