"""What a record is in bytes: one msgpack array, the same bytes wherever it goes, and a decoder that trusts nothing.

    [v, kind, device, boot, seq, t_us, prev, body]
     1  int   8 bytes int   int  int   32 B  map with text keys

`kind` is the position in KINDS; a number this program does not know is kept as `kind-<n>` and verified like any other.
The form is canonical: shortest integers, 64-bit floats, no extension types, finite numbers; another spelling of the
same content is refused, so a record has exactly one sequence of bytes and one hash.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from agent.errors import InputError

KINDS = (
    "boot", "clock", "trip_start", "samples", "event", "evidence", "trip_end", "dtc", "calibration", "config",
    "install", "binding", "command", "key", "health", "gap", "seal",
)  # fmt: skip
"""The kinds of record in the order of their numbers (DESIGN 4). Append only."""

LANES = ("evidence", "event", "trip", "health", "samples")
"""The ways up to the broker, highest first."""

LANE_OF = dict.fromkeys(KINDS, "event") | {
    "evidence": "evidence",
    "trip_start": "trip",
    "trip_end": "trip",
    "health": "health",
    "samples": "samples",
}

VERSION = 1
DEVICE_BYTES = 8
HASH_BYTES = 32
ZEROS = bytes(HASH_BYTES)
RECORD_BYTES_MAX = 256 * 1024
COUNT_MAX = 2**63 - 1
NESTING_MAX = 16

_KIND_NUMBER = {name: number for number, name in enumerate(KINDS)}
_UNKNOWN = "kind-"
_FIELDS = ("version", "kind", "device", "boot", "seq", "t_us", "prev", "body")


class CodecError(InputError):
    """Bytes that are no record, or content that cannot become one; says what is wrong."""


@dataclass(frozen=True, slots=True)
class Record:
    """A numbered, final piece of the account; `raw` are its exact bytes, stored and published as they are."""

    kind: str
    device: bytes
    boot: int
    seq: int
    t_us: int
    prev: bytes
    body: Mapping[str, Any]
    raw: bytes

    @property
    def hash(self) -> bytes:
        """SHA-256 of the exact bytes: what the next record's `prev` says."""
        return hashlib.sha256(self.raw).digest()

    @property
    def lane(self) -> str:
        """The lane it is published on."""
        return lane_of(self.kind)


def kind_name(number: int) -> str:
    """The name of a kind's number; `kind-<n>` when this program does not know it."""
    return KINDS[number] if number < len(KINDS) else f"{_UNKNOWN}{number}"


def kind_number(name: str) -> int:
    """The number of a kind's name, of the unknown ones too."""
    if name in _KIND_NUMBER:
        return _KIND_NUMBER[name]
    digits = name.removeprefix(_UNKNOWN)
    if name.startswith(_UNKNOWN) and digits.isdecimal() and len(KINDS) <= int(digits) <= COUNT_MAX:
        return int(digits)
    raise CodecError(f'"{name}" is no kind of record; known are {", ".join(KINDS)}')


def lane_of(kind: str) -> str:
    """The lane of a kind; what is unknown rides with the events."""
    return LANE_OF.get(kind, "event")


def make(  # noqa: PLR0913, PLR0917  these are the record's fields, in its order
    kind: str, device: bytes, boot: int, seq: int, t_us: int, prev: bytes, body: Mapping[str, Any]
) -> Record:
    """A record and its bytes. CodecError when the content does not fit the form (a NaN, a key that is no text)."""
    raw = encode(kind, device, boot, seq, t_us, prev, body)
    return Record(kind, device, boot, seq, t_us, prev, body, raw)


def encode(  # noqa: PLR0913, PLR0917  these are the record's fields, in its order
    kind: str, device: bytes, boot: int, seq: int, t_us: int, prev: bytes, body: Mapping[str, Any]
) -> bytes:
    """The record's bytes; the same arguments give the same bytes on every machine."""
    fields = [VERSION, kind_number(kind), device, boot, seq, t_us, prev, body]
    _check(fields)
    return pack(fields)


def decode(raw: bytes) -> Record:
    """The record in the bytes; CodecError names what is wrong, and no bytes raise anything else."""
    if len(raw) > RECORD_BYTES_MAX:
        raise CodecError(f"a record of {len(raw)} bytes is larger than the {RECORD_BYTES_MAX} allowed")
    fields = unpack(raw)
    if not isinstance(fields, list) or len(fields) != len(_FIELDS):
        raise CodecError("not a record: it should be an array of 8")
    _check(fields)
    if pack(fields) != raw:
        raise CodecError("not in canonical form: the same content has another spelling")
    _, number, device, boot, seq, t_us, prev, body = fields
    return Record(kind_name(number), device, boot, seq, t_us, prev, body, bytes(raw))


def pack(content: object) -> bytes:
    """Content as canonical msgpack; CodecError when it does not fit (too large an integer, another type)."""
    try:
        packed = msgpack.packb(content, use_bin_type=True)
    except (TypeError, ValueError, OverflowError) as error:
        raise CodecError(f"cannot be packed: {error}") from error
    assert isinstance(packed, bytes)
    if len(packed) > RECORD_BYTES_MAX:
        raise CodecError(f"{len(packed)} bytes are more than the {RECORD_BYTES_MAX} a record may have")
    return packed


def unpack(raw: bytes) -> Any:
    """One msgpack value from the bytes; CodecError when there is none, or more."""
    try:
        return msgpack.unpackb(raw, raw=False, strict_map_key=True)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise CodecError(f"not msgpack: {error or type(error).__name__}") from error


def _check(fields: list[Any]) -> None:
    """Each field has its type and range, or CodecError names it."""
    version, kind, device, boot, seq, t_us, prev, body = fields
    if type(version) is not int or version != VERSION:
        raise CodecError(f"version {version!r:.20} is not the {VERSION} this program reads")
    for name, number in (("kind", kind), ("boot", boot), ("seq", seq), ("t_us", t_us)):
        if type(number) is not int or not 0 <= number <= COUNT_MAX:
            raise CodecError(f"{name} {number!r:.40} is not a whole number from 0 to 2^63 - 1")
    for name, data, length in (("device", device, DEVICE_BYTES), ("prev", prev, HASH_BYTES)):
        if type(data) is not bytes or len(data) != length:
            raise CodecError(f"{name} is not {length} bytes")
    if not isinstance(body, Mapping):
        raise CodecError("body is not a map")
    _check_content(body, "body", NESTING_MAX)


def _check_content(content: object, where: str, depth: int) -> None:
    """Content of a body: maps with text keys, arrays, text, bytes, integers, finite floats, booleans, nil."""
    if depth == 0:
        raise CodecError(f"{where:.60} is nested deeper than {NESTING_MAX}")
    if isinstance(content, Mapping):
        for key, inner in content.items():
            if type(key) is not str:
                raise CodecError(f"{where:.60} has the key {key!r:.20}, which is no text")
            _check_content(inner, f"{where}.{key}", depth - 1)
    elif isinstance(content, list | tuple) and not isinstance(content, msgpack.ExtType):
        for inner in content:
            _check_content(inner, f"{where}[]", depth - 1)
    elif type(content) is float:
        if not math.isfinite(content):
            raise CodecError(f"{where:.60} is {content}, which no record may hold")
    elif content is not None and type(content) not in (bool, int, str, bytes):
        raise CodecError(f"{where:.60} is a {type(content).__name__}, which no record may hold")
