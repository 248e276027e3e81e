"""Going back to an older version: who may say so, for one device, one bundle and one version. Pure.

tbox_permit  1
device       id of the device, 16 hex digits
id, version  the bundle it may take, though it had a higher version
not_after    until when, UTC
signatures   by enough `bundle` keys of a trusted fleet, over PERMIT_TAG and the rest (document.py)
"""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta, Struct

from agent.errors import BundleError
from agent.trust import document
from agent.trust.bundle import ID, VERSION_MAX, Bundle
from agent.trust.document import Signed
from agent.trust.trust import Trust

PERMIT_TAG = b"tbox permit v1\x00"
ROLE = "bundle"


class Form(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A permission without its signatures."""

    tbox_permit: Literal[1]
    device: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
    id: Annotated[str, Meta(pattern=rf"^{ID}\Z")]
    version: Annotated[int, Meta(ge=1, le=VERSION_MAX)]
    not_after: str


@dataclass(frozen=True, slots=True)
class Permit(Signed):
    """One such document. Whether it holds is `check`'s to say."""

    TAG = PERMIT_TAG

    form: Form

    @classmethod
    def new(cls, device: bytes, id_: str, version: int, not_after_us: int) -> Self:
        """Unsigned. BundleError: it would not be read again."""
        told = {"tbox_permit": 1, "device": device.hex(), "id": id_, "version": version}
        return cls.parse(document.canonical(told | {"not_after": document.told_time(not_after_us)}), "the permission")

    @classmethod
    def parse(cls, raw: bytes, what: str) -> Self:
        """The permission in these bytes; `what` names it. BundleError: there is none."""
        content, signatures = document.split(raw, what)
        form = document.fitted(content, Form, what)
        document.time_us(form.not_after, what)
        return cls(content, signatures, form)

    def check(self, trust: Trust, bundle: Bundle, device: bytes, now_us: int | None) -> list[str]:
        """Who permits this device to take this bundle now. BundleError: nobody does."""
        form, manifest = self.form, bundle.manifest
        if form.device != device.hex():
            raise BundleError(
                "permit", f"the permission is for device {form.device}, this is {device.hex()}; get its own"
            )
        if (form.id, form.version) != (manifest.id, manifest.version):
            told = f"the permission is for {form.id} {form.version}, the bundle is {manifest}"
            raise BundleError("permit", f"{told}; get one for this bundle")
        names = trust.check_signed(ROLE, PERMIT_TAG + self.content, self.signatures, "the permission")
        trust.check_time("the permission", None, document.time_us(form.not_after, "the permission"), now_us)
        return names


def told(form: Form) -> dict[str, object]:
    """As it is shown."""
    return dict(msgspec.to_builtins(form))


def check_version(
    bundle: Bundle, highest: int, device: bytes, permit: Permit | None, trust: Trust, now_us: int | None
) -> None:
    """BundleError, "older": this device committed a higher version of the bundle, and no permission covers it.

    `highest`: the highest version of this bundle's id ever committed here; 0: none was.
    """
    manifest = bundle.manifest
    if manifest.version >= highest:
        return
    if permit is None:
        told = f"bundle {manifest} is older than version {highest}, which this terminal has had"
        make = f"tbox bundle permit --device {device.hex()} --id {manifest.id} --version {manifest.version}"
        raise BundleError("older", f"{told}; take a newer one, or have the fleet sign a permission: {make} ...")
    permit.check(trust, bundle, device, now_us)
