"""Rows beside the numbers of the core that are left: at a half, a share or a step of one, and as much more as it takes."""

import math
from collections.abc import Sequence

import pytest

from agent._core import ffi, lib
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import G, Road, Timed, drive, steady, us, value
from tests.tables import ANSWERS, cut, found, plain, table
from tests.test_checks import checked
from tests.test_native_beside_more import tenths
from tests.test_native_crash_edges import climb, square
from tests.test_native_more import over

# ---- crash -----------------------------------------------------------------------------------------------------------

AT_10 = 10 / 3.6


@pytest.mark.parametrize(("mps", "wanted"), [(AT_10, [AT_10]), (math.nextafter(AT_10, 0), [])], ids=["at it", "under"])
def test_a_loss_of_speed_of_two_refreshes_is_a_crash_from_ten_kmh_on(mps: float, wanted: list[float]) -> None:
    rows = [*climb(0, 10, mps), *tenths(10, [1.9, 1.0, 0.2, *[0.0] * 20])]
    told = drive(rows, sets=["detect.crash.speed_loss_mps2=1"])
    assert [event.entry_mps for event in told.events("crash")] == wanted


def test_a_stop_is_where_it_is_slower_by_the_least_step() -> None:
    rows = [*climb(0, 20, 15.0), *tenths(20, [13.0, 10.5, 8.0, 5.5, 3.0, 1.0, 0.2, 0.1995, *[0.1995] * 20])]
    (event,) = drive(rows).events("crash")
    assert (event.end_us, event.exit_mps) == (us(20.7), 0.1995)


def struck(axis: int, mps2: float, samples: int) -> bool:
    """Whether the change of speed by a blow is a lower bound, where an axis tells so much in so many of its samples."""
    felt = []
    for i, (at, raw) in enumerate(Road([(24, 0, 0)], blow=square(20, 0.05, 60)).imu(200, shake=0)):
        numbers = list(batch._NUMBERS.unpack(raw)[6:])
        if 4002 <= i < 4002 + samples:
            numbers[axis] = mps2
        felt.append((at, batch.imu(us(at), numbers)))
    (event,) = drive(steady(24, 10, "speed", 15.0), felt).events("crash", "impact")
    return event.dv_clipped


@pytest.mark.parametrize(("mps2", "wanted"), [(1.9 * G, True), (math.nextafter(1.9 * G, 0), False)])
def test_what_an_axis_repeats_is_its_end_from_nearly_two_g_on(mps2: float, wanted: bool) -> None:
    assert struck(2, mps2, 4) == wanted


@pytest.mark.parametrize(("share", "wanted"), [(0.99991, True), (0.999895, False)], ids=["at it", "just under it"])
def test_one_sample_of_a_blow_was_cut_where_it_is_at_the_end_of_a_range(share: float, wanted: bool) -> None:
    assert struck(1, 8 * G * share, 1) == wanted


# ---- the sensor ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mps2", "is_one"), [(0.7 * G, False), (math.nextafter(0.7 * G, 9), True)])
def test_a_sensor_that_feels_seven_tenths_of_a_g_is_none(mps2: float, is_one: bool) -> None:
    felt = [(i / 20, batch.imu(us(i / 20), [0.0, 0.0, mps2, 0.0, 0.0, 0.0])) for i in range(400)]
    assert (drive(steady(20, 10, "speed", 15.0), felt).last.judged_us > 0) == is_one


@pytest.mark.parametrize("silent_s", [0.0, 0.2, 1.0])
def test_rates_that_were_missing_for_longer_than_the_window_tell_bends_again(silent_s: float) -> None:
    """By the gyro of a box that lies on its side."""
    rows = []
    for i in range(3000):
        is_told = not 1000 <= i < 1000 + 100 * silent_s
        rate = 0.4 if 2000 <= i < 2500 else 0.0
        rows.append((i / 100, batch.imu(us(i / 100), [G, 0.01 * (i % 2), 0.0, *[rate if is_told else None, 0.0, 0.0]])))
    told = drive(steady(30, 10, "speed", 15.0), rows, mounted=False)
    assert [event.name for event in told.events()] == ["harsh_cornering"]


def test_where_the_cars_speed_comes_back_a_window_of_the_mounting_begins_with_it() -> None:
    """The receiver's stood for it; from its last row on there is a window less, and the mounting is told that later."""
    speeds = [10.0 + i % 2 for i in range(60)]
    rows = [(float(i), value(i, "speed", mps)) for i, mps in enumerate(speeds) if not 10 < i < 20]
    fixes = [
        (i + 0.5, batch.fix(us(i + 0.5), [48.0, 11.0, 10.5 + 0.1 * (i % 2), 0.0, 1.0, 9], valid=True))
        for i in range(20)
    ]
    felt = [
        (i + part, batch.imu(us(i + part), [1.0 - 2.0 * (i % 2), 0.0, G]))
        for i in range(59)
        for part in (0.125, 0.375, 0.625, 0.875)
    ]
    (told,) = drive(rows, fixes, felt, mounted=False).calibrations()
    assert told.at_us == us(29)


# ---- levels, limits, tables ------------------------------------------------------------------------------------------


def fuel(levels: Sequence[float]) -> list[Timed]:
    """One in two seconds, at a stand."""
    return [(2.0 * i, value(2 * i, "fuel", pct)) for i, pct in enumerate(levels)]


@pytest.mark.parametrize(("more_pct", "end_s"), [(0.0, 34), (2**-10, 46)], ids=["at the half", "just over it"])
def test_a_level_is_another_from_half_of_what_lies_together_on(more_pct: float, end_s: int) -> None:
    """It was 50 %, and is 51.25 % ten seconds later: a window that begins 2.625 % higher."""
    higher = [52.625, 50.125, *[51.1875 + more_pct] * 4]
    rows = fuel([*[40.0] * 12, *[50.0] * 6, *higher, *[51.25] * 30])
    (event,) = drive(steady(108, 1, "speed", 0.0), rows, sets=["detect.refuel.settle_s=10"]).events("refuel")
    assert event.end_us == us(end_s)


def test_a_limit_is_crossed_between_two_rows_that_hardly_differ() -> None:
    (event,) = over(20.0 - 2**-12, 20.0 + 2**-12, *[21.0] * 12)
    assert (event.start_us, event.entry_mps) == (us(0.5), 20.0)


def test_the_first_message_of_a_table_is_found_before_answers_of_its_identifier() -> None:
    assert found(table(plain(identifier=0x7E8), ANSWERS), 0, 0x7E8) == 0


def test_a_counter_may_have_one_bit() -> None:
    made = table(checked("counter", counter=cut(8, 1, max=1.0))).as_c(ffi)
    assert lib.tbox_table_check(made.table)
