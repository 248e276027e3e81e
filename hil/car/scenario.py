"""The demo's drive: what the car does, when the link to the broker is cut, and what must arrive of it."""

from dataclasses import dataclass

from hil.drive import Leg

LEGS = (
    Leg("engine on, standing", 3.0),
    Leg("harsh acceleration", 3.6, forward_mps2=4.8),
    Leg("cruise", 3.0),
    Leg("left bend, too fast", 2.4, left_mps2=4.2),
    Leg("cruise", 2.0),
    Leg("dead zone: no network", 1.0),
    Leg("dead zone: harsh braking", 3.7, forward_mps2=-5.2),
    Leg("dead zone: idling", 2.3),
    Leg("idling, network is back", 6.0),
    Leg("pulling away gently", 5.5, forward_mps2=2.4),
    Leg("cruise", 1.5),
    Leg("crash", 0.1, blow_mps=12.0),
    Leg("rolling out", 0.9, forward_mps2=-2.5),
    Leg("standing, engine off", 5.5, engine=False),
)
"""About forty seconds on the road."""

DEAD_ZONE = frozenset(number for number, leg in enumerate(LEGS) if leg.label.startswith("dead zone"))
"""Legs during which the terminal cannot reach the broker."""

DRIVE_S = sum(leg.lasts_s for leg in LEGS)
SETTINGS = {"detect.idling.hold_s": 6, "trip.end_s": 5}
"""All that the demo changes about how driving is judged, so that it need not last ten minutes."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An event that must arrive, and the words for the screen."""

    event: str
    words: str
    direction: str | None = None


EXPECTED = (
    Expected("harsh_acceleration", "launch at 0.49 g"),
    Expected("harsh_cornering", "left bend at 0.43 g", "left"),
    Expected("harsh_braking", "braking at 0.53 g, in the dead zone"),
    Expected("idling", "stand of more than 6 s, begun in the dead zone"),
    Expected("crash", "frontal blow, 12 m/s in 100 ms", "front"),
)
