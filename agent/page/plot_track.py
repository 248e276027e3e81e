"""The way as a line seen from above, north up. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.page.plot import POINTS_MAX, UNITS, Mark, Point, badge, svg

MAP_HEIGHT_PX = 440
BADGE_PX = 26
CROWDED = 35.0
"""Places nearer than this many drawing units would cover each other's number."""
METRES_PER_DEGREE = 111_195.0
SCALE_STEPS_M = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000)


def track(places: Sequence[Point], marks: Sequence[Mark]) -> str:
    """The way as a line seen from above, north up, with a scale bar; places are latitude and longitude in degrees."""
    places = [(latitude, _beside(longitude, places[0][1])) for latitude, longitude in places]
    frame = _Frame.around(places)
    line = " ".join("{:.1f},{:.1f}".format(*frame.at(place)) for place in _thinned_way(places))
    dots = [("start", "Start", places[0]), ("end", "End", places[-1])]
    ends = "".join(
        f'<i class="dot {style}" style="{frame.style(place)}" title="{name}"></i>' for style, name, place in dots
    )
    size = f"aspect-ratio:{frame.aspect:.3f};max-width:{frame.aspect * MAP_HEIGHT_PX:.0f}px"
    way = svg(f'<polyline points="{line}"/>')
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
        badges.append(badge(mark, f"{frame.style(mark.place)};margin-left:{beside * BADGE_PX}px"))
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
        east_m = (_beside(place[1], self.longitude) - self.longitude) * METRES_PER_DEGREE * self.shrink
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


def _beside(longitude: float, near: float) -> float:
    """The same meridian, counted on past 180 degrees where that is nearer."""
    return longitude - 360.0 * round((longitude - near) / 360.0)


def _thinned_way(places: Sequence[Point]) -> Sequence[Point]:
    """At most about POINTS_MAX places, evenly, the last one always."""
    every = math.ceil(len(places) / POINTS_MAX)
    return [*places[::every], places[-1]]
