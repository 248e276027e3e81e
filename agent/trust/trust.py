"""Whom this terminal trusts: the trust documents in force, what a signature counts for, when something is valid.

Nothing is trusted by default. A fleet is trusted once its first document (roster.py) is installed with the
machine, /etc/tbox/trust/*.json, or pinned by the owner of the state folder, `tbox key trust FILE`. From there on only
what the `root` keys of the version before signed takes over; it comes in bundles or by `tbox key trust`, and is kept in
`<state_dir>/trust/<fleet>.json`. Of the two places the higher version holds.

Time: `now_us` is UTC that somebody vouches for (NTP, satellites). Without it, None, something has expired when the
newest time this terminal knows to have passed, that of the newest vouched `clock` record in its store, is later; and
nothing is "not yet valid", because a clock that was never set would refuse everything.

`reason` of a BundleError: untrusted (nobody is trusted) unsigned key revoked altered threshold early expired trust.
"""

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from agent.errors import BundleError, InputError, SettingsError, StorageError
from agent.files import give, replace_file, sync_folder
from agent.settings import Settings
from agent.trust.bundle import BUNDLE_TAG, Bundle
from agent.trust.document import DOCUMENT_BYTES_MAX, Signature, told_time
from agent.trust.roster import FLEET, Roster
from agent.world import clock

MACHINE_TRUST = Path("/etc/tbox/trust")
TRUST_NAME = "trust"
FLEETS_MAX = 16
CLOCKS_MAX = 64
"""So many of the newest clock records are looked at for one that somebody vouched for."""

_HOW = "`tbox key trust FILE` trusts a fleet, by the trust document it gave you"


@dataclass(frozen=True, slots=True)
class Trust:
    """The documents in force, by fleet, and a UTC time that has passed for sure (0: none is known)."""

    rosters: Mapping[str, Roster] = field(default_factory=dict)
    passed_us: int = 0

    def check(self, bundle: Bundle, now_us: int | None) -> list[str]:
        """Who signed the bundle, when that is enough and it is valid now. BundleError: why it is not taken."""
        names = self.signers(bundle)
        manifest = bundle.manifest
        self.check_time(f"bundle {manifest}", manifest.not_before_us, manifest.not_after_us, now_us)
        return names

    def signers(self, bundle: Bundle) -> list[str]:
        """The same whenever it was: the trust documents it carries count first. BundleError as above."""
        after = self.learned(bundle.trust_documents())
        message = BUNDLE_TAG + bundle.manifest.bytes()
        return after.check_signed("bundle", message, bundle.signatures, f"bundle {bundle.manifest}")

    def check_signed(self, role: str, message: bytes, signatures: Iterable[Signature], what: str) -> list[str]:
        """The names of those with this role who signed, enough of one fleet. BundleError: they did not."""
        given = tuple(signatures)
        if not self.rosters:
            raise BundleError("untrusted", f"{what}: this terminal trusts nobody yet; {_HOW}")
        if not given:
            raise BundleError("unsigned", f"{what}: nobody signed it; `tbox bundle sign FILE --fleet KEY` signs it")
        found = {fleet: roster.signers(role, message, given) for fleet, roster in self.rosters.items()}
        for fleet, roster in self.rosters.items():
            if 0 < roster.threshold(role) <= len(found[fleet].good):
                return list(found[fleet].good)
        if any(one.is_altered for one in found.values()):
            raise BundleError("altered", f"{what}: was changed after it was signed; fetch it again")
        revoked = [name for one in found.values() for name in one.revoked]
        if revoked:
            raise BundleError("revoked", f"{what}: the key of {', '.join(revoked)} is revoked; have another one sign")
        return self._too_few(role, what, given)

    def check_time(self, what: str, not_before_us: int | None, not_after_us: int | None, now_us: int | None) -> None:
        """BundleError: it is not valid yet, or no more. The bounds are valid themselves."""
        if now_us is not None and not_before_us is not None and now_us < not_before_us:
            told = f"is valid from {told_time(not_before_us)}, now it is {told_time(now_us)}"
            raise BundleError("early", f"{what}: {told}; wait, or take another one")
        latest_us = self.passed_us if now_us is None else now_us
        if not_after_us is not None and latest_us > not_after_us:
            told = "now it is" if now_us is not None else "nobody vouches for the clock, but the account has reached"
            sentence = (
                f"{what}: was valid until {told_time(not_after_us)}, {told} {told_time(latest_us)}; get a newer one"
            )
            raise BundleError("expired", sentence)

    def learned(self, documents: Iterable[bytes]) -> Self:
        """With these documents where they take over; older ones change nothing. BundleError: one may not."""
        rosters = dict(self.rosters)
        found = [Roster.parse(raw, "a trust document") for raw in documents]
        for roster in sorted(found, key=lambda one: one.form.version):
            fleet, version = roster.form.fleet, roster.form.version
            before = rosters.get(fleet)
            if before is None:
                raise BundleError(
                    "trust", f"trust document {fleet} {version}: this terminal does not trust {fleet}; {_HOW}"
                )
            if version <= before.form.version:
                continue
            missing = roster.lacking(before)
            if missing:
                told = f"has {missing} by the root keys of version {before.form.version}"
                raise BundleError(
                    "trust", f"trust document {fleet} {version}: {told}; the versions between are needed too"
                )
            rosters[fleet] = roster
        return replace(self, rosters=rosters)

    def _too_few(self, role: str, what: str, given: tuple[Signature, ...]) -> list[str]:
        """BundleError: nobody with this role signed, or not enough of them."""
        for fleet, roster in self.rosters.items():
            good = roster.signers_named(role, given)
            if good:
                told = (
                    f"{len(good)} of the {roster.threshold(role)} signatures that {fleet} demands ({', '.join(good)})"
                )
                raise BundleError("threshold", f"{what}: has {told}; have more of them sign")
        keys = ", ".join(one.key.hex() for one in given[:3])
        fleets = ", ".join(sorted(self.rosters))
        told = f'is signed by {keys}, none of them a "{role}" key of {fleets}'
        raise BundleError("key", f"{what}: {told}; have one of theirs sign, or trust that fleet as well")


def load(settings: Settings, *, machine: Path = MACHINE_TRUST) -> Trust:
    """Whom this terminal trusts now. SettingsError: a trust file is damaged, or others may write it."""
    state = Path(settings.device.state_dir)
    return Trust(_newest([*_rosters(machine), *_rosters(state / TRUST_NAME)]), _passed_us(state))


def of_folder(folder: Path) -> Trust:
    """As if the documents in this folder were pinned and nothing else. SettingsError: there is none, or as above."""
    rosters = _rosters(folder)
    if not rosters:
        raise SettingsError(f"{folder}: there is no trust document (*.json) in it")
    return Trust(_newest(rosters))


def vouched_maps(slot: Path, trust: Trust) -> frozenset[Path]:
    """The vehicle maps of a bundle that lies unpacked in this folder, where enough of its fleet's keys signed it."""
    try:
        bundle = Bundle.read_folder(slot)
        trust.signers(bundle)
    except BundleError:
        return frozenset()
    return frozenset((slot / name).resolve() for name in bundle.files if name.startswith("maps/"))


def now_us() -> int | None:
    """UTC as the kernel's clock has it, where somebody keeps that right; else None."""
    reading = clock.read_clocks()
    return None if reading.u_us is None else reading.utc_us


def keep(settings: Settings, trust: Trust) -> None:
    """Write down what was learned; call it with what `learned` gave. StorageError: it cannot be written."""
    folder = Path(settings.device.state_dir) / TRUST_NAME
    there = {roster.form.fleet: roster.form.version for roster in _rosters(folder)}
    for fleet, roster in trust.rosters.items():
        if roster.form.version > there.get(fleet, 0):
            _write(folder, fleet, roster.text())


def learn(settings: Settings, trust: Trust, bundle: Bundle) -> Trust:
    """The trust documents of a bundle that was checked, from now on in force. BundleError, StorageError."""
    learned = trust.learned(bundle.trust_documents())
    if learned.rosters != trust.rosters:
        keep(settings, learned)
    return learned


def pin(settings: Settings, roster: Roster) -> Trust:
    """Trust this document's fleet: its first document, or one that takes over. BundleError, StorageError."""
    trust = load(settings)
    fleet, version = roster.form.fleet, roster.form.version
    known = trust.rosters.get(fleet)
    if known is None:
        if len(trust.rosters) >= FLEETS_MAX:
            raise InputError(f"this terminal trusts {FLEETS_MAX} fleets already; `tbox key untrust NAME` makes room")
        trust = replace(trust, rosters={**trust.rosters, fleet: roster})
    elif version < known.form.version:
        raise BundleError("trust", f"{fleet} is trusted by version {known.form.version} already, which is newer")
    else:
        trust = trust.learned([roster.text()])
    keep(settings, trust)
    return trust


def unpin(settings: Settings, fleet: str) -> None:
    """Trust this fleet no more. InputError: it is not trusted here, or by the machine's file, which is named."""
    path = Path(settings.device.state_dir) / TRUST_NAME / f"{fleet}.json"
    for roster in _rosters(MACHINE_TRUST):
        if roster.form.fleet == fleet:
            raise InputError(f"{fleet} is trusted by a file in {MACHINE_TRUST}; remove that file")
    if not re.fullmatch(FLEET, fleet) or not path.exists():
        raise InputError(f"{fleet}: no such fleet is trusted here; `tbox key trusted` shows them")
    try:
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path}: cannot be removed: {error.strerror}; run this as the user who runs tbox") from None


def _newest(rosters: Iterable[Roster]) -> dict[str, Roster]:
    """Of each fleet the highest version."""
    return {roster.form.fleet: roster for roster in sorted(rosters, key=lambda one: one.form.version)}


def _rosters(folder: Path) -> list[Roster]:
    """The documents in a folder; none where there is no folder."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
        if paths and folder.stat().st_mode & 0o022:
            raise SettingsError(f"{folder}: others may change whom this terminal trusts; type: chmod go-w {folder}")
        return [_roster(path) for path in paths[:FLEETS_MAX]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SettingsError(f"{folder}: whom to trust cannot be read: {error.strerror}; check its rights") from None


def _roster(path: Path) -> Roster:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o022:
            raise SettingsError(f"{path}: others may change whom this terminal trusts; type: chmod go-w {path}")
        raw = file.read(DOCUMENT_BYTES_MAX + 1)
    try:
        return Roster.parse(raw, str(path))
    except BundleError as why:
        raise SettingsError(f"{why}; put a whole one there, or remove it") from None


def _write(folder: Path, fleet: str, text: bytes) -> None:
    path = folder / f"{fleet}.json"
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            give(folder, folder.parent)
            sync_folder(folder.parent)
        replace_file(path, text)
        give(path, folder)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}; run this as the user who runs tbox") from None


def _passed_us(state: Path) -> int:
    """The newest vouched UTC in the store; 0 where there is none, or no store that can be read."""
    from agent.codec import decode, kind_number  # noqa: PLC0415  (SQLite is loaded where there is a store)
    from agent.outbox.store import STORE_NAME, guarded, open_readable  # noqa: PLC0415

    asked = "SELECT raw FROM records WHERE kind=? AND raw IS NOT NULL ORDER BY seq DESC LIMIT ?"
    try:
        with closing(open_readable(state / STORE_NAME)) as store, guarded(state):
            bodies = [decode(raw).body for (raw,) in store.execute(asked, (kind_number("clock"), CLOCKS_MAX))]
    except (StorageError, InputError):
        return 0
    told = [body.get("utc_us") for body in bodies if body.get("u_us") is not None]
    return max((utc_us for utc_us in told if isinstance(utc_us, int)), default=0)
