"""The device's own key: made on the first start, kept in a file nobody else may read, and the root of its name.

The file is one line of text, `tbox-ed25519-v1 <seed, 64 hex> <public key, 64 hex>`: the public half lets damage show.
The first key names the device; a later one (key_chain.py) keeps that name.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import Protocol

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from agent.errors import SettingsError, StorageError
from agent.files import replace_file

KEY_NAME = "device.key"
KEY_BYTES = 32

_TAG = "tbox-ed25519-v1"
_FILE_BYTES_MAX = 256


class Signer(Protocol):
    """An Ed25519 key, wherever its secret is: its public half, the device it signs for, and what it is for."""

    public: bytes
    device: bytes

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature; the same message gives the same bytes."""


class DeviceKey:
    """An Ed25519 key in memory; `device` names the device in every record: not given, this key is its first."""

    def __init__(self, seed: bytes, device: bytes = b"") -> None:
        self._signing = SigningKey(seed)
        self.public = bytes(self._signing.verify_key)
        self.device = device or device_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature; the same message gives the same bytes."""
        return self._signing.sign(message).signature


def device_of(public: bytes) -> bytes:
    """The device a public key belongs to; also the key's id."""
    return hashlib.sha256(public).digest()[:8]


def is_signed(message: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the holder of the public key's other half signed the message."""
    try:
        VerifyKey(public).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def load_or_make(path: Path) -> DeviceKey:
    """The key in the file; a new one when there is no file. Take the outbox's lock first: there is one maker.

    SettingsError: the file is damaged or others can read it. StorageError: it cannot be read or written.
    """
    return load(path) or make(path)


def load(path: Path, device: bytes = b"") -> DeviceKey | None:
    """The key in the file, of this device; None when there is no file. SettingsError, StorageError as above."""
    try:
        return _load(path, device)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path}: the key cannot be read: {error.strerror}") from error


def make(path: Path, device: bytes = b"") -> DeviceKey:
    """A new key, on flash in this file. StorageError: it cannot be written."""
    seed = os.urandom(KEY_BYTES)
    key = DeviceKey(seed, device)
    text = f"{_TAG} {seed.hex()} {key.public.hex()}\n".encode("ascii")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise StorageError(f"{path}: the key cannot be written: {error.strerror}") from error
    return _load(path, device)


def _load(path: Path, device: bytes) -> DeviceKey:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        _check_rights(path, os.fstat(file.fileno()))
        text = file.read(_FILE_BYTES_MAX)
    return _parse(path, text, device)


def _check_rights(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"{path}: the key is not a plain file")
    if status.st_uid != os.geteuid():
        owner = f"sudo -u '#{status.st_uid}' tbox ..."
        raise SettingsError(f"{path}: the key belongs to another user; run tbox as that one: {owner}")
    if status.st_mode & 0o077:
        raise SettingsError(f"{path}: others may read the key; type: chmod 600 {path}")
    if path.parent.stat().st_mode & 0o022:
        raise SettingsError(f"{path.parent}: others may replace the key; type: chmod 700 {path.parent}")


def _parse(path: Path, text: bytes, device: bytes) -> DeviceKey:
    fault = SettingsError(
        f"{path}: the key is damaged; put its backup there; a terminal without one begins as a new device "
        "when it and the store beside it are moved away"
    )
    try:
        tag, seed, public = text.decode("ascii").split()
        key = DeviceKey(bytes.fromhex(seed), device)
    except ValueError:  # also a seed that is too short (nacl) and bytes that are no text
        raise fault from None
    if tag != _TAG or key.public.hex() != public:
        raise fault
    return key
