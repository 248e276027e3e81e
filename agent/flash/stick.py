"""A USB stick with `tbox/*.tbx`: flashed by the same path as anything else, the result written back as a text file.

Nothing on it can do more than a bundle can: plain files of a bundle's size are read, nothing is run, no link is
followed, and one file is written, `tbox/result-<device>.txt`, whole, beside the bundles. Of several bundles for
this terminal and this car the highest version is taken; one that runs already is done.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import BundleError, InputError, StorageError
from agent.files import sync_folder
from agent.flash import flash, flash_verify
from agent.flash.flash import Ask, Machine, Outcome, Step
from agent.outbox.store import STORE_NAME, read_reserve
from agent.settings.file import Loaded, read
from agent.trust import compatible
from agent.trust.bundle import Bundle

FOLDER_NAME = "tbox"
BUNDLES_MAX = 16
LINES_MAX = 400


def run(machine: Machine, folder: Path, tell: Callable[[Step], None]) -> Outcome:
    """Flash what the stick at `folder` brings; nobody is asked. InputError: it brings nothing, or cannot be written."""
    alone = read(machine.path, machine.sets)
    state_dir = Path(alone.settings.device.state_dir)
    lines: list[str] = []

    def both(step: Step) -> None:
        if (line := line_of(step)) and len(lines) < LINES_MAX:
            lines.append(line)
        tell(step)

    place = folder / FOLDER_NAME
    bundles, bad = found(place)
    for words in bad:
        both(Step("verify", words=words))
    vin = flash_verify.known("", state_dir).vin
    chosen = best(bundles, alone, vin)
    if chosen is None:
        outcome = Outcome("refused", f"{place}: no bundle for this terminal and car in it", "none")
    else:
        outcome = flash.install(machine, Ask(bundles[chosen].raw(), "usb"), both)
    write(place / f"result-{name_of(state_dir)}.txt", lines, outcome)
    return outcome


def found(place: Path) -> tuple[dict[Path, Bundle], list[str]]:
    """The bundles in the folder, and a line for each that cannot be read. InputError: there is no such folder."""
    if place.is_symlink():
        raise InputError(f"{place}: is a link; put bundles into a folder tbox on the stick")
    try:
        paths = sorted(path for path in place.iterdir() if path.suffix == ".tbx" and not path.is_symlink())
    except OSError as why:
        raise InputError(
            f"{place}: cannot be read: {why.strerror}; put bundles into a folder tbox on the stick"
        ) from None
    good: dict[Path, Bundle] = {}
    bad: list[str] = []
    for path in paths[:BUNDLES_MAX]:
        try:
            good[path] = Bundle.read(path)
        except BundleError as why:
            bad.append(f"{path.name}: {str(why).removeprefix(f'{path}: ')}")
    return good, bad


def best(bundles: dict[Path, Bundle], alone: Loaded, vin: str) -> Path | None:
    """The highest version of those for this box and car; where none is, the first, so that it is told why not."""
    box = flash_verify.box(alone, vin)
    unknown = {"class"} if vin else {"class", "vin"}
    faults = {path: compatible.faults(bundle.manifest.compatible, box) for path, bundle in bundles.items()}
    suited = [path for path, found in faults.items() if not {fault.reason for fault in found} - unknown]
    return max(suited, key=lambda path: bundles[path].manifest.version, default=next(iter(bundles), None))


def line_of(step: Step) -> str:
    """A step as a line of the result."""
    if step.check is not None:
        return f"{step.check.verdict}  {step.check.name}: {step.check.words}" + (
            f"; fix: {step.check.fix}" if step.check.fix else ""
        )
    if step.change is not None:
        return f"      {step.change.line()}"
    return f"{step.step}: {step.words}" if step.words and step.step not in {"check", "trial"} else ""


def name_of(state_dir: Path) -> str:
    """What this terminal is called on the stick."""
    with suppress(StorageError):
        return read_reserve(state_dir / STORE_NAME).device or "new"
    return "new"


def write(path: Path, lines: list[str], outcome: Outcome) -> None:
    """The result, whole or not at all; a stick that cannot be written is said."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC by this terminal's clock")
    text = "\r\n".join([now, *lines, f"{outcome.state}: {outcome.words}", ""])
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)
    except OSError as why:
        raise InputError(f"{path}: cannot be written: {why.strerror}; the outcome was {outcome.state}") from None
