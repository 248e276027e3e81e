"""What the power decider hears and says, as values."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from msgspec import Struct

State = Literal["driving", "settling", "parked", "asleep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What is known now; None: not known.

    `engine` and `speed_mps` as core.Sample tells them, `volt` as it is measured (a 24 V system's too), `is_shaken` by
    the motion sensor, `is_bus_active`: frames came in the last second.
    """

    engine: str = "unknown"
    ignition: bool | None = None
    speed_mps: float | None = None
    volt: float | None = None
    temperature_c: float | None = None
    is_bus_active: bool = False
    is_shaken: bool = False
    is_queue_empty: bool = True


class Run(NamedTuple):
    """What should run: asking the car, reading its bus, the mobile network, samples of a drive."""

    poll: bool
    listen: bool
    radio: bool
    samples: bool


@dataclass(frozen=True, slots=True)
class Suspend:
    """Sleep; wake after this long (0: no timer) or when one of these calls. `is_off`: by the hook that switches off."""

    wake_after_s: int
    wake_on: tuple[str, ...]
    is_off: bool = False


@dataclass(frozen=True, slots=True)
class Resume:
    """Awake again: bring back what the suspend took away."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and why in words. An action stands in the first plan that has it, and in no other."""

    state: State
    run: Run
    reason: str
    action: Suspend | Resume | None = None


class Account(Struct, frozen=True, kw_only=True):
    """What must outlive a start.

    Charge taken since the car was driven; whether the battery was at its floor, and what it showed when the terminal
    went to sleep, in terms of 12 V; how often it went to sleep since then with nothing left to take.
    """

    spent_ah: float = 0.0
    is_low: bool = False
    rest_v: float | None = None
    in_vain: int = 0


NO_ACCOUNT = Account()

RUNS: dict[State, Run] = {
    "driving": Run(poll=True, listen=True, radio=True, samples=True),
    "settling": Run(poll=False, listen=True, radio=True, samples=True),
    "parked": Run(poll=False, listen=True, radio=False, samples=False),
    "asleep": Run(poll=False, listen=False, radio=False, samples=False),
}
