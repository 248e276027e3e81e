"""The one bundle somebody brought to the service page: taken piece by piece, never more than a bundle may have."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from agent.trust.archive import ARCHIVE_BYTES_MAX

NAME = "brought.tbx"


class TooBigError(Exception):
    """More than any bundle has."""


class Shelf:
    """A folder of our own under `folder`, owner-only, gone with `close`. No name from outside reaches the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="service-", dir=folder))
        self._file: BinaryIO | None = None
        self._hash, self._bytes = hashlib.sha256(), 0
        self.digest = ""
        """SHA-256 of the bundle that lies here whole; empty: none does."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder / NAME

    def begin(self, told_bytes: int | None) -> None:
        """Another one comes, and says it has so many bytes. TooBigError, OSError."""
        self.drop()
        if told_bytes is not None and told_bytes > ARCHIVE_BYTES_MAX:
            raise TooBigError
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(handle, "wb")

    def take(self, piece: bytes) -> None:
        """The next piece. TooBigError, OSError; then nothing of it stays."""
        self._bytes += len(piece)
        if self._bytes > ARCHIVE_BYTES_MAX:
            self.drop()
            raise TooBigError
        if self._file is not None:
            self._file.write(piece)
            self._hash.update(piece)

    def end(self) -> None:
        """It is whole."""
        if self._file is not None:
            self._file.close()
            self._file, self.digest = None, self._hash.hexdigest()

    def drop(self) -> None:
        """Forget what lies here."""
        if self._file is not None:
            self._file.close()
        self._file, self._bytes, self.digest = None, 0, ""
        self._hash = hashlib.sha256()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """The folder goes."""
        self.drop()
        shutil.rmtree(self._folder, ignore_errors=True)
