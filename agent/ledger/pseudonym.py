"""Names for trips that only this device can make: who has an exported trip and its name does not know the device by it.

A trip's name is the first 8 bytes, in hex, of HMAC-SHA256 (RFC 2104) over the boot and the number of its `trip_start`,
8 bytes each, big-endian. The secret is made on the first start and kept in a file nobody else may read, one line of
text: `tbox-pseudonym-v1 <secret, 64 hex> <first 4 bytes of its SHA-256, 8 hex>`, so that damage shows.
"""

import hashlib
import hmac
import os
import stat
from pathlib import Path

from agent.errors import SettingsError, StorageError
from agent.files import replace_file

SECRET_NAME = "pseudonym.key"  # noqa: S105  (the file's name)
SECRET_BYTES = 32
NAME_BYTES = 8

_TAG = "tbox-pseudonym-v1"
_FILE_BYTES_MAX = 256
_CHECK_DIGITS = 8


class Pseudonym:
    """Names trips. It shows nobody its secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def trip_id(self, boot: int, seq: int) -> str:
        """The name of the trip whose `trip_start` has this number; 16 hex digits."""
        message = boot.to_bytes(8, "big") + seq.to_bytes(8, "big")
        return hmac.digest(self._secret, message, "sha256")[:NAME_BYTES].hex()


def load_or_make(path: Path) -> Pseudonym:
    """The secret in the file; a new one when there is no file. Take the outbox's lock first: there is one maker.

    SettingsError: the file is damaged or others can read it. StorageError: it cannot be read or written.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        return _make(path)
    except OSError as error:
        raise StorageError(f"{path}: the secret of trip names cannot be read: {error.strerror}") from error


def _load(path: Path) -> Pseudonym:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{path}: the secret of trip names is not a plain file")
        if status.st_mode & 0o077:
            raise SettingsError(f"{path}: others may read the secret of trip names; type: chmod 600 {path}")
        text = file.read(_FILE_BYTES_MAX)
    try:
        tag, spelt, check = text.decode("ascii").split()
        secret = bytes.fromhex(spelt)
    except ValueError:
        tag, secret, check = "", b"", ""
    if tag != _TAG or len(secret) != SECRET_BYTES or _check(secret) != check:
        raise SettingsError(f"{path}: damaged; put its backup there, or move it away: later trips get other names then")
    return Pseudonym(secret)


def _make(path: Path) -> Pseudonym:
    secret = os.urandom(SECRET_BYTES)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, f"{_TAG} {secret.hex()} {_check(secret)}\n".encode("ascii"))
    except OSError as error:
        raise StorageError(f"{path}: the secret of trip names cannot be written: {error.strerror}") from error
    return _load(path)


def _check(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()[:_CHECK_DIGITS]
