"""What the car of a scenario says, signal by signal, and how full its bus is: made anew from its seed. Pure."""

from collections.abc import Iterator, Sequence
from functools import cache

import cantools.database
from cantools.database.can import Database

from hil.car.broadcast import STEP_S, Senses
from hil.car.bus_faults import BusFaults
from hil.car.car import DBC, PERIODS
from hil.car.road import Moment, lasts_s, moments
from hil.report.chart import Band, Line, Point, Span, chart, small
from hil.scenes.scenario_table import Scenario

POINTS = 300
"""About so many of each signal."""
LOAD_S = 1.0
FULL_PER_S = 4000
"""Frames of 8 bytes a second that fill 500 kbit/s, with the bits stuffed in: some 125 bits each."""
OWN = ("COUNTER",)
"""What a frame says of itself."""


@cache
def _told() -> list[tuple[str, str, str]]:
    """Message, signal, unit, in the order of the DBC."""
    database = cantools.database.load_file(DBC)
    assert isinstance(database, Database)
    return [
        (message.name, signal.name, signal.unit or "")
        for message in database.messages
        for signal in message.signals
        if signal.name not in OWN
    ]


def signal_plots(scenario: Scenario, seed: int, span: Span, bands: Sequence[Band]) -> str:
    """A small figure for each signal, broken where nobody says it."""
    curves = signals(scenario, seed)
    made = [small(_plain(name), curves[name], span, unit, bands) for _, name, unit in _told() if any(curves[name])]
    return f'<h2>Every signal of the car</h2><div class="grid">{"".join(made)}</div>\n' if made else ""


def signals(scenario: Scenario, seed: int) -> dict[str, list[list[Point]]]:
    """Of each signal its curve, in parts."""
    curves: dict[str, list[list[Point]]] = {name: [[]] for _, name, _ in _told()}
    senses = Senses(scenario, seed)
    for moment in _thinned(scenario):
        values = senses.at(moment)
        for message, name, _ in _told():
            if moment.is_silent or senses.faults.is_silent(moment.time_s, message):
                if curves[name][-1]:
                    curves[name].append([])
            else:
                curves[name][-1].append((moment.time_s, values[name]))
    return curves


def _thinned(scenario: Scenario) -> Iterator[Moment]:
    """About POINTS moments, evenly in time whatever their steps."""
    every_s, next_s = lasts_s(scenario) / POINTS, 0.0
    for moment in moments(scenario):
        if moment.time_s >= next_s - STEP_S / 2:
            next_s = moment.time_s + every_s
            yield moment


def load_plot(counts: Sequence[tuple[float, int]], span: Span, bands: Sequence[Band]) -> str:
    """Frames a second on the bus, from how many there were by when."""
    points = rates(counts)
    if not points:
        return ""
    most = max(rate for _, rate in points) / FULL_PER_S
    unit = f"frames/s; {FULL_PER_S:,} fill 500 kbit/s, this was {most:.0%} at most"
    return chart("Bus load", [Line("All frames", "engine", points)], span, unit, bands)


def rates(counts: Sequence[tuple[float, int]]) -> list[Point]:
    """Frames a second over at least LOAD_S, level between two points."""
    made: list[Point] = []
    from_s, before = counts[0] if counts else (0.0, 0)
    for time_s, count in counts:
        if time_s - from_s >= LOAD_S:
            rate = round((count - before) / (time_s - from_s), 1)
            made += [(from_s, rate), (time_s, rate)]
            from_s, before = time_s, count
    return made


def frame_counts(scenario: Scenario, seed: int) -> list[tuple[float, int]]:
    """How many frames were on the car's bus by when, strays among them, as hil/car/broadcast.py sends them."""
    faults, strays = Senses(scenario, seed).faults, BusFaults(scenario.fault, seed)
    counts, count = [(0.0, 0)], 0
    for moment in moments(scenario):
        step = round(moment.time_s / STEP_S)
        count += len(strays.until(moment.time_s))
        if not moment.is_silent:
            due = (name for name, every in PERIODS.items() if step % every == 0)
            count += sum(not faults.is_silent(moment.time_s, name) for name in due)
        if moment.time_s - counts[-1][0] >= LOAD_S - STEP_S / 2:
            counts.append((moment.time_s, count))
    return counts


def _plain(name: str) -> str:
    return name.replace("_", " ").capitalize()
