"""The one path by which a configuration comes into force, wherever the bundle came from.

    verify ─► compatible ─► difference ─► stage ─► check ─► commit ─► trial ─► running
       │          │             │           │        │                  │
       └──────────┴─ refused, declined ─────┴────────┘               reverted

Up to the commit nothing that is in force is touched, and Ctrl-C leaves no trace. The commit is one rename
(agent/slots/slot_files.py). From there on the running agent decides (agent/slots/slot_watch.py, agent/start.py); here
it is only watched.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from agent.desk import asking_desk
from agent.doctor.checkup import Check, failed, passed
from agent.errors import BundleError, SettingsError, StorageError
from agent.flash import config_diff, flash_check, flash_verify
from agent.flash.flash_check import DECIDING, Known
from agent.flash.flash_verify import RefusedError, Verified
from agent.rights import spool
from agent.settings.difference import Change, changes
from agent.settings.file import MACHINE_FILE, Loaded, read
from agent.slots import slot_files, slot_settings, slots
from agent.slots.slot_files import Slot
from agent.slots.slots import Content, How, State
from agent.trust.bundle import Bundle

Ended = Literal[
    "running", "trial", "unchanged", "would_run", "refused", "declined", "reverted", "rolled_back"
]  # fmt: skip
GOOD = frozenset({"running", "trial", "unchanged", "would_run", "rolled_back"})
LOCK_NAME = "flash.lock"
LOOK_S = 0.2
LATE_S = 60.0
"""A trial is waited for so much longer than its starts may take, for slow disks."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this terminal's own settings are: `config` None: the machine's file."""

    config: Path | None = None
    sets: Sequence[str] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return self.config or MACHINE_FILE


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be put into force, how it came, and what a person adds. `permit`: a permission to go back."""

    told: bytes | Path
    how: How = "local"
    document: str = ""
    vin: str = ""
    permit: bytes = b""
    is_dry: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What goes on, for a person or a page: a check, a change, or words with a share from 0 to 1."""

    step: str
    check: Check | None = None
    change: Change | None = None
    words: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `reason`: one short word or the reason of a revert; `words`: one sentence."""

    state: Ended
    words: str
    reason: str = ""
    content: Content | None = None
    checks: tuple[Check, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: the configuration is, or will be tried, in force; 1: it is not."""
        return 0 if self.state in GOOD else 1

    def named(self, verdict: str) -> list[str]:
        """The checks with this verdict."""
        return [check.name for check in self.checks if check.verdict == verdict]


def install(
    machine: Machine, ask: Ask, tell: Callable[[Step], None], agree: Callable[[list[Change]], bool] = lambda _: True
) -> Outcome:
    """Put a bundle into force; blocks until it proved itself or not. SettingsError, StorageError: this terminal's.

    A bundle that cannot be read at all is a BundleError; one that is not taken is an Outcome.
    """
    alone = read(machine.path, machine.sets)
    flashing = Flashing(machine, ask, tell, alone)
    busy = "another tbox flash is under way on this terminal: wait for it to end"
    slots_folder = slot_files.folder_of(flashing.state_dir)
    slot_files.make(flashing.state_dir)
    with slot_files.held(slots_folder / LOCK_NAME, busy):
        try:
            return flashing.run(agree)
        except RefusedError as why:
            return flashing.ended("declined" if why.reason == "declined" else "refused", str(why), why.reason)
        finally:
            flashing.sweep()


@dataclass
class Flashing:
    """One bundle on its way. Use `install`."""

    machine: Machine
    ask: Ask
    tell: Callable[[Step], None]
    alone: Loaded
    checks: list[Check] = field(default_factory=list)
    content: Content | None = None

    @property
    def state_dir(self) -> Path:
        """The machine's word alone."""
        return Path(self.alone.settings.device.state_dir)

    def run(self, agree: Callable[[list[Change]], bool]) -> Outcome:
        """All of it. RefusedError; BundleError when it cannot be read."""
        state = slot_files.change(self.state_dir, slots.unstage)
        bundle = Bundle.read(self.ask.told)
        self.content = flash_verify.content_of(bundle, self.ask.how, self.ask.document)
        if state.content is not None and state.content.content == bundle.content:
            self.content = state.content
            return self.ended(
                "trial" if state.is_trial else "unchanged", f"bundle {bundle.manifest} is in force already"
            )
        verified = self._verify(bundle, state)
        known = flash_verify.known(self.ask.vin, self.state_dir)
        self._tell_all("compatible", flash_verify.suits(bundle, self.alone, known.vin))
        self._differ(bundle, state, agree)
        self._try(bundle, self._stage(bundle, state), known)
        if self.ask.is_dry:
            return self.ended("would_run", "it would be put into force; nothing was changed")
        verified.learn()
        return self._commit()

    def ended(self, state: Ended, words: str, reason: str = "") -> Outcome:
        """The end, as it is told."""
        return Outcome(state, words, reason, self.content, tuple(self.checks))

    def sweep(self) -> None:
        """What is staged, or half written, and not committed goes."""
        with suppress(StorageError):
            state = slot_files.change(self.state_dir, slots.unstage)
            slot_files.empty(self.state_dir, slots.spare(state))

    # ---- the steps --------------------------------------------------------------------------------------------------

    def _verify(self, bundle: Bundle, state: State) -> Verified:
        """Who signed it, whether it is valid, whether this version may be taken, whether its content works."""
        self.tell(Step("verify", words=f"bundle {bundle.manifest}"))
        verified = Verified(bundle, self.alone.settings, state, self.ask.permit)
        for name, try_it in verified.tries(self.ask.how):
            try:
                self._tell("verify", passed(name, try_it()))
            except (BundleError, SettingsError) as why:
                words, _, fix = str(why).partition("; ")
                self._tell("verify", failed(name, words, fix or "have whoever made the bundle mend it"))
                raise RefusedError(getattr(why, "reason", "settings"), str(why)) from None
        return verified

    def _differ(self, bundle: Bundle, state: State, agree: Callable[[list[Change]], bool]) -> None:
        """What changes on this vehicle, and whether that is wanted."""
        assert self.content is not None
        folder = slot_files.folder_of(self.state_dir) / slots.spare(state)
        layer = slot_settings.layer(bundle.files.get(slot_settings.FILE_NAME, b""), folder, self.content)
        new = read(self.machine.path, self.machine.sets, (layer,))
        old, _, before = config_diff.in_force(self.machine.config, self.machine.sets)
        found = changes(old, new, before, slot_settings.files_by_use(bundle.files, folder, new.settings))
        for change in found:
            self.tell(Step("difference", change=change))
        if not found:
            self.tell(Step("difference", words="nothing changes but the bundle's version"))
        if not self.ask.is_dry and not agree(found):
            raise RefusedError("declined", "nobody agreed to it: nothing was changed")

    def _stage(self, bundle: Bundle, state: State) -> Slot:
        """Into the spare slot, whole and synced."""
        assert self.content is not None
        content, name = self.content, slots.spare(state)
        self.tell(Step("stage", words=f"writing slot {name}"))
        folder = slot_files.fill(self.state_dir, name, bundle.entries())
        slot_files.change(self.state_dir, lambda now: slots.stage(now, content))
        return Slot(slot_files.checked(folder, content), content, is_trial=True)

    def _try(self, bundle: Bundle, slot: Slot, known: Known) -> None:
        """Listened to with the new settings; RefusedError where they do not fit this car."""
        try:
            settings = slot_settings.over(self.machine.path, self.machine.sets, slot).settings
            running = asking_desk.answered(self.state_dir, "read") if spool.is_running(self.state_dir) else None
            known, checks = flash_check.try_it(
                settings, known, lambda words: self.tell(Step("check", words=words)), running
            )
        except SettingsError as why:
            raise RefusedError("settings", str(why)) from None
        was_linked = flash_verify.is_linked(self.state_dir)
        checks += [
            *flash_check.check_link(checks, was_up=was_linked),
            *flash_verify.is_for(bundle, self.alone, known.vin),
        ]
        self._tell_all("check", checks)
        skipped = tuple(check.name for check in checks if check.verdict == "SKIP" and check.name in DECIDING)
        self.content = replace(
            slot.content, vin=known.vin, by_hand=known.is_by_hand, skipped=skipped, linked=was_linked
        )  # fmt: skip

    def _commit(self) -> Outcome:
        """In force from the next start on, which the running agent makes at once."""
        assert self.content is not None
        content, rule = self.content, self.alone.settings.flash
        is_running = spool.is_running(self.state_dir)
        slot_files.change(self.state_dir, lambda now: slots.commit(slots.stage(now, content), rule.boots))
        self.tell(Step("commit", words="committed, on trial"))
        if not is_running:
            return self.ended("trial", "tbox run does not run now: its next start tries it")
        return self._watch(content, rule.window_s * rule.boots + LATE_S)

    def _watch(self, content: Content, most_s: float) -> Outcome:
        """Until the running agent has decided."""
        begin_s, words = time.monotonic(), "tbox run starts anew with it"
        while (gone_s := time.monotonic() - begin_s) < most_s:
            state = slot_files.read(self.state_dir)
            if state.content != content:
                reason = state.news.reason if state.news else "another configuration was put into force"
                return self.ended("reverted", f"taken back, the configuration before runs: {reason}", reason)
            if not state.is_trial:
                return self.ended("running", "it proved itself and is in force")
            self.tell(Step("trial", words=words, share=min(1.0, gone_s / self.alone.settings.flash.healthy_s)))
            time.sleep(LOOK_S)
        return self.ended("trial", "it has not proved itself yet; tbox rollback takes it back")

    def _tell_all(self, step: str, checks: Iterable[Check]) -> None:
        """Each; the first that fails and decides refuses."""
        told = list(checks)
        for check in told:
            self._tell(step, check)
        bad = next((check for check in told if check.verdict == "FAIL" and flash_verify.decides(check.name)), None)
        if bad is not None:
            raise RefusedError(flash_verify.reason_of(bad.name), f"{bad.name}: {bad.words}; {bad.fix}")

    def _tell(self, step: str, check: Check) -> None:
        self.checks.append(check)
        self.tell(Step(step, check=check))
