"""Settings of what the driver is told."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.settings.ranges import span, text

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"
_CLOCK_WORDS = "a time of day such as 22:00"

Severity = Literal["low", "medium", "high"]


class Notice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are shown to the driver, how often at most, and when they are not."""

    enabled: Annotated[bool, Meta(description="tell the driver anything at all")] = True
    kinds: Annotated[tuple[str, ...], Meta(description="events that are told")] = (
        "harsh_braking", "harsh_acceleration", "harsh_cornering", "speeding", "over_rev", "cold_rev", "fatigue_warning",
        "fatigue", "overheat", "low_battery", "crash",
    )  # fmt: skip
    severity: Annotated[Severity, Meta(description="milder ones are not told")] = "low"
    kind_s: Annotated[float, span(0, 86_400, "s", "between two of one kind")] = 60.0
    any_s: Annotated[float, span(0, 3600, "s", "between any two; a more severe one does not wait")] = 5.0
    hour_max: Annotated[int, span(0, 3600, "", "in an hour at most; severe ones are told beyond it; 0: only those")] = (
        20
    )
    quiet_from: Annotated[str, text("local time when quiet hours begin", _CLOCK, _CLOCK_WORDS)] = "00:00"
    quiet_until: Annotated[str, text("and end; the same: no quiet hours", _CLOCK, _CLOCK_WORDS)] = "00:00"
    quiet_severity: Annotated[Severity, Meta(description="milder ones are not told in quiet hours")] = "high"
    fresh_s: Annotated[float, span(0.1, 3600, "s", "what is older is no news to a driver")] = 10.0
