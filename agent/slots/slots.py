"""Which configuration is in force: slots that bundles are put into, and what may become of one. Pure.

One slot is in force ("": none, the machine's file alone), one can be gone back to, one is being filled: so there are
three, and nothing that is needed is ever written over.

    none ── stage ──► staged ── commit ──► trial ── confirm ──► healthy
                        │                    │                     │
                     unstage              revert                roll_back
                        ▼                    ▼                     ▼
                   as it was             reverted             rolled_back

A slot on trial has so many starts: `begin` counts one before anything of the slot is read, and an orderly end gives it
back, so only starts that end in a crash, a kill or a power cut are used up.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from agent.errors import InputError

NAMES = ("a", "b", "c")
FORM = 1
"""Of the state's file; slot_files.py says what a newer or an older one means."""

FAILED_MAX = 8
"""So many bundles that failed here are remembered."""

BOOTS_MAX = 10
"""More starts than this on trial nobody waits for."""

How = Literal["local", "usb", "service", "mqtt"]
Phase = Literal["none", "staged", "trial", "healthy", "reverted", "rolled_back"]


class Content(Struct, frozen=True):
    """What a slot holds. `content` is SHA-256 (hex) of the bundle's manifest; `document` the platform's name of it.

    `vin` is the car it was tried on, `by_hand`: typed by a person; `skipped`: checks that could not be made there;
    `linked`: the broker was reached when it was put into force, so it has to be reached with it too.
    """

    id: str
    version: int
    content: str
    how: How = "local"
    document: str = ""
    vin: str = ""
    by_hand: bool = False
    skipped: tuple[str, ...] = ()
    linked: bool = False


class News(Struct, frozen=True):
    """What became of a bundle last, until a `config` record tells it. `content` None: the machine's file alone."""

    state: Literal["running", "reverted", "rolled_back"]
    reason: str
    content: Content | None
    is_told: bool = False


class State(Struct, frozen=True):
    """All of it. `boots_left` None: the slot in force is not on trial; `before` None: there is nothing to go back to.

    `newest` has the highest version that ever proved itself here, by bundle id; `failed` why a content did not.
    """

    form: int = FORM
    slots: Mapping[str, Content] = {}
    active: str = ""
    before: str | None = None
    staged: str = ""
    boots: int = 0
    boots_left: int | None = None
    newest: Mapping[str, int] = {}
    failed: Mapping[str, str] = {}
    news: News | None = None

    @property
    def content(self) -> Content | None:
        """What is in force; None: the machine's file alone."""
        return self.slots.get(self.active)

    @property
    def is_trial(self) -> bool:
        """Whether it still has to prove itself."""
        return self.boots_left is not None

    @property
    def phase(self) -> Phase:
        """In one word."""
        if self.is_trial:
            return "trial"
        if self.staged:
            return "staged"
        if self.news is not None and self.news.state != "running":
            return self.news.state
        return "healthy" if self.active else "none"


class SlotError(InputError):
    """This cannot be done in this state; says why."""

    exit_code = 1


# ---- what may happen ------------------------------------------------------------------------------------------------


def spare(state: State) -> str:
    """The slot that may be written over."""
    return next(name for name in NAMES if name not in (state.active, state.before))


def stage(state: State, content: Content) -> State:
    """The spare slot is filled, and whole."""
    name = spare(state)
    return _with(state, slots={**_without(state.slots, state.staged), name: content}, staged=name)


def unstage(state: State) -> State:
    """It shall not come into force."""
    return _with(state, slots=_without(state.slots, state.staged), staged="") if state.staged else state


def commit(state: State, boots: int) -> State:
    """What is staged comes into force at the next start, on trial. SlotError: nothing is staged."""
    if not state.staged:
        raise SlotError("nothing is staged: tbox flash BUNDLE does it")
    before = state.before if state.is_trial else state.active
    slots = _without(state.slots, state.active) if state.is_trial else state.slots
    content = state.slots[state.staged]
    return _with(
        state, slots={**slots, state.staged: content}, active=state.staged, staged="", before=before,
        boots=boots, boots_left=boots, news=None,
    )  # fmt: skip


def begin(state: State) -> State:
    """The agent starts: one start of a trial is used up; without any left the slot has failed."""
    if state.boots_left is None:
        return state
    if state.boots_left <= 0:
        return revert(state, f"not healthy after {state.boots} start{'s' if state.boots > 1 else ''}")
    return _with(state, boots_left=state.boots_left - 1)


def finish(state: State) -> State:
    """The agent ended in order: this start does not count."""
    return _with(state, boots_left=min(state.boots, state.boots_left + 1)) if state.boots_left is not None else state


def confirm(state: State) -> State:
    """The slot on trial proved itself: older versions of its bundle are refused from now on."""
    content = state.content
    if not state.is_trial or content is None:
        return state
    newest = {**state.newest, content.id: max(content.version, state.newest.get(content.id, 0))}
    failed = _without(state.failed, content.content)
    return _with(state, boots_left=None, newest=newest, failed=failed, news=News("running", "", content))


def revert(state: State, reason: str) -> State:
    """The slot in force failed: back to the one before, else to the machine's file alone."""
    content = state.content
    if content is None:
        return state
    failed = {**_without(state.failed, content.content), content.content: reason}
    return _with(
        _back(state), failed=dict(list(failed.items())[-FAILED_MAX:]), news=News("reverted", reason, content)
    )  # fmt: skip


def roll_back(state: State, reason: str) -> State:
    """A person undoes the last change. SlotError: there is none that could be undone."""
    if state.before is None:
        raise SlotError("there is nothing to go back to: no bundle was put in place since the last rollback")
    return _with(_back(state), news=News("rolled_back", reason, state.content))


def told(state: State) -> State:
    """The account has the news."""
    return state if state.news is None else _with(state, news=msgspec.structs.replace(state.news, is_told=True))


def reported(state: State, running: Content | None, settings: str) -> dict[str, object]:
    """What the platform hears, and a `config` record says.

    `running` and `settings` (identity) are what this process loaded when it started, never what was asked for. `state`
    is trial, running, reverted or rolled_back; in the last two `failed` names what does not run.
    """
    news = state.news
    on_trial = state.is_trial and state.content == running
    phase = "trial" if on_trial else "running" if news is None else news.state
    gone = news.content if news is not None and news.state != "running" and not on_trial else None
    return {
        **named(running),
        "settings": settings,
        "state": phase,
        "reason": news.reason if news is not None and not on_trial else "",
        "failed": named(gone) if gone else None,
        "skipped": list(running.skipped) if running else [],
    }


def named(content: Content | None) -> dict[str, object]:
    """A content as records name it; without one the machine's file alone runs."""
    if content is None:
        return {"document": "", "bundle": "", "version": 0, "content": ""}
    return {
        "document": content.document,
        "bundle": content.id,
        "version": content.version,
        "content": content.content,
    }


def _back(state: State) -> State:
    """The slot before is in force; the one that was is free."""
    return _with(
        state, slots=_without(state.slots, state.active), active=state.before or "", before=None, boots_left=None
    )  # fmt: skip


def _without(held: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in held.items() if key != name}


def _with(state: State, **changed: object) -> State:
    return msgspec.structs.replace(state, **changed)
