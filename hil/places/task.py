"""One scenario to run: where, and with which seed."""

from dataclasses import dataclass
from pathlib import Path

from hil.scenes.scenario_table import Scenario


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
