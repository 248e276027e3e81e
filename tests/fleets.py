"""Fleets to try things on: their keys, whom terminals trust, small bundles."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.ledger.key import DeviceKey
from agent.trust import document
from agent.trust.bundle import Bundle, Manifest
from agent.trust.roster import ROLES, Roster
from agent.trust.trust import Trust

ANNA, BEN, CAROL, EVE = (DeviceKey(bytes([number]) * 32) for number in (21, 22, 23, 66))
HOLDERS = {"Anna": ANNA, "Ben": BEN, "Carol": CAROL}
SECOND_US = 1_000_000
NOON_US = 1_790_000_000 * SECOND_US
SETTINGS = b"[trip]\nend_s = 200\n"


def roster_form(
    version: int = 1,
    holders: Mapping[str, DeviceKey] = HOLDERS,
    *,
    fleet: str = "acme",
    threshold: int = 2,
    revoked: Sequence[DeviceKey] = (),
) -> dict[str, Any]:
    """A trust document's content in which everybody may do everything, so many together."""
    return {
        "tbox_trust": 1,
        "fleet": fleet,
        "version": version,
        "keys": {name: key.public.hex() for name, key in holders.items()},
        "roles": {role: {"keys": sorted(holders), "threshold": threshold} for role in ROLES},
        "revoked": {key.public.hex(): "lost" for key in revoked},
    }


def signed_roster(form: dict[str, Any], signers: Sequence[DeviceKey] = (ANNA, BEN)) -> Roster:
    roster = Roster.unchecked(document.canonical(form), "a trust document")
    for key in signers:
        roster = roster.signed(key)
    return roster


def trust_of(*rosters: Roster, passed_us: int = 0) -> Trust:
    return Trust({roster.form.fleet: roster for roster in rosters}, passed_us)


def bundle_of(
    files: Mapping[str, bytes] | None = None,
    signers: Sequence[DeviceKey] = (ANNA, BEN),
    version: int = 12,
    **said: Any,
) -> Bundle:
    """A bundle of these files, or of small settings; `said` goes into the manifest."""
    manifest = Manifest(id="acme-vans", version=version, files={}, **said)
    bundle = Bundle.new(manifest, {"tbox.toml": SETTINGS} if files is None else files)
    for key in signers:
        bundle = bundle.signed(key)
    return bundle
