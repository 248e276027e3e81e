"""Where a scenario runs: which places there are here, which it can run in, and how each is driven."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil import in_process, kernel, live, outcome, qemu
from hil.in_kernel import Boot
from hil.live_faults import refusal as refusal_of_faults
from hil.outcome import Outcome
from hil.road import lasts_s
from hil.scenario_file import missing, read
from hil.scenario_table import LIVE_FAULTS, Scenario
from hil.site import UNWIRED, Site
from hil.wire import has_vcan

PLACES = ("process", "kernel", "vcan", "live", "qemu", "wired")
NET_FAULTS = ("broker_restart", "link_cut", "half_open")
"""What can be done to a terminal that is a box elsewhere."""
MADE_THERE = ("error_frames", "bus_off")
"""What no sender can put on a wire: a controller makes it."""
SPARE_S = 45.0
"""What a live scenario may take besides its drive."""
TURN_S = 0.2
TASKS_EACH = 3
"""So many scenarios at least are worth a second kernel: a drive is mostly waiting."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """A kernel that comes along: what starts it, how many at once at most, how long booting and driving may take."""

    place: str
    module: str
    boots: int
    boot_s: float
    patience: float


MACHINES = (Machine("kernel", "hil.in_kernel", 2, 30.0, 1.0), Machine("qemu", "hil.in_qemu", 1, 120.0, 4.0))


@dataclass(frozen=True, slots=True)
class Task:
    """One scenario to run, where and with which seed."""

    path: Path
    scenario: Scenario
    place: str
    seed: int
    wires: str = ""
    """In place wired: how it is wired, as the command line has it."""

    @property
    def name(self) -> str:
        """As it is called."""
        return self.path.stem


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
    """Each with its outcome: those for a kernel run beside the others; those for an emulated machine alone, at last."""
    first, second = MACHINES
    with ExitStack() as stack:
        booted = _booted(tasks, first, folder, stack, say)
        for task in tasks:
            if task.place == "process":
                yield task, _in_process(task, folder, say)
            elif task.place not in (first.place, second.place):
                where = site if task.place == "wired" and site else Site(task.place, is_pty=task.place == "live")
                yield task, live.run(task.path, task.seed, where, _named(task.name, say))
        for boot, group, scratch in booted:
            yield from _of_kernel(boot, group, scratch, say)
        for boot, group, scratch in _booted(tasks, second, folder, stack, say):
            yield from _of_kernel(boot, group, scratch, say)


def _booted(
    tasks: Sequence[Task], machine: Machine, folder: Path, stack: ExitStack, say: Say
) -> list[tuple[Boot, Sequence[Task], Path]]:
    """As many boots as are worth it, the longest drives first."""
    inside = sorted((task for task in tasks if task.place == machine.place), key=lambda task: -lasts_s(task.scenario))
    boots = min(machine.boots, -(-len(inside) // TASKS_EACH))
    return [_boot(inside[number::boots], machine, folder, stack, say) for number in range(boots)]


def _named(name: str, say: Say) -> Say:
    return lambda words: say(f"{name}: {words}")


def _in_process(task: Task, folder: Path, say: Say) -> Outcome:
    with _scratch(folder, task.name) as scratch:
        return in_process.run(task.scenario, task.name, task.seed, scratch, _named(task.name, say))


def _boot(
    tasks: Sequence[Task], machine: Machine, folder: Path, stack: ExitStack, say: Say
) -> tuple[Boot, Sequence[Task], Path]:
    """One boot for these tasks; leaving the stack ends it."""
    scratch = stack.enter_context(_scratch(folder, tasks[0].name))
    limit_s = machine.boot_s + machine.patience * sum(lasts_s(task.scenario) + SPARE_S for task in tasks)
    say(f"{machine.place}: booting for {', '.join(task.name for task in tasks)}")
    words = [f"{task.path}:{task.seed}" for task in tasks]
    return stack.enter_context(Boot(words, scratch, limit_s, machine.module)), tasks, scratch


def _of_kernel(boot: Boot, tasks: Sequence[Task], scratch: Path, say: Say) -> Iterator[tuple[Task, Outcome]]:
    """The outcomes of one boot, each as soon as it is there."""
    for task in tasks:
        path = scratch / f"{task.name}.json"
        while not path.exists() and not boot.is_over():
            for line in boot.lines():
                say(line)
            time.sleep(TURN_S)
        yield task, outcome.read(path) if path.exists() else _without(task, boot.said())


def _without(task: Task, said: str) -> Outcome:
    """The kernel ended without it."""
    trouble = f"the kernel ended before it was done; it said:\n{said[-2000:]}"
    return Outcome(scenario=task.name, place=task.place, seed=task.seed, took_s=0.0, drive_s=0.0, trouble=trouble)


@contextmanager
def _scratch(folder: Path, name: str) -> Iterator[Path]:
    """A folder for the time of a run, which a kernel of its own can write too."""
    scratch = folder.resolve() / f".run-{os.getpid()}-{name}"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        yield scratch
    finally:
        for path in scratch.iterdir():
            path.unlink()
        scratch.rmdir()
