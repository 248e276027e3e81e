"""The device's key in a token behind PKCS#11: the secret is made there and never leaves it.

`device.key` names it as RFC 7512 does, all on one line:

    pkcs11:token=<label>;object=<label>?module-path=<library>&pin-source=<file with the PIN>

All keys of a device have that label; which of them is in force, the store says (agent/outbox/key_files.py). They are
Ed25519, made by CKM_EC_EDWARDS_KEY_PAIR_GEN and used by CKM_EDDSA (PKCS#11 3.0). Needs the extra `token`
(python-pkcs11).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import NoSuchToken, PinIncorrect, PKCS11Error, UserAlreadyLoggedIn

from agent.errors import SettingsError, StorageError
from agent.ledger.key import KEY_BYTES, device_of

CURVE = bytes([0x13, 12]) + b"edwards25519"
"""CKA_EC_PARAMS: the curve's name as a DER PrintableString (PKCS#11 3.0, 2.3.10)."""

POINT = bytes([0x04, KEY_BYTES])
"""A public key may come as a DER OCTET STRING."""

PIN_BYTES_MAX = 256
ID_BYTES = 8

_WORDS = {"token", "object", "module-path", "pin-source"}
_EXAMPLE = "pkcs11:token=tbox;object=device?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/tbox/pin"


class TokenKey:
    """A key in the token; it signs as long as the session to it lasts."""

    def __init__(self, private: Any, public: bytes, device: bytes) -> None:
        self._private = private
        self.public = public
        self.device = device or device_of(public)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature, by the token. StorageError: it does not sign any more."""
        with _told("the token that holds the device key"):
            return bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))


class Token:
    """The keys of one label in one token; its session stays open."""

    def __init__(self, session: Any, name: str, label: str) -> None:
        self._session, self._name, self._label = session, name, label

    def __str__(self) -> str:
        return f"the token {self._name}"

    @classmethod
    def named(cls, uri: str) -> Self:
        """Log in to the token that the setting names. SettingsError: it is not there, or does not let us in."""
        words = _words(uri)
        pin = _pin(Path(words["pin-source"].removeprefix("file:")))
        name, module = words["token"], words["module-path"]
        try:
            session = _session(pkcs11.lib(module).get_token(token_label=name), pin)
        except NoSuchToken:
            raise SettingsError(f"device.key: {module} knows no token {name}; initialise it, or name another") from None
        except PinIncorrect:
            raise SettingsError(f"device.key: the token {name} refused the PIN in {words['pin-source']}") from None
        except (PKCS11Error, RuntimeError) as error:
            raise SettingsError(f"device.key: {module}: {error or type(error).__name__}") from None
        return cls(session, name, words["object"])

    def find(self, key_id: bytes, device: bytes) -> TokenKey | None:
        """The key with this id; without one the only key there is. SettingsError: there are several."""
        with _told(str(self)):
            found = [key for key in self._keys(device) if key_id in (b"", device_of(key.public))]
        if len(found) > 1:
            raise SettingsError(
                f"device.key: {self} has {len(found)} keys {self._label}; take those away that are not ours"
            )
        return found[0] if found else None

    def make(self, device: bytes) -> TokenKey:
        """A new key in the token, under the same label."""
        with _told(str(self)):
            curve = self._session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: CURVE}, local=True)
            public, private = curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, label=self._label, id=os.urandom(ID_BYTES), store=True,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )  # fmt: skip
            return TokenKey(private, _point(public), device)

    def keep(self, public: bytes) -> None:
        """The other keys of our label are destroyed: earlier ones, and those of rotations that did not come about."""
        with _told(str(self)):
            for key in list(self._objects(ObjectClass.PUBLIC_KEY)):
                if _point(key) != public:
                    for half in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
                        for one in list(self._objects(half, key[Attribute.ID])):
                            one.destroy()

    def _keys(self, device: bytes) -> Iterator[TokenKey]:
        """Those of which both halves are there."""
        for public in list(self._objects(ObjectClass.PUBLIC_KEY)):
            for private in list(self._objects(ObjectClass.PRIVATE_KEY, public[Attribute.ID])):
                yield TokenKey(private, _point(public), device)

    def _objects(self, half: ObjectClass, id_: bytes | None = None) -> Iterator[Any]:
        asked = {Attribute.CLASS: half, Attribute.KEY_TYPE: KeyType.EC_EDWARDS, Attribute.LABEL: self._label}
        yield from self._session.get_objects(asked if id_ is None else asked | {Attribute.ID: id_})


def _session(token: Any, pin: str) -> Any:
    """Logged in, which a process is once for all its sessions."""
    try:
        return token.open(rw=True, user_pin=pin)
    except UserAlreadyLoggedIn:
        return token.open(rw=True)


def _words(uri: str) -> dict[str, str]:
    """The attributes of such a URI that are used here. SettingsError: one is missing."""
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    pairs = [part.partition("=") for part in (*path.split(";"), *query.split("&"))]
    words = {name: unquote(told) for name, _, told in pairs if told}
    if not uri.startswith("pkcs11:") or words.keys() != _WORDS:
        raise SettingsError(f'device.key = "{uri}": should be such as {_EXAMPLE}')
    return words


def _pin(path: Path) -> str:
    """What the file holds, which only its owner may read."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise SettingsError(f"{path}: others may read the PIN; type: chmod 600 {path}")
            return file.read(PIN_BYTES_MAX).decode().strip()
    except OSError as error:
        raise SettingsError(f"{path}: the PIN of device.key cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: the PIN of device.key is no text") from None


def _point(public: Any) -> bytes:
    """The 32 bytes of a public key, as some tokens tell them or wrapped as others do."""
    point = bytes(public[Attribute.EC_POINT])
    return point[len(POINT) :] if len(point) == len(POINT) + KEY_BYTES and point.startswith(POINT) else point


@contextmanager
def _told(who: str) -> Iterator[None]:
    """What the token's library says, said as a StorageError."""
    try:
        yield
    except PKCS11Error as error:
        raise StorageError(f"{who}: {error or type(error).__name__}; is it there, and has it CKM_EDDSA?") from error
