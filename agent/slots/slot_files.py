"""The slots on flash: `<state_dir>/slots/state.json` and the folders a, b and c beside it.

A slot is filled whole, synced, and only then named in the state's file; that is replaced by a rename. So the power may
go at any write: what was in force stays so until the rename, and is whole. Folders the state does not name are left
over from a cut and are written over by the next bundle.

What another version of the program left (this holds for the store's `user_version` too, agent/outbox/store.py): a file
whose form is not above ours is read, and fields we do not know are passed over; whoever needs a new field gives it a
default that means what the version before did, so that one step up and one step down lose nothing but what the older
one does not know. A form is raised only when the version before would do harm with the file; then that one refuses it
in a line (the store), or runs with the machine's file alone (slots). A state folder without slots is one from before
there were any.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.errors import StorageError
from agent.files import replace_file, sync_folder
from agent.slots import slots
from agent.slots.slots import FORM, Content, State

FOLDER_NAME = "slots"
STATE_NAME = "state.json"
MANIFEST_NAME = "manifest.json"
OF_THE_BUNDLE = (MANIFEST_NAME, "signatures.json")
STATE_BYTES_MAX = 1 << 16


class DamagedSlotError(StorageError):
    """The state is not what was written."""


class NewerSlotError(StorageError):
    """The state was written by a version whose form we do not know."""


class ChangedSlotError(StorageError):
    """The files of a slot are not what was put there."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The slot in force: its folder and what it holds."""

    folder: Path
    content: Content
    is_trial: bool


def folder_of(state_dir: Path) -> Path:
    """Where the slots are."""
    return state_dir / FOLDER_NAME


def read(state_dir: Path) -> State:
    """The state; the empty one where there never was any. StorageError; DamagedSlotError: it makes no sense."""
    path = folder_of(state_dir) / STATE_NAME
    try:
        with path.open("rb") as file:
            state = msgspec.json.decode(file.read(STATE_BYTES_MAX + 1), type=State)
    except (FileNotFoundError, NotADirectoryError):
        return State()
    except OSError as why:
        raise StorageError(f"{path}: cannot be read: {why.strerror}; run this as the user who runs tbox") from None
    except msgspec.DecodeError as why:
        raise DamagedSlotError(f"{path}: damaged ({why}); start tbox run, which sets it aside") from None
    if state.form > FORM:
        raise NewerSlotError(f"{path}: made by a newer tbox (form {state.form}); install that one again")
    if not _is_sound(state):
        raise DamagedSlotError(f"{path}: damaged (it names slots that are not there); start tbox run")
    return state


def change(state_dir: Path, step: Callable[[State], State]) -> State:
    """One step of the state, synced, and nobody else's in between; the new state. StorageError, slots.SlotError."""
    with _locked(state_dir):
        before = read(state_dir)
        after = step(before)
        if after != before:
            _write(state_dir, after)
        return after


def make(state_dir: Path) -> Path:
    """The folder of the slots, made where it is not there. StorageError."""
    folder = folder_of(state_dir)
    with guarded(folder), _as_owner(state_dir):
        for one in (state_dir, folder):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def fill(state_dir: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Give a slot that is not in force these files, synced; its folder. StorageError."""
    folder = folder_of(state_dir) / name
    empty(state_dir, name)
    with guarded(folder), _as_owner(state_dir):
        for inner in sorted({Path(), *(Path(file).parent for file in files)}):
            (folder / inner).mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, content in files.items():
            _put(folder / file, content)
        for inner in sorted({Path(file).parent for file in files}):
            sync_folder(folder / inner)
        sync_folder(folder)
        sync_folder(folder.parent)
    return folder


def empty(state_dir: Path, name: str) -> None:
    """Take the files of a slot away that nobody names."""
    import shutil  # noqa: PLC0415  (a running terminal needs none of it)

    with suppress(OSError), _as_owner(state_dir):
        shutil.rmtree(folder_of(state_dir) / name, ignore_errors=True)


def in_force(state_dir: Path) -> Slot | None:
    """The slot in force, proved whole; None: the machine's file alone. StorageError."""
    state = read(state_dir)
    if state.content is None:
        return None
    return Slot(checked(folder_of(state_dir) / state.active, state.content), state.content, state.is_trial)


def checked(folder: Path, content: Content) -> Path:
    """The folder of a slot whose manifest is the one that was signed, with the files it names. ChangedSlotError."""
    try:
        raw = (folder / MANIFEST_NAME).read_bytes()
        named = msgspec.json.decode(raw).get("files", {})
        faults = [] if _sha256(raw) == content.content else [MANIFEST_NAME]
        faults += [file for file, sha256 in named.items() if _sha256((folder / file).read_bytes()) != sha256]
    except (OSError, msgspec.DecodeError, AttributeError, TypeError) as why:
        raise ChangedSlotError(f"{folder}: {content.id} {content.version} is not whole: {why}") from None
    if faults:
        raise ChangedSlotError(f"{folder}: {content.id} {content.version} was changed: {', '.join(faults)}")
    return folder


def set_aside(state_dir: Path) -> None:
    """Rename a damaged state out of the way: the machine's file alone is in force. StorageError."""
    path = folder_of(state_dir) / STATE_NAME
    with guarded(path):
        path.replace(path.with_name(f"{STATE_NAME}.damaged"))
        sync_folder(path.parent)


def stamp(state_dir: Path) -> tuple[int, int]:
    """Changes whenever the state was replaced; (0, 0): there is none."""
    try:
        told = (folder_of(state_dir) / STATE_NAME).stat()
    except OSError:
        return 0, 0
    return told.st_ino, told.st_mtime_ns


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """What the system says, said as a StorageError with the fix."""
    try:
        yield
    except OSError as why:
        fix = "run this as the user who runs tbox, and check the disk"
        raise StorageError(f"{path}: cannot be written: {why.strerror or why}; {fix}") from None


@contextmanager
def held(path: Path, words: str) -> Iterator[None]:
    """A lock that only one process has, at once or not at all; it goes with the process. StorageError(words)."""
    with guarded(path), _as_owner(path.parent):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, words)
        yield
    finally:
        os.close(handle)


def _take(handle: int, words: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StorageError(words) from None


def _is_sound(state: State) -> bool:
    """Whether it names only slots that there are."""
    named = [name for name in (state.active, state.before, state.staged) if name]
    known = set(named) | set(state.slots)
    return all(name in state.slots for name in named) and known <= set(slots.NAMES)


@contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """Nobody else changes the state meanwhile; a step takes milliseconds, so it is waited for."""
    folder = make(state_dir)
    with guarded(folder), _as_owner(state_dir):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(state_dir: Path, state: State) -> None:
    path = folder_of(state_dir) / STATE_NAME
    with guarded(path), _as_owner(state_dir):
        replace_file(path, msgspec.json.format(msgspec.json.encode(state)) + b"\n")


def _put(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _as_owner(state_dir: Path) -> Iterator[None]:
    """What an administrator makes belongs, from its first moment, to whom the state folder belongs to."""
    owner = state_dir.stat() if os.geteuid() == 0 and state_dir.exists() else None
    if owner is None or owner.st_uid == 0:
        yield
        return
    group = os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
