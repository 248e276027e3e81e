"""Plots for the bench's page: inline SVG that stretches with its box, labels in HTML that keep their size. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

UNITS, FOUND_UNITS = 1000, 70
POINTS_MAX = 1200
"""More points than this are thinned: of each bucket the lowest and the highest stay."""
TIME_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400, 432_000, 864_000)
LABELS = 7
LAST_PERCENT = 93.0
TICKS, SMALL_TICKS = 5, 2
LEAST_SPREAD = 0.5
LEAST_SPREADS = {"deg": 0.001, "rad/s": 0.02}
"""An axis spans at least this much, so that a noise is no curve; of these units less."""
SCALE = (*(factor * 10.0**power for power in range(-4, 5) for factor in (1, 2, 5)), 100_000.0)

Point = tuple[float, float]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: what it is, its CSS class, (seconds, height) in order."""

    name: str
    style: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time that is shaded: CSS class, and what to say of it. A thin one is a bar at the top."""

    style: str
    from_s: float
    to_s: float
    words: str
    is_thin: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """An event that was found: its number, its CSS class, when."""

    number: int
    style: str
    time_s: float
    words: str


def chart(
    name: str, lines: Sequence[Line], span: Span, unit: str, bands: Sequence[Band] = (), marks: Sequence[Mark] = ()
) -> str:
    """A figure with its name, legend and axes; zero is on it."""
    heights = [height for line in lines for _, height in line.points] or [0.0]
    plot = _plot(name, lines, span, _axis(min(0.0, *heights), max(0.0, *heights)), bands)
    badges = "".join(_badge(mark, span) for mark in marks)
    keys = "".join(f'<span><i class="key {line.style}"></i> {escape(line.name)}</span>' for line in lines)
    return (
        f'<figure><figcaption>{escape(name)}</figcaption><div class="plot">{plot}{_times(span)}{badges}</div>'
        f'<p class="legend">{keys}<span class="unit">{escape(unit)}</span></p></figure>'
    )


def small(name: str, parts: Sequence[Sequence[Point]], span: Span, unit: str, bands: Sequence[Band] = ()) -> str:
    """A small figure of one curve, in parts where it is broken; its axis is as high as the curve."""
    heights = [height for part in parts for _, height in part] or [0.0]
    least = LEAST_SPREADS.get(unit, LEAST_SPREAD)
    axis = _axis(min(heights), max(heights), least=least, ticks=SMALL_TICKS)
    plot = _plot(name, [Line(name, "speed", part) for part in parts], span, axis, bands)
    ends = (
        f'<span class="x first">{clock(span[0])}</span><span class="x last" style="left:100%">{clock(span[1])}</span>'
    )
    caption = f'{escape(name)} <span class="unit">{escape(unit)}</span>'
    return f'<figure class="small"><figcaption>{caption}</figcaption><div class="plot">{plot}{ends}</div></figure>'


def _plot(name: str, lines: Sequence[Line], span: Span, axis: tuple[float, float, float], bands: Sequence[Band]) -> str:
    """Curves, grid, shaded stretches, and the labels of both axes."""
    low, high, step = axis

    def down(height: float) -> float:
        return (high - height) / (high - low) * UNITS

    shaded = "".join(_rect(band, span) for band in bands)
    rules = "".join(
        f'<line class="rule" x1="0" x2="{UNITS}" y1="{down(y):.1f}" y2="{down(y):.1f}"/>'
        for y in _ticks(low, high, step)
    )
    curves = "".join(
        f'<polyline class="{line.style}" points="'
        + " ".join(f"{_across(x, span) * UNITS:.1f},{down(y):.1f}" for x, y in thinned(line.points))
        + '"/>'
        for line in lines
    )
    labels = "".join(
        f'<span class="y" style="top:{down(y) / UNITS:.2%}">{y:.9g}</span>' for y in _ticks(low, high, step)
    )
    return (
        f'<svg viewBox="0 0 {UNITS} {UNITS}" preserveAspectRatio="none" role="img" aria-label="{escape(name)}">'
        f"{shaded}{rules}{curves}</svg>{labels}"
    )


def bars(name: str, counts: Sequence[tuple[str, int]], unit: str, note: str = "") -> str:
    """A histogram: each bucket a bar with its count; `note` stands under it."""
    most = max((count for _, count in counts), default=0) or 1
    rows = "".join(
        f'<li><span>{escape(label)}</span><i class="bar"><i style="width:{count / most:.1%}"></i></i>'
        f"<b>{count}</b></li>"
        for label, count in counts
    )
    legend = f'<p class="legend"><span>{escape(note)}</span><span class="unit">{escape(unit)}</span></p>'
    return f'<figure><figcaption>{escape(name)}</figcaption><ul class="bars">{rows}</ul>{legend}</figure>'


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most about POINTS_MAX of them; peaks stay."""
    if len(points) <= POINTS_MAX:
        return list(points)
    size = math.ceil(2 * len(points) / POINTS_MAX)
    kept: list[Point] = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        ends = {min(bucket, key=lambda point: point[1]), max(bucket, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


def clock(seconds: float) -> str:
    """A time of the scenario: 1:05, 3:30:00, 12 d."""
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} d"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _axis(low: float, high: float, *, least: float = LEAST_SPREAD, ticks: int = TICKS) -> tuple[float, float, float]:
    """Lowest, highest, step: round ones."""
    spread = max(high - low, least)
    step = next((step for step in SCALE if spread / step <= ticks), spread / ticks)
    bottom = math.floor(low / step + 1e-9)
    top = max(math.ceil(high / step - 1e-9), bottom + 1)
    return bottom * step, top * step, step


def _ticks(low: float, high: float, step: float) -> list[float]:
    return [round(low + number * step, 6) for number in range(round((high - low) / step) + 1)]


def _across(time_s: float, span: Span) -> float:
    """Where on the axis, 0 to 1."""
    return min(1.0, max(0.0, (time_s - span[0]) / (span[1] - span[0])))


def _rect(band: Band, span: Span) -> str:
    left, right = _across(band.from_s, span) * UNITS, _across(band.to_s, span) * UNITS
    width, tall = max(right - left, 3.0), FOUND_UNITS if band.is_thin else UNITS
    return (
        f'<rect class="{band.style}" x="{left:.1f}" y="0" width="{width:.1f}" height="{tall}">'
        f"<title>{escape(band.words)}</title></rect>"
    )


def _badge(mark: Mark, span: Span) -> str:
    return (
        f'<a class="badge {mark.style}" href="#event-{mark.number}" title="{escape(mark.words)}" '
        f'style="left:{_across(mark.time_s, span):.2%}">{mark.number}</a>'
    )


def _times(span: Span) -> str:
    """Labels under the axis."""
    step = next((step for step in TIME_STEPS_S if (span[1] - span[0]) / step <= LABELS), TIME_STEPS_S[-1])
    told = []
    for number in range(int((span[1] - span[0]) / step) + 1):
        across = _across(span[0] + number * step, span)
        last = " last" if across * 100 > LAST_PERCENT else ""
        told.append(f'<span class="x{last}" style="left:{across:.2%}">{clock(span[0] + number * step)}</span>')
    return "".join(told)
