"""The power decider: states, what wakes it, floor and budget, and sensors that are wrong."""

from dataclasses import replace
from random import Random

import pytest
from msgspec.structs import replace as changed

from agent.power.duty import RUNS, Account, Plan, Resume, Signs, Suspend
from agent.power.power import DRY_LOOK_S, LOOK_S, REFUSED_S_MIN, STANDS_S, Power
from agent.power.voltage import ALONE_S, BELIEVED_S, STUCK_S
from agent.power.waking import FALSE_MAX, Alarms
from agent.settings.power import Hooks
from agent.settings.power import Power as PowerSettings
from tests.parking import WITH_HOOKS

DRIVES = Signs(engine="on", ignition=True, speed_mps=14.0, volt=14.1, is_bus_active=True, is_shaken=True)
PARKED = Signs(engine="off", ignition=False, speed_mps=0.0, volt=12.6)
NO_WATCH = changed(WITH_HOOKS, watch_s=0.0)


class Terminal:
    """A decider with a clock. `plan` is its last, `actions` all it asked for."""

    def __init__(self, settings: PowerSettings = WITH_HOOKS, account: Account | None = None) -> None:
        self.now_s = 0.0
        self.power = Power(settings, 0, account or Account())
        self.plan: Plan = self.power.plan
        self.actions: list[object] = []

    def run(self, seconds: float, signs: Signs, step_s: float = 1.0) -> Plan:
        """Turn for so long, or until it sleeps."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += min(step_s, until_s - self.now_s)
            self.plan = self.power.step(round(self.now_s * 1e6), signs)
            if self.plan.action is not None:
                self.actions.append(self.plan.action)
            if isinstance(self.plan.action, Suspend):
                break
        return self.plan

    def park(self, signs: Signs = PARKED) -> Suspend:
        """Drive, park, and turn until it sleeps."""
        self.run(60, DRIVES)
        return self.sleeps(signs)

    def sleeps(self, signs: Signs = PARKED) -> Suspend:
        """Turn until it sleeps."""
        action = self.run(20_000, signs).action
        assert isinstance(action, Suspend), self.plan
        return action

    def wake(self, by: str, after_s: float = 3600.0) -> None:
        """The hook ends."""
        self.now_s += after_s
        self.power.woke(round(self.now_s * 1e6), by)


# ---- states ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signs", "state", "reason"),
    [
        pytest.param(DRIVES, "driving", "it moves", id="at speed"),
        pytest.param(replace(PARKED, speed_mps=1.39), "driving", "it moves", id="at 5 km/h"),
        pytest.param(replace(PARKED, speed_mps=1.38), "settling", "the car was in use just now", id="just under it"),
        pytest.param(replace(PARKED, engine="on"), "driving", "the engine runs", id="the engine idles"),
        pytest.param(replace(PARKED, ignition=True), "driving", "the ignition is on", id="ignition on, engine off"),
        pytest.param(Signs(volt=13.2), "driving", "a generator charges", id="only a voltage, at 13.2 V"),
        pytest.param(Signs(volt=13.19), "settling", "the car was in use just now", id="only a voltage, just under"),
        pytest.param(Signs(volt=26.4), "driving", "a generator charges", id="24 V system at 26.4 V"),
        pytest.param(Signs(volt=25.2), "settling", "the car was in use just now", id="24 V system at rest"),
        pytest.param(Signs(volt=15.6), "settling", "the car was in use just now", id="over what generators give"),
        pytest.param(replace(PARKED, volt=14.4), "settling", "the car was in use just now", id="on a charger"),
        pytest.param(replace(DRIVES, volt=None), "driving", "it moves", id="no voltage"),
    ],
)
def test_a_car_in_use_is_told_by_whatever_says_so(signs: Signs, state: str, reason: str) -> None:
    plan = Terminal().run(30, signs)
    assert (plan.state, plan.reason) == (state, reason)
    assert plan.run == RUNS[plan.state]


def test_a_drive_a_stop_and_a_night_go_through_all_states() -> None:
    terminal = Terminal()
    seen: list[tuple[str, str]] = []
    for seconds, signs in [(600.0, DRIVES), (8000.0, PARKED)]:
        for _ in range(int(seconds)):
            terminal.run(1, signs)
            told = (terminal.plan.state, terminal.plan.reason)
            if not seen or seen[-1] != told:
                seen.append(told)
            if terminal.plan.state == "asleep":
                break
    assert seen == [
        ("driving", "it moves"),
        ("settling", "the car was in use just now"),
        ("parked", "it keeps watch"),
        ("asleep", "the car is parked"),
    ]
    assert 600 + 360 + 1800 <= terminal.now_s <= 600 + 360 + 1800 + 3
    assert terminal.actions == [Suspend(86_400, ("can", "motion", "voltage"))]


@pytest.mark.parametrize(("is_queue_empty", "settled_s"), [(True, 360), (False, 900)])
def test_settling_waits_for_records_but_not_for_ever(is_queue_empty: bool, settled_s: float) -> None:
    terminal = Terminal()
    terminal.run(60, DRIVES)
    signs = replace(PARKED, is_queue_empty=is_queue_empty)
    assert terminal.run(settled_s, signs).state == "settling"
    assert terminal.run(2, signs).state == "parked"


@pytest.mark.parametrize(("volt", "keeps"), [(12.4, True), (12.39, False), (None, False)])
def test_watch_is_kept_only_over_a_good_battery(volt: float | None, keeps: bool) -> None:
    terminal = Terminal()
    suspend = terminal.park(replace(PARKED, volt=volt))
    assert (terminal.now_s > 60 + 360 + 1800) is keeps
    assert not suspend.is_off


def test_a_bus_that_does_not_fall_silent_is_left_out_after_half_an_hour() -> None:
    terminal = Terminal(NO_WATCH)
    assert terminal.park(replace(PARKED, is_bus_active=True)) == Suspend(3600, ("motion", "voltage"))
    assert 360 + 1800 <= terminal.now_s - 60 <= 360 + 1803


def test_switched_off_by_a_setting_it_never_sleeps() -> None:
    assert Terminal(changed(WITH_HOOKS, enabled=False)).run(20_000, replace(PARKED, volt=11.0), 10).state == "driving"


def test_without_a_hook_it_goes_on_listening_and_reports_by_the_timer() -> None:
    terminal = Terminal(PowerSettings(watch_s=0))
    terminal.run(60, DRIVES)
    plan = terminal.run(1000, PARKED)
    assert (plan.state, plan.action, plan.run.listen, plan.run.radio) == ("asleep", None, True, False)
    waits = replace(PARKED, is_queue_empty=False)
    radios = [terminal.run(10, waits, 10).run.radio for _ in range(9000)]
    assert 100 <= 10 * sum(radios) <= 130, "two minutes of that day"
    assert terminal.run(1, DRIVES).state == "driving"
    assert terminal.actions == []


# ---- waking ---------------------------------------------------------------------------------------------------------


def test_a_wake_resumes_looks_round_and_sleeps_again() -> None:
    terminal = Terminal(NO_WATCH)
    terminal.park()
    terminal.wake("timer", 86_400)
    plan = terminal.run(1, replace(PARKED, is_queue_empty=False))
    assert (plan.state, plan.action, plan.run.radio) == ("parked", Resume(), True)
    assert terminal.run(LOOK_S - 2, PARKED).state == "parked"
    assert terminal.run(3, PARKED).state == "asleep"


@pytest.mark.parametrize(("by", "talks"), [("timer", True), ("motion", True), ("can", False)])
def test_the_radio_is_not_switched_on_for_a_chattering_bus(by: str, talks: bool) -> None:
    terminal = Terminal(NO_WATCH)
    terminal.park()
    terminal.wake(by)
    assert terminal.run(5, replace(PARKED, is_queue_empty=False)).run.radio is talks


def test_the_radio_gives_up_after_two_minutes() -> None:
    terminal = Terminal(NO_WATCH)
    terminal.park()
    terminal.wake("timer")
    waits = replace(PARKED, is_queue_empty=False)
    assert terminal.run(119, waits).run.radio
    assert terminal.run(2, waits).state == "asleep"


def test_a_driver_is_noticed_within_a_second_of_waking() -> None:
    terminal = Terminal(NO_WATCH)
    terminal.park()
    terminal.wake("can")
    assert terminal.run(1, DRIVES).state == "driving"
    assert terminal.power.account.in_vain == 0


@pytest.mark.parametrize(
    ("volt", "heartbeat_s"),
    [(12.6, 86_400), (12.4, 86_400), (12.39, 172_800), (12.2, 172_800), (12.19, 604_800), (None, 172_800)],
)
def test_the_heartbeat_is_rarer_as_the_voltage_falls(volt: float | None, heartbeat_s: int) -> None:
    assert Alarms(86_400.0).set(0, volt)[0] == heartbeat_s


def test_without_a_heartbeat_no_timer_wakes() -> None:
    assert Alarms(0.0).set(0, 12.6) == (0, ("can", "motion", "voltage"))


def test_a_source_that_calls_for_nothing_is_left_out_ever_longer() -> None:
    alarms, waits_s = Alarms(0.0), []
    for number in range(FALSE_MAX + 6):
        alarms.rang(0, "can")
        wake_after_s, wake_on = alarms.set(0, 12.6)
        assert ("can" in wake_on) is (number < FALSE_MAX - 1)
        waits_s.append(wake_after_s)
    assert waits_s == [0, 0, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400]
    assert "can" not in alarms.set(round((86_400 - 1) * 1e6), 12.6)[1]
    assert "can" in alarms.set(round(86_400 * 1e6), 12.6)[1]
    alarms.drove()
    assert alarms.set(0, 12.6) == (0, ("can", "motion", "voltage"))
    assert alarms.counts == {"can": FALSE_MAX + 6}


def test_a_hook_that_fails_is_tried_again_later() -> None:
    terminal = Terminal(NO_WATCH)
    terminal.park()
    gaps_s = []
    for _ in range(4):
        before_s = terminal.now_s
        terminal.power.refused(round(terminal.now_s * 1e6), "exit 1")
        assert terminal.run(1, PARKED).reason == "it could not be put to sleep"
        terminal.sleeps()
        gaps_s.append(terminal.now_s - before_s)
    assert gaps_s == pytest.approx([REFUSED_S_MIN * 2**number for number in range(4)], abs=1.5)
    assert terminal.power.told()["refusals"] == 4


# ---- floor, budget, service -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volt", "celsius", "is_low"),
    [
        pytest.param(12.2, None, False, id="at the floor"),
        pytest.param(12.19, None, True, id="just under"),
        pytest.param(12.19, 30.0, True, id="warm"),
        pytest.param(12.4, -10.0, False, id="at the floor of -10 degC"),
        pytest.param(12.39, -10.0, True, id="just under that"),
        pytest.param(12.6, -40.0, False, id="the cold raises it by 0.4 V at most"),
        pytest.param(12.59, -40.0, True, id="just under that too"),
        pytest.param(24.4, None, False, id="24 V at the floor"),
        pytest.param(24.3, None, True, id="24 V under it"),
    ],
)
def test_under_the_floor_for_a_minute_everything_stops(volt: float, celsius: float | None, is_low: bool) -> None:
    terminal = Terminal()
    signs = replace(PARKED, volt=volt, temperature_c=celsius)
    assert terminal.run(59, signs).state == "settling"
    plan = terminal.run(15, signs)
    assert (plan.state == "asleep") is is_low
    if is_low:
        assert plan.action == Suspend(DRY_LOOK_S, ("can", "motion", "voltage"), is_off=True)
        assert plan.run == RUNS["asleep"]
        assert "floor" in plan.reason


def test_a_dip_of_less_than_the_hold_is_no_floor() -> None:
    terminal = Terminal()
    terminal.run(60, PARKED)
    assert terminal.run(58, replace(PARKED, volt=11.9)).state == "settling"
    assert terminal.run(200, PARKED).state == "settling"
    assert not terminal.power.account.is_low


@pytest.mark.parametrize("dip_v", [9.9, 7.0, 4.5, 0.0])
def test_cranking_is_no_low_battery(dip_v: float) -> None:
    terminal = Terminal(NO_WATCH)
    terminal.park(replace(PARKED, volt=12.3))
    terminal.wake("voltage")
    terminal.run(2, replace(PARKED, volt=12.2, ignition=True))
    terminal.run(4.9, replace(PARKED, engine="unknown", volt=dip_v, ignition=True), 0.1)
    assert terminal.run(30, replace(DRIVES, speed_mps=0.0)).state == "driving"
    assert not terminal.power.account.is_low
    assert terminal.power.told()["doubt"] == ""


def test_ripple_about_the_threshold_of_charging_does_not_flap() -> None:
    terminal, rng, states = Terminal(), Random(1), set()
    terminal.run(30, Signs(volt=13.9))
    for _ in range(3000):
        states.add(terminal.run(0.1, Signs(volt=13.2 + rng.uniform(-0.15, 0.6)), 0.1).state)
    assert states == {"driving"}


def test_a_smart_generator_at_12_4_v_does_not_end_a_drive() -> None:
    terminal = Terminal()
    assert terminal.run(3600, replace(DRIVES, volt=12.4)).state == "driving"
    assert terminal.power.told()["doubt"] == ""


def test_a_dead_generator_does_not_stop_a_car_that_moves() -> None:
    terminal = Terminal()
    assert terminal.run(3600, replace(DRIVES, volt=11.5)).state == "driving"


def test_an_engine_that_stands_at_the_floor_is_not_believed_for_ever() -> None:
    terminal = Terminal()
    stands = replace(DRIVES, speed_mps=0.0, volt=11.5)
    assert terminal.run(STANDS_S - 1, stands).state == "driving"
    assert terminal.run(60, stands).state == "asleep"


def test_an_ignition_left_on_does_not_flatten_the_battery() -> None:
    terminal = Terminal()
    left_on = Signs(engine="off", ignition=True, volt=12.1)
    assert terminal.run(59, left_on).state == "driving"
    assert terminal.run(5, left_on).state == "asleep"


@pytest.mark.parametrize(("volt", "begins"), [(12.49, False), (12.5, True), (14.0, True)])
def test_it_begins_again_over_the_hysteresis(volt: float, begins: bool) -> None:
    terminal = Terminal(WITH_HOOKS, Account(is_low=True))
    assert terminal.power.plan.state == "parked"
    plan = terminal.run(40, replace(PARKED, volt=volt))
    assert ("floor" in plan.reason) is not begins
    assert terminal.power.account.is_low is not begins


@pytest.mark.parametrize(("volt", "most_ah"), [(12.6, 4.0), (None, 1.5)])
def test_the_budget_ends_it_with_a_good_battery_too(volt: float | None, most_ah: float) -> None:
    signs = replace(PARKED, volt=volt)
    under = Terminal(WITH_HOOKS, Account(spent_ah=most_ah - 0.1))
    over = Terminal(WITH_HOOKS, Account(spent_ah=most_ah))
    assert "were taken" not in under.run(30, signs).reason
    plan = over.run(30, signs)
    assert plan.state == "asleep"
    assert plan.reason.startswith(f"{most_ah:.1f} Ah were taken")


def test_driving_gives_the_budget_back() -> None:
    terminal = Terminal(WITH_HOOKS, Account(spent_ah=4.0))
    assert terminal.run(3600, DRIVES).state == "driving"
    assert terminal.power.account.spent_ah == 0.0


@pytest.mark.parametrize(
    ("signs", "left_ah"),
    [
        pytest.param(Signs(engine="on", speed_mps=0.0, volt=14.1), 0.0, id="the engine idles"),
        pytest.param(Signs(speed_mps=14.0, volt=12.4), 0.0, id="it moves, and no more is known"),
        pytest.param(Signs(volt=13.0), 1.25, id="the voltage is not a generator's"),
        pytest.param(Signs(volt=14.1), 0.0, id="the voltage rose to a generator's"),
        pytest.param(Signs(engine="off", ignition=True, volt=12.5), 1.25, id="only the ignition is on"),
    ],
)
def test_what_gives_charge_back_is_driving_or_a_voltage_that_rose(signs: Signs, left_ah: float) -> None:
    terminal = Terminal(changed(WITH_HOOKS, settle_s=7200), Account(spent_ah=1.0, rest_v=12.6))
    terminal.run(3600, signs)
    assert terminal.power.account.spent_ah == pytest.approx(left_ah, abs=0.01)


def test_charge_is_counted_state_by_state() -> None:
    terminal = Terminal(NO_WATCH)
    terminal.run(3600, DRIVES)
    terminal.run(360, PARKED)
    assert terminal.power.account.spent_ah == pytest.approx(0.25 * 360 / 3600, rel=0.02)
    terminal.sleeps()
    before_ah = terminal.power.account.spent_ah
    terminal.wake("timer", 36_000)
    assert terminal.power.account.spent_ah - before_ah == pytest.approx(0.005 * 10)


def test_with_nothing_left_only_a_voltage_that_rose_is_a_generator() -> None:
    account = Account(spent_ah=4.0, rest_v=13.4)
    assert Terminal(WITH_HOOKS, account).run(30, Signs(volt=13.7)).state == "asleep"
    assert Terminal(WITH_HOOKS, account).run(30, Signs(volt=13.85)).state == "driving"


def test_called_in_vain_with_nothing_left_it_turns_deaf_for_a_day() -> None:
    terminal, asked = Terminal(WITH_HOOKS, Account(is_low=True)), []
    low = replace(PARKED, volt=11.9)
    for _ in range(5):
        asked.append(terminal.sleeps(low))
        terminal.wake("can")
    everybody = Suspend(604_800, ("can", "motion", "voltage"), is_off=True)
    deaf = Suspend(86_400, ("voltage",), is_off=True)
    assert asked == [everybody, everybody, deaf, everybody, deaf]


def test_service_keeps_it_awake_until_its_time_is_up() -> None:
    terminal = Terminal(NO_WATCH)
    terminal.run(60, DRIVES)
    assert terminal.power.stay(round(terminal.now_s * 1e6), 7200) == ""
    plan = terminal.run(7199, PARKED)
    assert (plan.state, plan.reason, plan.run.radio) == ("parked", "it is kept awake for service", True)
    assert terminal.run(15, PARKED).state == "asleep"


@pytest.mark.parametrize(
    ("for_s", "account", "why"),
    [
        pytest.param(14_400, Account(), "", id="the longest"),
        pytest.param(14_401, Account(), "14401 s are too long: power.stay_s_max = 14400", id="longer"),
        pytest.param(60, Account(is_low=True), "the battery is at its floor", id="at the floor"),
        pytest.param(
            60, Account(spent_ah=9), "9.0 Ah were taken since the car was driven, all that may be", id="spent"
        ),
    ],
)
def test_service_is_refused_with_a_reason(for_s: float, account: Account, why: str) -> None:
    assert Power(WITH_HOOKS, 0, account).stay(0, for_s) == why


def test_service_ends_at_the_floor() -> None:
    terminal = Terminal()
    terminal.run(60, DRIVES)
    terminal.power.stay(round(terminal.now_s * 1e6), 14_400)
    assert "floor" in terminal.run(120, replace(PARKED, volt=12.0)).reason


# ---- wrong sensors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("legs", "doubt"),
    [
        pytest.param(
            [(60, replace(DRIVES, volt=0.0))], "the supply reads 0.0 V, with which no terminal runs", id="0 V"
        ),
        pytest.param(
            [(60, replace(PARKED, volt=60.0))], "the supply reads 60.0 V, with which no terminal runs", id="60 V"
        ),
        pytest.param([(60, replace(DRIVES, volt=9.5))], "the supply reads 9.5 V while the engine runs", id="starved"),
        pytest.param([(29, replace(DRIVES, volt=9.5))], "", id="starved for less than it takes"),
        pytest.param([(60, replace(DRIVES, volt=10.0))], "", id="a generator that died, at 10 V"),
        pytest.param(
            [(STUCK_S + 1, replace(DRIVES, volt=12.6)), (STUCK_S + 1, PARKED)],
            "the supply reads 12.60 V, engine on or off: stuck",
            id="stuck",
        ),
        pytest.param([(STUCK_S + 1, replace(DRIVES, volt=12.7)), (STUCK_S + 1, PARKED)], "", id="a smart generator"),
        pytest.param([(ALONE_S - 10, Signs(volt=14.1))], "", id="high, not yet for long"),
        pytest.param(
            [(ALONE_S + 10, Signs(volt=14.1))],
            "the supply reads 14.1 V and nothing else says that the engine runs",
            id="high, and nothing moves",
        ),
        pytest.param([(ALONE_S + 10, Signs(volt=14.1, is_shaken=True))], "", id="high, and it moves"),
        pytest.param([(60, replace(PARKED, volt=None))], "no supply voltage is measured", id="absent"),
    ],
)
def test_a_wrong_sensor_is_found_by_what_contradicts_it(legs: list[tuple[float, Signs]], doubt: str) -> None:
    terminal = Terminal()
    for seconds, signs in legs:
        terminal.run(seconds, signs)
    told = terminal.power.told()
    assert told["doubt"] == doubt
    assert (told["volt"] is None) is bool(doubt)


def test_a_sensor_is_believed_again_when_it_made_sense_for_a_minute() -> None:
    terminal = Terminal()
    terminal.run(60, replace(DRIVES, volt=0.0))
    terminal.run(BELIEVED_S - 2, DRIVES)
    assert terminal.power.told()["doubt"]
    terminal.run(4, DRIVES)
    assert terminal.power.told() == terminal.power.told() | {"doubt": "", "volt": 14.1}


def test_a_sensor_that_reads_too_high_stays_doubted_until_something_agrees() -> None:
    terminal, high = Terminal(), Signs(volt=14.1)
    terminal.run(ALONE_S + 10, high)
    assert terminal.run(600, high).reason == "the car is parked"
    assert terminal.power.told()["doubt"]
    assert terminal.run(BELIEVED_S + 5, replace(high, engine="on")).state == "driving"
    assert terminal.power.told()["doubt"] == ""


def test_a_battery_fresh_from_the_charger_is_no_wrong_sensor() -> None:
    terminal = Terminal(changed(WITH_HOOKS, watch_s=86_400))
    terminal.run(ALONE_S + 600, Signs(volt=13.1))
    assert terminal.power.told() == terminal.power.told() | {"doubt": "", "state": "parked"}


@pytest.mark.parametrize(
    ("engine", "volt", "is_doubted"), [("on", 10.9, True), ("on", 11.0, False), ("off", 10.9, False)]
)
def test_what_is_believed_again_depends_on_the_engine(engine: str, volt: float, is_doubted: bool) -> None:
    terminal = Terminal(changed(WITH_HOOKS, settle_s=7200))
    terminal.run(60, replace(DRIVES, volt=9.0))
    terminal.run(BELIEVED_S + 5, replace(DRIVES if engine == "on" else PARKED, volt=volt))
    assert bool(terminal.power.told()["doubt"]) is is_doubted


def test_the_first_reading_after_a_sleep_counts_whole() -> None:
    terminal = Terminal(NO_WATCH)
    terminal.park()
    terminal.wake("timer", 86_400)
    terminal.run(1, replace(PARKED, volt=12.3))
    assert terminal.power.told()["volt"] == 12.3


def test_a_sensor_that_reads_0_v_never_stops_a_drive() -> None:
    terminal = Terminal()
    assert {terminal.run(1, replace(DRIVES, volt=0.0)).state for _ in range(600)} == {"driving"}
    assert not terminal.power.account.is_low


def test_the_starter_of_a_truck_does_not_make_it_a_car() -> None:
    terminal = Terminal()
    terminal.run(60, replace(PARKED, volt=25.0))
    terminal.run(4, replace(PARKED, volt=16.0))
    dipped_v = terminal.power.told()["volt"]
    assert isinstance(dipped_v, float)
    assert 11.0 < dipped_v < 12.0, "halved, and smoothed"
    assert terminal.run(60, replace(PARKED, volt=25.0)).state == "settling"
    assert terminal.power.told()["volt"] == pytest.approx(12.5, abs=0.02)


def test_a_year_without_any_hook_stays_within_its_words() -> None:
    terminal = Terminal(PowerSettings(hooks=Hooks()), Account(spent_ah=4.0))
    plan = terminal.run(3600, PARKED)
    assert (plan.state, plan.run.radio, plan.run.poll, plan.run.listen) == ("asleep", False, False, True)
