"""What the driver is told, and when: not too often, not too late, and at night only what matters. Pure."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import tzinfo

from agent.settings.notice import Notice as NoticeSettings
from agent.settings.notice import Severity
from agent.world.hours import local_time

RANK: dict[str, int] = {"low": 0, "medium": 1, "high": 2}

LEAST: dict[str, Severity] = {
    "crash": "high",
    "rollover": "high",
    "fatigue": "high",
    "overheat": "high",
    "fatigue_warning": "medium",
    "low_battery": "medium",
}
"""What these mean to a driver, however mild the event itself is."""

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Show:
    """Tell this: the kind of event and how severe it is to a driver."""

    kind: str
    severity: Severity


class Notice:
    """The decider. `counts` says how many were told and why others were not."""

    def __init__(self, settings: NoticeSettings) -> None:
        self._settings = settings
        self._quiet = (_minute(settings.quiet_from), _minute(settings.quiet_until))
        self._kind_us: dict[str, int] = {}
        self._last: tuple[int, int] | None = None
        self._hour: deque[int] = deque()
        self.counts: Counter[str] = Counter()

    def step(self, now_us: int, kind: str, severity: str, at_us: int, local_minute: int | None) -> Show | None:
        """What to tell of an event found at `at_us`; `local_minute` of the day, None: unknown, and not quiet."""
        rank = max(RANK[severity], RANK[LEAST.get(kind, "low")])
        why_not = self._hushed(kind, rank, local_minute) or self._late(now_us, kind, rank, at_us)
        self.counts[why_not or "told"] += 1
        if why_not:
            return None
        self._kind_us[kind], self._last = now_us, (now_us, rank)
        self._hour.append(now_us)
        return Show(kind, _severity(rank))

    def _hushed(self, kind: str, rank: int, local_minute: int | None) -> str:
        """Why this kind is not told at all now; empty: it may be."""
        settings = self._settings
        if not settings.enabled or kind not in settings.kinds:
            return "switched_off"
        if rank < RANK[settings.severity]:
            return "too_mild"
        is_quiet = local_minute is not None and _is_within(local_minute, *self._quiet)
        return "quiet_hours" if is_quiet and rank < RANK[settings.quiet_severity] else ""

    def _late(self, now_us: int, kind: str, rank: int, at_us: int) -> str:
        """Why it is not told after what was told before; empty: it is."""
        settings = self._settings
        if now_us - at_us > settings.fresh_s * 1e6:
            return "too_old"
        if kind in self._kind_us and now_us - self._kind_us[kind] < settings.kind_s * 1e6:
            return "same_kind"
        if self._last and now_us - self._last[0] < settings.any_s * 1e6 and rank <= self._last[1]:
            return "too_soon"
        while self._hour and now_us - self._hour[0] >= HOUR_US:
            self._hour.popleft()
        return "too_many" if len(self._hour) >= settings.hour_max and rank < RANK["high"] else ""


def minute_of(utc_us: int, zone: tzinfo) -> int:
    """The minute of the local day a moment lies in."""
    local = local_time(utc_us, zone)
    return local.hour * 60 + local.minute


def _severity(rank: int) -> Severity:
    """The word of a rank."""
    return ("low", "medium", "high")[rank]


def _minute(clock: str) -> int:
    """The minute of the day of a text such as 22:30."""
    return int(clock[:2]) * 60 + int(clock[3:])


def _is_within(minute: int, first: int, end: int) -> bool:
    """Whether a minute of the day lies from first to before end, over midnight too; nothing lies in no time."""
    return first <= minute < end if first <= end else minute >= first or minute < end
