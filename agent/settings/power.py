"""Settings of the power decider: when this terminal sleeps, what it may take from a parked car's battery, and by what.

Voltages are those of a 12 V lead battery; a 24 V system is told by its voltage and judged by half of it.
"""

from typing import Annotated

from msgspec import Meta, Struct

from agent.settings.ranges import span


class Draw(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What this terminal takes from the car's battery, state by state, as its maker says or an ammeter shows."""

    awake_ma: Annotated[float, span(0, 5000, "mA", "driving and settling, radio on")] = 250.0
    parked_ma: Annotated[float, span(0, 5000, "mA", "awake beside a parked car, radio off")] = 100.0
    asleep_ma: Annotated[float, span(0, 500, "mA", "suspended")] = 5.0
    off_ma: Annotated[float, span(0, 500, "mA", "switched off by hooks.off")] = 1.0


class Hooks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Commands that change the terminal's state, as argument lists. {wake_s} and {wake_on} are filled in."""

    suspend: Annotated[
        tuple[str, ...], Meta(description="suspends Linux and ends when it runs again; empty: it cannot")
    ] = ()
    off: Annotated[tuple[str, ...], Meta(description="switches the terminal off; empty: suspended instead")] = ()
    resume: Annotated[tuple[str, ...], Meta(description="run after a suspend; empty: nothing to do")] = ()
    radio_on: Annotated[tuple[str, ...], Meta(description="brings the mobile network up; empty: it is always up")] = ()
    timeout_s: Annotated[float, span(1, 600, "s", "a command is ended after this long, sleep not counted")] = 60.0
    radio_off: Annotated[tuple[str, ...], Meta(description="lets the mobile network go; empty: it stays up")] = ()


class Power(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Driving, settling, parked, asleep: how long each lasts, and what ends it."""

    enabled: Annotated[bool, Meta(description="sleep when parked; false: the terminal has no battery to spare")] = True
    settle_s: Annotated[float, span(0, 7200, "s", "after the engine, everything stays on this long")] = 360.0
    settle_s_max: Annotated[float, span(0, 14_400, "s", "and so long at most while records wait")] = 900.0
    watch_s: Annotated[float, span(0, 86_400, "s", "awake beside a parked car before it sleeps")] = 1800.0
    watch_v: Annotated[float, span(6, 16, "V", "with less, or none measured, it does not keep watch")] = 12.4
    heartbeat_s: Annotated[float, span(0, 604_800, "s", "asleep, it wakes and reports this often; 0: never")] = 86_400.0
    floor_v: Annotated[float, span(6, 16, "V", "with less everything stops")] = 12.2
    hysteresis_v: Annotated[float, span(0, 4, "V", "it begins again this much above the floor")] = 0.3
    cold_v_per_k: Annotated[float, span(0, 0.1, "V/K", "the floor is higher by this for each kelvin under 10 °C")] = (
        0.01
    )
    hold_s: Annotated[float, span(1, 600, "s", "under the floor this long: a starter takes seconds")] = 60.0
    budget_ah: Annotated[float, span(0.01, 1000, "Ah", "taken from a parked car at most, until it is driven")] = 4.0
    blind_ah: Annotated[float, span(0.01, 1000, "Ah", "the same while no voltage is believed")] = 1.5
    charge_a: Annotated[float, span(0, 100, "A", "what driving is taken to give back of it")] = 5.0
    stay_s_max: Annotated[float, span(0, 86_400, "s", "a technician may keep it awake this long at most")] = 14_400.0
    draw: Draw = Draw()
    hooks: Hooks = Hooks()
