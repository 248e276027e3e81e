"""Place `process`: the car's frames, or rows, as fast as they can be made, through `tbox replay`: hours in seconds."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hil.bench import MAP, run_agent
from hil.broadcast import Broadcast, rows
from hil.bus_faults import BusFaults, Stray
from hil.drive import State
from hil.outcome import Outcome, TruthRow, event_found, trip_found, truth_row
from hil.road import Moment, moments
from hil.scenario_file import Scenario

TRUTH_ROWS = 2000
"""About so many rows of what the car really did are kept for the page."""

Say = Callable[[str], None]


def run(scenario: Scenario, name: str, seed: int, folder: Path, say: Say) -> Outcome:
    """Drive it into a file, replay that, read what came of it."""
    begin_s = time.monotonic()
    watch = _Watch()
    recording = folder / ("drive.csv" if scenario.feed == "rows" else "drive.log")
    say("driving")
    with recording.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(scenario, seed, watch))
    say(f"replaying {watch.last.time_s:.0f} s")
    told = folder / "told.jsonl"
    words = ["replay", str(recording), "--json", str(told)]
    words += [] if scenario.feed == "rows" else ["--vehicle", str(MAP)]
    words += [f"--set={key}={_toml(setting)}" for key, setting in scenario.settings.items()]
    done = run_agent(words)
    trouble = "" if done.returncode == 0 else f"tbox replay ended with {done.returncode}: {done.stderr.strip()}"
    records = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    counters = next((record for record in records if record["record"] == "counters"), None)
    return Outcome(
        scenario=name,
        place="process",
        seed=seed,
        took_s=round(time.monotonic() - begin_s, 3),
        drive_s=watch.last.time_s,
        events=tuple(event_found(told, *_times_s(told)) for told in records if told["record"] == "event"),
        trips=tuple(trip_found(told, *_times_s(told)) for told in records if told["record"] == "trip"),
        counters=_conserved(counters) if counters else {},
        not_judged=dict(counters["not_judged"]) if counters else {},
        truth=watch.kept(),
        trouble=trouble,
    )


class _Watch:
    """Lets moments through and remembers what the car really did."""

    def __init__(self) -> None:
        self.last = Moment(State())
        self._truth: list[TruthRow] = []

    def see(self, scenario: Scenario) -> Iterator[Moment]:
        """The moments of the drive."""
        for moment in moments(scenario):
            self.last = moment
            self._truth.append(truth_row(moment.state))
            yield moment

    def kept(self) -> tuple[TruthRow, ...]:
        """Evenly thinned, the last one kept."""
        every = max(1, len(self._truth) // TRUTH_ROWS)
        return (*self._truth[::every], *self._truth[-1:])


def _lines(scenario: Scenario, seed: int, watch: _Watch) -> Iterable[str]:
    """The recording, line by line."""
    if scenario.feed == "rows":
        return rows(scenario, seed, watch.see(scenario))
    return _candump(scenario, seed, watch)


def _candump(scenario: Scenario, seed: int, watch: _Watch) -> Iterator[str]:
    """Frames with their recorded stamps, strays of the bus between them."""
    broadcast, strays = Broadcast(scenario, seed), BusFaults(scenario.fault, seed)
    for moment in watch.see(scenario):
        for stray in strays.until(moment.time_s):
            yield stray_line(stray)
        stamp = f"({moment.time_s:.6f}) can0 "
        for identifier, data in broadcast.frames(moment):
            yield f"{stamp}{identifier:03X}#{data.hex().upper()}"


def stray_line(stray: Stray) -> str:
    """A stray as candump writes it; an error frame has the error bit in its identifier."""
    number = f"{0x20000000 | stray.identifier:08X}" if stray.is_error else f"{stray.identifier:03X}"
    return f"({stray.time_s:.6f}) can0 {number}#{stray.data.hex().upper()}"


def _toml(setting: bool | float | str) -> str:
    """A setting as --set takes it."""
    return json.dumps(setting)


def _times_s(record: dict[str, Any]) -> tuple[float, float]:
    """When it began and ended."""
    return record["start_s"], record["end_s"]


def _conserved(counters: dict[str, Any]) -> dict[str, int]:
    """The frame counters, as a seal states them."""
    told = {name: counters[name] for name in ("decoded", "unmapped", "dropped")}
    return {"in": counters["frames_in"], **told, "rejected": sum(counters["rejected"].values())}
