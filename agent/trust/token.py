"""A signed command: who may have what done on which terminals, once, within a time. Pure.

A token is a signed document (document.py) under TOKEN_TAG, by the `command` keys of a fleet's trust document:

    tbox_token   1
    id           16 random bytes, hex: each terminal takes it once
    commands     which of them it permits (agent/desk/desk.py)
    args         the numbers of the command; nothing beside the token says any
    devices      ids of the terminals, or null: all that trust the fleet
    not_before   UTC, "2026-11-22T08:00:00Z"
    not_after    LIFE_S_MAX later at most
    challenge    null, or what the terminal's `state` tells; where nobody vouches for its clock it takes no other tokens
    signatures
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from agent.errors import BundleError
from agent.trust import document
from agent.trust.document import Signature, Signed

TOKEN_TAG = b"tbox command v1\x00"
TOKEN_BYTES_MAX = 8192
ID_BYTES = 16
LIFE_S_MAX = 7 * 86_400
"""As long as a broker keeps a session for a terminal that is away."""

DEVICES_MAX = 256
COMMANDS_MAX = 16

Name = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\Z")]
Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Device = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Form(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token without its signatures."""

    tbox_token: Literal[1]
    id: Id
    commands: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=COMMANDS_MAX)]
    args: Annotated[dict[Name, Number], Meta(max_length=8)]
    devices: Annotated[tuple[Device, ...], Meta(min_length=1, max_length=DEVICES_MAX)] | None
    not_before: str
    not_after: str
    challenge: Id | None


@dataclass(frozen=True, slots=True)
class Token(Signed):
    """One such document, well formed; whether its signatures count, trust.py says."""

    TAG = TOKEN_TAG

    form: Form
    not_before_us: int
    not_after_us: int

    @classmethod
    def read(cls, told: object) -> Self:
        """The token in a JSON value. BundleError (`damaged`, `life`): there is none."""
        what = "the token"
        try:
            raw = document.canonical(told)
        except (ValueError, TypeError, RecursionError):
            raise BundleError("damaged", f"{what} is no JSON object") from None
        if len(raw) > TOKEN_BYTES_MAX:
            raise BundleError("too_big", f"{what} has more than {TOKEN_BYTES_MAX} bytes")
        content, signatures = document.split(raw, what)
        return cls._of(document.fitted(content, Form, what), content, signatures)

    @classmethod
    def made(cls, form: Form) -> Self:
        """A token that is still to be signed. BundleError as above."""
        return cls._of(form, document.canonical(msgspec.to_builtins(form)), ())

    @classmethod
    def _of(cls, form: Form, content: bytes, signatures: tuple[Signature, ...]) -> Self:
        since_us, until_us = (
            document.time_us(form.not_before, "not_before"),
            document.time_us(form.not_after, "not_after"),
        )
        assert since_us is not None
        assert until_us is not None
        if not 0 < until_us - since_us <= LIFE_S_MAX * 1_000_000:
            raise BundleError("life", f"the token holds from {form.not_before} to {form.not_after}: a week at most")
        return cls(content, signatures, form, since_us, until_us)

    def told(self) -> dict[str, Any]:
        """As a JSON value."""
        told: dict[str, Any] = msgspec.to_builtins(self.form)
        return told | {document.SIGNATURES: document.told_signatures(self.signatures)}

    def permits(self, command: str) -> bool:
        """Whether this command is among its own."""
        return command in self.form.commands

    def is_for(self, device: bytes) -> bool:
        """Whether this terminal is one it is for."""
        return self.form.devices is None or device.hex() in self.form.devices
