"""Documents that fleet keys sign: how they are spelled, signed and read. Pure.

A document is a JSON object. What is signed is a domain tag and the object without its `signatures`, in one canonical
spelling: keys in order, no spaces, ASCII. `signatures` is a list of {"key": 16 hex digits, "signature": 128 of them} in
the order of the keys' ids, each key once.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import msgspec

from agent.codec import DEVICE_BYTES
from agent.errors import BundleError
from agent.ledger.key import Signer, device_of

DOCUMENT_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 32
SIGNATURE_BYTES = 64
SIGNATURES = "signatures"

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Form = TypeVar("Form", bound=msgspec.Struct)


class Signature(NamedTuple):
    """`key` is the id of the key, the first 8 bytes of SHA-256 of its public half."""

    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A document: its content in the canonical spelling, and who signed it. TAG begins what is signed."""

    TAG: ClassVar[bytes]

    content: bytes
    signatures: tuple[Signature, ...]

    def text(self) -> bytes:
        """As it stands in a file, or travels."""
        return join(self.content, self.signatures)

    def signed(self, key: Signer) -> Self:
        """The same with this key's signature."""
        return replace(self, signatures=signed(self.TAG, self.content, key, self.signatures))


def canonical(told: object) -> bytes:
    """The one spelling of a JSON value."""
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode("ascii")


def signed(tag: bytes, content: bytes, key: Signer, before: Iterable[Signature] = ()) -> tuple[Signature, ...]:
    """The signatures there were, and this key's, in order; a second one of the same key replaces the first."""
    mine = Signature(device_of(key.public), key.sign(tag + content))
    return tuple(sorted([mine, *(one for one in before if one.key != mine.key)]))


def told_signatures(signatures: Iterable[Signature]) -> list[dict[str, str]]:
    """As they stand in a document."""
    return [{"key": one.key.hex(), "signature": one.signature.hex()} for one in signatures]


def signatures_in(told: object, what: str) -> tuple[Signature, ...]:
    """The signatures in a list of a document. BundleError: it is no such list, or not in order."""
    found: list[Signature] = []
    for entry in told if isinstance(told, list) and len(told) <= SIGNATURES_MAX else [{}]:
        match entry:
            case {"key": str(key), "signature": str(signature), **rest} if not rest:
                found.append(Signature(_hex(key, DEVICE_BYTES, what), _hex(signature, SIGNATURE_BYTES, what)))
            case _:
                raise BundleError("damaged", f"{what}: not a list of at most {SIGNATURES_MAX} signatures")
    if [one.key for one in found] != sorted({one.key for one in found}):
        raise BundleError("damaged", f"{what}: the signatures are not in the order of their keys, each key once")
    return tuple(found)


def parse(raw: bytes, what: str) -> dict[str, Any]:
    """The object in these bytes. BundleError: there is none."""
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise BundleError("too_big", f"{what}: {len(raw)} bytes are more than the {DOCUMENT_BYTES_MAX} allowed")
    try:
        told = json.loads(raw)
        is_plain = _is_plain(told)
    except (ValueError, RecursionError):
        raise BundleError("damaged", f"{what}: not JSON; fetch it again") from None
    if not is_plain:
        raise BundleError("damaged", f"{what}: holds characters that are no text; fetch it again")
    if not isinstance(told, dict):
        raise BundleError("damaged", f"{what}: not a JSON object; fetch it again")
    return told


def split(raw: bytes, what: str) -> tuple[bytes, tuple[Signature, ...]]:
    """The canonical content of a signed document, and its signatures. BundleError: it is none."""
    told = parse(raw, what)
    signatures = signatures_in(told.pop(SIGNATURES, []), what)
    try:
        return canonical(told), signatures
    except (ValueError, RecursionError):
        raise BundleError("damaged", f"{what}: nested too deep") from None


def join(content: bytes, signatures: Iterable[Signature]) -> bytes:
    """The document as a file holds it, for people to read as well."""
    told = json.loads(content) | {SIGNATURES: told_signatures(signatures)}
    return json.dumps(told, indent=1, sort_keys=True).encode("ascii") + b"\n"


def fitted(content: bytes, form: type[Form], what: str) -> Form:
    """The content as a value of this form: each field known and of its type. BundleError: it does not fit."""
    try:
        return msgspec.convert(json.loads(content), form)
    except msgspec.ValidationError as why:
        raise BundleError("damaged", f"{what}: {why}") from None


def time_us(told: str | None, what: str) -> int | None:
    """UTC microseconds of "2026-11-22T08:00:00Z"; None of None. BundleError: it is no such text."""
    if told is None:
        return None
    try:
        moment = datetime.strptime(told, _TIME).replace(tzinfo=UTC)
    except ValueError:
        moment = _EPOCH
    if moment.strftime(_TIME) != told or moment <= _EPOCH:
        raise BundleError("damaged", f'{what}: "{told:.40}" is no time such as 2026-11-22T08:00:00Z')
    return round((moment - _EPOCH).total_seconds()) * 1_000_000


def told_time(utc_us: int) -> str:
    """The text of a time, whole seconds. Added up, since a C library may end in 2038 (32-bit ARM)."""
    return (_EPOCH + timedelta(seconds=utc_us // 1_000_000)).strftime(_TIME)


def _is_plain(told: object) -> bool:
    """Whether every text in it is one: no control characters, which could play with a terminal, no half characters."""
    if isinstance(told, str):
        return not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in told)
    if isinstance(told, dict):
        return all(_is_plain(name) and _is_plain(inner) for name, inner in told.items())
    return all(map(_is_plain, told)) if isinstance(told, list) else True


def _hex(told: str, size: int, what: str) -> bytes:
    """Exactly so many bytes, in lower case."""
    try:
        found = bytes.fromhex(told)
    except ValueError:
        found = b""
    if len(found) != size or found.hex() != told:
        raise BundleError("damaged", f"{what}: {told:.20} should be {2 * size} hex digits")
    return found
