"""The file under the outbox, where the disk does not let it be."""

import errno
import os
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.outbox.store import take_lock


def test_a_disk_that_became_read_only_is_said_in_a_sentence_and_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", refuse)
        with pytest.raises(StorageError, match=r"outbox.db: Read-only file system; check the disk"):
            take_lock(path)
    os.close(take_lock(path))
