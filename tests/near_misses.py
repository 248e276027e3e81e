"""What feels like a crash and is none, by its name: forces on vehicle axes while a car drives, stops or stands."""

import math
from dataclasses import dataclass
from random import Random

from tests.pulses import Force
from tests.road import G, Leg, Road, Timed, Vector, cruise, steady

AT_S = 20.0
TO_14: list[Leg] = [(3, 0, 0), (7, 2, 0), *cruise(10)]
ON: list[Leg] = cruise(16)
STOP: list[Leg] = [(4, -3.5, 0), (12, 0, 0)]


@dataclass(frozen=True)
class NearMiss:
    """A drive (its speed), what the box feels on top of it, and what else is told."""

    legs: list[Leg]
    blow: Force
    told: tuple[list[Timed], ...] = ()
    is_impact: bool = False
    """Whether an unconfirmed `impact` may be told."""

    def road(self) -> Road:
        """The drive."""
        return Road(self.legs)

    def force(self) -> Force:
        """All that a box on vehicle axes feels, gravity excepted."""
        road = self.road()
        starts = []
        at = 0.0
        for leg in self.legs:
            starts.append((at, leg))
            at += leg[0]

        def felt(time_s: float) -> Vector:
            while len(starts) > 1 and time_s >= starts[1][0]:
                starts.pop(0)
            x, y, z = self.blow(time_s)
            is_moving = starts[0][1][1] >= 0 or road.at(time_s)[0] > 0
            return (x + starts[0][1][1] * is_moving, y + starts[0][1][2], z)

        return felt


def wave(hz: float, seconds: float, size: Vector, fade_s: float = 0.0) -> Force:
    """A sine from AT_S on, fading away where asked."""

    def force(at: float) -> Vector:
        t = at - AT_S
        if not 0 <= t < seconds:
            return (0.0, 0.0, 0.0)
        sine = G * math.sin(2 * math.pi * hz * t) * (math.exp(-t / fade_s) if fade_s else 1.0)
        return (size[0] * sine, size[1] * sine, size[2] * sine)

    return force


def bumps(*blows: tuple[float, float, Vector]) -> Force:
    """Half sines of (after AT_S s, lasts s, peaks in g)."""

    def force(at: float) -> Vector:
        felt = [0.0, 0.0, 0.0]
        for after, lasts, peak in blows:
            t = at - AT_S - after
            if 0 <= t < lasts:
                sine = G * math.sin(math.pi * t / lasts)
                felt = [f + p * sine for f, p in zip(felt, peak, strict=True)]
        return (felt[0], felt[1], felt[2])

    return force


def cobbles(size_g: float) -> Force:
    """Four seconds of shaking at many frequencies, most of it vertical."""
    luck = Random(2)
    tones = [(luck.uniform(12, 60), luck.uniform(0, 6.28)) for _ in range(8)]

    def force(at: float) -> Vector:
        if not AT_S <= at < AT_S + 4:
            return (0.0, 0.0, 0.0)
        shake = [sum(math.sin(2 * math.pi * hz * at + k * phase) for hz, phase in tones) / 2 for k in (1, 2, 3)]
        return (0.35 * size_g * G * shake[0], 0.35 * size_g * G * shake[1], size_g * G * shake[2])

    return force


def fallen(along: Vector, size_g: float, rests: Vector) -> Force:
    """A box that comes off: weightless for 0.3 s, a blow of 12 ms, then lying so that gravity is felt along `rests`."""

    def force(at: float) -> Vector:
        t = at - AT_S
        if t < 0:
            return (0.0, 0.0, 0.0)
        if t < 0.3:
            return (0.0, 0.0, -G)
        blow = size_g * G if t < 0.312 else 0.0
        return (blow * along[0] + G * rests[0], blow * along[1] + G * rests[1], blow * along[2] + G * rests[2] - G)

    return force


def turned_about(at: float) -> Vector:
    """Ten seconds in somebody's hands: turned over, shaken with 2.5 g at 4 Hz."""
    t = at - AT_S
    if not 0 <= t < 10:
        return (0.0, 0.0, 0.0)
    shake = 2.5 * G * math.sin(8 * math.pi * t)
    return (shake, 0.5 * shake + G * math.sin(t), G * (math.cos(math.pi * t / 5) - 1))


def standing(blow: Force, *told: list[Timed], is_impact: bool = False) -> NearMiss:
    return NearMiss([(40, 0, 0)], blow, told, is_impact)


IDLES = steady(40, 5, "rpm", 800)

NEAR_MISSES: dict[str, NearMiss] = {
    "a pothole of 5 g": NearMiss([*TO_14, *ON], wave(16, 0.0625, (-1.6, 0.2, 5.0))),
    "a pothole of 8 g that throws back": NearMiss(
        [*TO_14, *ON], bumps((0, 0.02, (-2.4, 0.5, 8.0)), (0.02, 0.03, (-2.2, 0, -5.0)))
    ),
    "a pothole, and a stop to look": NearMiss([*TO_14, *STOP], wave(16, 0.0625, (-2.4, 0.4, 5.0))),
    "three potholes": NearMiss([*TO_14, *ON], bumps(*((k, 0.04, (-2.3, 0.3, 4.5)) for k in (0, 0.3, 0.9)))),
    "a kerb taken askew": NearMiss([*TO_14, *ON], bumps((0, 0.05, (-0.8, 2.4, 4.0)), (0.3, 0.05, (-0.5, 2.1, 3.5)))),
    "a kerb, then parked": NearMiss([*TO_14, *STOP], bumps((0, 0.04, (-0.5, 2.5, 3.6)))),
    "a speed bump": NearMiss([*TO_14, *ON], wave(4, 0.5, (0.8, 0.0, 2.2))),
    "a speed bump taken far too fast": NearMiss(
        [*TO_14, *ON], bumps((0, 0.08, (-2.2, 0, 4.0)), (0.3, 0.05, (-2.1, 0, 5.5)))
    ),
    "a door slams, engine on": standing(wave(35, 0.15, (0.5, 4.0, 1.5), 0.04), IDLES),
    "a boot lid slams": standing(wave(22, 0.2, (4.5, 0.3, 2.0), 0.05), IDLES),
    "doors slam again and again": standing(
        lambda at: (
            wave(30, 0.1, (0.5, 5.0, 1.0), 0.03)(AT_S + (at - AT_S) % 3) if AT_S <= at < AT_S + 12 else (0, 0, 0)
        ),
        IDLES,
    ),
    "a box that is dropped": standing(fallen((0.6, 0.5, 0.6), 40, (0, 0, 1))),
    "a box that is dropped and lies on its side": standing(fallen((0.8, 0.5, 0.3), 25, (0, 1, 0)), IDLES),
    "a box in somebody's hands": standing(turned_about),
    "a box that comes off while driving": NearMiss([*TO_14, *ON], fallen((0.7, 0.5, 0.5), 15, (0, 1, 0))),
    "a box that comes off, and a stop to look": NearMiss(
        [*TO_14, *cruise(2), *STOP], fallen((0.7, 0.5, 0.5), 15, (1, 0, 0))
    ),
    "hard braking over cobbles": NearMiss([*TO_14, (14 / 8, -8, 0), (14, 0, 0)], cobbles(2.0)),
    "cobbles at speed": NearMiss([*TO_14, *ON], cobbles(2.5)),
    "a trailer is coupled": standing(bumps((0, 0.03, (2.6, 0, 0.5)), (0.2, 0.02, (-2.4, 0, 0.3))), IDLES),
    "a trailer is coupled at walking pace": NearMiss(
        [(14, 0, 0), (2, -0.35, 0), (4, 0, 0), (0.1, 0, 0), (20, 0, 0)], bumps((0, 0.02, (2.8, 0, 0.4)))
    ),
    "an emergency stop": NearMiss([*TO_14, (14 / 9.5, -9.5, 0), (14, 0, 0)], wave(11, 1.4, (0.25, 0.1, 0.5))),
    "a stone hits the box's place": NearMiss([*TO_14, *ON], bumps((0, 0.004, (-9, 0, 2))), is_impact=True),
    "one sample of nonsense": NearMiss(
        [*TO_14, *ON], lambda at: (-60.0, 30.0, 5.0) if 0 <= at - AT_S < 0.001 else (0.0, 0.0, 0.0)
    ),
}
"""None of these is a crash."""
