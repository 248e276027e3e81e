"""`tbox run`: which configuration this start uses. A slot that cannot be used is left, and the agent starts anew.

The start of a slot on trial is counted, synced, before anything of the slot is read, so whatever it does to this
process, the next start knows.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from agent import run
from agent.errors import SettingsError, TboxError
from agent.rights import spool
from agent.settings import file as settings_file
from agent.slots import slot_files, slot_settings, slots
from agent.slots.slot_files import DamagedSlotError, NewerSlotError, Slot
from agent.slots.slots import State

log = logging.getLogger("tbox")


def start(config: Path | None, sets: Sequence[str], recordings: Sequence[Path] = ()) -> int:
    """The command. SettingsError (of the machine's file), StorageError, InputError, or 0 after a stop."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    path = config or settings_file.MACHINE_FILE
    alone = settings_file.load(path, sets)
    state_dir = Path(alone.device.state_dir)
    # Where another one runs already this one is about to be refused, and no start of its slot is counted.
    slot = None if spool.is_running(state_dir) else begun(state_dir)
    try:
        settings = alone if slot is None else slot_settings.over(path, sets, slot).settings
        is_anew = run.run(settings, recordings, slot, settings_file.words(path, sets))
    except Exception as why:  # at the very top: what kills a configuration on trial shall not kill the next start
        if slot is None or not is_its_fault(slot, why):
            raise
        log.warning("bundle %s %d is left: %s", slot.content.id, slot.content.version, why, exc_info=not _is_known(why))
        leave(state_dir, slot, words_of(why))
        anew()
    if slot is not None:
        _change(state_dir, slots.finish)
    if is_anew:
        log.info("another configuration is in force: starting anew")
        anew()
    return 0


def begun(state_dir: Path) -> Slot | None:
    """The slot this start uses, its start counted; None: the machine's file alone. StorageError."""
    if slot_files.stamp(state_dir) == (0, 0):
        return None
    try:
        before = slot_files.read(state_dir)
        state = slot_files.change(state_dir, slots.begin)
        if before.content is not None and state.content != before.content and state.news is not None:
            log.warning("bundle %s %d is left: %s", before.content.id, before.content.version, state.news.reason)
        return _whole(state_dir)
    except NewerSlotError as why:
        log.warning("%s; until then the machine's file alone is in force", why)
    except DamagedSlotError as why:
        log.warning("%s; the machine's file alone is in force", why)
        slot_files.set_aside(state_dir)
    return None


def is_its_fault(slot: Slot, why: Exception) -> bool:
    """Whether what happened is to be blamed on the slot: on trial anything but the store and the devices is.

    Of one that proved itself only what names it or its files; a password file that cannot be read is the machine's.
    """
    if isinstance(why, SettingsError):
        return (
            slot.is_trial
            or str(slot.folder) in str(why)
            or f"bundle {slot.content.id} {slot.content.version} (" in str(why)
        )
    return slot.is_trial and not _is_known(why)


def leave(state_dir: Path, slot: Slot, reason: str) -> None:
    """Go back from this slot, unless that was done already. StorageError."""
    _change(state_dir, lambda state: slots.revert(state, reason) if state.content == slot.content else state)


def words_of(why: Exception) -> str:
    """One line of it."""
    words = str(why).partition("\n")[0]
    return words if _is_known(why) else f"crashed: {type(why).__name__} {words}".rstrip()


def anew() -> NoReturn:
    """This process begins again, as it was called; to a service manager it stays the same."""
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  (ourselves)


def _whole(state_dir: Path) -> Slot | None:
    """The slot in force; one whose files were damaged is left for the one before it."""
    for _ in slots.NAMES:
        try:
            return slot_files.in_force(state_dir)
        except slot_files.ChangedSlotError as why:
            log.warning("%s", why)
            words = str(why)
            _change(state_dir, lambda state, words=words: slots.revert(state, words))  # type: ignore[misc]
    return None


def _change(state_dir: Path, step: Callable[[State], State]) -> None:
    slot_files.change(state_dir, step)


def _is_known(why: Exception) -> bool:
    return isinstance(why, TboxError)
