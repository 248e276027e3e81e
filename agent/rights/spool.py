"""How a request reaches the daemon: a folder in the state folder where one side puts files and the other answers.

A request is `<when>-<process>.request`, an answer the same name with `.answer`; each comes whole or not at all.
Requests wait in the folder, also while no daemon runs; SPOOL_MAX of them at most. An answer that nobody fetches goes
when there are ANSWERS_MAX newer ones.
"""

import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from agent.errors import StorageError
from agent.files import give, replace_file
from agent.outbox.store import STORE_NAME
from agent.rights.requests import (
    REQUEST_BYTES_MAX,
    Answer,
    Request,
    RequestError,
    compose,
    compose_answer,
    parse,
    parse_answer,
)

SPOOL_NAME = "requests"
SPOOL_MAX = 16
ANSWERS_MAX = 16
REQUEST, ANSWER = ".request", ".answer"


class Spool:
    """The daemon's side. What cannot be read or written is left for a later look."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / SPOOL_NAME

    def next(self) -> tuple[str, Request] | None:
        """The oldest request and its name; what is no request is answered at once."""
        for path in _named(self._folder, REQUEST)[:SPOOL_MAX]:
            try:
                return path.stem, parse(_read(path))
            except RequestError as why:
                self.answer(path.stem, Answer(is_done=False, text=f"not understood: {why}"))
            except OSError:
                continue
        return None

    def answer(self, name: str, answer: Answer) -> None:
        """Answer it; then the request goes."""
        path = self._folder / name
        with suppress(OSError):
            for old in _named(self._folder, ANSWER)[: 1 - ANSWERS_MAX]:
                old.unlink(missing_ok=True)
            replace_file(path.with_suffix(ANSWER), compose_answer(answer))
            give(path.with_suffix(ANSWER), self._folder)
        path.with_suffix(REQUEST).unlink(missing_ok=True)


def put(state_dir: Path, request: Request) -> str:
    """Ask the daemon of this state folder; the request's name. StorageError: it cannot be written, or too many wait."""
    folder = state_dir / SPOOL_NAME
    payload = compose(request)
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700)
            give(folder, state_dir)
        if len(_named(folder, REQUEST)) >= SPOOL_MAX:
            raise StorageError(f"{folder}: {SPOOL_MAX} requests wait already; start tbox run, which sees to them")
        name = f"{time.time_ns():020d}-{os.getpid()}"
        path = folder / f"{name}{REQUEST}"
        replace_file(path, payload)
        give(path, folder)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be written: {error.strerror}; run this as the user who runs tbox"
        ) from error
    return name


def is_running(state_dir: Path) -> bool:
    """Whether a daemon holds the store of this state folder; it is only looked at, never held."""
    try:
        lock = os.open(state_dir / f"{STORE_NAME}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def fetch(state_dir: Path, name: str) -> Answer | None:
    """The answer to the request of this name, once; None: there is none yet."""
    path = state_dir / SPOOL_NAME / f"{name}{ANSWER}"
    try:
        answer = parse_answer(_read(path))
        path.unlink()
    except FileNotFoundError:
        return None
    except (OSError, RequestError) as why:
        raise StorageError(f"{path}: the answer cannot be read: {why}") from None
    return answer


def _named(folder: Path, suffix: str) -> list[Path]:
    """Files of a kind, oldest first; none where the folder is missing."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == suffix)
    except OSError:
        return []


def _read(path: Path) -> bytes:
    """A plain file's content, as far as it may be long."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RequestError("it is no plain file")
        return file.read(REQUEST_BYTES_MAX + 1)
