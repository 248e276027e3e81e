"""From the settings' bounds to those of a chunk's columns, in each column's own unit. Pure."""

import math
from collections.abc import Mapping, Sequence

from agent.columns.reckoning import DEGREE_M
from agent.settings.samples import Bounds

SHRINK_MIN = 1e-3
"""At the poles a degree of longitude is nothing: it counts as a thousandth there."""

Cells = Sequence[float | None]


def bounds_of(rule: Bounds, columns: Mapping[str, Cells]) -> dict[str, float]:
    """The bound of every column that may have one; what is counted or switched stays exact."""
    north_deg = rule.position_m / math.sqrt(2) / DEGREE_M
    latitudes = [abs(cell) for cell in columns.get("lat", ()) if cell is not None]
    widest = math.cos(math.radians(min(latitudes))) if latitudes else 1.0
    bounds = {
        "rpm": rule.rpm,
        "throttle": rule.throttle_pct,
        "load": rule.load_pct,
        "coolant": rule.coolant_c,
        "fuel": rule.fuel_pct,
        "battery": rule.battery_v,
        "odometer": rule.odometer_m,
        "course": rule.course_deg,
        "lat": north_deg,
        "lon": north_deg / max(widest, SHRINK_MIN),
    }
    bounds |= dict.fromkeys(("speed", "gnss_speed", "speed_limit"), rule.speed_mps)
    bounds |= dict.fromkeys(("accel_x", "accel_y", "accel_z"), rule.accel_mps2)
    bounds |= dict.fromkeys(("gyro_x", "gyro_y", "gyro_z", "yaw_rate"), rule.gyro_radps)
    return {name: bound for name, bound in bounds.items() if name in columns}
