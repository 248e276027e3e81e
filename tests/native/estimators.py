"""Which estimate of acceleration from speed is best: a table over the open recordings (`make estimators`).

Every candidate but the first gets the same fresh points (native/speed.c finds them) and says (stamp s, m/s², half of what
it covers s, known at s). Scores: root of the mean square error against the truth, at the constant lag that suits the candidate best; bias;
delay: how long after the fact a value is known; harsh events at 0.35 g, false and missed (clear ones only: the truth is
under 0.32 g, or over 0.4 g for 1.2 s and a refresh).
"""

import math
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.native.build import FLAGS, NATIVE
from tests.native.measured import Drive, Rows, all_drives

HARSH_MPS2, HOLD_S, GATE_MPS = 3.43, 0.5, 2.78
PAIR_S = 0.8
"""native/fit.c: from this refresh on two points are the fit."""


@dataclass(frozen=True)
class Estimate:
    """Acceleration for a moment, what it covers, and when it is known."""

    at_s: float
    mps2: float
    half_s: float
    known_s: float


@dataclass(frozen=True)
class Seen:
    """A row as native/speed.c sees it: the fresh points so far, its refresh and noise, and its slope if any."""

    at_s: float
    points: Rows
    refresh_s: float
    noise_mps: float
    slope: Estimate | None


def seen(tool: Path, rows: Rows) -> list[Seen]:
    """The rows, looked at by the C code."""
    text = "\n".join(f"{round(t * 1e6)} {v:.9g}" for t, v in rows)
    out = subprocess.run([tool], input=text, capture_output=True, text=True, check=True).stdout
    points: Rows = []
    found = []
    for (at, _), line in zip(rows, out.splitlines(), strict=True):
        newest_us, newest, before_us, refresh_us, noise, *slope = map(float, line.split())
        if not points or points[-1][0] != newest_us / 1e6:
            points = [*(p for p in points[-60:] if p[0] <= before_us / 1e6), (newest_us / 1e6, newest)]
            told = Estimate(slope[0] / 1e6, slope[2], slope[1] / 2e6, at) if slope else None
            found.append(Seen(at, points, refresh_us / 1e6, noise, told))
    return found


def by_row(drive: Drive, _: list[Seen]) -> Iterator[Estimate]:
    """Differences of rows, whatever they are."""
    for (t, v), (u, w) in zip(drive.rows, drive.rows[1:], strict=False):
        if 0 < u - t <= 5:
            yield Estimate((t + u) / 2, (w - v) / (u - t), (u - t) / 2, u)


def by_pair(_: Drive, rows: list[Seen]) -> Iterator[Estimate]:
    """Differences of fresh points."""
    for row in rows:
        if len(row.points) > 1:
            (t, v), (u, w) = row.points[-2:]
            yield Estimate((t + u) / 2, (w - v) / (u - t), (u - t) / 2, row.at_s)


def built(_: Drive, rows: list[Seen]) -> Iterator[Estimate]:
    """native/fit.c: least squares in a window set by refresh, quantum and noise; a pair from 0.8 s of refresh on."""
    yield from (row.slope for row in rows if row.slope)


def fitted(points: Rows, degree: int, at_s: float) -> float | None:
    """Slope of the least-squares polynomial at a time."""
    if len(points) <= degree:
        return None
    n = degree + 1
    rows = [[(t - at_s) ** k for k in range(n)] for t, _ in points]
    cells = [
        [sum(r[i] * r[j] for r in rows) for j in range(n)]
        + [sum(r[i] * v for r, (_, v) in zip(rows, points, strict=True))]
        for i in range(n)
    ]
    for i in range(n):
        for j in range(n):
            if j != i:
                share = cells[j][i] / (cells[i][i] or 1e-12)
                cells[j] = [b - share * a for a, b in zip(cells[i], cells[j], strict=True)]
    return cells[1][n] / (cells[1][1] or 1e-12)


def window(row: Seen, window_s: float) -> Rows:
    return [p for p in row.points if p[0] >= row.points[-1][0] - window_s - 1e-6]


def line(window_s: float) -> Callable[[Drive, list[Seen]], Iterator[Estimate]]:
    """Least squares over a window of fixed length, at least two points."""

    def estimate(_: Drive, rows: list[Seen]) -> Iterator[Estimate]:
        for row in rows:
            points = window(row, max(window_s, 1.05 * row.refresh_s))
            middle = sum(t for t, _ in points) / len(points)
            slope = fitted(points, 1, middle)
            if slope is not None:
                yield Estimate(middle, slope, (points[-1][0] - points[0][0]) / 2, row.at_s)

    return estimate


def savitzky_golay(_: Drive, rows: list[Seen]) -> Iterator[Estimate]:
    """Savitzky and Golay 1964: a parabola over 1.2 s or four refreshes, its slope at two thirds of the window."""
    for row in rows:
        points = window(row, max(1.2, 3.1 * row.refresh_s))
        span = points[-1][0] - points[0][0]
        slope = fitted(points, 2, points[-1][0] - span / 3)
        if slope is not None and len(points) > 3:
            yield Estimate(points[-1][0] - span / 3, slope, min(span / 3, 0.5), row.at_s)


def kalman(lag: int, q: float = 1.0) -> Callable[[Drive, list[Seen]], Iterator[Estimate]]:
    """Constant acceleration disturbed by white jerk (Bar-Shalom, 2001, 6.2.2), q in m2/s5; rounding is its noise.

    `lag` > 0: the smoother's answer for so many points ago (Rauch, Tung and Striebel 1965).
    """

    def estimate(_: Drive, rows: list[Seen]) -> Iterator[Estimate]:
        past: list[tuple[float, ...]] = []
        for row in rows:
            at, mps = row.points[-1]
            noise = row.noise_mps**2 + 0.0004
            if not past or at - past[-1][0] > 5:
                past = [(at, mps, 0.0, noise, 0.0, 4.0, mps, 0.0, noise, 0.0, 4.0)]
                continue
            past = [*past[-lag - 1 :], kalman_step(past[-1], (at, mps, noise), q)]
            back = smoothed(past[-lag - 1 :])
            yield Estimate(back[0], back[1], min(0.5, (at - past[0][0]) / 4), row.at_s)

    return estimate


def kalman_step(last: tuple[float, ...], point: tuple[float, float, float], q: float) -> tuple[float, ...]:
    """(time, v, a, P11, P12, P22, and the same as predicted) after a point."""
    (at, mps, noise), (t0, v, a, p, c, r) = point, last[:6]
    dt = at - t0
    v1, p1 = v + a * dt, p + 2 * c * dt + r * dt * dt + q * dt**3 / 3
    c1, r1 = c + r * dt + q * dt * dt / 2, r + q * dt
    k, g = p1 / (p1 + noise), c1 / (p1 + noise)
    return (at, v1 + k * (mps - v1), a + g * (mps - v1), (1 - k) * p1, (1 - k) * c1, r1 - g * c1, v1, a, p1, c1, r1)


def smoothed(states: Sequence[tuple[float, ...]]) -> tuple[float, float]:
    """(time, acceleration) of the first state, given those after it."""
    v, a = states[-1][1:3]
    for now, after in zip(states[-2::-1], states[:0:-1], strict=True):
        dt = after[0] - now[0]
        p, c, r = now[3:6]
        vp, ap, pp, cp, rp = after[6:11]
        det = pp * rp - cp * cp
        m = ((p + c * dt, c), (c + r * dt, r))  # P F'
        gain = [((x * rp - y * cp) / det, (y * pp - x * cp) / det) for x, y in m]
        v, a = (
            now[1] + gain[0][0] * (v - vp) + gain[0][1] * (a - ap),
            now[2] + gain[1][0] * (v - vp) + gain[1][1] * (a - ap),
        )
    return states[0][0], a


def alpha_beta(_: Drive, rows: list[Seen]) -> Iterator[Estimate]:
    """Benedict and Bordner 1962: alpha for a time constant of 0.4 s, beta = alpha^2 / (2 - alpha)."""
    at = mps = slope = math.nan
    for row in rows:
        now, told = row.points[-1]
        dt = now - at
        if not 0 < dt <= 5:
            at, mps, slope = now, told, 0.0
            continue
        alpha = 1 - math.exp(-dt / 0.4)
        off = told - (mps + slope * dt)
        at, mps, slope = now, told - (1 - alpha) * off, slope + alpha * alpha / (2 - alpha) * off / dt
        yield Estimate(now, slope, 0.0, row.at_s)


CANDIDATES: dict[str, Callable[[Drive, list[Seen]], Iterator[Estimate]]] = {
    "two points": by_pair,
    "line 0.5 s": line(0.5),
    "line 1.0 s": line(1.0),
    "line 1.5 s": line(1.5),
    "parabola": savitzky_golay,
    "Kalman": kalman(0),
    "Kalman q4": kalman(0, 4.0),
    "Kalman, 2 late": kalman(2),
    "Kalman q4, 2 late": kalman(2, 4.0),
    "alpha-beta": alpha_beta,
    "built": built,
}


def truth_at(truth: Rows, times: list[float], at: float) -> float | None:
    """Between two moments of the truth by a line; None where it has a hole."""
    i = bisect_left(times, at)
    if not 0 < i < len(times) or times[i] - times[i - 1] > 1.5:
        return None
    (t, a), (u, b) = truth[i - 1], truth[i]
    return a + (b - a) * (at - t) / (u - t)


def error(drive: Drive, found: list[Estimate], lag_s: float) -> tuple[int, float, float]:
    """(count, sum of squares, sum) of the estimates' errors."""
    times = [t for t, _ in drive.truth]
    pairs = ((e.mps2, truth_at(drive.truth, times, e.at_s - lag_s)) for e in found)
    offs = [a - b for a, b in pairs if b is not None]
    return len(offs), sum(o * o for o in offs), sum(offs)


def runs(values: list[tuple[float, float, float]], least_mps2: float, hold_s: float) -> list[tuple[float, float]]:
    """(start, end) of what stays at or over a size for a time, per side; values are (time, m/s², half)."""
    found = []
    for sign in (1, -1):
        start = end = math.nan
        for t, a, half in [*values, (math.inf, 0.0, 0.0)]:
            if sign * a >= least_mps2:
                start, end = (t - half if math.isnan(start) else start), t + half
            elif not math.isnan(start):
                if end - start >= hold_s - 1e-6:
                    found.append((start, end))
                start = math.nan
    return found


def harsh(drive: Drive, rows: list[Seen], found: list[Estimate]) -> tuple[int, int, int]:
    """(clear events, missed, false). As in native/motion.c half of what a fit covers counts for the hold where rows come fast."""
    share = 0.5 if sorted(row.refresh_s for row in rows)[len(rows) // 2] <= 0.15 else 1.0
    truth = [(t, a, 0.0) for t, a in drive.truth]
    clear, soft = runs(truth, 3.9, 1.2), runs(truth, 3.1, 0.2)
    told = [
        run
        for run in runs([(e.at_s, e.mps2, share * e.half_s) for e in found], HARSH_MPS2, HOLD_S)
        if passes(drive, run)
    ]
    missed = sum(not near(run, told) for run in clear)
    return len(clear), missed, sum(not near(run, soft) for run in told)


def passes(drive: Drive, run: tuple[float, float]) -> bool:
    """Whether the car goes at 10 km/h at one of its ends."""
    return any(v >= GATE_MPS for t, v in drive.rows if run[0] - 1 <= t <= run[1] + 1)


def near(run: tuple[float, float], others: list[tuple[float, float]]) -> bool:
    return any(run[0] <= end + 1.5 and start - 1.5 <= run[1] for start, end in others)


def score(drives: Sequence[Drive], looked: list[list[Seen]], name: str) -> str:
    """One cell row of the table."""
    found = [list(CANDIDATES[name](d, rows)) for d, rows in zip(drives, looked, strict=True)]
    best = (math.inf, 0.0, 0.0)
    for lag in range(-4, 21):
        sums = [error(d, f, lag / 20) for d, f in zip(drives, found, strict=True)]
        n, squares, total = (sum(s[i] for s in sums) for i in range(3))
        best = min(best, (math.sqrt(squares / n), total / n, lag / 20))
    known = [e.known_s - e.at_s for f in found for e in f]
    clear, missed, false = (
        sum(c) for c in zip(*(harsh(d, r, f) for d, r, f in zip(drives, looked, found, strict=True)), strict=True)
    )
    delay_s = sum(known) / len(known) + best[2]
    return f"{name:16s} {best[0]:6.3f} {best[1]:+7.3f} {delay_s:6.2f} {clear:5d} {missed:6d} {false:6d}"


def main() -> None:
    tool = Path(sys.argv[1] if len(sys.argv) > 1 else "out") / "slopes"
    tool.parent.mkdir(exist_ok=True)
    sources = [NATIVE / f"{name}.c" for name in ("speed", "fit", "interval", "signal")]
    subprocess.run(
        ["gcc", *FLAGS, "-I", NATIVE, "-o", tool, Path(__file__).with_name("slopes.c"), *sources, "-lm"], check=True
    )
    for drives in all_drives():
        print(f"\n{drives[0].name}\n{'':16s}   rmse    bias  delay clear missed  false")
        looked = [seen(tool, drive.rows) for drive in drives]
        for name in CANDIDATES:
            print(score(drives, looked, name), flush=True)


if __name__ == "__main__":
    main()
