"""`tbox rollback`: back to what was in force before the last bundle, with one command."""

import time
from collections.abc import Callable
from pathlib import Path

from agent.flash.flash import LATE_S, LOOK_S, Machine, Outcome, Step
from agent.rights import spool
from agent.settings.file import load
from agent.slots import slot_files, slots
from agent.slots.slots import SlotError


def roll_back(machine: Machine, reason: str, tell: Callable[[Step], None]) -> Outcome:
    """Undo the last bundle, on trial or proved; where the agent runs, until it runs on what was before."""
    state_dir = Path(load(machine.path, machine.sets).device.state_dir)
    gone = slot_files.read(state_dir).content
    try:
        state = slot_files.change(state_dir, lambda now: slots.roll_back(now, reason))
    except SlotError as why:
        return Outcome("refused", str(why), "nothing", gone)
    now = state.content
    words = f"bundle {now.id} {now.version}" if now else "the machine's file alone"
    tell(Step("commit", words=f"in force now: {words}"))
    is_running = spool.is_running(state_dir)
    begin_s = time.monotonic()
    while is_running and (gone_s := time.monotonic() - begin_s) < LATE_S:
        news = slot_files.read(state_dir).news
        if news is None or news.is_told:
            return Outcome("rolled_back", f"{words} runs again", "", gone)
        tell(Step("trial", words="tbox run starts anew", share=gone_s / LATE_S))
        time.sleep(LOOK_S)
    late = "tbox run has not said yet that it runs with it" if is_running else "the next start of tbox run uses it"
    return Outcome("rolled_back", f"{words}; {late}", "", gone)
