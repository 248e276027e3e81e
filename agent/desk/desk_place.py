"""Where the desk's socket is, for both sides: who only asks loads nothing of the daemon.

A name of a socket has 107 bytes, a state folder's may be longer: both sides go through /proc/self/fd.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DESK_NAME = "desk.sock"


@contextmanager
def address_of(state_dir: Path, name: str = DESK_NAME) -> Iterator[str]:
    """The socket's address, however long the folder's name is. OSError: there is no such folder."""
    folder = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{name}"
    finally:
        os.close(folder)
