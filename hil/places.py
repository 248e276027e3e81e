"""Where a scenario runs: which places there are here, which it can run in, and how each is driven."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil import in_process, kernel, live, outcome
from hil.in_kernel import Boot
from hil.live_faults import refusal as refusal_of_faults
from hil.outcome import Outcome
from hil.road import lasts_s
from hil.scenario_file import Scenario, missing, read
from hil.wire import has_vcan

PLACES = ("process", "kernel", "vcan", "live", "qemu", "wired")
LATER = {
    "qemu": "there is no place qemu yet: --place kernel has vcan, the real controllers are still to come",
    "wired": "there is no place wired yet: --place vcan drives a real SocketCAN interface named vcan0",
}
BOOT_S = 30.0
SPARE_S = 45.0
"""What a live scenario may take besides its drive."""
TURN_S = 0.2
BOOTS, TASKS_EACH = 2, 3
"""So many kernels at once at most, each for so many scenarios at least: a drive is mostly waiting."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """One scenario to run, where and with which seed."""

    path: Path
    scenario: Scenario
    place: str
    seed: int

    @property
    def name(self) -> str:
        """As it is called."""
        return self.path.stem


def is_here(place: str) -> str:
    """Why this place is not on this machine; empty: it is."""
    if place in LATER:
        return LATER[place]
    if place == "kernel" and not kernel.is_here():
        return "no kernel to bring along: install user-mode-linux, kmod and iproute2 (Debian's packages)"
    if place == "vcan" and not has_vcan():
        return "this kernel has no vcan0: `ip link add dev vcan0 type vcan; ip link set vcan0 up`, or --place kernel"
    return ""


def plan(path: Path, place: str | None, seed: int | None) -> Task | str:
    """What is to run, or why it is skipped. ScenarioError, and PlaceError when a place was asked for in vain."""
    scenario = read(path)
    absent = missing(scenario)
    if absent:
        return f"skipped: the recording {absent[0]} is not on this machine"
    seed = scenario.seed if seed is None else seed
    reasons = {one: _refusal(scenario, one) for one in ([place] if place else scenario.places)}
    for one, reason in reasons.items():
        if not reason:
            return Task(path.resolve(), scenario, one, seed)
    if place:
        raise PlaceError(f"{path.stem}: {reasons[place]}")
    return "skipped: " + "; ".join(dict.fromkeys(reasons.values()))


class PlaceError(Exception):
    """The place that was asked for cannot be; the text says why."""


def _refusal(scenario: Scenario, place: str) -> str:
    """Why it cannot run there."""
    if place in LATER:
        return LATER[place]
    if place not in scenario.places:
        return f"cannot run in {place}: it names {', '.join(scenario.places)}"
    return is_here(place) or refusal_of_faults(scenario.fault, place)


def run(tasks: Sequence[Task], folder: Path, say: Say) -> Iterator[tuple[Task, Outcome]]:
    """Each with its outcome: those for the kernel at last, meanwhile they run beside the others."""
    inside = sorted((task for task in tasks if task.place == "kernel"), key=lambda task: -lasts_s(task.scenario))
    boots = min(BOOTS, -(-len(inside) // TASKS_EACH))
    with ExitStack() as stack:
        booted = [_boot(inside[number::boots], folder, stack, say) for number in range(boots)]
        for task in tasks:
            if task.place == "process":
                yield task, _in_process(task, folder, say)
            elif task.place in ("vcan", "live"):
                told = _named(task.name, say)
                yield task, live.run(task.path, task.seed, task.place, told, is_pty=task.place == "live")
        for boot, group, scratch in booted:
            yield from _of_kernel(boot, group, scratch, say)


def _named(name: str, say: Say) -> Say:
    return lambda words: say(f"{name}: {words}")


def _in_process(task: Task, folder: Path, say: Say) -> Outcome:
    with _scratch(folder, task.name) as scratch:
        return in_process.run(task.scenario, task.name, task.seed, scratch, _named(task.name, say))


def _boot(tasks: Sequence[Task], folder: Path, stack: ExitStack, say: Say) -> tuple[Boot, Sequence[Task], Path]:
    """One boot for these tasks; leaving the stack ends it."""
    scratch = stack.enter_context(_scratch(folder, tasks[0].name))
    limit_s = BOOT_S + sum(lasts_s(task.scenario) + SPARE_S for task in tasks)
    say(f"kernel: booting for {', '.join(task.name for task in tasks)}")
    return stack.enter_context(Boot([f"{task.path}:{task.seed}" for task in tasks], scratch, limit_s)), tasks, scratch


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
