"""The fleet's word for a device: a certificate over its key, made wherever the fleet's key is kept. Pure.

A certificate is a map, as it stands in `boot` records and, in JSON with hex for bytes, in a file:

    device          the id of the device, 8 bytes
    public          the key of it that the fleet saw, 32 bytes; later keys follow from that one
    fleet           id of the fleet's key, the first 8 bytes of SHA-256 of its public half
    name            what the fleet calls it: a number plate, an inventory number
    not_before_us   when it was signed, UTC microseconds, by the clock of whoever signed
    signature       Ed25519 by the fleet's key, 64 bytes, over FLEET_TAG and the five before, packed as an array
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from agent.codec import COUNT_MAX, DEVICE_BYTES, pack
from agent.errors import InputError
from agent.ledger.key import KEY_BYTES, Signer, device_of, is_signed

FLEET_TAG = b"tbox fleet v1\x00"
CERTIFICATE_NAME = "device.cert"
SIGNATURE_BYTES = 64
NAME_MAX = 64
FILE_BYTES_MAX = 4096

_SIZES = {"device": DEVICE_BYTES, "public": KEY_BYTES, "fleet": DEVICE_BYTES, "signature": SIGNATURE_BYTES}


@dataclass(frozen=True, slots=True)
class Certificate:
    """One such map. `is_by` says whether it holds."""

    device: bytes
    public: bytes
    fleet: bytes
    name: str
    not_before_us: int
    signature: bytes = b""

    @classmethod
    def signed(cls, fleet: Signer, device: bytes, public: bytes, name: str, not_before_us: int) -> Self:
        """The fleet's word for this key. InputError: the name is too long."""
        if not 0 < len(name) <= NAME_MAX:
            raise InputError(f"a device's name has 1 to {NAME_MAX} characters, this one {len(name)}")
        bare = cls(device, public, device_of(fleet.public), name, not_before_us)
        return cls(device, public, bare.fleet, name, not_before_us, fleet.sign(bare._signed_bytes()))

    @classmethod
    def read(cls, told: object) -> Self | None:
        """The certificate in a map; None when it is none."""
        if not isinstance(told, Mapping) or told.keys() != cls.__dataclass_fields__.keys():
            return None
        sizes = all(isinstance(told[name], bytes) and len(told[name]) == size for name, size in _SIZES.items())
        name, since_us = told["name"], told["not_before_us"]
        is_since = type(since_us) is int and 0 <= since_us <= COUNT_MAX
        is_whole = sizes and is_since and isinstance(name, str) and len(name) <= NAME_MAX
        return cls(**told) if is_whole else None

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """The certificate in a file. InputError: there is none in it."""
        try:
            fields = json.loads(text)
            told = {name: bytes.fromhex(one) if name in _SIZES else one for name, one in fields.items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            told = {}
        certificate = cls.read(told)
        if certificate is None:
            raise InputError("there is no certificate in it; `tbox key certify` makes one")
        return certificate

    def told(self) -> dict[str, Any]:
        """As it stands in a record."""
        return asdict(self)

    def text(self) -> bytes:
        """As it stands in a file."""
        told = {name: one.hex() if isinstance(one, bytes) else one for name, one in asdict(self).items()}
        return json.dumps(told, indent=1).encode() + b"\n"

    def is_by(self, fleet: bytes) -> bool:
        """Whether the holder of this fleet's key signed it; a public key goes in."""
        return device_of(fleet) == self.fleet and is_signed(self._signed_bytes(), self.signature, fleet)

    def _signed_bytes(self) -> bytes:
        return FLEET_TAG + pack([self.device, self.public, self.fleet, self.name, self.not_before_us])
