"""Settings of samples that may be told within bounds: how far what is decoded may lie from what was measured."""

from typing import Annotated

from msgspec import Struct

from agent.settings.ranges import span


class Bounds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a sample may lie from what was measured where `samples.mode` is "bounded". 0, and not here: exact."""

    speed_mps: Annotated[float, span(0, 10, "m/s", "speed, gnss_speed and speed_limit")] = 0.3
    rpm: Annotated[float, span(0, 1000, "1/min", "engine speed")] = 100.0
    throttle_pct: Annotated[float, span(0, 50, "%", "throttle")] = 5.0
    load_pct: Annotated[float, span(0, 50, "%", "engine load")] = 5.0
    coolant_c: Annotated[float, span(0, 20, "degC", "coolant")] = 2.0
    fuel_pct: Annotated[float, span(0, 20, "%", "fuel level or state of charge")] = 2.0
    battery_v: Annotated[float, span(0, 5, "V", "supply")] = 0.1
    odometer_m: Annotated[float, span(0, 10_000, "m", "odometer")] = 10.0
    accel_mps2: Annotated[float, span(0, 10, "m/s2", "each axis of the specific force")] = 0.5
    gyro_radps: Annotated[float, span(0, 1, "rad/s", "each axis of the angular rate, and the yaw rate")] = 0.02
    position_m: Annotated[float, span(0, 100, "m", "position, as the crow flies")] = 5.0
    course_deg: Annotated[float, span(0, 45, "deg", "course")] = 5.0
