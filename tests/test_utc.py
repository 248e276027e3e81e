"""UTC beside boot time, as a receiver tells it: the message that took least counts; dates that rolled over are put right."""

import pytest

from drivers.gnss.utc import KEPT_US, ROLLOVER_US, STEP_US, Moment, Utc, us_of


@pytest.mark.parametrize(
    ("heard", "best"),
    [
        pytest.param([(1_000_500, 0), (2_000_100, 1), (3_000_900, 2)], (2_000_100, 1), id="the one that took least"),
        pytest.param([(1_000_500, 0), (1_000_500 + KEPT_US - 1, 59)], (1_000_500, 0), id="for a minute"),
        pytest.param([(1_000_500, 0), (1_000_500 + KEPT_US, 60)], (1_000_500 + KEPT_US, 60), id="no longer"),
        pytest.param([(1_000_500, 0), (2_000_500 + STEP_US, 1)], (1_000_500, 0), id="a delay"),
        pytest.param([(1_000_500, 0), (2_000_501 + STEP_US, 1)], (2_000_501 + STEP_US, 1), id="a step"),
        pytest.param([(1_000_500, 3), (2_000_500, 22)], (2_000_500, 22), id="a step ahead"),
    ],
)
def test_the_best_witness_of_the_time_is_kept(heard: list[tuple[int, int]], best: tuple[int, int]) -> None:
    utc = Utc(0)
    for boot, second in heard:
        utc.hear(boot, 1_000_000 * second)
    assert utc.best() == Moment(best[0], 1_000_000 * best[1], 1_000_000)


def test_the_floor_itself_is_no_rollover() -> None:
    floor_us = us_of("2026-11-01")
    for told_us, wanted_us, count in ((floor_us, floor_us, 0), (floor_us - 1, floor_us - 1 + ROLLOVER_US, 1)):
        utc = Utc(floor_us)
        utc.hear(1, told_us)
        assert (utc.best() or Moment(0, 0, 0)).utc_us == wanted_us
        assert utc.rollovers == count
