"""Where the device's key is, which of its keys is in force, and what lies beside it in the state folder.

    device.key        the key, unless it is in a token (agent/ledger/key_token.py)
    device.key.next   a key that is about to take over
    device.chain      the handovers so far (agent/ledger/key_chain.py), as frames of a record file
    device.cert       the fleet's certificate (agent/ledger/fleet.py)

A rotation makes the next key, keeps its handover in the store in one transaction, and only then puts the files right.
The store decides: at each start the newest handover in it says which key is in force, and `open_key` goes on from it.
So whenever the power goes the old key is in force, or the new one with its record, and nothing needs a hand.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from agent.codec import CodecError, Record, decode, kind_number
from agent.errors import InputError, SettingsError, StorageError
from agent.files import replace_file, sync_folder
from agent.ledger.fleet import CERTIFICATE_NAME, FILE_BYTES_MAX, Certificate
from agent.ledger.key import KEY_NAME, DeviceKey, Signer, device_of, load, make
from agent.ledger.key_chain import Chain, chain_of
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import frame, read_pile

CHAIN_NAME = "device.chain"
TOKEN_SCHEME = "pkcs11:"  # noqa: S105  (the scheme of RFC 7512, no password)

_HANDOVERS = "SELECT raw FROM records WHERE kind=? AND raw IS NOT NULL AND seq>0 ORDER BY seq"


class KeyPlace(Protocol):
    """Where secrets are. `device` names the device a key signs for; empty: the key is its first, and gives the name."""

    def find(self, key_id: bytes, device: bytes) -> Signer | None:
        """The key with this id (empty: the one there is); None: it is not here."""

    def make(self, device: bytes) -> Signer:
        """A new key beside what is here; it stays when the power goes."""

    def keep(self, public: bytes) -> None:
        """From now on this is the only one."""


class KeyFiles:
    """Secrets in the state folder."""

    def __init__(self, state: Path) -> None:
        self._path = state / KEY_NAME
        self._next = state / f"{KEY_NAME}.next"

    def __str__(self) -> str:
        return str(self._path)

    def find(self, key_id: bytes, device: bytes) -> DeviceKey | None:
        """The key in force is in one file or the other."""
        for path in (self._path, self._next):
            key = load(path, device)
            if key is not None and key_id in (b"", device_of(key.public)):
                return key
        return None

    def make(self, device: bytes) -> DeviceKey:
        """The very first in its own file, a later one in that of the next."""
        return make(self._next if device else self._path, device)

    def keep(self, public: bytes) -> None:
        """The next takes its place, or goes: a rotation that did not come about."""
        if not self._next.exists():
            return
        with contextlib.suppress(SettingsError):  # damaged, so not the one in force, which was found
            key = load(self._next)
            if key is not None and key.public == public:
                self._next.replace(self._path)
                sync_folder(self._path.parent)
                return
        self._next.unlink(missing_ok=True)


def place_of(key: str, state: Path) -> KeyPlace:
    """Where `device.key` says that the secrets are. SettingsError: that is nowhere."""
    if not key:
        return KeyFiles(state)
    try:
        from agent.ledger.key_token import Token  # noqa: PLC0415  (a library of its own, which few terminals have)
    except ImportError:
        raise SettingsError("device.key: a token needs python-pkcs11: pip install 'tbox-agent[token]'") from None
    return Token.named(key)


def open_key(place: KeyPlace, state: Path, outbox: Outbox) -> tuple[Signer, Chain]:
    """The key in force, and the keys before it; the first start makes one. What a power cut left is put right.

    SettingsError: a secret is damaged, or of another account. StorageError: it cannot be read or written.
    """
    device = outbox.tail().device
    chain = _chain(state, device, outbox)
    key = place.find(device_of(chain.publics[-1]) if chain.links else device, device)
    if key is None and device:
        raise StorageError(
            f"the store belongs to device {device.hex()} but its key is not in {place}; put the right device key back, "
            "or move the store away to start a new account"
        )
    if key is None:
        key = place.make(b"")
    place.keep(key.public)
    return key, chain


def certificate_of(state: Path) -> Certificate | None:
    """The fleet's certificate in the state folder; None where there is none. SettingsError: it is damaged."""
    path = state / CERTIFICATE_NAME
    try:
        with path.open("rb") as file:
            return Certificate.parse(file.read(FILE_BYTES_MAX))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error
    except InputError as error:
        raise SettingsError(f"{path}: {error}") from error


def handovers_in(state: Path) -> list[Record]:
    """The handovers that are written down beside the store; none where there is no such file, or a damaged one."""
    try:
        return read_pile(state / CHAIN_NAME).records
    except InputError:
        return []


def write_chain(state: Path, links: Iterable[Record]) -> None:
    """Write them down."""
    path = state / CHAIN_NAME
    try:
        replace_file(path, b"".join(frame(link.raw) for link in links))
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def _chain(state: Path, device: bytes, outbox: Outbox) -> Chain:
    """The handovers of this account: those written down, and those of the store; the file is put right."""
    written = handovers_in(state)
    if written and not device:
        raise StorageError(
            f"{state / CHAIN_NAME}: belongs to an account that is not here; put its store back, or move the whole "
            "folder away to start as a new device"
        )
    stored = outbox.within(lambda store: store.execute(_HANDOVERS, (kind_number("key"),)).fetchall())
    chain = chain_of(device, [*written, *_whole(raw for (raw,) in stored)])
    if [link.raw for link in chain.links] != [link.raw for link in written]:
        write_chain(state, chain.links)
    return chain


def _whole(raws: Iterable[bytes]) -> Iterable[Record]:
    """Those that can be read."""
    for raw in raws:
        with contextlib.suppress(CodecError):
            yield decode(raw)
