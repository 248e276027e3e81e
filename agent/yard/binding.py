"""Which car and which owner a box belongs to: the platform's signed word for it, and what it takes to believe it. Pure.

    tbox_binding 1
    binding      the platform's name of the binding; every one has its own
    state        "bound" or "removed"
    device       id of the device, 16 hex digits
    vin          of the car; empty: it has none, or nobody knows it
    owner        in words
    not_before   from when, UTC
    code         SHA-256, in hex, of CODE_TAG, the device's id and the box's one-time code; "removed" needs none
    signatures   by enough `binding` keys of a trusted fleet, over BINDING_TAG and the rest (agent/trust/document.py)

Whoever binds has read the code at the box itself, and the box takes each code once; so an old document binds nothing
again. "removed" names the binding it ends, and ends no other.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from agent.errors import BundleError
from agent.trust import document
from agent.trust.document import Signed
from agent.trust.trust import Trust

BINDING_TAG = b"tbox binding v1\x00"
CODE_TAG = b"tbox pairing v1\x00"
ROLE = "binding"
WHAT = "the binding"
VIN = r"[A-HJ-NPR-Z0-9]{17}"
CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No letter that reads like another one."""

CODE_LENGTH = 10

Match = Literal["right", "wrong", "unknown"]


class Form(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A binding without its signatures."""

    tbox_binding: Literal[1]
    binding: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
    state: Literal["bound", "removed"]
    device: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
    vin: Annotated[str, Meta(pattern=rf"^(?:{VIN})?\Z")]
    owner: Annotated[str, Meta(max_length=200)]
    not_before: str
    code: Annotated[str, Meta(pattern=r"^(?:[0-9a-f]{64})?\Z")]


class Bond(Struct, frozen=True, kw_only=True):
    """What a box holds to. `state` none: it belongs to nobody; `by` who signed; `content` SHA-256 of the document."""

    state: Literal["none", "bound", "removed"] = "none"
    binding: str = ""
    vin: str = ""
    owner: str = ""
    by: tuple[str, ...] = ()
    content: str = ""

    @property
    def is_bound(self) -> bool:
        """Whether trips carry it."""
        return self.state == "bound"


FREE = Bond()


@dataclass(frozen=True, slots=True)
class Binding(Signed):
    """One such document. Whether it holds is `accepted`'s to say."""

    TAG = BINDING_TAG

    form: Form

    @classmethod
    def new(cls, **told: Any) -> Self:
        """Unsigned, of the fields above; `not_before_us` in place of `not_before`. BundleError: they do not fit."""
        since = document.told_time(told.pop("not_before_us"))
        return cls.parse(document.canonical({"tbox_binding": 1, "not_before": since, **told}))

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """The binding in these bytes. BundleError: there is none."""
        content, signatures = document.split(raw, WHAT)
        form = document.fitted(content, Form, WHAT)
        document.time_us(form.not_before, WHAT)
        return cls(content, signatures, form)

    def bond(self, by: Collection[str]) -> Bond:
        """What a box holds to from then on."""
        form, content = self.form, hashlib.sha256(self.content).hexdigest()
        return Bond(
            state=form.state, binding=form.binding, vin=form.vin, owner=form.owner, by=tuple(by), content=content
        )  # fmt: skip


@dataclass(slots=True)
class Tie:
    """What trips say of the binding: `heard` are the VINs that the car's units told."""

    bond: Bond = FREE
    heard: tuple[str, ...] = ()

    def started(self) -> dict[str, Any]:
        """Of a trip that begins; nothing where the box is not bound."""
        return {"binding": self.bond.binding} if self.bond.is_bound else {}

    def ended(self) -> dict[str, Any]:
        """Of one that ends: also whether this is the car of the binding."""
        return {**self.started(), "vin_match": match(self.bond, self.heard)} if self.bond.is_bound else {}


def accepted(raw: bytes, device: bytes, code: str, bond: Bond, trust: Trust, now_us: int | None) -> Bond:
    """What this box holds to once it took the document; the same when it did before.

    `code` is the one that is open here, empty: none is. BundleError: why it is not taken; `reason` device, code or
    binding, or one of agent/trust/trust.py.
    """
    told = Binding.parse(raw)
    form = told.form
    if form.device != device.hex():
        raise BundleError("device", f"{WHAT} is for device {form.device}, this is {device.hex()}; fetch its own")
    by = trust.check_signed(ROLE, BINDING_TAG + told.content, told.signatures, WHAT)
    made = told.bond(by)
    if made.content == bond.content:
        return bond
    trust.check_time(WHAT, document.time_us(form.not_before, WHAT), None, now_us)
    if form.state == "removed":
        if not bond.is_bound or bond.binding != form.binding:
            held = bond.binding if bond.is_bound else "nothing"
            raise BundleError("binding", f"{WHAT} {form.binding} is to be removed, this box is bound to {held}")
    elif not code:
        raise BundleError("code", f"{WHAT} needs a code of this box, none is open: `tbox pair code` makes one")
    elif form.code != hash_of(code, device):
        raise BundleError(
            "code", f"{WHAT} was made with another code: give the platform the one `tbox pair code` shows"
        )
    return made


def hash_of(code: str, device: bytes) -> str:
    """What a binding says of the code; blanks, hyphens and small letters make no difference."""
    return hashlib.sha256(CODE_TAG + device + plain(code).encode("ascii", "replace")).hexdigest()


def plain(code: str) -> str:
    """A code as it is hashed."""
    return re.sub(r"[\s-]", "", code).upper()


def told_code(code: str) -> str:
    """A code for people: K7QM2-XPD9R."""
    return f"{code[:5]}-{code[5:]}"


def uri_of(device: bytes, code: str) -> str:
    """What the QR code says; of capitals, digits, : and / alone, for which a QR code has a smaller form."""
    return f"TBOX:PAIR/1/{device.hex().upper()}/{plain(code)}"


def match(bond: Bond, heard: Collection[str]) -> Match:
    """Whether this is the car of the binding, by the VINs that its units told; what is no VIN says nothing."""
    vins = {one for one in heard if re.fullmatch(VIN, one)}
    if not bond.is_bound or not bond.vin or not vins:
        return "unknown"
    return "right" if bond.vin in vins else "wrong"


def parse_bond(raw: bytes) -> Bond:
    """A bond as the box keeps it. ValueError: it is none."""
    try:
        return msgspec.json.decode(raw, type=Bond)
    except msgspec.DecodeError as why:
        raise ValueError(str(why)) from None
