"""Whether a configuration on trial has proved itself in the running agent. Pure: time is an argument.

That the loop turns is shown by its asking at all; a loop that hangs is killed by the service manager's watchdog, and
the start is counted (slots.py).
"""

from dataclasses import dataclass

from agent.obd import answers as obd
from agent.settings.flash import Flash
from agent.vehicle import OBD_ID, Table

FRAMES_MIN = 500
"""Of a map that reads what cars broadcast, so many frames without one it knows say that it is of another car."""

STUCK_US = 10_000_000
"""After a pause like this the time without a fault is counted anew."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What the agent counted since it started."""

    frames: int
    decoded: int
    resident_bytes: int
    is_linked: bool
    """The broker is reached."""


class Trial:
    """Once a second `step`."""

    def __init__(self, rule: Flash, now_us: int, *, has_broadcast: bool, needs_link: bool) -> None:
        """`has_broadcast`: see below; `needs_link`: the broker was reached with the configuration before."""
        self._rule, self._has_broadcast, self._needs_link = rule, has_broadcast, needs_link
        self._start_us = self._since_us = self._last_us = now_us

    def step(self, now_us: int, signs: Signs) -> str | None:
        """Empty: it has proved itself; words: why it fails; None: not known yet."""
        if now_us - self._last_us > STUCK_US:
            self._since_us = now_us
        self._last_us = now_us
        most_bytes = self._rule.memory_mb * 1_000_000
        if signs.resident_bytes > most_bytes:
            return f"takes {signs.resident_bytes / 1e6:.0f} MB of memory, more than {self._rule.memory_mb} MB"
        if self._has_broadcast and signs.frames >= FRAMES_MIN and not signs.decoded:
            return f"the vehicle map does not fit this car: it knows none of {signs.frames} frames"
        is_cut_off = self._needs_link and not signs.is_linked
        if now_us - self._since_us >= self._rule.healthy_s * 1e6 and not is_cut_off:
            return ""
        if now_us - self._start_us <= self._rule.window_s * 1e6:
            return None
        why = "the broker, which was reached before, is out of reach" if is_cut_off else "not healthy"
        return f"{why} within {self._rule.window_s:.0f} s"


def has_broadcast(table: Table) -> bool:
    """Whether the map reads anything but answers to questions."""
    return any(message.id != OBD_ID and not obd.is_answer(message.id) for message in table.messages)
