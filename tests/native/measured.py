"""Speeds as cars tell them, each beside a truth about acceleration that does not come from that speed.

A `Drive` has rows (time s, m/s) and the true speed on a grid of 0.1 s; the truth about acceleration is its slope. The
recordings are those of ../shared/data (see its NOTE.md); where the truth is a receiver's or a camera's clock, the lag
between clocks is found by whoever compares.
"""

import csv
import gzip
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from tests.road import KMH, Road

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MPH = 0.44704
Rows = list[tuple[float, float]]


@dataclass(frozen=True)
class Drive:
    """What a car says of its speed, and acceleration (time s, m/s²) that somebody else measured."""

    name: str
    rows: Rows
    truth: Rows


def slopes(speeds: Rows, half_s: float) -> Rows:
    """Central differences over 2 x half, where the rows have no hole."""
    times = [t for t, _ in speeds]
    found = []
    for t, _ in speeds:
        a, b = bisect_right(times, t - half_s - 1e-6), bisect_right(times, t + half_s + 1e-6) - 1
        if a < b and half_s * 1.5 <= times[b] - times[a] <= half_s * 3:
            found.append((t, (speeds[b][1] - speeds[a][1]) / (times[b] - times[a])))
    return found


def steps(speeds: Rows) -> Rows:
    """Differences of neighbours up to 1.5 s apart, in their middle."""
    return [((t + u) / 2, (w - v) / (u - t)) for (t, v), (u, w) in pairwise(speeds) if 0 < u - t <= 1.5]


def table(name: str) -> Iterator[dict[str, str]]:
    path = DATA / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as rows:
        yield from csv.DictReader(rows)


def plans() -> Iterator[Drive]:
    """OBD speed in whole km/h at 5 Hz, and at 15 Hz as interpolated by its logger; the truth: an inertial reference."""
    told = list(table("plans2025/Speed_StereoVO_OBDII_Reference_Kingston_K19_1.csv"))
    truth = slopes([(float(r["gps_sec"]), float(r["ref_vf"])) for r in told], 0.2)
    yield Drive("plans2025, OBD 5 Hz rows", [(float(r["gps_sec"]), float(r["obd_speed"])) for r in told], truth)
    smooth = [
        (float(r["gps_sec"]), float(r["odom_speed"]))
        for r in table("plans2025/OBDII_Kingston_21_08_19_Trj_15Hz_ZED.csv")
    ]
    yield Drive("plans2025, OBD 15 Hz rows", smooth, truth)


def comma() -> Iterator[Drive]:
    """A RAV4's SPEED frame, 0.01 km/h at 40 Hz, against the speed of a fused pose."""
    rows = [
        (float(r["t"]), float(r["value"]) * KMH)
        for r in table("comma2k19/rav4.csv.gz")
        if (r["msg"], r["signal"]) == ("SPEED", "SPEED")
    ]
    pose = [
        (float(r["t"]), float(r["a"])) for r in table("comma2k19/imu_gnss_speed.csv.gz") if r["kind"] == "ref_speed_mps"
    ]
    yield Drive("comma2k19, CAN 40 Hz", rows, slopes(sorted(dict(pose).items()), 0.15))


def css() -> Iterator[Drive]:
    """OBD answers at 2 Hz in whole km/h against the speed of a GNSS receiver (message 7, 1 mm/s)."""
    for part in ("00000001-60FEB68B", "00000005-60FEBFEB"):
        rows, gnss = [], []
        with gzip.open(DATA / f"css_canedge/matlab_3BA199E2_165_{part}.log.gz", "rt") as log:
            for line in log:
                stamp, _, frame = line.split()[:3]
                at, (identifier, data) = float(stamp[1:-1]), frame.split("#")
                if int(identifier, 16) == 0x7E8 and data[2:6] == "410D":
                    rows.append((at, int(data[6:8], 16) * KMH))
                elif int(identifier, 16) == 7:
                    word = int.from_bytes(bytes.fromhex(data), "little")
                    if word & 1:
                        gnss.append((at, (word >> 1 & 0xFFFFF) * 0.001))
        yield Drive("css_canedge, OBD 2 Hz", rows, steps(gnss))


def nds() -> Iterator[Drive]:
    """Speed at 1 Hz against the accelerometer's sample of that second, its median (the mount's lean) taken off."""
    drives: dict[str, list[dict[str, str]]] = {}
    for row in table("nds/nds_open.csv"):
        drives.setdefault(row["drive"], []).append(row)
    for rows in drives.values():
        felt = [(float(r["time_utc"]), float(r["accel_x"]) * 9.80665) for r in rows if r["accel_x"]]
        lean = sorted(a for _, a in felt)[len(felt) // 2]
        told = [(float(r["time_utc"]), float(r["speed_mph"]) * MPH) for r in rows if r["speed_mph"]]
        yield Drive("nds, 1 Hz", told, [(t, a - lean) for t, a in felt])


def traces() -> Iterator[Rows]:
    """Speeds at 1 Hz of the legal cycles and of days of real driving, in parts without holes."""
    for name in ("wltc_3b", "udds", "hwfet", "us06"):
        yield [(float(r["cycSecs"]), float(r["cycMps"])) for r in table(f"cycles/{name}.csv")]
    for day in sorted((DATA / "cmap").glob("*/20*.csv"))[::4]:
        part: Rows = []
        for row in csv.DictReader(day.open()):
            at = float(row["cycle_sec"])
            if part and at != part[-1][0] + 1:
                break
            part.append((at, float(row["speed_mph"]) * MPH))
        yield part[:3600]


@dataclass(frozen=True)
class Curve:
    """A cubic Hermite curve through speeds (Catmull-Rom slopes): its slope is known exactly everywhere."""

    speeds: Rows

    def at(self, time_s: float) -> tuple[float, float]:
        """(speed, slope) at a time."""
        first = self.speeds[0][0]
        i = min(max(int(time_s - first), 0), len(self.speeds) - 2)
        v = [self.speeds[min(max(i + k, 0), len(self.speeds) - 1)][1] for k in (-1, 0, 1, 2)]
        m0, m1, s = (v[2] - v[0]) / 2, (v[3] - v[1]) / 2, time_s - first - i
        cubic, square = 2 * v[1] + m0 - 2 * v[2] + m1, -3 * v[1] - 2 * m0 + 3 * v[2] - m1
        return v[1] + s * (m0 + s * (square + s * cubic)), m0 + s * (2 * square + 3 * s * cubic)


def resampled(hz: float, *, refresh_s: float = 0.0, jitter_s: float = 0.0) -> Iterator[Drive]:
    """The traces as a car with whole km/h, this rate, refresh and jitter would tell them; the truth is exact."""
    luck = Random(3)
    name = f"cycles and cmap, {hz:g} Hz" + (f", staircase {refresh_s:g} s" if refresh_s else "")
    for speeds in traces():
        curve, (start, end) = Curve(speeds), (speeds[0][0], speeds[-1][0])
        rows = []
        for i in range(int((end - start) * hz)):
            at = start + i / hz
            seen = start + (i / hz) // refresh_s * refresh_s if refresh_s else at
            rows.append((at + luck.uniform(0, jitter_s), max(0.0, round(curve.at(seen)[0] / KMH) * KMH)))
        truth = [(start + i / 10, curve.at(start + i / 10)[1]) for i in range(int(end - start) * 10)]
        yield Drive(name + (", jitter" if jitter_s else ""), rows, truth)


def braked(hz: float, *, refresh_s: float = 0.0) -> Iterator[Drive]:
    """Forty minutes with hard brakes and launches, some just too soft; whole km/h."""
    luck = Random(5)
    for _ in range(20):
        legs = [(3.0, 0.0, 0.0)]
        for _ in range(4):
            up, down = luck.choice([1.5, 2.9, 4.2, 5.0]), luck.choice([2.0, 2.9, 3.1, 4.0, 4.6, 7.0])
            legs += [
                (luck.uniform(2.5, 3.5), up, 0.0),
                (luck.uniform(6, 9), 0.05, 0.0),
                (luck.uniform(1.6, 2.4), -down, 0.0),
            ]
            legs += [(luck.uniform(6, 9), -0.05, 0.0)]
        road = Road(legs)
        rows = [(at, number_of(raw)) for at, raw in road.speed(hz, KMH, refresh_s)]
        truth = [(i / 20, road.at(i / 20)[1] if road.at(i / 20)[0] > 0 else 0.0) for i in range(int(road.seconds * 20))]
        yield Drive(f"hard driving, {hz:g} Hz" + (f", staircase {refresh_s:g} s" if refresh_s else ""), rows, truth)


def number_of(raw: bytes) -> float:
    """The value of a packed input."""
    from struct import unpack_from  # noqa: PLC0415

    return float(unpack_from("=d", raw, 16)[0])


def all_drives() -> Iterable[Sequence[Drive]]:
    """Every group of drives that one line of the table is about."""
    yield list(plans())[:1]
    yield list(plans())[1:]
    yield list(comma())
    yield list(css())
    yield list(nds())
    for hz in (1, 2, 4, 10):
        yield list(resampled(hz))
    yield list(resampled(10, refresh_s=1.0))
    yield list(resampled(4, jitter_s=0.1))
    for hz in (1, 2, 4, 10):
        yield list(braked(hz))
    yield list(braked(10, refresh_s=1.0))
