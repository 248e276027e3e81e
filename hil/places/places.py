"""Where a scenario runs: which places there are here, which it can run in, and how each is driven."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hil import kernel
from hil.faults.live_faults import refusal as refusal_of_faults
from hil.outcome import Outcome
from hil.places import boots, in_process, live, qemu
from hil.places.task import Task
from hil.scenes.scenario_file import missing, read
from hil.scenes.scenario_table import LIVE_FAULTS, Scenario
from hil.wires.site import UNWIRED, Site
from hil.wires.wire import has_vcan

PLACES = ("process", "kernel", "vcan", "live", "qemu", "wired")
NET_FAULTS = ("broker_restart", "link_cut", "half_open")
"""What can be done to a terminal that is a box elsewhere."""
MADE_THERE = ("error_frames", "bus_off")
"""What no sender can put on a wire: a controller makes it."""
Say = Callable[[str], None]


def is_here(place: str) -> str:
    """Why this place is not on this machine; empty: it is."""
    if place == "qemu":
        return qemu.why_not()
    if place == "wired":
        return UNWIRED
    if place == "kernel" and not kernel.is_here():
        return "no kernel to bring along: install user-mode-linux, kmod and iproute2 (Debian's packages)"
    if place == "vcan" and not has_vcan():
        return "this kernel has no vcan0: `ip link add dev vcan0 type vcan; ip link set vcan0 up`, or --place kernel"
    return ""


def plan(path: Path, place: str | None, seed: int | None, site: Site | None = None) -> Task | str:
    """What is to run, or why it is skipped. ScenarioError, and PlaceError when a place was asked for in vain.

    `site`: how the place `wired` is wired.
    """
    scenario = read(path)
    absent = missing(scenario)
    if absent:
        return f"skipped: the recording {absent[0]} is not on this machine"
    seed = scenario.seed if seed is None else seed
    reasons = {one: _refusal(scenario, one, site) for one in ([place] if place else scenario.places)}
    for one, reason in reasons.items():
        if not reason:
            return Task(path.resolve(), scenario, one, seed, site.words if site and one == "wired" else "")
    if place:
        raise PlaceError(f"{path.stem}: {reasons[place]}")
    return "skipped: " + "; ".join(dict.fromkeys(reasons.values()))


class PlaceError(Exception):
    """The place that was asked for cannot be; the text says why."""


def _refusal(scenario: Scenario, place: str, site: Site | None) -> str:
    """Why it cannot run there. What runs on vcan runs on wires too."""
    if not {place, "vcan" if place == "wired" else place} & set(scenario.places):
        return f"cannot run in {place}: it names {', '.join(scenario.places)}"
    made = [fault.name for fault in scenario.fault if fault.name in MADE_THERE and place in ("qemu", "wired")]
    if made:
        return f"{made[0]}: no sender can put one on a real wire; run it in {scenario.places[0]}"
    if place == "wired":
        return _unfit(scenario, site) or refusal_of_faults(scenario.fault, place)
    return is_here(place) or refusal_of_faults(scenario.fault, place)


def _unfit(scenario: Scenario, site: Site | None) -> str:
    """Why this wiring cannot show it."""
    if site is None:
        return UNWIRED
    if scenario.adapter != "none":
        return "its terminal has a serial adapter, not a bus; run it with --place live"
    ours = [fault.name for fault in scenario.fault if fault.name in LIVE_FAULTS and fault.name not in NET_FAULTS]
    if site.is_box and (ours or scenario.link != "up"):
        return f"{', '.join(ours) or 'the link'}: the terminal must run here for it; name its interface with --terminal"
    return ""


def run(tasks: Sequence[Task], folder: Path, say: Say, site: Site | None = None) -> Iterator[tuple[Task, Outcome]]:
    """Each with its outcome, as soon as it is there: those for a kernel that comes along run beside the others."""
    with boots.Boots(tasks, folder, say) as booted:
        for task in (task for task in tasks if task.place not in boots.PLACES):
            if task.place == "process":
                yield task, _in_process(task, folder, say)
            else:
                where = site if task.place == "wired" and site else Site(task.place, is_pty=task.place == "live")
                yield task, live.run(task.path, task.seed, where, _named(task.name, say))
            yield from booted.done()
        yield from booted.rest()


def _named(name: str, say: Say) -> Say:
    return lambda words: say(f"{name}: {words}")


def _in_process(task: Task, folder: Path, say: Say) -> Outcome:
    with tempfile.TemporaryDirectory(prefix=".run-", dir=folder.resolve()) as scratch:
        return in_process.run(task.scenario, task.name, task.seed, Path(scratch), _named(task.name, say))
