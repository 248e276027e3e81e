"""`tbox install`: certify an installation, and print the certificate."""

import hashlib
import json as json_text
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent import __version__
from agent.cli import install_page
from agent.cli.bundle_command import write
from agent.codec import Record
from agent.doctor.doctor import examine, lines
from agent.doctor.tap import progress
from agent.errors import InputError, UsageError
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.page import qr
from agent.proof import proof
from agent.proof.finding import Report
from agent.rights import asking_daemon
from agent.settings import Settings
from agent.world.dating import Dating
from agent.yard import install
from agent.yard.install import Install

CHECK_WORDS_MAX = 240
PHOTO_BYTES_MAX = 64 << 20


def record(settings: Settings, said: Mapping[str, Any], checks: Path | None, seconds: float) -> int:
    """Ask the daemon to certify this installation. UsageError: what was typed cannot be; InputError: it refuses.

    `said` as agent/yard/install.py's Install, but `photos`, which are paths, and `hashes` of photos that are elsewhere;
    `checks`: what `tbox doctor --json` printed,
    None: they are made now.
    """
    found = _read_checks(checks) if checks is not None else _look(settings, seconds)
    photos = [[path.name, _sha256(path)] for path in said["photos"]]
    photos += [["photo", told] for told in said.get("hashes", [])]
    typed = {name: told for name, told in said.items() if name != "hashes"}
    try:
        asked = install.read({**typed, "photos": photos, "checks": [_short(check) for check in found]})
    except ValueError as why:
        raise UsageError(str(why)) from None
    _tell(asked)
    return asking_daemon.certify(Path(settings.device.state_dir), asked)


def certificate(settings: Callable[[], Settings], records: Path | None, seq: int | None, output: Path) -> int:
    """Print the newest certificate, or that of this number, as a page. InputError: there is none."""
    path = records or Path(settings().device.state_dir) / STORE_NAME
    pile = read_pile(path)
    found = [one for one in pile.records if one.kind == "install" and seq in (None, one.seq)]
    if not found:
        which = "" if seq is None else f" {seq}"
        raise InputError(f"{path}: there is no install record{which} in it; `tbox install record` makes one")
    report = proof.check([pile])
    write(output, page_of(found[-1], pile.records, report).encode())
    state = "it holds" if report.is_good else "the account does not hold: see the page"
    print(f"{output}: certificate {found[-1].seq}; {state}")
    return 0 if report.is_good else 1


def page_of(told: Record, records: Sequence[Record], report: Report) -> str:
    """The page of an install record."""
    moment = Dating([one.body for one in records if one.kind == "clock"]).moment(told.boot, told.t_us)
    seal = next((one for one in records if one.kind == "seal" and one.seq > told.seq), None)
    uri = f"TBOX:INSTALL/1/{told.device.hex().upper()}/{told.seq}/{told.hash.hex().upper()}"
    return install_page.page(told, moment, seal, report, qr.svg(uri, inline=True), f"tbox {__version__}")


def _look(settings: Settings, seconds: float) -> list[tuple[str, str, str]]:
    """What the doctor says now."""
    tell = progress()
    try:
        found = list(examine(settings, seconds, tell))
    finally:
        tell("")
    print("\n".join(lines(found)))
    return [(check.name, check.verdict, check.words) for check in found]


def _read_checks(path: Path) -> list[tuple[str, str, str]]:
    """What `tbox doctor --json` wrote. InputError: this is something else."""
    try:
        told = json_text.loads(path.read_bytes())["checks"]
        return [(str(one["name"]), str(one["verdict"]), str(one["words"])) for one in told]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: not what `tbox doctor --json` prints") from None


def _short(check: tuple[str, str, str]) -> tuple[str, str, str]:
    """With words of a length a record takes."""
    name, verdict, words = check
    return name[:CHECK_WORDS_MAX] or "-", verdict, words[:CHECK_WORDS_MAX] or "-"


def _sha256(path: Path) -> str:
    """Of a photo. InputError: it cannot be read, or is too large to be one."""
    try:
        with path.open("rb") as file:
            raw = file.read(PHOTO_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > PHOTO_BYTES_MAX:
        raise InputError(f"{path}: too large for a photo (over {PHOTO_BYTES_MAX >> 20} MiB)")
    return hashlib.sha256(raw).hexdigest()


def _tell(asked: Install) -> None:
    """How many checks hold, before it is asked for."""
    verdicts = [check[1] for check in asked.checks]
    print(
        f"{verdicts.count('PASS')} checks hold, {verdicts.count('FAIL')} do not, {verdicts.count('SKIP')} were left out"
    )
