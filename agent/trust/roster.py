"""Whose keys a fleet signs with, and for what: the trust document, `trust/*.json`. Pure.

    tbox_trust   1
    fleet        the fleet's name, which the document keeps over its versions
    version      from 1; a higher one takes over from a lower one when the `root` keys of the lower one signed it
    keys         {name: public key, 64 hex digits}
    roles        {role: {keys: [names], threshold: how many of them must sign}}
    revoked      {public key: why}: counts for nothing any more, whatever a role says
    signatures   over TRUST_TAG and the rest (document.py), by its own `root` keys and by those before it

Roles: root (trust documents), bundle (bundles and downgrades), command (remote commands), binding (box, car and owner).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct

from agent.errors import BundleError
from agent.ledger.key import device_of, is_signed
from agent.trust import document
from agent.trust.document import Signature, Signed

TRUST_TAG = b"tbox trust v1\x00"
ROLES = ("root", "bundle", "command", "binding")
FLEET = r"[a-z0-9][a-z0-9-]{0,31}"
VERSION_MAX = 2**31 - 1
KEYS_MAX = 32

Name = Annotated[str, Meta(min_length=1, max_length=64)]
RoleName = Annotated[str, Meta(pattern=rf"^(?:{'|'.join(ROLES)})\Z")]
Public = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Role(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may, and how many of them must."""

    keys: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=KEYS_MAX)]
    threshold: Annotated[int, Meta(ge=1, le=KEYS_MAX)]


class Form(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trust document without its signatures."""

    tbox_trust: Literal[1]
    fleet: Annotated[str, Meta(pattern=rf"^{FLEET}\Z")]
    version: Annotated[int, Meta(ge=1, le=VERSION_MAX)]
    keys: Annotated[dict[Name, Public], Meta(max_length=KEYS_MAX)]
    roles: dict[RoleName, Role]
    revoked: Annotated[dict[Public, Annotated[str, Meta(max_length=200)]], Meta(max_length=256)]


@dataclass(frozen=True, slots=True)
class Signers:
    """What signatures are worth: names of keys that hold, and of those that would but are revoked."""

    good: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    is_altered: bool = False
    """A key of the role is named whose signature does not fit the content."""


@dataclass(frozen=True, slots=True)
class Roster(Signed):
    """One such document. `parse` takes none that cannot be satisfied, or that its own root keys did not sign."""

    TAG = TRUST_TAG

    form: Form

    @classmethod
    def parse(cls, raw: bytes, what: str) -> Self:
        """The trust document in these bytes; `what` names it. BundleError: there is none."""
        made = cls.unchecked(raw, what)
        made.check(what)
        missing = made.lacking(made)
        if missing:
            raise BundleError(
                "trust", f"{what}: not signed by its own root keys: {missing}; `tbox bundle sign` signs it"
            )
        return made

    @classmethod
    def unchecked(cls, raw: bytes, what: str) -> Self:
        """The same of one that is still to be signed."""
        content, signatures = document.split(raw, what)
        return cls(content, signatures, document.fitted(content, Form, what))

    def check(self, what: str) -> None:
        """BundleError: a role names a key that is not there, or needs more of them than are left."""
        if "root" not in self.form.roles:
            raise BundleError("trust", f'{what}: has no role "root", so nobody could ever change it')
        if len(set(self.form.keys.values())) < len(self.form.keys):
            raise BundleError("trust", f"{what}: one key has two names")
        for name, role in self.form.roles.items():
            unknown = [holder for holder in role.keys if holder not in self.form.keys]
            if unknown:
                raise BundleError("trust", f'{what}: role {name} names "{unknown[0]}", who has no key in it')
            left = {holder for holder in role.keys if self.form.keys[holder] not in self.form.revoked}
            if len(left) < role.threshold:
                raise BundleError(
                    "trust", f"{what}: role {name} needs {role.threshold} keys, {len(left)} are left; add one"
                )

    def signers(self, role: str, message: bytes, signatures: Iterable[Signature]) -> Signers:
        """Which of the role's keys signed the message."""
        holders = self._holders(role)
        good, revoked, is_altered = [], [], False
        for one in signatures:
            name, public = holders.get(one.key, ("", ""))
            if not public:
                continue
            if not is_signed(message, one.signature, bytes.fromhex(public)):
                is_altered = True
            elif public in self.form.revoked:
                revoked.append(name)
            else:
                good.append(name)
        return Signers(tuple(sorted(good)), tuple(sorted(revoked)), is_altered)

    def signers_named(self, role: str, signatures: Iterable[Signature]) -> list[str]:
        """Whose signatures these say they are; nothing is verified."""
        holders = self._holders(role)
        return sorted(holders[one.key][0] for one in signatures if one.key in holders)

    def threshold(self, role: str) -> int:
        """How many must sign; 0: nobody may."""
        there = self.form.roles.get(role)
        return there.threshold if there is not None else 0

    def lacking(self, by: "Roster") -> str:
        """What is missing for the root keys of `by` to have signed this one; empty: nothing."""
        signers = by.signers("root", TRUST_TAG + self.content, self.signatures)
        need = by.threshold("root")
        return "" if len(signers.good) >= need else f"{len(signers.good)} of {need} signatures"

    def _holders(self, role: str) -> Mapping[bytes, tuple[str, str]]:
        """Key id to name and public key."""
        there = self.form.roles.get(role)
        names = there.keys if there is not None else ()
        return {device_of(bytes.fromhex(self.form.keys[name])): (name, self.form.keys[name]) for name in names}
