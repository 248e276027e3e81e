"""What may wake a sleeping terminal, and when its timer does. Pure.

A source that calls three times in a row for nothing (a bus that chatters, a car park that shakes) is left out for an
hour, doubling to a day; a driver is noticed by the others meanwhile, and by the timer that ends it.
"""

from collections import Counter

SOURCES = ("can", "motion", "voltage")

FALSE_MAX = 3
LEFT_OUT_S_MIN, LEFT_OUT_S_MAX = 3600.0, 86_400.0

HEARTBEAT_S_MAX = 604_800.0
WAKE_S_MIN = 60

STEPS: tuple[tuple[float, float], ...] = ((12.4, 1.0), (12.2, 2.0), (0.0, 7.0))
"""From this voltage on the heartbeat takes so many times as long: three quarters, half, and less of the charge."""

BLIND = 2.0
"""The same while no voltage is believed."""


class Alarms:
    """The decider. `counts`: how often each source woke the terminal."""

    def __init__(self, heartbeat_s: float) -> None:
        self._heartbeat_s = heartbeat_s
        self._false: Counter[str] = Counter()
        self._out_until_us: dict[str, int] = {}
        self.counts: Counter[str] = Counter()

    def rang(self, now_us: int, by: str) -> None:
        """This source woke the terminal; whether for nothing shows when it goes to sleep again."""
        self.counts[by] += 1
        if by not in SOURCES:
            return
        self._false[by] += 1
        if self._false[by] >= FALSE_MAX:
            wait_s = min(LEFT_OUT_S_MIN * 2 ** (self._false[by] - FALSE_MAX), LEFT_OUT_S_MAX)
            self.leave_out(now_us, by, wait_s)

    def leave_out(self, now_us: int, source: str, wait_s: float = LEFT_OUT_S_MIN) -> None:
        """Do not let it call for so long."""
        self._out_until_us[source] = now_us + round(wait_s * 1e6)

    def drove(self) -> None:
        """The car is in use: whoever called was right."""
        self._false.clear()
        self._out_until_us.clear()

    def set(self, now_us: int, volt: float | None) -> tuple[int, tuple[str, ...]]:
        """Seconds until the timer wakes (0: never), and the sources that may."""
        out = {source: until_us for source, until_us in self._out_until_us.items() if until_us > now_us}
        wake_on = tuple(source for source in SOURCES if source not in out)
        waits_s = [(until_us - now_us) / 1e6 for until_us in out.values()]
        if self._heartbeat_s:
            waits_s.append(min(self._heartbeat_s * _stretch(volt), HEARTBEAT_S_MAX))
        return max(WAKE_S_MIN, round(min(waits_s))) if waits_s else 0, wake_on


def _stretch(volt: float | None) -> float:
    """How much rarer a battery with less charge is drawn upon."""
    if volt is None:
        return BLIND
    return next(times for least_v, times in STEPS if volt >= least_v)
