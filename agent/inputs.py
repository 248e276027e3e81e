"""What every command over recordings shares: opening them, warning of what was not read, writing what was found."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from agent.errors import InputError, StorageError
from drivers.errors import RecordingError
from drivers.recording import Recording, open_recordings


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
def written(path: str) -> Iterator[TextIO]:
    """A file to write text into, or stdout for "-"."""
    if path == "-":
        yield sys.stdout
        return
    try:
        with Path(path).open("w", encoding="utf-8", newline="\n") as out:
            yield out
    except OSError as why:
        raise StorageError(f"{path}: cannot be written: {why.strerror}") from None
