"""How far the car went without the terminal: told from what is known before and after, never more than there was."""

from typing import Any

import msgspec
import pytest

from agent.core import Event, Sample
from agent.trip.absence import ODOMETER_US, TOLD_M, Absence, Whereabouts, whereabouts
from drivers.batch import SIGNALS

BERLIN = (52.5, 13.4)
DEGREE_M = 111_267.0
"""Of latitude, there."""


def second(at_s: float, way_m: float = 0.0, **known: float) -> Sample:
    """A second of which these signals are known; `way_m` was measured so far."""
    empty: dict[str, Any] = dict.fromkeys(
        ("forward_mps2", "left_mps2", "motion_last_us", "engine_last_us", "max_speed_mps")
    )
    totals = dict.fromkeys(("over_limit_m", "over_limit_us", "limit_known_us", "moving_us", "idle_us", "judged_us"), 0)
    values = tuple(known.get(signal) for signal in SIGNALS)
    return Sample(at_us=round(at_s * 1e6), values=values, distance_m=way_m, engine="on", **empty, **totals)


def after(before: Whereabouts, *seconds: Sample) -> list[Event]:
    absence = Absence(before)
    return [event for event in map(absence.step, seconds) if event is not None]


def place(north_m: float) -> dict[str, float]:
    return {"lat": BERLIN[0] + north_m / DEGREE_M, "lon": BERLIN[1]}


LEFT = Whereabouts(-3_600_000_000, 50_123_400.0, *BERLIN)
AT_LEAST = TOLD_M + 100.0
"""The odometer of LEFT counts hundreds of metres."""


@pytest.mark.parametrize(
    ("odometer_m", "told_m"),
    [
        pytest.param(50_123_400.0, None, id="it stood"),
        pytest.param(50_123_400.0 + AT_LEAST - 100, None, id="just too short"),
        pytest.param(50_123_400.0 + AT_LEAST, 200.0, id="just far enough"),
        pytest.param(50_173_400.0, 49_900.0, id="fifty kilometres"),
        pytest.param(49_000_000.0, None, id="another car, or another cluster"),
        pytest.param(50_123_400.0 + 252_360.0, 252_350.0, id="as fast as cars go"),
        pytest.param(50_123_400.0 + 252_370.0, None, id="faster: another car, or a wild reading"),
    ],
)
def test_after_a_restart_the_odometer_tells_how_far_the_car_went(odometer_m: float, told_m: float | None) -> None:
    told = after(LEFT, second(5, odometer=odometer_m), second(6, odometer=odometer_m + 1e6))
    assert [event.value for event in told] == ([] if told_m is None else [pytest.approx(told_m)])
    for event in told:
        assert (event.name, event.rule, event.sources) == ("unplugged", "absent", ("vehicle",))
        assert (event.start_us, event.end_us) == (-3_600_000_000, 5_000_000)


@pytest.mark.parametrize(
    ("before_m", "after_m", "told_m"),
    [(50_000_000.0, 60_000_000.0, 9_999_000.0), (5_012.5, 10_012.5, 5_000.0), (50_010.0, 60_000.0, 9_980.0)],
    ids=["of kilometres", "fine", "of ten metres"],
)
def test_a_coarse_odometer_may_have_turned_just_then(before_m: float, after_m: float, told_m: float) -> None:
    (event,) = after(Whereabouts(None, before_m), second(5, odometer=after_m))
    assert event.value == pytest.approx(told_m)


def test_our_own_way_until_the_odometer_is_told_is_taken_off() -> None:
    seconds = [second(5, 0.0, **place(0)), second(200, 3_000.0, odometer=50_126_500.0)]
    assert after(LEFT, *seconds) == []
    seconds[1] = second(200, 3_000.0, odometer=50_127_000.0)
    (event,) = after(LEFT, *seconds)
    assert event.value == pytest.approx(3_600 - 100 - 3_000 * 1.03)
    assert event.end_us == 5_000_000


def test_what_was_driven_before_the_last_word_was_written_down_is_taken_off() -> None:
    kept = {"odometer_m": 5_012.5, "unseen_m": 167.0}
    assert after(whereabouts(kept, 1_000_000, 0), second(5, odometer=5_012.5 + 366)) == []
    assert len(after(whereabouts(kept, 1_000_000, 0), second(5, odometer=5_012.5 + 367.5))) == 1


@pytest.mark.parametrize(("north_m", "is_told"), [(299.0, False), (301.0, True)])
def test_without_an_odometer_the_place_decides_and_is_less_sure(north_m: float, is_told: bool) -> None:
    told = after(Whereabouts(0, None, *BERLIN), second(5, **place(north_m)))
    assert len(told) == is_told
    assert all((event.confidence, event.sources) == (0.5, ("gnss",)) for event in told)


def test_an_odometer_that_has_to_be_asked_for_is_waited_for_and_not_for_ever() -> None:
    far = second(5, **place(9_000))
    assert after(LEFT, far, second(4 + ODOMETER_US / 1e6, **place(9_000))) == []
    (event,) = after(LEFT, far, second(5 + ODOMETER_US / 1e6, **place(9_000)))
    assert event.sources == ("gnss",)


def test_nothing_is_told_when_nothing_was_known_before() -> None:
    assert after(whereabouts({}, None, 0), second(5, odometer=50_123_400.0, **place(0))) == []


def test_nobody_knows_since_when_where_nobody_knows_the_time() -> None:
    (event,) = after(whereabouts({"odometer_m": 1.5}, None, 7), second(5, odometer=50_000.5))
    assert event.start_us == event.end_us == 5_000_000


def test_pulled_out_and_put_back_is_told_once_the_supply_is_there() -> None:
    absence = Absence()
    assert absence.step(second(1, odometer=1_000.5, battery=12.6)) is None
    absence.unplugged()
    bag = [second(at_s, battery=0.1, **place(at_s * 100)) for at_s in (10, 20, 30)]
    assert [absence.step(one) for one in bag] == [None] * 3
    assert absence.step(second(40, **place(9_000))) is None
    event = absence.step(second(1250, odometer=42_000.5, battery=12.6))
    assert event is not None
    assert (event.value, event.start_us, event.end_us) == (41_000, 1_000_000, 1_250_000_000)
    assert absence.step(second(1251, odometer=99_000.5, battery=12.6)) is None


def test_a_restart_while_it_waits_forgets_nothing() -> None:
    absence = Absence(LEFT)
    for one in (second(5, 0.0, **place(0)), second(9, 500.0, speed=20.0, **place(500))):
        assert absence.step(one) is None
    again = msgspec.convert(absence.kept(5.0), Whereabouts)
    assert again.odometer_m == LEFT.odometer_m
    assert again.unseen_m == pytest.approx(500 + 1.2 * 20 * 5)


def test_what_is_kept_is_the_newest_of_each() -> None:
    absence = Absence()
    for one in (second(1, odometer=10.5), second(2, speed=10.0, **place(0)), second(3, speed=10.0, odometer=20.5)):
        absence.step(one)
    assert absence.kept(5.0) == {
        "at_us": 3_000_000, "odometer_m": 20.5, "lat_deg": BERLIN[0], "lon_deg": BERLIN[1], "unseen_m": 60.0
    }  # fmt: skip
