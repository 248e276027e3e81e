"""What a bundle sets: its `tbox.toml` as a layer over the machine's file, and what it may not set.

A bundle is signed by the fleet and put into many cars. So it must not say who this terminal is, where it keeps its
account, which commands run on it, or where its own secrets are; and the files it names are its own.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from agent.errors import SettingsError, StorageError
from agent.settings import Settings
from agent.settings.file import MACHINE_FILE, NAMED, PATHS, Key, Layer, Loaded, anchored, look, merge, read, toml_of
from agent.slots import slot_files
from agent.slots.slot_files import Slot
from agent.slots.slots import Content

FILE_NAME = "tbox.toml"
CANDIDATE_NAME = "rules/candidate.toml"
"""Where a bundle has it, it runs in the shadow (agent/trip/shadow.py), unless its `tbox.toml` names another."""

MACHINES = (
    ("device", "state_dir"), ("device", "key"), ("device", "name"), ("device", "hardware"), ("recording",), ("flash",),
    ("service",),     ("power", "hooks"), ("indicator", "command"), ("camera", "login_file"), ("camera", "folder"),
    ("mqtt", "password_file"), ("mqtt", "cert_file"), ("mqtt", "key_file"),
)  # fmt: skip
"""Keys and tables that only the machine's file sets."""

log = logging.getLogger("tbox")


def machine(config: Path | None, sets: Sequence[str] = ()) -> Loaded:
    """This terminal's settings with their origins: --config else the machine's file, the slot in force, --set.

    SettingsError; StorageError: the slots cannot be read, or are damaged.
    """
    path = config or MACHINE_FILE
    alone = read(path, sets)
    slot = slot_files.in_force(Path(alone.settings.device.state_dir))
    return alone if slot is None else over(path, sets, slot)


def over(path: Path, sets: Sequence[str], slot: Slot) -> Loaded:
    """The same with a slot that is known. SettingsError."""
    try:
        raw = (slot.folder / FILE_NAME).read_bytes()
    except FileNotFoundError:
        raw = b""
    except OSError as why:
        raise SettingsError(f"{slot.folder / FILE_NAME}: cannot be read: {why.strerror}") from None
    return read(path, sets, (layer(raw, slot.folder, slot.content),))


def layer(raw: bytes, folder: Path, content: Content) -> Layer:
    """What the `tbox.toml` of a bundle says, its paths made to start from the slot's folder. SettingsError."""
    name = f"bundle {content.id} {content.version} ({FILE_NAME}"
    text, data = toml_of(raw, f"{name})")
    said = Layer(name, data, text, close=")")
    for key in MACHINES:
        if look(data, key) is not None:
            dotted = ".".join(str(part) for part in key)
            raise SettingsError(
                f"{said.place(key)}: {dotted}: no bundle may set it, only the machine's file: take it out"
            )
    for key in (*PATHS, *NAMED):
        _check_own(said, key)
    if (folder / CANDIDATE_NAME).is_file():
        data = merge({"shadow": {"rules": CANDIDATE_NAME}}, data)
    return Layer(name, anchored(data, folder), text, close=")")


def _check_own(said: Layer, key: Key) -> None:
    """A file that a bundle names is in it, or comes with the program."""
    value = look(said.data, key)
    if isinstance(value, str) and value and not is_own(value):
        dotted = ".".join(str(part) for part in key)
        fix = 'write the name of a file of the bundle, as in "maps/car.toml"'
        raise SettingsError(f'{said.place(key)}: {dotted} = "{value}": outside of the bundle: {fix}')


def is_own(path: str) -> bool:
    """Whether a path stays within the folder it starts from."""
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts


def files_by_use(files: Mapping[str, bytes], folder: Path, settings: Settings) -> dict[str, bytes]:
    """The files of a bundle in this folder, by their path where a setting names it, else by their name in it."""
    used = {str(getattr(getattr(settings, table), key)) for table, key in (*PATHS, *NAMED)}
    paths = {name: str(folder / name) for name in files if name != FILE_NAME}
    return {path if path in used else name: files[name] for name, path in paths.items()}


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of a slot by their names in the bundle, without its manifest. OSError."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name not in slot_files.OF_THE_BUNDLE}


def machine_or_alone(config: Path | None, sets: Sequence[str] = ()) -> tuple[Loaded, str]:
    """As `machine`, for who only looks: where the slots cannot be read, the machine's file alone, and why."""
    try:
        return machine(config, sets), ""
    except StorageError as why:
        return read(config or MACHINE_FILE, sets), str(why)
