"""Files that must survive the power going at any instant, and the mistakes of who names them."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from agent.errors import UsageError


def replace_file(path: Path, content: bytes) -> None:
    """Give the file (owner-only) new content: it holds the new or the old whenever the power goes. OSError."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def apart(output: Path, inputs: Iterable[Path]) -> None:
    """UsageError: what is to be written is one of those that are read, and would be lost."""
    for path in inputs:
        with suppress(OSError):  # one that is not there is not the other
            if output.samefile(path):
                raise UsageError(f"{output}: is read by this command: name another file to write")


def sync_folder(folder: Path) -> None:
    """The folder's own entries (a new name, a rename) are on flash when this returns. OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give(path: Path, like: Path) -> None:
    """What an administrator made belongs to whom the folder belongs to, so that the daemon can read it. OSError."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
