"""Time around a blow as a chart: milliseconds or seconds below, dashed lines at time zero and other levels. Pure."""

import math
from collections.abc import Sequence
from html import escape

from agent.page.plot import LAST_PERCENT, UNITS, Line, bounds, legend, path, rule, svg, up

SHORT_S, LONG_S = 0.05, 5.0
"""Between two labels, within a second and beyond;"""
LONG_SPAN_S = 60.0
"""in a longer span fewer, so that they do not touch."""


def pulse_chart(lines: Sequence[Line], span: tuple[float, float], unit: str, limit: float | None = None) -> str:
    """Curves from `span[0]` to `span[1]` seconds around time zero; `limit`: where the sensor ends, both ways."""
    heights = [height for line in lines for _, height in line.points if height is not None]
    reach = [limit, -limit] if limit is not None else []
    low, high, step = bounds([*heights, *reach, 0.0], least=1.0)
    rules = "".join(rule(low + step * i, low, high, "rule") for i in range(round((high - low) / step) + 1))
    rules += rule(0.0, low, high, "zero") + "".join(rule(one, low, high, "level") for one in reach)
    now = (0.0 - span[0]) / (span[1] - span[0]) * UNITS
    rules += f'<line class="level" x1="{now:.1f}" x2="{now:.1f}" y1="0" y2="{UNITS}"/>'
    curves = "".join(path(line, span, low, high) for line in lines)
    return (
        f'<div class="chart"><div class="plot">{svg(rules + curves)}{_heights(low, high, step)}{_times(span)}</div>'
        f"{legend(lines, unit)}</div>"
    )


def _heights(low: float, high: float, step: float) -> str:
    """The numbers on the left."""
    count = round((high - low) / step) + 1
    labels = ((low + step * i) for i in range(count))
    return "".join(
        f'<span class="y" style="top:{up(height, low, high) / 10:.2f}%">{escape(f"{height + 0.0:g}")}</span>'
        for height in labels
    )


def _times(span: tuple[float, float]) -> str:
    """Every 50 ms, or every 5 s and more."""
    length_s = span[1] - span[0]
    long_s = LONG_S * math.ceil(length_s / LONG_SPAN_S)
    step_s, scale, unit = (SHORT_S, 1000, "ms") if length_s < 1 else (long_s, 1, "s")
    first, last = math.ceil(span[0] / step_s - 1e-6), math.floor(span[1] / step_s + 1e-6)
    places = ((i, (i * step_s - span[0]) / (span[1] - span[0]) * 100) for i in range(first, last + 1))
    labels = []
    for i, percent in places:
        style = "x" + " odd" * (i % 2) + " last" * (percent > LAST_PERCENT)
        labels.append(f'<span class="{style}" style="left:{percent:.2f}%">{round(i * step_s * scale)} {unit}</span>')
    return "".join(labels)
