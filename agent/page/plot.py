"""Plots for a page: inline SVG that stretches with its box, and labels in HTML that keep their size. Pure.

Lines are drawn in a box of 1000 x 1000 units without keeping its aspect ratio; text and numbered marks lie over it at
percentages, so a phone and a sheet of paper read the same page.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

UNITS = 1000
POINTS_MAX = 1600
"""More points than this are thinned: of each bucket the lowest and the highest stay."""
HOLE_S = 5.0
"""A line is not drawn across a longer hole."""
BADGE_PERCENT = 4.5
"""Numbers of events nearer than this are moved apart: on a phone they still show their digits."""
LAST_PERCENT = 92.0
"""A time label further right than this ends at its moment instead of standing around it."""
CLOCK_FROM_S = 1e8
"""Times from here on are seconds of UTC (after 1973); smaller ones are a recording's own."""
TIME_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: what it is, its CSS class, and (time, height) pairs in order; a height of None breaks it."""

    name: str
    style: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Mark:
    """An event on a plot: its number and CSS class, when it was, where it was (latitude, longitude), what to say."""

    number: int
    style: str
    start_s: float
    end_s: float
    place: Point | None
    words: str


def nice_step(spread: float, count: int) -> float:
    """The round step (1, 2 or 5 times a power of ten) that cuts the spread into about `count` parts."""
    if spread <= 0:
        return 1.0
    rough = spread / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def bounds(heights: Iterable[float], *, floor: float | None = None, least: float = 1.0) -> tuple[float, float, float]:
    """Lowest and highest of an axis, on round steps, and the step; at least `least` high."""
    known = list(heights)
    low = floor if floor is not None else min(known, default=0.0)
    high = max(max(known, default=0.0), low + least)
    step = nice_step(high - low, 4)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def clock(time_s: float, origin_s: float, *, seconds: bool = True) -> str:
    """UTC time of day, or time since the origin, for people."""
    if origin_s >= CLOCK_FROM_S:
        of_day = int(time_s) % 86_400
        return f"{of_day // 3600:02d}:{of_day // 60 % 60:02d}" + (f":{of_day % 60:02d}" if seconds else "")
    since = int(time_s - origin_s)
    hours = f"{since // 3600}:" if since >= 3600 else ""
    return f"{hours}{since // 60 % 60:02d}:{since % 60:02d}" if hours else f"{since // 60}:{since % 60:02d}"


def time_chart(
    lines: Sequence[Line],
    times: tuple[float, float, float],
    marks: Sequence[Mark],
    *,
    unit: str,
    axis: Point | None = None,
) -> str:
    """Draw curves over time with events on them.

    `times` are first and last second and the one that is called 0; `axis` is the lowest height and the least reach.
    """
    span, origin_s = times[:2], times[2]
    heights = [height for line in lines for _, height in line.points if height is not None]
    low, high, step = bounds(heights, floor=axis[0], least=axis[1]) if axis else bounds(heights)
    shades = "".join(_shade(mark, span) for mark in marks)
    rules = "".join(_rule(height, low, high, zero=abs(height) < step / 2) for height in _steps(low, high, step))
    paths = "".join(path(line, span, low, high) for line in lines)
    return (
        f'<div class="chart"><div class="plot">{svg(shades + rules + paths)}'
        f"{_heights(low, high, step)}{_times(span, origin_s)}{_badges(marks, span)}</div>"
        f"{legend(lines, unit)}</div>"
    )


def rule(height: float, low: float, high: float, style: str) -> str:
    """A level line across the plot."""
    y = up(height, low, high)
    return f'<line class="{style}" x1="0" x2="{UNITS}" y1="{y:.1f}" y2="{y:.1f}"/>'


def svg(inside: str) -> str:
    """A drawing that fills its box."""
    return f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" aria-hidden="true">{inside}</svg>'


def across(time_s: float, span: Point) -> float:
    """A time as a place on the x axis, kept inside it."""
    share = (time_s - span[0]) / max(span[1] - span[0], 1e-9)
    return min(max(share, 0.0), 1.0) * UNITS


def up(height: float, low: float, high: float) -> float:
    """A height as a place on the y axis, which counts down."""
    return (high - height) / (high - low) * UNITS


def _steps(low: float, high: float, step: float) -> list[float]:
    return [low + step * number for number in range(round((high - low) / step) + 1)]


def _shade(mark: Mark, span: Point) -> str:
    left, right = across(mark.start_s, span), across(mark.end_s, span)
    return f'<rect class="{mark.style}" x="{left:.1f}" y="0" width="{max(right - left, 2):.1f}" height="{UNITS}"/>'


def _rule(height: float, low: float, high: float, *, zero: bool) -> str:
    y = up(height, low, high)
    return f'<line class="{"zero" if zero else "rule"}" x1="0" x2="{UNITS}" y1="{y:.1f}" y2="{y:.1f}"/>'


def path(line: Line, span: Point, low: float, high: float) -> str:
    """The curve, in pieces where it has holes."""
    pieces = (
        " ".join(f"{across(x, span):.1f},{up(y, low, high):.1f}" for x, y in _thinned(piece))
        for piece in _pieces(line.points, span)
    )
    return "".join(f'<polyline class="{line.style}" points="{piece}"/>' for piece in pieces)


def _pieces(points: Sequence[tuple[float, float | None]], span: Point) -> Iterator[list[Point]]:
    """Runs of known points within the span, without a hole."""
    run: list[Point] = []
    for x, y in points:
        if run and (y is None or x - run[-1][0] > HOLE_S or x > span[1]):
            yield run
            run = []
        if y is not None and span[0] <= x <= span[1]:
            run.append((x, y))
    if run:
        yield run


def _thinned(points: Sequence[Point]) -> Iterator[Point]:
    """At most about POINTS_MAX of them; peaks stay."""
    size = math.ceil(len(points) / POINTS_MAX) * 2
    if size <= 2:
        yield from points
        return
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        yield from sorted({min(bucket, key=lambda point: point[1]), max(bucket, key=lambda point: point[1])})


def _heights(low: float, high: float, step: float) -> str:
    """The numbers on the left."""
    digits = max(0, -math.floor(math.log10(step)))
    return "".join(
        f'<span class="y" style="top:{up(height, low, high) / 10:.2f}%">{height + 0.0:.{digits}f}</span>'
        for height in _steps(low, high, step)
    )


def _times(span: Point, origin_s: float) -> str:
    """The times below, at round moments of the clock, or of the time since the origin."""
    step = next((step for step in TIME_STEPS_S if (span[1] - span[0]) / step <= 7), TIME_STEPS_S[-1])
    zero_s = 0.0 if origin_s >= CLOCK_FROM_S else origin_s
    first, last = math.ceil((span[0] - zero_s) / step), math.floor((span[1] - zero_s) / step)
    labels = []
    for number in range(max(first, 0), last + 1):
        moment = zero_s + step * number
        percent = across(moment, span) / 10
        style = "x" + " odd" * (number % 2) + " last" * (percent > LAST_PERCENT)
        words = clock(moment, origin_s, seconds=step < 60)
        labels.append(f'<span class="{style}" style="left:{percent:.2f}%">{words}</span>')
    return "".join(labels)


def _badges(marks: Sequence[Mark], span: Point) -> str:
    """The numbers of the events above the curve, moved apart where they would cover each other."""
    middles = [(across(mark.start_s, span) + across(mark.end_s, span)) / 20 for mark in marks]
    return "".join(badge(mark, f"left:{at:.2f}%") for mark, at in zip(marks, _apart(middles), strict=True))


def _apart(places: Sequence[float]) -> list[float]:
    """Rising percentages, at least BADGE_PERCENT apart where there is room, none over 100."""
    step, moved = min(BADGE_PERCENT, 100.0 / max(len(places), 1)), list[float]()
    for place in places:
        moved.append(max(place, moved[-1] + step) if moved else place)
    for index in range(len(moved) - 1, -1, -1):
        moved[index] = min(moved[index], 100.0 - (len(moved) - 1 - index) * step)
    return moved


def badge(mark: Mark, style: str) -> str:
    """The number of an event, a way to its card."""
    return (
        f'<a class="badge {mark.style}" href="#event-{mark.number}" title="{escape(mark.words)}" style="{style}">'
        f"{mark.number}</a>"
    )


def legend(lines: Sequence[Line], unit: str) -> str:
    """What the curves are, and their unit."""
    entries = "".join(f'<span><i class="key {line.style}"></i> {escape(line.name)}</span>' for line in lines)
    return f'<p class="legend">{entries}<span class="unit">{escape(unit)}</span></p>'
