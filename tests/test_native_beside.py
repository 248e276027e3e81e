"""Rows beside numbers of the core that the drives of the other files pass by: one at each, one just under it."""

import pytest

from agent.core import ffi, lib
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import G, Road, core, cruise, drive, half_sine, packed, steady, us, value
from tests.test_native_crash import TO_15, clip
from tests.test_native_crash_edges import WEAK, both, square
from tests.test_native_more import BARE, CALM, felt
from tests.test_native_rollover import START_S, rolling, speed, to

BRAKE = [f"detect.harsh_braking.{words}" for words in BARE]


# ---- crash -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last_s", "at_s"),
    [pytest.param(20.785, 20.785, id="0.3 s and half a refresh after it"), pytest.param(20.7775, 23.0, id="sooner: another is waited for")],
)  # fmt: skip
def test_a_saturated_blow_waits_for_a_speed_that_came_after_it(last_s: float, at_s: float) -> None:
    """Its time zero is 20 ms before the first sample of it that is over the threshold."""
    road = Road([*TO_15, *cruise(20)], blow=lambda t: (0, 150, 0) if 20 <= t < 20.035 - 1e-6 else (0, 0, 0))
    rows = [(at, clip(raw, 7.8 * G)) for at, raw in road.imu(400, shake=0)]
    told = [*steady(20, 10, "speed", 15.0), (last_s, value(last_s, "speed", 15.0))]
    (event,) = drive(told, rows).events()
    assert (event.name, event.dv_clipped) == ("crash", True)
    assert event.at_us == pytest.approx(us(at_s), abs=us(0.02))


@pytest.mark.parametrize(
    ("after_us", "wanted"), [pytest.param(0, "crash", id="a second and a refresh"), pytest.param(1, "impact", id="later")]
)  # fmt: skip
def test_a_loss_of_speed_is_by_a_blow_for_a_second_and_a_refresh(after_us: int, wanted: str) -> None:
    road = Road([(34, 0, 0)], blow=WEAK)
    samples = road.imu(200, shake=0)
    made = core()
    made.feed(packed(steady(20, 10, "speed", 30.0), [row for row in samples if row[0] < 20.1]))
    zero_us = made.alarm().blow_us
    assert zero_us is not None
    lost_s = (zero_us + us(2) + after_us) / 1e6
    rows = [row for row in steady(22, 10, "speed", 30.0) if row[0] < lost_s - 0.05]
    told = drive(rows, steady(11, 10, "speed", 5.0, lost_s), samples)
    assert [event.name for event in told.events("crash", "impact")] == [wanted]


def test_the_alarm_is_over_when_the_input_ends_within_a_blow() -> None:
    road = Road([(21, 0, 0)], blow=half_sine(20.0, 0.1, 6, (-1, 0, 0)))
    made = core()
    made.feed(packed([row for row in road.imu(100, shake=0) if row[0] < 20.1]))
    assert made.alarm().blow_us is not None
    made.finish()
    assert made.alarm().blow_us is None


def test_a_box_that_weighs_nothing_for_two_moments_has_not_fallen() -> None:
    def crests(t: float) -> tuple[float, float, float]:
        return (0, 0, -G) if min(abs(t - 19.8), abs(t - 19.95)) < 0.001 else (0, 0, 0)

    road = Road([*TO_15, *cruise(20)], blow=both(crests, square(20, 0.05, 60)))
    assert [event.name for event in drive(road.speed(), road.imu(200, shake=0)).events()] == ["crash"]


@pytest.mark.parametrize(("rows_before", "counted"), [(2, 1), (1, 0)])
def test_of_a_slow_signal_two_refreshes_are_known_before_its_fall_counts(rows_before: int, counted: int) -> None:
    falls = [20.0 + 0.5 * i for i in range(rows_before + 1)] + [0.5, 0.4]
    told = drive([(float(i), value(i, "speed", mps)) for i, mps in enumerate(falls)])
    assert told.counters["not_judged"]["crash_refresh_too_slow"] == counted


# ---- speed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("apart_us", "wanted"), [(400_000, 1), (399_999, 0)], ids=["0.4 s", "closer"])
def test_two_points_of_a_slow_signal_are_its_slope_from_so_far_apart(apart_us: int, wanted: int) -> None:
    rows = [(float(i), value(i, "speed", 25 - 0.25 * i)) for i in range(13)]
    late_s = 12 + apart_us / 1e6
    told = drive(rows, [(late_s, value(late_s, "speed", 20.0)), (13.0, value(13, "speed", 19.9))], sets=BRAKE)
    assert len(told.events("harsh_braking")) == wanted


def test_a_point_that_was_no_refresh_leaves_no_speed_from_before_the_first() -> None:
    """The brake ends 1.5 s before any speed is told; the speed is held, and changes too soon after that."""
    forward = [*CALM, -4.0, -4.0, *CALM, *CALM]
    rows = [(at, value(at, "speed", 15.0 if at < 8.5 else 15.5)) for at in (6.5, 7.0, 7.5, 8.0, 8.5, 9.0)]
    sets = ["hold_s=0", "refractory_s=5", "min_speed_mps=0"]
    told = drive(rows, felt(forward), sets=[f"detect.harsh_braking.{words}" for words in sets])
    (event,) = told.events("harsh_braking")
    assert (event.entry_mps, event.exit_mps) == (None, None)


@pytest.mark.parametrize(("first_deg", "then_deg", "side"), [(180.0, 0.0, "left"), (0.0, 180.0, "right")])
def test_a_course_that_turns_round_is_turned_the_way_its_number_goes(
    first_deg: float, then_deg: float, side: str
) -> None:
    courses = [(float(i), value(i, "course", first_deg if i < 10 else then_deg)) for i in range(16)]
    sets = ["hold_s=0", "refractory_s=0", "min_speed_mps=0"]
    sets = [f"detect.harsh_cornering.{words}" for words in sets]
    told = drive(steady(16, 1, "gnss_speed", 1.5), courses, sets=sets)
    assert [event.direction for event in told.events("harsh_cornering")] == [side]


# ---- rollover, rest --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("silent_s", "wanted"), [(4.9, ["roll"]), (5.15, [])])
def test_a_car_rolls_from_driving_three_seconds_after_its_speed_is_known_no_more(silent_s: float, wanted: list) -> None:
    """A speed is live for two seconds after its last row."""
    rows = [row for row in speed(True, 20) if row[0] < START_S - silent_s + 0.05]
    told = drive(rows, rolling(to(90, 0.1), 20, hz=100))
    assert [event.rule for event in told.events("rollover")] == wanted


def test_a_gyro_that_lacks_an_axis_is_none() -> None:
    bare = rolling(to(90, 1.5), 20, gyro=False)
    lacking = []
    for at, raw in rolling(to(90, 1.5), 20):
        numbers = batch._NUMBERS.unpack(raw)[6:12]
        lacking.append((at, batch.imu(us(at), [*numbers[:3], None, *numbers[4:]])))
    (event,) = drive(speed(True, 20), lacking).events("rollover")
    (same,) = drive(speed(True, 20), bare).events("rollover")
    assert (event.rule, event.entry_mps) == (same.rule, same.entry_mps)


# ---- what is asked of a core -----------------------------------------------------------------------------------------


def test_of_every_signal_it_is_known_when_it_was_told() -> None:
    setup, told = ffi.new("tbox_setup_t *"), ffi.new("int64_t[]", lib.TBOX_SIGNALS)
    memory = ffi.new("char[]", lib.tbox_size(setup) + 16)
    aligned = ffi.cast("char *", int(ffi.cast("uintptr_t", memory)) + 15 & ~15)
    made = lib.tbox_init(aligned, lib.tbox_size(setup), setup)
    lib.tbox_told(made, told)
    never = list(told)
    assert max(never) < -4 * 10**18
    raw = value(3, "fuel", 10.0)
    assert lib.tbox_feed(made, ffi.from_buffer("tbox_input_t[]", raw), 1) == 1
    lib.tbox_told(made, told)
    wanted = [*never]
    wanted[batch.SIGNAL_INDEX["fuel"]] = us(3)
    assert list(told) == wanted
