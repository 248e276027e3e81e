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
MAP_HEIGHT_PX = 440
BADGE_PX = 26
LAST_PERCENT = 92.0
"""A time label further right than this ends at its moment instead of standing around it."""
CROWDED = 35.0
"""Places nearer than this many drawing units would cover each other's number."""
METRES_PER_DEGREE = 111_195.0
CLOCK_FROM_S = 1e8
"""Times from here on are seconds of UTC (after 1973); smaller ones are a recording's own."""
TIME_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
SCALE_STEPS_M = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000)

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
    paths = "".join(_path(line, span, low, high) for line in lines)
    return (
        f'<div class="chart"><div class="plot">{_svg(shades + rules + paths)}'
        f"{_heights(low, high, step)}{_times(span, origin_s)}{_badges(marks, span)}</div>"
        f"{_legend(lines, unit)}</div>"
    )


def spark(line: Line, span: Point, event: Point) -> str:
    """A small curve around one event, whose own seconds are shaded."""
    known = [height for time_s, height in line.points if height is not None and span[0] <= time_s <= span[1]]
    if len(known) < 2:
        return ""
    low, high, _ = bounds(known, floor=0.0, least=10.0)
    left, right = (_across(at, span) for at in event)
    shade = f'<rect class="now" x="{left:.1f}" y="0" width="{max(right - left, 8):.1f}" height="{UNITS}"/>'
    return f'<div class="spark">{_svg(shade + _path(line, span, low, high))}</div>'


def track(places: Sequence[Point], marks: Sequence[Mark]) -> str:
    """The way as a line seen from above, north up, with a scale bar; places are latitude and longitude in degrees."""
    frame = _Frame.around(places)
    line = " ".join("{:.1f},{:.1f}".format(*frame.at(place)) for place in _thinned_way(places))
    dots = [("start", "Start", places[0]), ("end", "End", places[-1])]
    ends = "".join(
        f'<i class="dot {style}" style="{frame.style(place)}" title="{name}"></i>' for style, name, place in dots
    )
    size = f"aspect-ratio:{frame.aspect:.3f};max-width:{frame.aspect * MAP_HEIGHT_PX:.0f}px"
    way = _svg(f'<polyline points="{line}"/>')
    return (
        f'<div class="map" style="{size}">{way}{ends}{_places(frame, marks)}'
        f'<span class="north">N&#8593;</span>{frame.scale_bar()}</div>'
        '<p class="legend"><span><i class="dot start"></i> start</span><span><i class="dot end"></i> end</span></p>'
    )


def _places(frame: "_Frame", marks: Sequence[Mark]) -> str:
    """The numbers of the events along the way; those on one spot stand side by side."""
    badges: list[str] = []
    taken: list[Point] = []
    for mark in marks:
        if mark.place is None:
            continue
        spot = frame.at(mark.place)
        beside = sum(math.dist(spot, other) < CROWDED for other in taken)
        taken.append(spot)
        badges.append(_badge(mark, f"{frame.style(mark.place)};margin-left:{beside * BADGE_PX}px"))
    return "".join(badges)


@dataclass(frozen=True, slots=True)
class _Frame:
    """A flat piece of the earth that holds the way, with room at its edge."""

    latitude: float
    longitude: float
    wide_m: float
    high_m: float
    shrink: float

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.wide_m / self.high_m

    @classmethod
    def around(cls, places: Sequence[Point]) -> "_Frame":
        """The frame of these places, not narrower than 0.9 and not wider than 2.4 times its height."""
        latitudes, longitudes = [place[0] for place in places], [place[1] for place in places]
        latitude, longitude = (min(latitudes) + max(latitudes)) / 2, (min(longitudes) + max(longitudes)) / 2
        shrink = math.cos(math.radians(latitude))
        wide_m = max((max(longitudes) - min(longitudes)) * METRES_PER_DEGREE * shrink * 1.24, 20.0)
        high_m = max((max(latitudes) - min(latitudes)) * METRES_PER_DEGREE * 1.24, 20.0)
        return cls(latitude, longitude, max(wide_m, high_m * 1.6), max(high_m, wide_m / 2.4), shrink)

    def at(self, place: Point) -> Point:
        """Where a place is, in drawing units."""
        east_m = (place[1] - self.longitude) * METRES_PER_DEGREE * self.shrink
        north_m = (place[0] - self.latitude) * METRES_PER_DEGREE
        return (0.5 + east_m / self.wide_m) * UNITS, (0.5 - north_m / self.high_m) * UNITS

    def style(self, place: Point) -> str:
        """Where a place is, for something that lies over the drawing."""
        x, y = self.at(place)
        return f"left:{x / UNITS * 100:.2f}%;top:{y / UNITS * 100:.2f}%"

    def scale_bar(self) -> str:
        """A bar of a round length, at most a third of the width."""
        metres = max((step for step in SCALE_STEPS_M if step <= self.wide_m / 3), default=SCALE_STEPS_M[0])
        words = f"{metres // 1000} km" if metres >= 1000 else f"{metres} m"
        return f'<span class="scale" style="width:{metres / self.wide_m * 100:.2f}%">{words}</span>'


def _svg(inside: str) -> str:
    return f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" aria-hidden="true">{inside}</svg>'


def _across(time_s: float, span: Point) -> float:
    """A time as a place on the x axis, kept inside it."""
    share = (time_s - span[0]) / max(span[1] - span[0], 1e-9)
    return min(max(share, 0.0), 1.0) * UNITS


def _up(height: float, low: float, high: float) -> float:
    return (high - height) / (high - low) * UNITS


def _steps(low: float, high: float, step: float) -> list[float]:
    return [low + step * number for number in range(round((high - low) / step) + 1)]


def _shade(mark: Mark, span: Point) -> str:
    left, right = _across(mark.start_s, span), _across(mark.end_s, span)
    return f'<rect class="{mark.style}" x="{left:.1f}" y="0" width="{max(right - left, 2):.1f}" height="{UNITS}"/>'


def _rule(height: float, low: float, high: float, *, zero: bool) -> str:
    y = _up(height, low, high)
    return f'<line class="{"zero" if zero else "rule"}" x1="0" x2="{UNITS}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _path(line: Line, span: Point, low: float, high: float) -> str:
    """The curve, in pieces where it has holes."""
    pieces = (
        " ".join(f"{_across(x, span):.1f},{_up(y, low, high):.1f}" for x, y in _thinned(piece))
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


def _thinned_way(places: Sequence[Point]) -> Sequence[Point]:
    """At most about POINTS_MAX places, evenly, the last one always."""
    every = math.ceil(len(places) / POINTS_MAX)
    return [*places[::every], places[-1]]


def _heights(low: float, high: float, step: float) -> str:
    """The numbers on the left."""
    digits = max(0, -math.floor(math.log10(step)))
    return "".join(
        f'<span class="y" style="top:{_up(height, low, high) / 10:.2f}%">{height + 0.0:.{digits}f}</span>'
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
        across = _across(moment, span) / 10
        style = "x" + " odd" * (number % 2) + " last" * (across > LAST_PERCENT)
        words = clock(moment, origin_s, seconds=step < 60)
        labels.append(f'<span class="{style}" style="left:{across:.2f}%">{words}</span>')
    return "".join(labels)


def _badges(marks: Sequence[Mark], span: Point) -> str:
    """The numbers of the events above the curve."""
    middles = ((_across(mark.start_s, span) + _across(mark.end_s, span)) / 20 for mark in marks)
    return "".join(_badge(mark, f"left:{middle:.2f}%") for mark, middle in zip(marks, middles, strict=True))


def _badge(mark: Mark, style: str) -> str:
    """The number of an event, a way to its card."""
    return (
        f'<a class="badge {mark.style}" href="#event-{mark.number}" title="{escape(mark.words)}" style="{style}">'
        f"{mark.number}</a>"
    )


def _legend(lines: Sequence[Line], unit: str) -> str:
    entries = "".join(f'<span><i class="key {line.style}"></i> {escape(line.name)}</span>' for line in lines)
    return f'<p class="legend">{entries}<span class="unit">{escape(unit)}</span></p>'
