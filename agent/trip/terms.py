"""How trips are priced on this terminal: the score's formula, the local time zone, the tank."""

from dataclasses import dataclass

from agent.settings import Settings
from agent.trip import score
from agent.trip.score import Formula
from agent.vehicle import Table

SHIPPED = Formula()


@dataclass(frozen=True, slots=True)
class Terms:
    """`timezone` is an IANA name; `tank_l` None: the vehicle map does not tell it, or there is none."""

    formula: Formula = SHIPPED
    timezone: str = "UTC"
    tank_l: float | None = None


def load(settings: Settings, table: Table) -> Terms:
    """Those of these settings and this vehicle; SettingsError when the formula's file is missing or wrong."""
    return Terms(score.load(settings.trip.score), settings.device.timezone, table.tank_l)
