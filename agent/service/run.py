"""What one run of the service page leaves in the state folder while it lasts: a lock, where it is, its PIN's digest.

    service.run    locked while the page is shown; JSON {"url", "fingerprint"}
    service.pin    JSON {"salt", "digest"} of the PIN that was printed last

So a second command can print a new PIN for the page that is shown, and no command shows a second one.
"""

import fcntl
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.errors import StorageError, UsageError
from agent.files import replace_file
from agent.service.door import PIN_COUNT, SALT_BYTES, Pin, digits_of, shown

RUN_NAME, PIN_NAME = "service.run", "service.pin"
BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Shown:
    """The page as it is shown: its address, and the SHA-256 of its certificate in hex."""

    url: str
    fingerprint: str


class Run:
    """The lock, held until `close`. UsageError: a page is shown already. StorageError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._handle = os.open(folder / RUN_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as why:
            raise StorageError(f"{folder / RUN_NAME}: {why.strerror}; as which user does tbox run?") from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise UsageError("the service page is shown already; for a new PIN: tbox service --new-pin") from None

    def tell(self, page: Shown) -> None:
        """Where it is shown."""
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, json.dumps(asdict(page)).encode(), 0)

    def close(self) -> None:
        """Neither page nor PIN any more."""
        (self._folder / PIN_NAME).unlink(missing_ok=True)
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def shown_now(folder: Path) -> Shown:
    """The page that is shown. UsageError: none is."""
    with suppress(OSError, ValueError, TypeError), (folder / RUN_NAME).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Shown(**json.loads(file.read(BYTES_MAX)))
    raise UsageError("the service page is not shown: tbox service")


def renew_pin(folder: Path) -> str:
    """A new PIN for the page that is shown, or is about to be; the one before is void. "123 456". StorageError."""
    words = shown(secrets.randbelow(PIN_COUNT))
    pin = Pin.of(digits_of(words), secrets.token_bytes(SALT_BYTES))
    path = folder / PIN_NAME
    try:
        replace_file(path, json.dumps({"salt": pin.salt.hex(), "digest": pin.digest.hex()}).encode())
    except OSError as why:
        raise StorageError(f"{path}: {why.strerror}; as which user does tbox run?") from None
    return words


def read_pin(folder: Path) -> Pin | None:
    """The PIN that was printed last; None: there is none."""
    try:
        with (folder / PIN_NAME).open("rb") as file:
            told = json.loads(file.read(BYTES_MAX))
        return Pin(bytes.fromhex(told["salt"]), bytes.fromhex(told["digest"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
