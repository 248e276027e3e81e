"""What `tbox replay` tells of recordings, as an outcome has it."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hil.bench import MAP, run_agent
from hil.outcome import Outcome, Told, event_found, trip_found
from hil.scenes import recorded
from hil.scenes.scenario_table import Scenario
from hil.terminal import Setting


class ReplayError(Exception):
    """It did not end well; the text says what it said."""


class Replayed(Told, frozen=True, kw_only=True):
    """What it tells beside: how often a rule could not judge, by reason."""

    not_judged: dict[str, int] = msgspec.field(default_factory=dict)


def mapped(scenario: Scenario) -> dict[str, Setting]:
    """The agent's settings with the map of the car that is driven; decoded rows need none."""
    needs_own = not scenario.recording and scenario.feed == "frames"
    return {**({"vehicle.map": str(MAP)} if needs_own else {}), **scenario.agent_settings}


def replay(paths: Sequence[Path], settings: Mapping[str, Setting], folder: Path) -> Replayed:
    """Replay them, with a file of the folder for what is told. ReplayError."""
    told = folder / "told.jsonl"
    words = ["replay", *map(str, paths), "--json", str(told)]
    done = run_agent([*words, *(f"--set={key}={json.dumps(setting)}" for key, setting in settings.items())])
    if done.returncode != 0:
        raise ReplayError(f"tbox replay ended with {done.returncode}: {done.stderr.strip()}")
    records = [json.loads(line) for line in told.read_text().splitlines()]
    counters = next(record for record in records if record["record"] == "counters")
    return Replayed(
        events=tuple(event_found(told, *_times_s(told)) for told in records if told["record"] == "event"),
        trips=tuple(trip_found(told, *_times_s(told)) for told in records if told["record"] == "trip"),
        counters=_conserved(counters),
        not_judged=dict(counters["not_judged"]),
    )


def laid_beside(scenario: Scenario, outcome: Outcome) -> Outcome:
    """A live run of a recording with what `tbox replay` tells of it, where that is asked for.

    How the recorded car really moved nobody knows, so there is no truth to show.
    """
    if not scenario.recording or outcome.place == "process" or outcome.trouble:
        return outcome
    other = None
    if scenario.expect.same_as_replay:
        with tempfile.TemporaryDirectory(prefix="tbox-hil-") as scratch:
            folder = Path(scratch)
            other = replay(recorded.write(scenario.recording, folder), mapped(scenario), folder)
    return msgspec.structs.replace(outcome, other=other, truth=())


def _times_s(record: dict[str, Any]) -> tuple[float, float]:
    """When it began and ended."""
    return record["start_s"], record["end_s"]


def _conserved(counters: dict[str, Any]) -> dict[str, int]:
    """The frame counters, as a seal states them."""
    told = {name: counters[name] for name in ("decoded", "unmapped", "dropped")}
    return {"in": counters["frames_in"], **told, "rejected": sum(counters["rejected"].values())}
