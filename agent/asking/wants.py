"""What a vehicle map wants asked, and how often: fast what drives the rules, seldom what changes slowly."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.vehicle import ANY_CHANNEL, OBD, Table
from drivers.batch import SIGNALS

PERIOD_US: Mapping[str, int] = {"speed": 100_000, "rpm": 250_000, "throttle": 1_000_000, "load": 1_000_000}
"""How often a signal is wanted, where not slowly."""

SLOW_US = 4_000_000
"""Any other signal: a value holds for 10 s in the core, so that one lost answer does not leave a hole."""


@dataclass(frozen=True, slots=True)
class Want:
    """A PID of service 01, wanted every `period_us`."""

    pid: int
    period_us: int


@dataclass(frozen=True, slots=True)
class WantData:
    """A data identifier (service 22) of the unit that listens on CAN identifier `to` (EXTENDED: 29 bits)."""

    to: int
    identifier: int
    period_us: int


def wants_of(table: Table, channel: int) -> tuple[Want, ...]:
    """The PIDs that feed catalogue signals on this channel, the most often wanted first."""
    periods: dict[int, int] = {}
    for message in table.messages:
        if message.kind != OBD or message.channel not in (channel, ANY_CHANNEL):
            continue
        for cut in message.cuts:
            if cut.signal < len(SIGNALS):
                period_us = PERIOD_US.get(SIGNALS[cut.signal], SLOW_US)
                periods[cut.mux_from] = min(period_us, periods.get(cut.mux_from, period_us))
    return tuple(Want(pid, periods[pid]) for pid in sorted(periods, key=lambda pid: (periods[pid], pid)))
