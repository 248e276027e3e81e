"""The allowance of a metered link: what waits when, what is never held back, and what a restart remembers."""

from random import Random

import pytest

from agent.uplink.allowance import HOUR_S, PACKET_BYTES, Allowance

DAY_BYTES = 1_000_000


def spent(share: float, now_s: float = 0.0) -> Allowance:
    allowance = Allowance(DAY_BYTES)
    allowance.spend(now_s, round(share * DAY_BYTES) - PACKET_BYTES)
    return allowance


@pytest.mark.parametrize(
    ("lane", "share"),
    [
        pytest.param("samples", 0.6, id="samples wait first"),
        pytest.param("health", 0.7, id="then health"),
        pytest.param("trip", 0.9, id="then trips"),
    ],
)
def test_a_lane_goes_up_to_its_share_and_not_a_byte_beyond(lane: str, share: float) -> None:
    allowance = spent(share - 0.1)
    room = round(0.1 * DAY_BYTES) - PACKET_BYTES
    assert not allowance.holds(lane, room)
    assert allowance.holds(lane, room + 1)


@pytest.mark.parametrize("lane", ["event", "evidence"])
def test_what_is_settled_on_always_goes(lane: str) -> None:
    assert not spent(5.0).holds(lane, 64_000)


def test_without_a_limit_nothing_waits() -> None:
    allowance = Allowance(0)
    allowance.spend(0, 10**9)
    assert not allowance.holds("samples", 10**9)
    assert allowance.kept(0) == []


@pytest.mark.parametrize(
    ("later_s", "holds"),
    [(24 * HOUR_S, True), (25 * HOUR_S - 1, True), (25 * HOUR_S, False)],
    ids=["a day later it may still be within 24 hours", "the begun hour counts whole", "then it is forgotten"],
)
def test_an_hour_is_forgotten_when_it_is_a_day_old(later_s: float, holds: bool) -> None:
    allowance = spent(0.6)
    allowance.step(later_s)
    assert allowance.holds("samples", 100) is holds


@pytest.mark.parametrize(
    ("gone_s", "hour_s"),
    [
        pytest.param(3 * HOUR_S, 22 * HOUR_S, id="time gone counts"),
        pytest.param(None, 25 * HOUR_S, id="unknown: as if just now"),
    ],
)
def test_a_restart_remembers_what_was_spent(gone_s: float | None, hour_s: float) -> None:
    kept = spent(0.6).kept(0)
    allowance = Allowance(DAY_BYTES)
    allowance.resume(0, kept, gone_s)
    allowance.step(hour_s - 1)
    assert allowance.holds("samples", 100)
    allowance.step(hour_s)
    assert not allowance.holds("samples", 100)


@pytest.mark.parametrize("seed", range(5))
def test_in_no_24_hours_is_more_spent_than_the_share(seed: int) -> None:
    luck, allowance, sent = Random(seed), Allowance(DAY_BYTES), []
    now_s = luck.uniform(0, 1e6)
    for _ in range(3000):
        now_s += luck.expovariate(1 / 300)
        allowance.step(now_s)
        size = luck.randrange(40, 20_000)
        if not allowance.holds("trip", size):
            allowance.spend(now_s, size)
            sent.append((now_s, size + PACKET_BYTES))
    most = max(sum(size for at_s, size in sent if 0 <= now_s - at_s < 24 * HOUR_S) for now_s, _ in sent)
    assert 0.5 * DAY_BYTES < most <= 0.9 * DAY_BYTES
