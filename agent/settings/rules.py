"""The rules' own settings, one table each: [detect.<event>]. config/tbox.toml explains every number."""

from typing import Annotated

from msgspec import Meta, Struct

from agent.settings.ranges import span

THRESHOLD_MPS2_MAX = 200
"""No car brakes, starts or turns like that: switches a rule off as surely as `enabled = false`."""

RELEASE_SHARE = 0.83
"""Release where only the threshold of a harsh event is set, as a share of it (DETECTION, harsh_braking)."""


class Harsh(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of harsh driving: braking, acceleration or cornering."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    threshold_mps2: Annotated[
        float, span(0.1, THRESHOLD_MPS2_MAX, "m/s²", "size of the acceleration that makes an event")
    ] = 3.43
    release_mps2: Annotated[float, span(0, 200, "m/s²", "the event ends under this; unset: 0.83 of the threshold")] = (
        2.85
    )
    hold_s: Annotated[float, span(0, 60, "s", "held at least this long; 0: one sample is enough")] = 0.5
    min_speed_mps: Annotated[
        float, span(0, 100, "m/s", "slower is not judged; acceleration: at its end; 0: no gate")
    ] = 2.78
    refractory_s: Annotated[float, span(0, 3600, "s", "after an event, not the same again; 0: at once")] = 3.0
    medium_mps2: Annotated[float, span(0, 200, "m/s²", "peak from which severity is medium")] = 4.41
    high_mps2: Annotated[float, span(0, 200, "m/s²", "peak from which severity is high")] = 5.88


class Cornering(Harsh, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bends have a gate of their own. A type of its own: a table that says only something else keeps this default."""

    min_speed_mps: Annotated[float, span(0, 100, "m/s", "slower at its start is not judged; 0: no gate")] = 4.17


class Idling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The engine runs and the car stands."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    hold_s: Annotated[float, span(0, 86_400, "s", "a stand at least this long")] = 120.0
    max_speed_mps: Annotated[float, span(0.01, 5, "m/s", "slower counts as standing")] = 0.278


class Speeding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faster than the limit that holds."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    limit_mps: Annotated[float, span(0, 150, "m/s", "limit where no input tells one; 0: none")] = 0.0
    margin_mps: Annotated[float, span(0, 50, "m/s", "tolerated above the limit")] = 0.0
    hysteresis_mps: Annotated[float, span(0, 20, "m/s", "ends this much under limit and margin")] = 1.39
    hold_s: Annotated[float, span(0, 3600, "s", "held at least this long")] = 10.0


class Crash(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A blow, and what confirms that it was a crash."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    threshold_mps2: Annotated[float, span(1, 2000, "m/s²", "horizontal specific force that triggers")] = 19.61
    hold_s: Annotated[float, span(0, 0.1, "s", "held at least this long, and 2 samples")] = 0.008
    delta_v_mps: Annotated[float, span(0.1, 50, "m/s", "velocity change within 150 ms that confirms")] = 2.22
    confirm_s: Annotated[float, span(0.2, 60, "s", "time in which something must confirm")] = 10.0
    medium_mps: Annotated[float, span(0, 100, "m/s", "velocity change from which severity is medium")] = 4.17
    high_mps: Annotated[float, span(0, 100, "m/s", "velocity change from which severity is high")] = 6.94
    lock_mps: Annotated[float, span(0, 100, "m/s", "velocity change from which evidence is locked")] = 6.94
    speed_loss_mps2: Annotated[float, span(1, 200, "m/s²", "without IMU: loss of speed that triggers")] = 9.0


class OverRev(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The engine turns at its limit or faster."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    limit_rpm: Annotated[float, span(0, 20_000, "1/min", "limit; 0: the vehicle map's; without one not judged")] = 0.0
    hysteresis_rpm: Annotated[float, span(0, 5000, "1/min", "ends this much under the limit")] = 100.0
    hold_s: Annotated[float, span(0, 60, "s", "held at least this long")] = 2.0


class ColdRev(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The engine turns fast while it is cold."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    limit_share: Annotated[float, span(0.1, 1, "", "share of the limit of over_rev that a cold engine may turn")] = 0.65
    coolant_c: Annotated[float, span(-40, 120, "°C", "colder is a cold engine")] = 50.0
    hold_s: Annotated[float, span(0, 60, "s", "held at least this long")] = 2.0


class Fatigue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Driving without a rest."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    driving_s: Annotated[float, span(60, 86_400, "s", "driving without a rest that is too long")] = 14_400.0
    warning_s: Annotated[float, span(60, 86_400, "s", "driving without a rest at which a warning is told")] = 12_600.0
    rest_s: Annotated[float, span(60, 86_400, "s", "a stand this long in one piece is a rest")] = 1200.0


class Rollover(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The car lies on its side or its roof."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    roll_deg: Annotated[float, span(20, 170, "°", "angle by the gyro, while moving")] = 45.0
    roll_hold_s: Annotated[float, span(0, 60, "s", "held at least this long")] = 1.0
    attitude_deg: Annotated[float, span(20, 170, "°", "angle by gravity, at rest after moving")] = 60.0
    attitude_hold_s: Annotated[float, span(0, 60, "s", "held at least this long")] = 3.0


class ParkedImpact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parked car is struck."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    threshold_mps2: Annotated[float, span(1, 200, "m/s²", "shock beside the force at rest")] = 9.81


class Tow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parked car is lifted or carried away."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    tilt_deg: Annotated[float, span(1, 40, "°", "angle against how it was parked")] = 5.0
    min_speed_mps: Annotated[float, span(0.5, 50, "m/s", "speed it must exceed")] = 4.17
    hold_s: Annotated[float, span(1, 3600, "s", "either held at least this long")] = 20.0


class LowBattery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The car's battery is nearly empty."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    threshold_v: Annotated[float, span(6, 60, "V", "lower is low")] = 11.8
    hysteresis_v: Annotated[float, span(0, 10, "V", "it is over this much above")] = 0.5
    hold_s: Annotated[float, span(0, 3600, "s", "held at least this long")] = 60.0


class Unplugged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The supply was there and is gone."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    threshold_v: Annotated[float, span(0.5, 8.5, "V", "lower is no supply")] = 6.0
    hold_s: Annotated[float, span(0, 60, "s", "held at least this long")] = 2.0


class Overheat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The coolant is too hot."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    threshold_c: Annotated[float, span(50, 150, "°C", "hotter is too hot")] = 115.0
    hysteresis_c: Annotated[float, span(0, 50, "°C", "it is over this much under")] = 5.0
    hold_s: Annotated[float, span(0, 3600, "s", "held at least this long")] = 10.0


class Fuel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fuel level changes while the car is parked: refuel or fuel_drop."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    threshold_pct: Annotated[float, span(1, 100, "%", "change of the level that makes an event")] = 8.0
    settle_s: Annotated[float, span(0, 600, "s", "values lie together this long before they are a level")] = 10.0


class GnssLoss(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No fix while driving, where there were some."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    hold_s: Annotated[float, span(5, 86_400, "s", "moving without a fix for longer; gnss_jamming too")] = 120.0


class GnssJamming(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A loss that somebody made."""

    enabled: Annotated[bool, Meta(description="judge by this rule")] = True
    jump_m: Annotated[float, span(100, 1_000_000, "m", "farther than it can have driven by more than this")] = 1000.0


class Detect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules, one table each."""

    harsh_braking: Harsh = Harsh()
    harsh_acceleration: Harsh = Harsh()
    harsh_cornering: Cornering = Cornering()
    idling: Idling = Idling()
    speeding: Speeding = Speeding()
    crash: Crash = Crash()
    over_rev: OverRev = OverRev()
    cold_rev: ColdRev = ColdRev()
    fatigue: Fatigue = Fatigue()
    rollover: Rollover = Rollover()
    parked_impact: ParkedImpact = ParkedImpact()
    tow: Tow = Tow()
    low_battery: LowBattery = LowBattery()
    unplugged: Unplugged = Unplugged()
    overheat: Overheat = Overheat()
    refuel: Fuel = Fuel()
    fuel_drop: Fuel = Fuel()
    gnss_loss: GnssLoss = GnssLoss()
    gnss_jamming: GnssJamming = GnssJamming()
