"""Writes the golden drives of tests/golden: small synthetic recordings, each with its story in its name.

They are kept, and this is how they were made: `python -m tests.native.drives` writes them again, byte by byte.
"""

import math
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from tests.road import KMH, LEVEL, G, Leg, Matrix, Road, Vector, cruise, half_sine, turned

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
AXES = ("accel_x_mps2", "accel_y_mps2", "accel_z_mps2", "gyro_x_radps", "gyro_y_radps", "gyro_z_radps")
TILTED: Matrix = ((0.0, -0.8, -0.6), (1.0, 0.0, 0.0), (0.0, -0.6, 0.8))
DIGITS = {"lat_deg": 7, "lon_deg": 7, "speed_mps": 3, "gyro_z_radps": 4}
Cells = list[tuple[float, str, float]]


def at_once(mps: float) -> list[Leg]:
    """Already so fast: what comes before 0.2 s is not written."""
    return [(0.1, mps * 10, 0), (0.1, 0, 0)]


def speed(road: Road, hz: float, quantum: float = 0, refresh_s: float = 0, column: str = "speed_mps") -> Cells:
    """The speed, rounded to a quantum, repeated until the next refresh."""
    cells = []
    for i in range(int(0.2 * hz), int(road.seconds * hz) + 1):
        at = i / hz if not refresh_s else math.floor(i / hz / refresh_s + 1e-9) * refresh_s
        mps = road.at(max(at, 0.2))[0]
        cells.append((i / hz, column, round(mps / quantum) * quantum if quantum else mps))
    return cells


def force(
    road: Road, hz: float, mount: Matrix = LEVEL, until_s: float = 1e9, most: float = 1e9, *, gyro: bool = False
) -> Cells:
    """What a sensor feels, clipped at `most`."""
    luck, cells = Random(1), []
    for i in range(int(0.2 * hz), int(min(road.seconds, until_s) * hz) + 1):
        mps, forward, left = road.at(i / hz)
        blow = road.blow(i / hz) if road.blow else (0.0, 0.0, 0.0)
        slope = road.grade(i / hz) if road.grade else 0.0
        level = (forward + G * math.sin(slope), left, G * math.cos(slope))
        felt = turned(mount, [a + b + luck.uniform(-0.05, 0.05) for a, b in zip(level, blow, strict=True)])
        yaw = turned(mount, (0.0, 0.0, left / mps if mps > 1 else 0.0)) if gyro else []
        cells += [
            (i / hz, axis, max(-most, min(most, number))) for axis, number in zip(AXES, [*felt, *yaw], strict=False)
        ]
    return cells


def told(column: str, *values: tuple[float, float]) -> Cells:
    """Values at times."""
    return [(at, column, number) for at, number in values]


def steady(column: str, number: float, begin_s: float, end_s: float, every_s: float = 1.0) -> Cells:
    """The same value again and again."""
    return [(begin_s + i * every_s, column, number) for i in range(int((end_s - begin_s) / every_s) + 1)]


def write(name: str, *parts: Iterable[tuple[float, str, float]]) -> None:
    """One CSV, a row per time, empty where nothing is told."""
    cells = [cell for part in parts for cell in part]
    columns = list(dict.fromkeys(column for _, column, _ in cells))
    rows: dict[float, dict[str, float]] = {}
    for at, column, number in cells:
        rows.setdefault(round(at, 4), {})[column] = number
    lines = [",".join(["time_s", *columns])]
    for at, row in sorted(rows.items()):
        numbers = [f"{row[c]:.{DIGITS.get(c, 2)}f}" if c in row else "" for c in columns]
        lines.append(",".join([f"{at:.4f}".rstrip("0").rstrip("."), *numbers]))
    (GOLDEN / f"{name}.csv").write_text("\n".join(lines) + "\n")


def brakes(*levels: float, entry: float = 20.0, lasts_s: float = 1.5) -> Road:
    """Braking by these, each from the same speed, with a calm while between."""
    legs = at_once(entry)
    for level in levels:
        back = lasts_s * level / 1.5
        legs += [*cruise(6), (lasts_s, -level, 0), (2, 0, 0), (back, 1.5, 0)]
    return Road([*legs, *cruise(6)])


def by_speed() -> None:
    """Speed alone."""
    write("braking-low-medium-high", speed(brakes(3.6, 4.6, 6.2), 10))
    write("braking-just-under-and-just-over", speed(brakes(3.40, 3.46), 10))
    write("braking-too-short-to-hold", speed(brakes(4.5, 4.5, lasts_s=0.25), 20))
    gate = Road([*at_once(4.0), *cruise(6), (0.8, -4, 0), (2, 0, 0), (1, 1, 0), (1, 0, 0), (0.4, -4, 0), (5, 0, 0)])
    write("braking-from-walking-pace", speed(gate, 10))
    again = Road([*at_once(25), *cruise(6), (1, -5, 0), (1, 0, 0), (1, -6, 0), (4, 0, 0), (1, -5, 0), *cruise(6)])
    write("braking-again-within-three-seconds", speed(again, 10))
    launch = Road([(2, 0, 0), (3, 3.7, 0), *cruise(6), (1.5, 4.6, 0), *cruise(6), (0.6, 6, 0), *cruise(4), (0.6, 0, 0)])
    write("launch-and-kickdown", speed(launch, 10), steady("rpm", 2200, 0, 20))
    write("obd-integer-kmh-once-a-second", speed(brakes(3.7, 5.5, lasts_s=3), 1, KMH))
    write("staircase-of-one-second-at-ten-hertz", speed(brakes(3.7, 5.5, lasts_s=3), 10, KMH, 1.0))
    write("integer-kmh-at-ten-hertz", speed(brakes(3.8, 2.9), 10, KMH))
    calm = Road([*at_once(15), *cruise(30)])
    twins = [(at + 0.02, "speed_mps", calm.at(at)[0] * 0.7) for at in range(5, 28, 3)]
    write("second-answers-and-impossible-jumps", speed(calm, 2), twins, told("speed_mps", (20.25, 2.0), (24.25, 60.0)))
    write("hole-of-forty-seconds", [c for c in speed(Road([*at_once(15), *cruise(70)]), 4) if not 20 < c[0] < 60])
    rest = [*steady("speed_mps", 14.4, 21, 26, 0.1), *steady("speed_mps", 0.8, 26.1, 32, 0.1)]
    write("frozen-value-that-jumps", [c for c in speed(calm, 10, KMH) if c[0] < 21], rest)
    for name, hz in (("crash-by-speed-at-five-hertz", 5), ("crash-by-speed-at-one-hertz-is-not-judged", 1)):
        write(name, speed(Road([*at_once(15), *cruise(12), (0.7, -15 / 0.7, 0), (8, 0, 0)]), hz, KMH))
    stop = Road([*at_once(15), *cruise(12), (15 / 8.5, -8.5, 0), (6, 0, 0)])
    write("emergency-stop", speed(stop, 10, KMH))


def by_sums() -> None:
    """Limits, stands, engines, fixes."""
    hill = Road([*at_once(10), (5, 2, 0), (14, 0, 0), (4, 1.5, 0), (12, 0, 0), (5, -2, 0), (6, 0, 0)])
    limits = told("speed_limit_mps", (0, 13.9), (15, 13.9), (30, 8.33), (44, 0))
    write("speeding-three-limits", speed(hill, 4), limits)
    write("speeding-by-the-setting", speed(hill, 2))
    hop: list[Leg] = [(4, 2, 0), (4, 0, 0), (4, -2, 0)]
    stands = Road([*hop, (131, 0, 0), *hop, (100, 0, 0)])
    write("idling-once-and-once-too-short", speed(stands, 1), steady("rpm", 800, 0, 255, 2))
    flaps = told("rpm", (0, 0), (6, 900), (30, 0), (60, 40), (61, 60)) + told(
        "ignition", (0, 1), (40, 0), (50, 1), (80, 0)
    )
    write("engine-and-ignition-flap", speed(Road([*hop, (80, 0, 0)]), 1), flaps)
    write("hybrid-engine-flaps", speed(Road([*hop, (80, 0, 0)]), 1), flaps)
    bends = Road([(2, 0, 0), (6, 2.5, 0), (5, 0, 0), (3, 0, 4.2), (6, 0, 0), (3, 0, -5), (6, 0, 0), (5, -3, 0)])
    write("receiver-alone-with-bends-and-void-fixes", fixes(bends))
    write("receiver-stands-in-for-a-silent-car", fixes(bends), [c for c in speed(bends, 5) if not 5 < c[0] < 25])


def fixes(road: Road) -> Cells:
    """A receiver: place, speed, course, once a second; the course turns with the bends."""
    cells, course, north = [], 350.0, 48.1
    for i in range(int(road.seconds) + 1):
        mps = road.at(float(i))[0]
        course -= math.degrees(sum(road.at(i + k / 10)[2] for k in range(10)) / 10 / mps) if mps > 1 else 0
        north += mps / 111_000
        if i % 9 != 8:
            cells += [(float(i), "lat_deg", north), (float(i), "lon_deg", 11.5)]
        cells += [(float(i), "gnss_speed_mps", mps), (float(i), "course_deg", course % 360), (float(i), "sats", 9)]
    return cells


def by_force() -> None:
    """A sensor and the speed."""
    lively: list[Leg] = [
        (3, 0, 0),
        (1.5, -3.8, 0),
        (4, 0, 0),
        (2, 2.5, 0),
        (3, 0, 4),
        (3, 0, 0),
        (2, 0, -5.2),
        (3, 0, 0),
        (1, 0, 7),
    ]
    road = Road([*at_once(14), *lively, (3, 0, 0), (1.5, 4.2, 0), *cruise(4)])
    write("mounted-every-harsh-event", speed(road, 5), force(road, 25))
    write("mounted-two-axes-at-five-hertz", speed(road, 5), [c for c in force(road, 5) if c[1] != AXES[2]])
    write("gyro-tells-bends-of-an-unsolved-sensor", speed(road, 5), force(road, 20, TILTED, gyro=True))
    contra = Road(
        [*at_once(14), *cruise(16)], blow=lambda t: (-4.5 if 8 <= t < 9.5 else 0, 4.5 if 12 <= t < 13 else 0, 0)
    )
    write("speed-contradicts-the-sensor", speed(contra, 10), force(contra, 25))
    town: list[Leg] = [(2, 0, 0), (4, 2, 0), (2, 0, 2), (3, 0, 0), (4, -2, 0)]
    learn = Road([*town, *town, *town, (12, 0, 0), (5, 2.2, 0), (2, -4, 0), (2, 0, 4.2), (6, 0, 0)])
    write("tilted-sensor-is-solved", speed(learn, 5), force(learn, 16, TILTED))
    moved = [c for c in force(learn, 16, TILTED) if c[0] < 46]
    later = [(at, axis, number) for at, axis, number in force(learn, 16) if at >= 46]
    write("sensor-is-turned-at-a-stand", speed(learn, 5), moved, later)
    slope = Road([*at_once(12), *cruise(40), (1.5, -3.6, 0), *cruise(4)], grade=lambda t: 0.08 if t > 8 else 0.0)
    write("braking-on-a-slope", speed(slope, 5), force(slope, 16))


def struck(blow: Callable[[float], Vector], after: list[Leg], mps: float = 15.0) -> Road:
    """A blow at 6 s, then the rest."""
    return Road([*at_once(mps), (5.8, 0, 0), *after], blow=blow)


def by_blow() -> None:
    """Crashes, and what is none."""
    quiet: list[Leg] = [(13, 0, 0)]
    halt: list[Leg] = [(0.1, -110, 0), (2, -2, 0), (3, 0, 0)]
    soft: list[Leg] = [(1, 0, 0), (4, -3.75, 0), (4, 0, 0)]
    stories: dict[str, tuple[Road, Matrix, float]] = {
        "crash-in-front": (struck(half_sine(6, 0.1, 11, (-1, 0.2, 0)), halt), LEVEL, 1e9),
        "crash-from-the-left-clipped-at-four-g": (
            struck(half_sine(6, 0.12, 9, (0, -1, 0)), [(5, -2, 0), *quiet]),
            LEVEL,
            4 * G,
        ),
        "crash-clipped-at-eight-g": (struck(half_sine(6, 0.1, 14, (-1, 0, 0)), halt), LEVEL, 8 * G * 32767 / 32768),
        "crash-of-a-tilted-sensor": (struck(half_sine(6, 0.08, 5, (0.7, 0.7, 0)), quiet), TILTED, 1e9),
        "impact-that-nothing-confirms": (struck(half_sine(6, 0.05, 1.4, (-1, 0, 0)), quiet), LEVEL, 1e9),
        "impact-confirmed-by-a-stop": (struck(half_sine(6, 0.05, 1.4, (1, 0, 0)), soft), LEVEL, 1e9),
        "pothole": (struck(lambda t: (30, 0, 60) if 6 <= t < 6.03 else (0, 0, 0), quiet), LEVEL, 1e9),
        "one-bad-sample": (struck(lambda t: (-64, 0, 0) if abs(t - 6) < 0.002 else (0, 0, 0), quiet), LEVEL, 1e9),
        "sensor-without-gravity": (struck(lambda t: (-90 if 6 <= t < 6.1 else 0, 0, -G), quiet), LEVEL, 1e9),
        "parked-car-is-pushed": (
            struck(half_sine(6, 0.1, 6, (1, 0, 0)), [(0.1, 60, 0), (4, -1.5, 0), (3, 0, 0)], 0),
            LEVEL,
            1e9,
        ),
        "door-slams": (struck(half_sine(6, 0.05, 1.5, (0, 1, 0)), quiet, 0), LEVEL, 1e9),
        "box-falls-while-driving": (struck(fall, quiet), LEVEL, 1e9),
        "box-is-torn-off": (struck(torn, quiet), LEVEL, 1e9),
    }
    for name, (road, mount, most) in stories.items():
        raw = force(road, 100, mount, 7.5, most)
        write(name, speed(road, 10), raw, [c for c in force(road, 10, mount, 19.0, most) if c[0] > 7.5])
    off = struck(half_sine(6, 0.05, 1.4, (0, 1, 0)), quiet)
    engine = [*steady("rpm", 1500, 0, 6, 0.5), *steady("rpm", 0, 6.5, 18, 0.5)]
    write("impact-confirmed-by-the-engine", speed(off, 10), force(off, 100, until_s=8), engine)


def fall(t: float) -> Vector:
    """Weightless, then a knock."""
    return (0, 0, -G) if 5.7 <= t < 6 else (50, 20, 60) if 6 <= t < 6.04 else (0, 0, 0)


def torn(t: float) -> Vector:
    """A knock, and lying on its side from then on."""
    return (0, 45, 0) if 6 <= t < 6.03 else (0, G, -G) if t >= 6.03 else (0, 0, 0)


def by_bus() -> None:
    """Frames: what a DBC can say of a signal (odd-signals.dbc), and OBD-II answers."""
    road = Road(
        [
            (2, 0, 0),
            (4, 2.5, 0),
            (4, 0, 0),
            (2, 0, 4),
            (3, 0, 0),
            (1.5, -4, 0),
            (2, 0, -4),
            (3, 0, 0),
            (0.4, -8, 0),
            (4, 0, 0),
        ]
    )
    lines = []
    for i in range(int(road.seconds * 20)):
        at, (mps, _, left) = i / 20, road.at(i / 20)
        yaw = left / mps if mps > 1 else 0.0
        lines += [
            log(at, "101", odd_speed(mps, i)),
            log(at + 0.003, "102", odd_yaw(yaw, i)),
            log(at + 0.005, "18FEF1FE", odd_rest(i)),
        ]
    lines += [
        log(3.001, "101", b"\x00\x01\x02"),
        log(3.002, "7FF", bytes(8)),
        "(3.003000) can0 101#R",
        log(3.004, "102", bytes(7)),
    ]
    (GOLDEN / "odd-signals.log").write_text("\n".join(sorted(lines)) + "\n")
    answers = []
    for i in range(int(road.seconds * 2)):
        kmh = round(road.at(i / 2)[0] / KMH)
        answers += [
            log(i / 2, "7E8", bytes([3, 0x41, 0x0D, kmh, 0, 0, 0, 0])),
            log(i / 2 + 0.1, "7E8", bytes([6, 0x41, 0x0C, 9, i % 256, 0x05, 90, 0])),
        ]
    answers += [
        log(3.3, "7E9", bytes([3, 0x41, 0x0D])),
        log(3.31, "7E9", bytes([0x10, 9, 0x41, 0x0D, 1, 2, 3, 4])),
        log(3.32, "7EF", bytes([2, 0x7F, 1, 0x11, 0, 0, 0, 0])),
        log(3.33, "7E8", bytes([3, 0x41, 0xA5, 1, 0, 0, 0, 0])),
        log(3.34, "7E8", bytes(8)),
        log(3.35, "7E8", bytes([4, 0x41, 0x11, 128, 0x2F, 0, 0, 0])),
    ]
    (GOLDEN / "obd-answers.log").write_text("\n".join(sorted(answers)) + "\n")


def log(at: float, identifier: str, data: bytes) -> str:
    """A line of candump -l."""
    return f"({at:.6f}) can0 {identifier}#{data.hex().upper()}"


def odd_speed(mps: float, i: int) -> bytes:
    """13 bits across bytes, big-endian, 0.01 m/s from an offset; a validity bit; a counter that selects what byte 4 is."""
    raw = round((mps + 5) * 100)
    return bytes([raw >> 8 & 0x1F, raw & 0xFF, 0 if 60 <= i < 64 else 0x10, i % 3, (40, 80, 200)[i % 3], 0, 0, i % 256])


def odd_yaw(yaw: float, i: int) -> bytes:
    """12 bits, signed, little-endian, 0.002 rad/s; a float of the throttle, which is NaN once."""
    raw = round(yaw / 0.002) & 0xFFF
    throttle = struct.pack("<f", math.nan if i == 50 else i % 120)
    return bytes([raw & 0xFF, raw >> 8 | 0xA0, 0, 0]) + throttle


def odd_rest(i: int) -> bytes:
    """A half float of the battery, big-endian; an odometer of 32 bits; brake and airbag, which goes off at 20 s."""
    return struct.pack(">e", 12 + i / 1000) + struct.pack("<I", 123456 + i) + bytes([i // 40 % 2, 2 if i >= 460 else 0])


def main() -> None:
    """All of them."""
    GOLDEN.mkdir(exist_ok=True)
    for make in (by_speed, by_sums, by_force, by_blow, by_bus):
        make()


if __name__ == "__main__":
    main()
