"""`tbox bundle`: make one of a folder, sign it, look at it, try it; permit a terminal to go back to an older one."""

import json as json_text
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from agent.errors import BundleError, InputError, StorageError, TboxError, UsageError
from agent.files import replace_file
from agent.flash import contents
from agent.ledger.key import DeviceKey, load
from agent.settings import Settings
from agent.trust import document, trust
from agent.trust.archive import ARCHIVE_BYTES_MAX, check_size
from agent.trust.bundle import Bundle, Manifest
from agent.trust.compatible import Compatible
from agent.trust.permit import Permit
from agent.trust.roster import Roster
from agent.trust.trust import Trust

MANIFEST_TOML = "manifest.toml"
DAY_US = 86_400_000_000
_LISTS = ("hardware", "vehicle_class", "vin")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: did it hold, and what is to be known."""

    name: str
    is_good: bool
    text: str
    reason: str = ""


def new(folder: Path, output: Path, said: Mapping[str, Any]) -> int:
    """Make an unsigned bundle of a folder; `said` is as manifest.toml and beats it. BundleError: it would not work."""
    told = _manifest_toml(folder) | {key: value for key, value in said.items() if value not in (None, [])}
    files = {name: content for name, content in _files(folder).items() if name != MANIFEST_TOML}
    bundle = Bundle.new(_manifest(told, folder), files)
    contents.check(bundle)
    write(output, bundle.raw())
    print(f"{output}: bundle {bundle.manifest} of {len(files)} files, {len(bundle.raw())} bytes")
    print(f"content {bundle.content}\nnext: tbox bundle sign {output} --fleet KEY")
    return 0


def sign(file: Path, fleets: Sequence[Path], output: Path | None) -> int:
    """Add signatures to a bundle, a trust document or a permission. BundleError: it is none of them."""
    raw = _read(file)
    what, signed, text = _signable(raw, str(file))
    for fleet in fleets:
        signed = signed.signed(signer(fleet))
    write(output or file, text(signed))
    print(f"{output or file}: {what}, signed by {', '.join(one.key.hex() for one in signed.signatures)}")
    return 0


def inspect(file: Path, *, json: bool) -> int:
    """What a bundle says and holds; whether anybody here trusts its signers is `verify`'s to say."""
    bundle = Bundle.read(file)
    told = json_text.loads(bundle.manifest.bytes()) | {
        "content": bundle.content,
        "bytes": len(bundle.raw()),
        "sizes": {name: len(content) for name, content in bundle.files.items()},
        "signatures": [one.key.hex() for one in bundle.signatures],
    }
    if json:
        print(json_text.dumps(told))
        return 0
    print(f"bundle      {bundle.manifest}\ncontent     {bundle.content}")
    print(f"valid       {told['not_before'] or 'at once'} until {told['not_after'] or 'further notice'}")
    for name, wanted in told["compatible"].items():
        print(
            f"{name.replace('vehicle_', ''):<11} {(wanted if isinstance(wanted, str) else ', '.join(wanted)) or 'any'}"
        )
    print(f"signed by   {', '.join(told['signatures']) or 'nobody'}")
    for name, size in told["sizes"].items():
        print(f"{size:>9}  {name}")
    return 0


def verify(file: Path, trusted: Callable[[], Trust], *, json: bool) -> int:
    """Everything that can be said of a bundle away from a car: one line each; 0 when all of it holds, else 1."""
    steps: list[Step] = []
    bundle = _step(steps, "whole", lambda: Bundle.read(file), "container, manifest and hashes")
    if bundle is not None:
        whom = trusted()
        names = _step(steps, "signed", lambda: whom.signers(bundle), "by {}")
        if names is not None:
            _step(steps, "valid", lambda: _in_time(whom, bundle), "{}")
        _step(steps, "works", lambda: contents.check(bundle), "its settings load, its maps compile")
    is_good = all(step.is_good for step in steps)
    if json:
        named = {"id": bundle.manifest.id, "version": bundle.manifest.version} if bundle else {}
        print(json_text.dumps({**named, "is_good": is_good, "checks": [asdict(step) for step in steps]}))
        return 0 if is_good else 1
    for step in steps:
        print(f"{'PASS' if step.is_good else 'FAIL'}  {step.name:<7} {step.text}")
    print(f"{file}: {'good' if is_good else 'not to be installed'}")
    return 0 if is_good else 1


def permit(device: str, id_: str, version: int, days: float, fleets: Sequence[Path], output: Path) -> int:
    """Sign that this device may take that older version, for so many days. UsageError: the device's id is not hex."""
    try:
        made = Permit.new(bytes.fromhex(device), id_, version, time.time_ns() // 1000 + round(days * DAY_US))
    except ValueError:
        raise UsageError("a device's id has 16 hex digits, as `tbox key show` prints it") from None
    for fleet in fleets:
        made = made.signed(signer(fleet))
    write(output, made.text())
    print(f"{output}: device {made.form.device} may take {id_} {version} until {made.form.not_after}")
    return 0


def signer(file: Path) -> DeviceKey:
    """A fleet's key. InputError: there is none in this file; SettingsError: others can read it."""
    key = load(file)
    if key is None:
        raise InputError(f"{file}: there is no fleet key; `tbox key fleet {file}` makes one")
    return key


def write(path: Path, content: bytes) -> None:
    """A file for anybody to read, whole or not at all. StorageError."""
    try:
        replace_file(path, content)
        path.chmod(0o644)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error


def machine_trust(settings: Callable[[], Settings], folder: Path | None) -> Trust:
    """Whom this terminal trusts, or whom the documents in a folder name."""
    return trust.load(settings()) if folder is None else trust.of_folder(folder)


def _in_time(whom: Trust, bundle: Bundle) -> str:
    """What to say of its validity."""
    manifest, now_us = bundle.manifest, trust.now_us()
    whom.check_time(f"bundle {manifest}", manifest.not_before_us, manifest.not_after_us, now_us)
    if manifest.not_before_us is None and manifest.not_after_us is None:
        return "at any time"
    return f"now, {document.told_time(now_us)}" if now_us else "as far as can be told: nobody vouches for this clock"


def _step(steps: list[Step], name: str, look: Callable[[], Any], good: str) -> Any:
    """Look, and note what came of it; None when it failed."""
    try:
        found = look()
    except TboxError as why:
        steps.append(Step(name, is_good=False, text=str(why), reason=getattr(why, "reason", "error")))
        return None
    told = ", ".join(found) if isinstance(found, list) else found
    steps.append(Step(name, is_good=True, text=good.format(told)))
    return found


def _signable(raw: bytes, what: str) -> tuple[str, Any, Callable[[Any], bytes]]:
    """What kind of thing is to be signed, and how it is written again."""
    if raw.startswith(b"PK"):
        bundle = Bundle.read(raw)
        return f"bundle {bundle.manifest}", bundle, Bundle.raw
    told = document.parse(raw, what)
    if "tbox_permit" in told:
        return "permission", Permit.parse(raw, what), Permit.text
    if "tbox_trust" in told:
        roster = Roster.unchecked(raw, what)
        roster.check(what)
        return f"trust document {roster.form.fleet} {roster.form.version}", roster, Roster.text
    raise BundleError("damaged", f"{what}: neither a bundle, nor a trust document, nor a permission")


def _manifest_toml(folder: Path) -> dict[str, Any]:
    """What manifest.toml in the folder says; nothing without one. InputError: it is no TOML."""
    path = folder / MANIFEST_TOML
    if not path.is_file():
        return {}
    try:
        told = tomllib.loads(_read(path).decode())
    except (ValueError, RecursionError) as why:
        raise InputError(f"{path}: not TOML: {why}") from None
    wanted = told.pop("compatible", {})
    return told | (wanted if isinstance(wanted, dict) else {"compatible": wanted})


def _manifest(told: Mapping[str, Any], folder: Path) -> Manifest:
    """The manifest of these words. InputError: one is missing or not what it should be."""
    place, left = folder / MANIFEST_TOML, dict(told)
    if missing := [name for name in ("id", "version") if name not in left]:
        raise InputError(f"a bundle needs --{missing[0]}, or {missing[0]} = ... in {place}")
    bounds = [_time_us(name, left.pop(name, None)) for name in ("not_before", "not_after")]
    wanted = {name: left.pop(name) for name in (*_LISTS, "agent") if name in left}
    try:
        compatible = msgspec.convert(wanted, Compatible)
        id_, version = msgspec.convert(left.pop("id"), str), msgspec.convert(left.pop("version"), int)
    except msgspec.ValidationError as why:
        raise InputError(f"{place}: {why}") from None
    if left:
        raise InputError(f"{place}: {min(left)}: unknown; known are id version not_before not_after compatible")
    since_us, until_us = bounds
    return Manifest(
        id=id_, version=version, compatible=compatible, not_before_us=since_us, not_after_us=until_us, files={}
    )  # fmt: skip


def _time_us(name: str, told: object) -> int | None:
    """A date, a time with its zone, or nothing. InputError: it is neither."""
    if told is None:
        return None
    try:
        moment = datetime.fromisoformat(str(told))
    except ValueError:
        raise InputError(f'{name} = "{told}": write a day such as 2027-01-31, or 2027-01-31T12:00:00Z') from None
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return round(aware.timestamp()) * 1_000_000


def _files(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name; what begins with a dot is left out. InputError: there are none."""
    found: dict[str, bytes] = {}
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError(f"{path}: is a link; put the file itself there")
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            found[name] = _read(path)
            check_size(sum(map(len, found.values())))
    if not found.keys() - {MANIFEST_TOML}:
        raise InputError(f"{folder}: there is nothing in it for a bundle: tbox.toml, maps/, certs/, trust/")
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(ARCHIVE_BYTES_MAX + 1)
        check_size(len(raw))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except BundleError as why:
        raise BundleError(why.reason, f"{path}: {why}") from None
    return raw
