"""One control unit as the poller knows it: what it supports, how fast it answers, whether it answers at all. Pure."""

from agent.obd.findings import BITMAP_PIDS, Supported
from drivers.batch import EXTENDED

P2_US = 50_000
"""A unit answers within this (P2CAN, ISO 15765-4); behind a gateway or an adapter it takes longer."""

ANSWER_US_MIN, ANSWER_US_MAX = 2 * P2_US, 1_000_000
"""Bounds of what an answer is waited for; the upper one also while nothing is learned yet."""

MISSES_MAX = 3
"""So many requests in a row without an answer: the unit rests, which is to say it is asked only now and then."""

REST_US_MIN, REST_US_MAX = 1_000_000, 6_000_000
"""How long it rests, doubling; short enough that it is found again within 10 s."""

REFUSALS_MAX = 2
"""What was refused so often in a row is not asked again in this ignition cycle; one may have been meant for another."""

PHYSICAL_TRIES = 2
"""So many requests to its own identifier unanswered, and never one answered: only the functional one gets through."""


def name(ecu: int) -> str:
    """A unit as people write it: "7E8", "18DAF110"."""
    return f"{ecu & ~EXTENDED:X}"


class Ecu:
    """A control unit, known since it first told which PIDs it supports."""

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier
        self.codes: dict[str, tuple[str, ...]] = {}
        self.lamp: tuple[bool, int] | None = None
        self.services: set[int] = set()
        """Services without PIDs that it has answered."""
        self.told: set[tuple[int, int]] = set()
        """Bitmaps (service, base) of this ignition cycle."""
        self._pids: dict[tuple[int, int], frozenset[int]] = {}
        self._refusals: dict[tuple[int, bytes], int] = {}
        self._mean_us = self._spread_us = 0
        self.is_physical = True
        """Whether it may be asked on its own identifier: some gateways pass only the functional one on."""
        self._is_physical_proven = False
        self._physical_misses = 0
        self.answered_us = 0
        """When it answered last."""
        self.wake()

    def renew(self) -> None:
        """A new ignition cycle: bitmaps hold until they are told again, what it refused may be asked again."""
        self.told.clear()
        self._refusals.clear()
        self.codes.clear()
        self.wake()

    def wake(self) -> None:
        """Whatever kept it from answering may be over: it is asked again at once."""
        self._misses = 0
        self._rest_us = REST_US_MIN
        self.rest_until_us = 0

    @property
    def answer_us(self) -> int:
        """How long it takes to answer; 0: not known yet."""
        return self._mean_us

    @property
    def timeout_us(self) -> int:
        """How long an answer is waited for: mean and four times the spread (RFC 6298), doubled for each one missed."""
        if not self._mean_us:
            return ANSWER_US_MAX
        learned_us = max(self._mean_us + 4 * self._spread_us + P2_US, ANSWER_US_MIN)
        return min(learned_us << self._misses, ANSWER_US_MAX)

    def tell(self, supported: Supported) -> bool:
        """It told one of its bitmaps; whether that is news."""
        key = (supported.service, supported.base)
        self.told.add(key)
        is_news = self._pids.get(key) != supported.pids
        self._pids[key] = supported.pids
        return is_news

    def refuse(self, service: int, data: bytes) -> None:
        """It says that it does not do this. Some say "no such service" where they lack a PID only."""
        self._refusals[service, data] = self._refusals.get((service, data), 0) + 1

    def accept(self, service: int, data: bytes) -> None:
        """It does this after all: the refusal was to somebody else's question."""
        if self._refusals:
            self._refusals.pop((service, data), None)

    def refuses(self, service: int, data: bytes) -> bool:
        """Whether it said often enough that it does not do this."""
        return bool(self._refusals) and self._refusals.get((service, data), 0) >= REFUSALS_MAX

    def supports(self, service: int, pid: int) -> bool:
        """Whether it told that it answers this PID, and did not refuse it since. Bitmap 0 is always there."""
        if self.refuses(service, bytes([pid])):
            return False
        return pid == 0 or pid in self._pids.get((service, (pid - 1) // BITMAP_PIDS * BITMAP_PIDS), ())

    def values(self, service: int) -> list[int]:
        """All it supports of a service, in order, the bitmaps left out."""
        named = (pid for (of, _), pids in self._pids.items() if of == service for pid in pids)
        return sorted(pid for pid in named if pid % BITMAP_PIDS)

    def answered(self, now_us: int, delay_us: int | None, *, is_physical: bool) -> None:
        """It answered in time; `delay_us` since it was asked, None: not to be learned from."""
        self.heard(now_us)
        self._misses = 0
        self._is_physical_proven |= is_physical
        if delay_us is not None:
            self.learn(delay_us)

    def heard(self, now_us: int) -> None:
        """Something came from it, perhaps too late: it does not rest any more, but is waited for as long as before."""
        self.answered_us = now_us
        self._misses = min(self._misses, MISSES_MAX - 1)
        self._rest_us = REST_US_MIN
        self.rest_until_us = 0

    def learn(self, delay_us: int) -> None:
        """An answer took this long."""
        if not self._mean_us:
            self._mean_us, self._spread_us = delay_us, delay_us // 2
            return
        off_us = delay_us - self._mean_us
        self._mean_us += off_us // 8
        self._spread_us += (abs(off_us) - self._spread_us) // 4

    def missed(self, now_us: int, *, is_physical: bool) -> None:
        """It did not answer in time; perhaps only because a gateway does not pass its own identifier on."""
        if is_physical and not self._is_physical_proven:
            self._physical_misses += 1
            self.is_physical = self._physical_misses < PHYSICAL_TRIES
            return
        self._misses += 1
        if self._misses >= MISSES_MAX:
            self.rest_until_us = now_us + self._rest_us
            self._rest_us = min(self._rest_us * 2, REST_US_MAX)
