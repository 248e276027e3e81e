"""What every command over recordings shares: opening them, warning of what was not read, writing what was found."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from agent.errors import InputError, StorageError
from agent.files import apart
from drivers.errors import RecordingError
from drivers.recordings.recording import Recording, open_recordings


def opened(inputs: Sequence[Path], form: str | None) -> Recording:
    """The recordings, merged; InputError names the one that is wrong."""
    try:
        return open_recordings(inputs, form)
    except RecordingError as why:
        raise InputError(str(why)) from None


def warn(recording: Recording) -> None:
    """One line on stderr when an input was read only in part."""
    if recording.warnings:
        print("tbox: warning: " + "; ".join(recording.warnings), file=sys.stderr)


@contextmanager
def written(name: str, inputs: Sequence[Path]) -> Iterator[TextIO]:
    """A file to write text into, or stdout for "-". A file that does not get to its end is not left there.

    UsageError: it is one of the inputs; StorageError: it cannot be written.
    """
    if name == "-":
        yield sys.stdout
        return
    path = Path(name)
    apart(path, inputs)
    try:
        with path.open("w", encoding="utf-8", newline="\n") as out, _whole(path):
            yield out
            out.flush()
    except OSError as why:
        raise StorageError(f"{name}: cannot be written: {why.strerror}") from None


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Half a file could be taken for the whole."""
    try:
        yield
    except BaseException:
        if path.is_file() and not path.is_symlink():
            path.unlink()
        raise
