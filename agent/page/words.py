"""Words and figures for people, as a report page says them. Pure."""

import datetime as dt

EVENT_WORDS = {
    "harsh_braking": "Harsh braking",
    "harsh_acceleration": "Harsh acceleration",
    "harsh_cornering": "Harsh cornering",
    "idling": "Idling",
    "speeding": "Speeding",
    "crash": "Crash",
    "impact": "Impact, not confirmed",
    "over_rev": "Engine over its limit",
    "cold_rev": "Cold engine driven hard",
    "fatigue_warning": "Rest is due soon",
    "fatigue": "Driving without rest",
    "rollover": "Rollover",
    "parked_impact": "Impact while parked",
    "tow": "Towed or lifted",
    "low_battery": "Battery low",
    "unplugged": "Terminal unplugged",
    "power_cut": "Power cut",
    "overheat": "Engine too hot",
    "refuel": "Refuelled",
    "fuel_drop": "Fuel lost while parked",
    "gnss_loss": "Satellites lost",
    "gnss_jamming": "Satellites jammed",
}
CALM = ("idling", "speeding", "over_rev", "cold_rev", "refuel", "gnss_loss", "low_battery", "overheat")
"""Events whose measure is their length, or that say little of the driver: no colour, no severity."""
SOURCE_WORDS = {"speed": "speed", "imu": "motion sensor", "gnss": "satellites", "vehicle": "the vehicle"}
END_WORDS = {
    "stopped": "stood long enough with the engine off",
    "unplugged": "the terminal was unplugged",
    "end_of_input": "the recording ends here",
    "power_cut": "the power was cut",
    "agent_stopped": "the agent was stopped",
}
VALUE_UNITS = {
    "over_rev": "1/min",
    "cold_rev": "1/min",
    "low_battery": "V",
    "unplugged": "V",
    "overheat": "°C",
    "refuel": "%",
    "fuel_drop": "%",
    "rollover": "°",
    "gnss_jamming": "m",
}
"""Events that are decided by a value, and its unit."""
WAY_WORDS = {
    "roll": "rotation, while moving",
    "attitude": "gravity, at rest",
    "tilt": "another attitude",
    "motion": "motion",
    "quality": "collapse of the reception",
    "jump": "an impossible jump",
    "absent": "back, and the car has gone on without it",
}
"""Which of a rule's ways decided."""
REASON_WORDS = {
    "crash_vertical": "jolt from below",
    "crash_handled": "handled at a stand",
    "crash_short": "blow of one sample",
    "crash_no_gravity": "sensor made no sense",
    "crash_refresh_too_slow": "speed told too rarely for a crash",
    "harsh_too_slow": "too slow to be harsh",
    "harsh_not_held": "not held long enough",
    "harsh_speed_disagrees": "speed contradicts the sensor",
    "fatigue_rest_unknown": "rest or driving, nobody knows",
    "parked_short": "parked: a shock of one sample",
    "parked_handled": "parked: the box was handled",
    "twin": "second answer at once",
    "late": "late",
    "impossible": "impossible slope",
    "nonsense": "constant of an absent sensor",
}
"""Why something was not used or not judged."""
PART_WORDS = {"roughness": "Smoothness", "fatigue": "Rest", "night": "Night driving", "speeding": "Speed limits"}
CLOCK_WORDS = {
    "ntp": "a kept clock",
    "gnss": "a receiver",
    "system": "the terminal's own clock",
    "recording": "the recording",
}
UNKNOWN = "–"  # noqa: RUF001  (the dash of a table's empty cell)


def date(time_s: float) -> str:
    """Say the day of a moment in UTC seconds."""
    moment = dt.datetime.fromtimestamp(time_s, dt.UTC)
    return f"{moment.day} {moment:%B %Y}, times in UTC"


def distance(metres: float) -> str:
    """Say a way: in metres, from a kilometre on in kilometres."""
    return f"{metres:.0f} m" if metres < 1000 else f"{metres / 1000:.1f} km"


def speed(speed_mps: float | None) -> str:
    """Say a speed in km/h."""
    return UNKNOWN if speed_mps is None else f"{speed_mps * 3.6:.0f} km/h"


def lasting(seconds: float | None) -> str:
    """Say a time span."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole // 60 % 60:02d} min"


def plain(name: str) -> str:
    """Say a key as words."""
    return name.replace("_", " ")


def counted(number: object) -> str:
    """Say a count, thousands apart."""
    return f"{number:,}".replace(",", " ") if isinstance(number, int) and not isinstance(number, bool) else str(number)
