"""Kernels that come along, several at once, the longest drives first: what each left, or in words why it left nothing.

A drive is mostly waiting, so a processor carries several. In User-Mode Linux each has a boot of its own: it is alone
with its faults there, in a whole run as when it is run alone. A boot that ends without an outcome, or whose kernel
stands still, is a failure with its reason; where the kernel itself was at fault it is booted once more, and says so.
"""

import compileall
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hil import ROOT, outcome
from hil.car.road import lasts_s
from hil.outcome import Outcome
from hil.places.in_kernel import Boot, Stop
from hil.places.task import Task

KERNELS_EACH_PROCESSOR = 2
KERNELS_MOST = 6
SPARE_S = 300.0
"""What a live scenario may take besides its drive, from the begin of its boot."""
LATE_SHARE = 2.0
"""A machine that others use too may make a drive so much longer."""
TURN_S = 0.1
COMPILED = ("agent", "drivers", "hil")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """A kernel that comes along: what starts it, how many at once, scenarios in each, seconds and patience it takes."""

    place: str
    module: str
    at_once: int
    tasks_each: int
    boot_s: float
    patience: float


KERNELS = min(KERNELS_MOST, max(2, KERNELS_EACH_PROCESSOR * (os.cpu_count() or 1)))
MACHINES = (
    Machine("qemu", "hil.places.in_qemu", at_once=1, tasks_each=8, boot_s=120.0, patience=6.0),
    Machine("kernel", "hil.places.in_kernel", at_once=KERNELS, tasks_each=1, boot_s=0.0, patience=1.0),
)
PLACES = tuple(machine.place for machine in MACHINES)


class Boots:
    """Runs its tasks from the begin on, each machine's beside the other's; leaving it ends those that still run."""

    def __init__(self, tasks: Sequence[Task], folder: Path, say: Say) -> None:
        self._folder, self._say = folder, say
        self._left: queue.SimpleQueue[tuple[Task, Outcome]] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._pools: list[ThreadPoolExecutor] = []
        self._futures: list[Future[None]] = []
        if any(task.place in PLACES for task in tasks):
            compile_all()
        for machine in MACHINES:
            inside = [task for task in tasks if task.place == machine.place]
            inside.sort(key=lambda task: -lasts_s(task.scenario))
            pool = ThreadPoolExecutor(machine.at_once, thread_name_prefix=machine.place)
            self._pools.append(pool)
            for first in range(0, len(inside), machine.tasks_each):
                group = inside[first : first + machine.tasks_each]
                self._futures.append(pool.submit(self._run, machine, group))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)

    def done(self) -> Iterator[tuple[Task, Outcome]]:
        """Those with an outcome since the last call."""
        while not self._left.empty():
            yield self._left.get()

    def rest(self) -> Iterator[tuple[Task, Outcome]]:
        """All others, each as soon as it is there."""
        while not all(future.done() for future in self._futures):
            yield from self.done()
            time.sleep(TURN_S)
        yield from self.done()
        for future in self._futures:
            future.result()

    def _run(self, machine: Machine, tasks: list[Task]) -> None:
        """Boot as often as it takes to have something of each."""
        is_second = False
        while tasks and not self._is_over.is_set():
            with _scratch(self._folder, tasks[0].name) as scratch:
                stop = self._boot(machine, tasks, scratch)
            if stop is None:
                return
            if stop.is_kernel and not is_second:
                self._say(f"{tasks[0].name}: {stop.words.splitlines()[0]}: once more in a new boot")
                is_second = True
                continue
            again = " twice" if stop.is_kernel else ""
            self._left.put((tasks[0], _without(tasks.pop(0), f"{stop.words}{again}")))
            is_second = False

    def _boot(self, machine: Machine, tasks: list[Task], scratch: Path) -> Stop | None:
        """One boot; takes away the tasks that left something. Why there are others; None: there is no reason."""
        wanted_s = sum(LATE_SHARE * lasts_s(task.scenario) + SPARE_S for task in tasks)
        limit_s = machine.boot_s + machine.patience * wanted_s
        self._say(f"{machine.place}: booting for {', '.join(task.name for task in tasks)}")
        words = [f"{task.path}:{task.seed}" for task in tasks]
        with Boot(words, scratch, limit_s, machine.module, machine.patience) as boot:
            while tasks and not self._is_over.is_set():
                stop = boot.stop()
                for line in boot.lines():
                    self._say(line)
                while tasks and (path := scratch / f"{tasks[0].name}.json").exists():
                    self._left.put((tasks.pop(0), outcome.read(path)))
                if stop is not None and tasks:
                    return stop
                time.sleep(TURN_S)
        return None


def compile_all() -> None:
    """What is imported in there once for all: a kernel that sees these files read-only would do it again each time."""
    for name in COMPILED:
        compileall.compile_dir(ROOT / name, maxlevels=1, quiet=2)


def _without(task: Task, why: str) -> Outcome:
    """It left nothing."""
    return Outcome(scenario=task.name, place=task.place, seed=task.seed, took_s=0.0, drive_s=0.0, trouble=why)


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
