"""What an event with evidence and its table must look like to be told on a page: a file may say anything. Pure."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from agent.errors import InputError

Cells = list[float | None]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Time = Annotated[int, msgspec.Meta(ge=-(1 << 60), le=1 << 60)]


class Happened(msgspec.Struct):
    """An event of which there is evidence."""

    event: str
    start_us: Time
    end_us: Time
    confidence: Share
    sources: list[str]
    peak_mps2: float | None = None
    entry_mps: float | None = None
    exit_mps: float | None = None
    delta_v_mps: float | None = None
    delta_v_s: float | None = None
    value: float | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None


class Before(msgspec.Struct):
    """The seconds before."""

    step_us: Time
    speed_mps: Cells
    gnss_speed_mps: Cells = []
    brake: Cells = []
    throttle_pct: Cells = []
    rpm: Cells = []


class Most(msgspec.Struct):
    """The largest change of velocity."""

    mps: float
    at_us: Time


class Delta(msgspec.Struct):
    """The change of velocity."""

    longitudinal_mps: Cells
    lateral_mps: Cells
    horizontal_mps: Cells
    longitudinal_most: Most | None
    lateral_most: Most | None
    horizontal_most: Most | None


class Sensor(msgspec.Struct):
    """What measured it."""

    source: str | None
    samples: int
    rate_hz: float | None
    largest_mps2: float | None
    clipped_mps2: float | None


class Blow(msgspec.Struct):
    """What speaks for and against other causes."""

    horizontal_mps2: float | None
    vertical_mps2: float | None
    fell_us: Time | None


class Table(msgspec.Struct):
    """All of it."""

    standard: str
    zero_us: Time
    before: Before
    delta: Delta
    sensor: Sensor
    blow: Blow


def check(what: str, told: object, form: type[msgspec.Struct]) -> None:
    """InputError: it has not this form, or holds a number that is none."""
    try:
        msgspec.convert(told, form)
    except msgspec.ValidationError as why:
        raise InputError(f"{what} is told as no terminal tells it ({why}); `tbox verify` says what holds") from None
    if not _is_finite(told):
        raise InputError(f"{what} holds a number that is none; `tbox verify` says what holds")


def _is_finite(told: Any) -> bool:
    if isinstance(told, float):
        return math.isfinite(told)
    inner = told.values() if isinstance(told, Mapping) else told if isinstance(told, list) else ()
    return all(map(_is_finite, inner))
