"""What is to be asked, and what of it first: the most overdue, measured by its own patience. Pure.

A car that is slower than what is wanted of it stretches every period by about the same factor, so that speed keeps its
share. What is wanted seldom is stretched less: the patience of any task ends at SLACK_US_MAX.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.bus.diagnostic import FUNCTIONAL

NEVER_US = 2**62

SLACK_US_MAX = 1_000_000

TRIES_MAX = 3
"""So often is asked what is wanted once."""

RETRY_US = 2_000_000
"""Between these tries, times the number of them."""

PATIENCE = 4
"""So often in a row unanswered by a unit that answers others: from then on it is asked ever more seldom ..."""

STRETCHED_US_MAX = 60_000_000
"""... but at least so often."""

Key = tuple[int, bytes, int]
"""What tells tasks apart: service, data, and whom it is for."""


@dataclass(slots=True, eq=False)
class Task:
    """One question, asked every `period_us`; 0: until it was answered, or tried TRIES_MAX times."""

    service: int
    data: bytes
    period_us: int
    due_us: int
    to: int = FUNCTIONAL
    """FUNCTIONAL: whoever can answer; else the identifier a unit listens to (service 22)."""
    ecu: int = 0
    """The one unit that can answer, by the identifier it answers on; 0: any."""
    tries: int = 0
    """How often in a row it stayed unanswered."""
    missed_us: int = 0
    """When it last did."""
    refusals: int = 0
    """How often in a row it was refused (service 22)."""

    @property
    def key(self) -> Key:
        """What tells it apart."""
        return self.service, self.data, self.to or self.ecu

    @property
    def pid(self) -> int:
        """The PID or InfoType asked for; -1: the service has none."""
        return self.data[0] if self.data else -1

    def urgency(self, now_us: int) -> float:
        """How overdue it is, in units of its patience."""
        return (now_us - self.due_us) / min(self.period_us or SLACK_US_MAX, SLACK_US_MAX)

    def sent(self, now_us: int) -> None:
        """It was asked: again in a period; where it was late, by up to half a period sooner."""
        self.due_us = max(self.due_us + self.period_us, now_us + self.period_us // 2) if self.period_us else NEVER_US

    def unanswered(self, now_us: int) -> None:
        """Nobody answered it, though the units do answer."""
        self.tries += 1
        self.missed_us = now_us
        if not self.period_us:
            self.due_us = now_us + RETRY_US * self.tries
        elif self.tries >= PATIENCE:
            stretched_us = min(self.period_us << min(self.tries - PATIENCE + 1, 16), STRETCHED_US_MAX)
            self.due_us = now_us + max(self.period_us, stretched_us)


class Agenda:
    """All tasks."""

    def __init__(self) -> None:
        self._tasks: dict[Key, Task] = {}

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def add(self, task: Task) -> None:
        """Take a task in; one that is there already is asked as soon as this one would be, its tries forgotten."""
        there = self._tasks.setdefault(task.key, task)
        there.due_us = min(there.due_us, task.due_us)
        there.tries = 0

    def drop(self, task: Task) -> None:
        """It is asked no more."""
        self._tasks.pop(task.key, None)

    def most_urgent(self, now_us: int) -> Task | None:
        """What should be asked now; None: nothing is due."""
        due = [task for task in self._tasks.values() if task.due_us <= now_us]
        return max(due, key=lambda task: task.urgency(now_us), default=None)

    def unpark(self, now_us: int) -> None:
        """What nobody could answer may be answered now."""
        for task in self._tasks.values():
            if task.period_us and task.due_us == NEVER_US:
                task.due_us = now_us

    def hasten(self, now_us: int) -> None:
        """No task waits longer than its period."""
        for task in self._tasks.values():
            if task.period_us and task.due_us != NEVER_US:
                task.due_us = min(task.due_us, now_us + task.period_us)

    def due_us(self) -> int:
        """When the next task is due."""
        return min((task.due_us for task in self._tasks.values()), default=NEVER_US)
