"""A fault around a running terminal as a value: what begins it, what ends it, what it needs before and after."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hil.scenes.scenario_table import FaultTable, Scenario
from hil.subscriber import Subscriber
from hil.terminal import Terminal
from hil.wires.broker import Broker
from hil.wires.relay import Relay


class Stage(Protocol):
    """What runs around a live scenario, as far as a fault touches it."""

    broker: Broker
    relay: Relay
    subscriber: Subscriber
    terminal: Terminal
    scenario: Scenario

    def subscribe(self) -> None:
        """Listen at the broker that is there now."""
        ...


def nothing(*_: object) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Switch:
    """`prepare`: before the terminal starts; `close`: after it is gone. Each once, however often the fault comes."""

    begin: Callable[[FaultTable], None]
    end: Callable[[FaultTable], None] = nothing
    prepare: Callable[[], None] = nothing
    close: Callable[[], None] = nothing


def call(*words: str) -> None:
    """One of the system's own commands."""
    subprocess.run(words, check=True)  # noqa: S603 # our own words
