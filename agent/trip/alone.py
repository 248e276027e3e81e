"""A terminal without candidate rules: shadow.py's words, without the second core behind them."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core import Output
from agent.errors import SettingsError
from agent.settings import Settings
from agent.setup import Rest
from agent.trip.trip import Moment
from agent.vehicle import Table

if TYPE_CHECKING:
    from agent.trip.shadow import Shadow

log = logging.getLogger("tbox")


class Alone:
    """Nothing runs beside the active rules."""

    def feed(self, batch: bytes) -> None:
        """Nobody else takes it."""

    def step(self, output: Output, moments: list[Moment]) -> list[Moment]:  # noqa: ARG002
        """The moments as they are. Called like agent.trip.shadow's."""
        return moments

    def finish(self, moments: list[Moment]) -> list[Moment]:
        """The same at the end."""
        return moments


def beside(
    settings: Settings,
    table: Table,
    rotation: tuple[float, ...] | None = None,
    rest: tuple[Rest, int | None] | None = None,
) -> "Shadow | Alone":
    """What runs beside the active rules, of which the core is made with the same. SettingsError."""
    if not settings.shadow.rules:
        return Alone()
    from agent.trip.shadow import Shadow, load  # noqa: PLC0415  (few have candidate rules)

    return Shadow(load(Path(settings.shadow.rules), settings), settings, table, rotation=rotation, rest=rest)


def beside_if_it_loads(
    settings: Settings, table: Table, rotation: tuple[float, ...] | None, rest: tuple[Rest, int | None] | None
) -> "Shadow | Alone":
    """The same for a terminal in a car: candidate rules that do not load are said in a line, and left."""
    try:
        return beside(settings, table, rotation, rest)
    except SettingsError as why:
        log.warning("candidate rules are left: %s", why)
        return Alone()
