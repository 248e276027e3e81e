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
}
CALM = ("idling", "speeding")
"""Events whose measure is their length, not a force."""
SOURCE_WORDS = {"speed": "speed", "imu": "motion sensor", "gnss": "satellites"}
END_WORDS = {
    "stopped": "stood long enough with the engine off",
    "end_of_input": "the recording ends here",
    "power_cut": "the power was cut",
    "agent_stopped": "the agent was stopped",
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
