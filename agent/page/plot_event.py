"""An event from near by: what was measured in its seconds, and the levels that decided. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from agent.page.plot import UNITS, Line, Point, across, bounds, legend, path, rule, svg, up

EVENT_WIDTH_LEAST = 8.0


@dataclass(frozen=True, slots=True)
class Level:
    """A height that decides, and what it is called."""

    height: float
    words: str


def close_up(lines: Sequence[Line], span: Point, event: Point, levels: Sequence[Level], unit: str) -> str:
    """Curves around one event, whose own seconds are shaded, over the levels; empty when too little is known."""
    inside = [height for line in lines for time_s, height in line.points if span[0] <= time_s <= span[1]]
    known = [height for height in inside if height is not None]
    if len(known) < 2:
        return ""
    heights = [*known, *(level.height for level in levels), 0.0]
    low, high, _ = bounds(heights, least=1.0)
    left, right = (across(at, span) for at in event)
    width = max(right - left, EVENT_WIDTH_LEAST)
    shade = f'<rect class="now" x="{left:.1f}" y="0" width="{width:.1f}" height="{UNITS}"/>'
    rules = rule(0.0, low, high, "zero") + "".join(rule(level.height, low, high, "level") for level in levels)
    curves = "".join(path(line, span, low, high) for line in lines)
    return (
        f'<div class="near"><div class="spark">{svg(shade + rules + curves)}'
        f"{''.join(_label(level, low, high) for level in levels)}</div>{legend(lines, unit)}</div>"
    )


def _label(level: Level, low: float, high: float) -> str:
    """The name of a level, on its line."""
    return f'<span class="at" style="top:{up(level.height, low, high) / 10:.1f}%">{escape(level.words)}</span>'
