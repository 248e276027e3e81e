"""Every number of the rules: a row at it and a row just under it, on inputs so plain that the number decides alone."""

from collections.abc import Sequence

import pytest

from agent.core import ffi, lib
from drivers import batch
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here
from tests.road import G, Road, Timed, Told, core, cruise, drive, half_sine, steady, us, value

BARE = ("hold_s=0", "refractory_s=0")
RULES = ("harsh_braking", "harsh_acceleration", "harsh_cornering")
CALM = [0.0] * 8


def felt(forward: Sequence[float], left: Sequence[float] = (), hz: float = 2) -> list[Timed]:
    """A slow sensor on the vehicle's axes: each of its samples stands for itself."""
    pairs = [(a, left[i] if i < len(left) else 0.0) for i, a in enumerate(forward)]
    return [(i / hz, batch.imu(us(i / hz), [a, b + 0.001 * (i % 2), G])) for i, (a, b) in enumerate(pairs)]


def at_speed(mps: float | None, samples: int, hz: float = 2) -> list[Timed]:
    """Always this speed, or none is told."""
    return [] if mps is None else steady(samples / hz, hz, "speed", mps)


def brake(*levels: float, sets: Sequence[str] = BARE, mps: float | None = 20.0) -> Told:
    """A calm, these levels of braking, a calm."""
    forward = [*CALM, *(-level for level in levels), *CALM]
    return drive(at_speed(mps, len(forward)), felt(forward), sets=[f"detect.harsh_braking.{s}" for s in sets])


@pytest.mark.parametrize(
    ("mps2", "severity"),
    [(3.42, None), (3.43, "low"), (4.40, "low"), (4.41, "medium"), (5.87, "medium"), (5.88, "high")],
)
def test_a_brake_is_as_severe_as_its_peak(mps2: float, severity: str | None) -> None:
    assert [e.severity for e in brake(mps2).events()] == [severity] * (severity is not None)


def test_a_peak_is_the_largest_and_the_window_ends_before_the_release() -> None:
    (event,) = brake(3.5, 4.2, 2.85, 3.0).events()
    assert event.peak_mps2 == pytest.approx(4.2)
    assert (event.start_us, event.end_us) == (us(4), us(5.5))


@pytest.mark.parametrize(("between", "wanted"), [(2.85, 1), (2.84, 2)])
def test_a_brake_ends_under_its_release(between: float, wanted: int) -> None:
    assert len(brake(4, between, 4).events()) == wanted


@pytest.mark.parametrize(("calm", "wanted"), [pytest.param(4, 1, id="2.5 s after"), pytest.param(5, 2, id="3 s after")])
def test_a_brake_within_the_refractory_time_belongs_to_the_one_before(calm: int, wanted: int) -> None:
    found = brake(4, *[0] * calm, 5, sets=["hold_s=0", "refractory_s=3"]).events()
    assert len(found) == wanted
    assert max(e.peak_mps2 for e in found) == pytest.approx(5)
    assert found[-1].end_us == us(4 + (calm + 1) / 2)


@pytest.mark.parametrize(("first", "second"), [(5, 4), (4, 5), (5, 5)])
def test_of_two_brakes_in_one_the_harder_is_its_peak(first: float, second: float) -> None:
    (event,) = brake(first, 0, 0, second, sets=["hold_s=0", "refractory_s=3"]).events()
    assert event.peak_mps2 == pytest.approx(5)


@pytest.mark.parametrize(("gone", "wanted"), [pytest.param(1, 1, id="2 s"), pytest.param(2, 2, id="3 s")])
def test_a_brake_goes_on_over_a_pause_of_two_and_a_half_samples(gone: int, wanted: int) -> None:
    forward = [*CALM, *[-4.0] * (2 + gone), *CALM]
    rows = [row for row in felt(forward, hz=1) if not 9 <= row[0] < 9 + gone]
    told = drive(at_speed(20.0, len(forward), 1), rows, sets=[f"detect.harsh_braking.{s}" for s in BARE])
    assert len(told.events()) == wanted


@pytest.mark.parametrize(("mps", "wanted"), [(2.78, 1), (2.77, 0), (None, 0)])
def test_a_brake_is_entered_at_ten_kmh(mps: float | None, wanted: int) -> None:
    told = brake(4, mps=mps)
    assert len(told.events()) == wanted
    assert told.counters["not_judged"]["harsh_too_slow"] == 1 - wanted


def test_a_gate_of_zero_lets_through_what_has_no_speed() -> None:
    (event,) = brake(4, sets=[*BARE, "min_speed_mps=0"], mps=None).events()
    assert (event.entry_mps, event.exit_mps, event.delta_v_mps) == (None, None, None)


@pytest.mark.parametrize(("mps", "wanted"), [(4.17, ["left", "right"]), (4.16, [])])
def test_a_bend_is_entered_at_fifteen_kmh(mps: float, wanted: list) -> None:
    left = [*CALM, 3.43, 0, 0, 0, -3.44, 0, 0, 0]
    sets = [f"detect.harsh_cornering.{s}" for s in (*BARE, "min_speed_mps=4.17")]
    told = drive(at_speed(mps, len(left)), felt([0.0] * len(left), left), sets=sets)
    assert [e.direction for e in told.events()] == wanted


@pytest.mark.parametrize(("mps", "wanted"), [(2.78, 1), (2.77, 0)])
def test_an_acceleration_ends_at_ten_kmh(mps: float, wanted: int) -> None:
    forward = [*CALM, 3.43, *CALM]
    told = drive(at_speed(mps, 17), felt(forward), sets=[f"detect.harsh_acceleration.{s}" for s in BARE])
    assert len(told.events()) == wanted


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_switched_off_finds_nothing(rule: str) -> None:
    forward, left = [*CALM, -5, 0, 0, 5, 0, 0, 0, 0], [*[0.0] * 14, 5.0]
    sets = [f"detect.{name}.{s}" for name in RULES for s in BARE]
    rows = at_speed(20, 16), felt(forward, left)
    everything = [e.name for e in drive(*rows, sets=sets).events()]
    assert sorted(everything) == sorted(RULES)
    left_over = [e.name for e in drive(*rows, sets=[*sets, f"detect.{rule}.enabled=false"]).events()]
    assert left_over == [name for name in everything if name != rule]


# ---- idling and speeding ---------------------------------------------------------------------------------------------


def stand(mps: float, seconds: float, *sets: str) -> Told:
    """The engine runs while the speed is always this; then it drives off."""
    rows = [*steady(seconds, 1, "speed", mps), *steady(3, 1, "speed", 5.0, seconds + 1)]
    return drive(steady(seconds + 4, 1, "rpm", 800), rows, sets=[f"detect.idling.{s}" for s in sets])


@pytest.mark.parametrize(("seconds", "wanted"), [(119, 1), (118, 0)])
def test_idling_holds_from_the_first_row_to_the_one_that_moves(seconds: float, wanted: int) -> None:
    found = stand(0.0, seconds).events("idling")
    assert [e.end_us - e.start_us for e in found] == [us(120)] * wanted


@pytest.mark.parametrize(("mps", "wanted"), [(0.277, 1), (0.278, 0)])
def test_one_kmh_is_no_stand(mps: float, wanted: int) -> None:
    assert len(stand(mps, 30, "hold_s=20").events("idling")) == wanted


def test_idling_that_is_switched_off_is_not_told() -> None:
    assert not stand(0.0, 130, "enabled=false").events("idling")


def over(*speeds: float, sets: Sequence[str] = ()) -> list:
    """One row a second against a limit of 20 m/s."""
    rows = [(float(i), value(i, "speed", mps)) for i, mps in enumerate(speeds)]
    told = drive(steady(0, 1, "speed_limit", 20.0), rows, sets=[f"detect.speeding.{s}" for s in sets])
    return told.events("speeding")


@pytest.mark.parametrize(("rows", "wanted"), [(11, [(0, 10)]), (10, [])])
def test_speeding_is_held_for_ten_seconds(rows: int, wanted: list) -> None:
    assert [(e.start_us // us(1), e.end_us // us(1)) for e in over(*[21.0] * rows, 10.0)] == wanted


def test_at_the_limit_nobody_speeds() -> None:
    assert not over(*[20.0] * 15)
    assert len(over(*[20.01] * 15)) == 1
    assert not over(*[20.01] * 15, sets=["enabled=false"])


@pytest.mark.parametrize(("dip", "wanted"), [(18.51, 1), (18.5, 2)])
def test_speeding_ends_at_the_hysteresis_under_the_limit(dip: float, wanted: int) -> None:
    assert len(over(*[22.0] * 12, dip, *[22.0] * 12, sets=["hysteresis_mps=1.5"])) == wanted


@pytest.mark.parametrize(("mps", "severity"), [(25.55, "low"), (25.56, "medium"), (31.11, "medium"), (31.12, "high")])
def test_speeding_is_as_severe_as_the_most_it_was_over(mps: float, severity: str) -> None:
    assert [e.severity for e in over(21.0, mps, *[21.0] * 12)] == [severity]


def test_the_margin_moves_the_limit() -> None:
    assert not over(*[22.0] * 15, sets=["margin_mps=2"])
    assert len(over(*[22.01] * 15, sets=["margin_mps=2"])) == 1


# ---- crash -----------------------------------------------------------------------------------------------------------


def blow(mps2: float, seconds: float, rest: Sequence = (), hz: float = 200, sets: Sequence[str] = ()) -> Told:
    """At 15 m/s a square blow from the left, at 10 s; the speed goes on, or as the legs of `rest`."""
    legs = [(0.1, 150, 0), *cruise(10), *(rest or cruise(16))]
    road = Road(legs, blow=lambda t: (0, mps2, 0) if 10 <= t < 10 + seconds - 1e-6 else (0, 0, 0))
    return drive(road.speed(), road.imu(hz, shake=0.001), sets=[f"detect.crash.{s}" for s in sets])


@pytest.mark.parametrize(("seconds", "wanted"), [(0.009, ["impact"]), (0.008, [])])
def test_a_blow_of_eight_milliseconds_triggers(seconds: float, wanted: list) -> None:
    assert [e.name for e in blow(25, seconds, hz=1000).events()] == wanted


@pytest.mark.parametrize(
    ("delta_v", "name", "severity", "locked"),
    [
        (2.1, "impact", "low", False), (2.35, "crash", "low", False), (4.05, "crash", "low", False),
        (4.3, "crash", "medium", False), (6.8, "crash", "medium", False), (7.1, "crash", "high", True),
    ],
)  # fmt: skip
def test_a_blow_is_what_its_change_of_speed_makes_it(delta_v: float, name: str, severity: str, locked: bool) -> None:
    (event,) = blow(delta_v / 0.1, 0.1).events()
    assert (event.name, event.severity, event.locked, event.direction) == (name, severity, locked, "right")
    assert event.delta_v_mps == pytest.approx(delta_v, abs=0.1)


@pytest.mark.parametrize(("after_s", "wanted"), [(8.5, "crash"), (11.5, "impact")])
def test_a_stop_within_ten_seconds_confirms(after_s: float, wanted: str) -> None:
    rest = [*cruise(round(after_s) - 5), (after_s % 1, 0, 0), (5, -3.2, 0), (8, 0, 0)]
    assert [e.name for e in blow(25, 0.05, rest).events("crash", "impact")] == [wanted]


def test_a_crash_rule_that_is_switched_off_finds_nothing_by_blow_or_by_speed() -> None:
    assert not blow(60, 0.1, sets=["enabled=false"]).events()
    road = Road([(3, 0, 0), (5, 3, 0), *cruise(8), (0.7, -15 / 0.7, 0), (8, 0, 0)])
    assert drive(road.speed(5, 1 / 3.6)).events("crash")
    assert not drive(road.speed(5, 1 / 3.6), sets=["detect.crash.enabled=false"]).events("crash")


def test_a_box_that_lies_on_its_side_after_a_blow_confirms_a_crash() -> None:
    def torn(t: float) -> tuple[float, float, float]:
        return (0, 22, 0) if 10 <= t < 10.03 else (0, 8.5, -4.9) if t >= 10.03 else (0, 0, 0)

    road = Road([(0.1, 150, 0), *cruise(24)], blow=torn)
    (event,) = drive(road.speed(), road.imu(100)).events("crash", "impact")
    assert (event.name, event.severity) == ("crash", "low")
    assert event.at_us == pytest.approx(us(13), abs=us(1.1))


def test_a_blow_that_nobody_waits_for_is_told_at_the_end_of_the_input() -> None:
    road = Road([(0.1, 150, 0), *cruise(11)], blow=half_sine(10, 0.05, 1.4, (0, 1, 0)))
    assert [e.name for e in drive(road.speed(), road.imu(200)).events()] == ["impact"]


# ---- the door --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t_us", "wanted"), [(4 * 10**18 - 1, 0), (4 * 10**18, 1), (-4 * 10**18, 1), (1 - 4 * 10**18, 0)]
)
def test_a_time_beyond_any_clock_is_counted_and_not_used(t_us: int, wanted: int) -> None:
    made = core()
    made.feed(batch.value(t_us, 0, 10.0))
    assert made.counters()["values_rejected"]["invalid"] == wanted


def test_the_end_of_the_input_waits_until_the_queue_has_room_and_tells_things_once() -> None:
    rows = [*steady(0, 1, "speed_limit", 10.0), *steady(60, 1, "speed", 12.0)]
    made, inputs = core(), b"".join(raw for _, raw in rows)
    data, count = ffi.from_buffer("tbox_input_t[]", inputs), len(inputs) // 80
    used, out = 0, ffi.new("tbox_output_t *")
    while lib.tbox_feed(made._core, data + used, 1):
        used += 1
    assert used < count
    assert not lib.tbox_finish(made._core)
    while lib.tbox_next(made._core, out):
        assert out.kind == lib.TBOX_OUT_SAMPLE
    assert lib.tbox_finish(made._core)
    assert lib.tbox_next(made._core, out)
    assert (out.kind, out.u.event.kind) == (lib.TBOX_OUT_EVENT, lib.TBOX_SPEEDING)
    assert lib.tbox_finish(made._core)
    assert not lib.tbox_next(made._core, out)


def test_a_core_that_was_fed_nothing_ends_with_nothing() -> None:
    made = core()
    assert made.finish() == []
    assert made.freeze(100) == b""


def test_a_table_that_is_not_sound_makes_no_core() -> None:
    setup, message = ffi.new("tbox_setup_t *"), ffi.new("tbox_message_t *")
    setup.table.messages, setup.table.message_count = message, 1
    memory = ffi.new("char[]", lib.tbox_size(setup) + 16)
    aligned = ffi.cast("char *", int(ffi.cast("uintptr_t", memory)) + 15 & ~15)
    assert lib.tbox_init(aligned, lib.tbox_size(setup), setup) != ffi.NULL
    message.length = 65
    assert lib.tbox_init(aligned, lib.tbox_size(setup), setup) == ffi.NULL
