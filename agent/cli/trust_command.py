"""`tbox key roster|trust|untrust|trusted`: whose keys sign for a fleet, and which fleets a terminal trusts."""

import json as json_text
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.cli.bundle_command import signer, write
from agent.errors import InputError, UsageError
from agent.ledger.key import device_of
from agent.settings import Settings
from agent.trust import document, trust
from agent.trust.roster import ROLES, Roster

WHAT = "the trust document"


def roster(  # noqa: PLR0913, PLR0917  (what a document says)
    output: Path,
    fleet: str | None,
    before: Path | None,
    holders: Sequence[str],
    thresholds: Sequence[str],
    revoked: Sequence[str],
    signers: Sequence[Path],
) -> int:
    """Write a fleet's trust document, the first or the next version, signed by these keys. UsageError, BundleError."""
    keys = [signer(path) for path in signers]
    told = _first(fleet, [key.public.hex() for key in keys], holders) if before is None else _next(before)
    for said in holders:
        _add_holder(told, said)
    for said in revoked:
        told["revoked"][_public(told, said)] = "revoked"
    for said in thresholds:
        role, _, count = said.rpartition("=")
        if not count.isdecimal() or (role and role not in told["roles"]):
            raise UsageError(f"--threshold {said}: write it as 2, or as bundle=2; roles are {' '.join(told['roles'])}")
        for one in [role] if role else told["roles"]:
            told["roles"][one]["threshold"] = int(count)
    made = Roster.unchecked(document.canonical(told), WHAT)
    made.check(WHAT)
    for key in keys:
        made = made.signed(key)
    write(output, made.text())
    missing = made.lacking(made)
    print(f"{output}: trust document {made.form.fleet} {made.form.version}, {len(made.form.keys)} keys")
    sign = f"tbox bundle sign {output} --fleet KEY"
    print(
        f"it has {missing} by its root keys; next: {sign}"
        if missing
        else f"next, on a terminal: tbox key trust {output}"
    )
    return 0


def pin(settings: Settings, file: Path) -> int:
    """Trust a fleet on this terminal. BundleError: it cannot be."""
    made = Roster.parse(_read(file), str(file))
    trust.pin(settings, made)
    for line in _lines(made):
        print(line)
    return 0


def unpin(settings: Settings, fleet: str) -> int:
    """Trust it no more. InputError: it is not trusted."""
    trust.unpin(settings, fleet)
    print(f"{fleet}: trusted no more; what it installed goes on running")
    return 0


def trusted(settings: Settings, *, json: bool) -> int:
    """Whom this terminal trusts."""
    rosters = trust.load(settings).rosters
    if json:
        print(json_text.dumps([json_text.loads(one.content) for one in rosters.values()]))
        return 0
    for one in rosters.values():
        for line in _lines(one):
            print(line)
    if not rosters:
        print("nobody is trusted yet: no bundle and no command is taken; tbox key trust FILE")
    return 0


def _lines(made: Roster) -> list[str]:
    """A document in words."""
    form = made.form
    lines = [f"fleet {form.fleet}, trust document {form.version}"]
    for name, public in form.keys.items():
        state = f", revoked: {form.revoked[public]}" if public in form.revoked else ""
        lines.append(f"  {name:<16} {device_of(bytes.fromhex(public)).hex()}{state}")
    return lines + [f"  {role:<8} {one.threshold} of {', '.join(one.keys)}" for role, one in form.roles.items()]


def _first(fleet: str | None, publics: Sequence[str], holders: Sequence[str]) -> dict[str, Any]:
    """The first version; where nobody is named, whoever signs it may do everything."""
    if fleet is None:
        raise UsageError("a fleet's first trust document needs --name, e.g. --name acme")
    keys = {} if holders else {f"key {number}": public for number, public in enumerate(publics, 1)}
    roles = {role: {"keys": sorted(keys), "threshold": 1} for role in ROLES}
    return {"tbox_trust": 1, "fleet": fleet, "version": 1, "keys": keys, "roles": roles, "revoked": {}}


def _next(before: Path) -> dict[str, Any]:
    """The next version, as yet the same. BundleError: there is none before."""
    told: dict[str, Any] = json_text.loads(Roster.parse(_read(before), str(before)).content)
    return told | {"version": told["version"] + 1}


def _add_holder(told: dict[str, Any], said: str) -> None:
    """NAME=HEX[:ROLE,ROLE]: a key, and what it is for; without roles everything."""
    name, equals, rest = said.partition("=")
    public, _, roles = rest.partition(":")
    named = roles.split(",") if roles else list(ROLES)
    if not name or not equals or not set(named) <= set(ROLES):
        raise UsageError(f"--add {said}: write NAME=KEY or NAME=KEY:bundle,command; roles are {' '.join(ROLES)}")
    if not re.fullmatch("[0-9a-f]{64}", public):
        raise UsageError(f"--add {said}: a public key has 64 hex digits, as `tbox key fleet` prints it")
    told["keys"][name] = public
    for role in named:
        there = told["roles"].setdefault(role, {"keys": [], "threshold": 1})
        there["keys"] = sorted({*there["keys"], name})


def _public(told: dict[str, Any], said: str) -> str:
    """The key of a name, or the key itself."""
    public = told["keys"].get(said, said)
    if public not in told["keys"].values():
        raise UsageError(f"--revoke {said}: no such name or key in it; there are {', '.join(told['keys'])}")
    return str(public)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(document.DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
