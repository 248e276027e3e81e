"""`tbox config diff`: what a bundle, or another settings file, would change on this terminal."""

import json as json_text
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from agent.errors import SettingsError, StorageError
from agent.settings.difference import Change, changes
from agent.settings.file import MACHINE_FILE, Loaded, read
from agent.slots import slot_files, slot_settings
from agent.slots.slot_files import Slot

ARCHIVE_HEAD = b"PK\x03\x04"


def diff(path: Path, config: Path | None, sets: Sequence[str], *, json: bool) -> int:
    """The command. 0, whether anything changes or not. BundleError, SettingsError."""
    found = by_bundle(path, config, sets) if is_bundle(path) else by_file(path, config, sets)
    if json:
        print(json_text.dumps([asdict(change) for change in found], ensure_ascii=False))
    else:
        print("\n".join(change.line() for change in found) or "nothing changes")
    return 0


def is_bundle(path: Path) -> bool:
    """Whether a file is an archive, by its first bytes. SettingsError: it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(ARCHIVE_HEAD)) == ARCHIVE_HEAD
    except OSError as why:
        raise SettingsError(f"{path}: cannot be read: {why.strerror}; name a bundle or a settings file") from None


def by_file(path: Path, config: Path | None, sets: Sequence[str]) -> list[Change]:
    """With this file in the place of the machine's. SettingsError."""
    old, slot, before = in_force(config, sets)
    new = read(path, sets) if slot is None else slot_settings.over(path, sets, slot)
    return changes(old, new, before, before)


def by_bundle(path: Path, config: Path | None, sets: Sequence[str]) -> list[Change]:
    """With this bundle in force. BundleError, SettingsError."""
    from agent.flash.flash_verify import content_of  # noqa: PLC0415
    from agent.trust.bundle import Bundle  # noqa: PLC0415  (a settings file needs none of it)

    bundle = Bundle.read(path)
    old, _, before = in_force(config, sets)
    raw = bundle.files.get(slot_settings.FILE_NAME, b"")
    folder = slot_files.folder_of(Path(old.settings.device.state_dir)) / "new"
    new = read(config or MACHINE_FILE, sets, (slot_settings.layer(raw, folder, content_of(bundle, "local", "")),))
    return changes(old, new, before, slot_settings.files_by_use(bundle.files, folder, new.settings))


def in_force(config: Path | None, sets: Sequence[str]) -> tuple[Loaded, Slot | None, dict[str, bytes]]:
    """The settings now, their slot, and its files; where that cannot be read or used, the machine's file alone."""
    path = config or MACHINE_FILE
    alone = read(path, sets)
    try:
        slot = slot_files.in_force(Path(alone.settings.device.state_dir))
        if slot is None:
            return alone, None, {}
        now = slot_settings.over(path, sets, slot)
        return now, slot, slot_settings.files_by_use(slot_settings.files_in(slot.folder), slot.folder, now.settings)
    except (StorageError, SettingsError, OSError):
        return alone, None, {}
