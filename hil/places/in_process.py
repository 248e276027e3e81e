"""Place `process`: the car's frames, or rows, as fast as they can be made, through `tbox replay`: hours in seconds."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hil.car.broadcast import Broadcast, rows
from hil.car.bus_faults import BusFaults, Stray
from hil.car.road import Moment, lasts_s, moments
from hil.drive import State
from hil.outcome import Outcome, TruthRow, truth_row
from hil.places.rehearsal import RehearsalError, rehearse
from hil.places.replaying import Replayed, ReplayError, mapped, replay
from hil.scenes import recorded
from hil.scenes.recorded import RecordedError
from hil.scenes.scenario_table import Scenario
from hil.terminal import TerminalError
from hil.wires.broker import BrokerError

TRUTH_ROWS = 2000
"""About so many rows of what the car really did are kept for the page."""

Say = Callable[[str], None]


def run(scenario: Scenario, name: str, seed: int, folder: Path, say: Say) -> Outcome:
    """Drive it into a file, replay that, read what came of it; where it is asked for, also through `tbox run`."""
    begin_s, watch = time.monotonic(), _Watch()
    other, live, trouble, told = None, None, "", Replayed()
    try:
        paths = made(scenario, seed, watch, folder, say)
        settings = mapped(scenario)
        say(f"replaying {watch.last.time_s or lasts_s(scenario):.0f} s")
        told = replay(paths, settings, folder)
        if scenario.expect.same_as_replay:
            say("the same through tbox run")
            other, live = rehearse(paths, settings, len(told.trips))
    except (ReplayError, RecordedError, RehearsalError, TerminalError, BrokerError) as why:
        trouble = str(why)
    return Outcome(
        scenario=name,
        place="process",
        seed=seed,
        took_s=round(time.monotonic() - begin_s, 3),
        drive_s=lasts_s(scenario) if scenario.recording and not trouble else watch.last.time_s,
        events=told.events,
        trips=told.trips,
        counters=told.counters,
        not_judged=told.not_judged,
        truth=() if scenario.recording else watch.kept(),
        live=live,
        other=other,
        trouble=trouble,
    )


def made(scenario: Scenario, seed: int, watch: "_Watch", folder: Path, say: Say) -> list[Path]:
    """What is replayed: the drive, written down, or parts of recordings. RecordedError."""
    if scenario.recording:
        say("cutting the recording")
        return recorded.write(scenario.recording, folder)
    recording = folder / ("drive.csv" if scenario.feed == "rows" else "drive.log")
    say("driving")
    with recording.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{line}\n" for line in _lines(scenario, seed, watch))
    return [recording]


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
        frames = broadcast.frames(moment)
        for identifier, data in [] if strays.is_off(moment.time_s) else frames:
            yield f"{stamp}{identifier:03X}#{data.hex().upper()}"


def stray_line(stray: Stray) -> str:
    """A stray as candump writes it; an error frame has the error bit in its identifier."""
    number = f"{0x20000000 | stray.identifier:08X}" if stray.is_error else f"{stray.identifier:03X}"
    return f"({stray.time_s:.6f}) can0 {number}#{stray.data.hex().upper()}"
