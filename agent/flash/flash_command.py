"""`tbox flash` and `tbox rollback`: what happens told line by line, for a person or as JSON Lines for a page."""

import json as json_text
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.doctor.checkup import is_vin
from agent.doctor.tap import progress
from agent.errors import InputError, TboxError, UsageError
from agent.flash import flash, flash_back, stick, worklist
from agent.flash.flash import Ask, Machine, Outcome, Step
from agent.flash.flash_verify import decides
from agent.settings.difference import Change
from agent.slots.slots import How

NAME_WIDTH = 14
PERMIT_BYTES_MAX = 1 << 16

Tell = Callable[[Step], None]
Agree = Callable[[list[Change]], bool]


class Teller:
    """Tells steps on stdout, and what goes on now on one line of stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._now = progress()

    def tell(self, step: Step) -> None:
        """One step."""
        if self._as_json:
            print(json_text.dumps(told(step), ensure_ascii=False), flush=True)
            return
        self._now("")
        if step.check is not None:
            check, fix = step.check, f"; fix: {step.check.fix}" if step.check.fix else ""
            aside = "" if check.verdict != "FAIL" or decides(check.name) else " (does not stop this)"
            print(f"{check.verdict}  {check.name:{NAME_WIDTH}}  {check.words}{fix}{aside}", flush=True)
        elif step.change is not None:
            print(f"      {step.change.line()}", flush=True)
        elif step.words and step.step in {"check", "trial"}:
            self._now(step.words + ("" if step.share is None else f", {100 * step.share:.0f} %"))
        elif step.words:
            print(f"{step.step}: {step.words}", flush=True)

    def through(self, do: Callable[[], Outcome]) -> int:
        """To the end; its exit code. What ends in an error has a last line in JSON all the same."""
        try:
            outcome = do()
        except TboxError as why:
            self._now("")
            if self._as_json:
                told = {"state": "refused", "reason": getattr(why, "reason", "error"), "words": str(why)}
                print(json_text.dumps({"step": "done", "outcome": told | {"exit": why.exit_code}}), flush=True)
            raise
        self.end(outcome)
        return outcome.exit_code

    def end(self, outcome: Outcome) -> None:
        """The last line."""
        if self._as_json:
            print(json_text.dumps({"step": "done", "outcome": result(outcome)}, ensure_ascii=False), flush=True)
            return
        self._now("")
        for verdict, words in (("FAIL", "failed, and do not stop this"), ("SKIP", "could not be made")):
            named = [name for name in outcome.named(verdict) if verdict == "SKIP" or not decides(name)]
            if named and outcome.exit_code == 0:
                print(f"checks that {words}: {', '.join(named)}")
        print(f"{outcome.state}: {outcome.words}", flush=True)


def run(machine: Machine, ask: Ask, *, yes: bool, as_json: bool) -> int:
    """Flash one bundle. 0: in force, on trial, or nothing to do; 1: refused, declined or reverted. BundleError: 66."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    teller = Teller(as_json=as_json)
    agree = agreeing(yes=yes, as_json=as_json)
    return teller.through(lambda: flash.install(machine, ask, teller.tell, agree))


def batch(machine: Machine, path: Path, ask: Ask, *, yes: bool, as_json: bool) -> int:
    """Flash the bundle of the row that names this car. 0: done, also before; 1: it was not. InputError: the list."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    teller = Teller(as_json=as_json)
    agree = agreeing(yes=yes, as_json=as_json)
    return teller.through(lambda: worklist.run(machine, path, ask, teller.tell, agree))


def from_folder(machine: Machine, folder: Path, *, as_json: bool) -> int:
    """Flash what a stick brings, and write beside it what came of it. InputError: there is nothing."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    teller = Teller(as_json=as_json)
    return teller.through(lambda: stick.run(machine, folder, teller.tell))


def rollback(machine: Machine, *, reason: str, as_json: bool) -> int:
    """Undo the last bundle. 0: undone; 1: there is nothing to undo."""
    teller = Teller(as_json=as_json)
    return teller.through(lambda: flash_back.roll_back(machine, reason, teller.tell))


def ask_of(told: Path, *, how: How, document: str, vin: str, permit: Path | None, is_dry: bool) -> Ask:
    """What the command was asked. UsageError: the VIN is none; InputError: the permission cannot be read."""
    vin = vin.upper().strip()
    if vin and not is_vin(vin):
        raise UsageError(f"--vin {vin}: a VIN has 17 letters and digits without I, O and Q; read it once more")
    raw = b""
    if permit is not None:
        try:
            with permit.open("rb") as file:
                raw = file.read(PERMIT_BYTES_MAX)
        except OSError as why:
            raise InputError(f"{permit}: cannot be read: {why.strerror}") from None
    return Ask(told, how, document, vin, raw, is_dry)


def agreeing(*, yes: bool, as_json: bool) -> Agree:
    """Who agrees to the changes: --yes did; a person at a terminal is asked; else nobody."""
    if yes:
        return lambda _: True
    return (lambda _: False) if as_json else _ask_person


def _ask_person(_changes: list[Change]) -> bool:
    print('Type "yes" to put it into force: ', end="", flush=True)
    return sys.stdin.readline().strip() == "yes"


def told(step: Step) -> dict[str, Any]:
    """A step as JSON."""
    found: dict[str, Any] = {"step": step.step}
    if step.check is not None:
        found["check"] = asdict(step.check) | {"decides": decides(step.check.name)}
    if step.change is not None:
        found["change"] = asdict(step.change)
    if step.words:
        found["words"] = step.words
    if step.share is not None:
        found["share"] = round(step.share, 3)
    return found


def result(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    content = outcome.content
    named = {name: getattr(content, name) for name in ("version", "content", "vin", "by_hand")} if content else {}
    return {
        "state": outcome.state,
        "reason": outcome.reason,
        "words": outcome.words,
        "bundle": content.id if content else "",
        **named,
        "skipped": outcome.named("SKIP"),
        "failed": outcome.named("FAIL"),
        "exit": outcome.exit_code,
    }
