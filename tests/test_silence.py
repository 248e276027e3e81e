"""Whether we may transmit, and why not: each reason at its threshold and just under it, their order, what is counted."""

from dataclasses import replace
from random import Random

import pytest

from agent.asking.silence import AWAKE_US, CALM_US, REASONS, Rule, Signs, Silence

S = 1_000_000
RULE = Rule(listen_only=False, tester_s=60.0, engine_off_s=300.0, floor_v=11.8, charging_v=13.2)
DRIVING = Signs(is_there=True, is_proved=True, rpm=800.0, voltage_v=14.1, frames=1)


class Watch:
    """A silence decider on an axis of seconds; signs stay as they were told last, frames go on by themselves."""

    def __init__(self, signs: Signs = DRIVING, rule: Rule = RULE, *, has_traffic: bool = True) -> None:
        self.silence = Silence(rule)
        self.signs = signs
        self.has_traffic = has_traffic
        self.now_us = 0
        self.at(0)

    def at(self, second: float, **told: object) -> str:
        """The reason at this second, after the time until then has passed in steps of 0.5 s."""
        while self.now_us + S // 2 < second * S:
            self.now_us += S // 2
            self._step()
        self.now_us = round(second * S)
        self.signs = replace(self.signs, **told)  # type: ignore[arg-type]  # a test names what changes
        return self._step()

    def _step(self) -> str:
        if self.has_traffic:
            self.signs = replace(self.signs, frames=self.signs.frames + 1)
        return self.silence.step(self.now_us, self.signs)


def test_in_a_car_that_drives_and_is_proved_we_may_ask() -> None:
    assert Watch().at(1) == ""


# Order


@pytest.mark.parametrize("first", range(len(REASONS)))
def test_of_several_reasons_the_first_in_the_settled_order_is_told(first: int) -> None:
    rule = replace(RULE, listen_only=first <= 0)
    watch = Watch(Signs(is_there=True, is_proved=True), rule, has_traffic=False)
    told = {
        "is_there": first > 1,
        "is_bus_off": first <= 2,
        "errors": int(first <= 3),
        "foreign": int(first <= 4),
        "voltage_v": 11.0 if first <= 5 else 14.0 if first > 6 else None,
        "is_proved": False,
    }
    assert watch.at(1, **told) == REASONS[first]


# Another tester


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        pytest.param(10.0, "tester", id="at once"),
        pytest.param(69.9, "tester", id="just under 60 s after"),
        pytest.param(70.0, "", id="60 s after"),
    ],
)
def test_we_yield_to_another_tester_and_come_back_60_s_after_its_last_request(second: float, reason: str) -> None:
    watch = Watch()
    watch.at(9.9, foreign=4)
    assert watch.at(10.0, foreign=5) == "tester"
    assert watch.at(second) == reason


def test_a_tester_that_goes_on_keeps_us_silent() -> None:
    watch = Watch()
    assert {watch.at(second, foreign=second) for second in range(1, 200, 7)} == {"tester"}


def test_a_count_that_began_anew_with_its_device_is_no_tester_and_one_that_grew_since_is() -> None:
    watch = Watch()
    watch.at(1, foreign=5)
    assert watch.at(62, foreign=0) == ""
    assert watch.at(63, foreign=1) == "tester"


# Faults of the bus


@pytest.mark.parametrize(
    ("second", "reason"),
    [(10.0, "bus_error"), (10.9, "bus_error"), (11.0, "")],
)
def test_error_frames_keep_us_quiet_for_a_second(second: float, reason: str) -> None:
    watch = Watch()
    watch.at(10, errors=1)
    assert watch.at(second) == reason


def test_a_storm_of_errors_keeps_us_quiet_until_a_second_after_its_end() -> None:
    watch = Watch()
    for half in range(20, 80):
        assert watch.at(half / 2, errors=half) == "bus_error"
    assert watch.at(40.4) == "bus_error"
    assert watch.at(40.5) == ""
    assert watch.silence.health(0)["recoveries"]["bus_error"] == 1


@pytest.mark.parametrize(("told", "least_s"), [("errors", 1), ("is_bus_off", 5)])
def test_a_fault_that_comes_back_as_soon_as_we_do_doubles_the_quiet_up_to_a_minute(told: str, least_s: int) -> None:
    watch = Watch()
    quiet_s, second = [], 10.0
    for errors in range(1, 10):
        watch.at(second, **{told: errors if told == "errors" else True})
        begun = second
        while watch.at(second + 0.5, **({} if told == "errors" else {"is_bus_off": False})):
            second += 0.5
        quiet_s.append(round(second + 0.5 - begun))
        second += 1.0
    assert quiet_s == [min(least_s * 2**bout, 60) for bout in range(9)]
    assert watch.silence.health(0)["recoveries"][f"bus_{'error' if told == 'errors' else 'off'}"] == 9


@pytest.mark.parametrize(("after_s", "quiet_s"), [(CALM_US / S - 0.5, 2), (CALM_US / S, 1)])
def test_a_fault_after_a_calm_minute_counts_as_the_first(after_s: float, quiet_s: int) -> None:
    watch = Watch()
    watch.at(10, errors=1)
    assert watch.at(11) == ""
    watch.at(11 + after_s, errors=2)
    assert watch.at(11 + after_s + quiet_s - 0.1) == "bus_error"
    assert watch.at(11 + after_s + quiet_s) == ""


def test_while_the_controller_is_off_the_bus_we_are_silent_however_long_it_takes() -> None:
    watch = Watch()
    watch.at(10, is_bus_off=True)
    assert watch.at(500) == "bus_off"
    watch.at(501, is_bus_off=False)
    assert watch.at(505) == "bus_off"
    assert watch.at(506) == ""


# Supply


@pytest.mark.parametrize(
    ("volts", "reasons"),
    [
        pytest.param(
            [11.8, 11.79, 11.8, 12.29, 12.3], ["", "low_voltage", "low_voltage", "low_voltage", ""], id="both"
        ),
        pytest.param([14.0, 9.0, 14.0], ["", "low_voltage", ""], id="cranking"),
        pytest.param([11.0, None, None], ["low_voltage"] * 3, id="unknown again: believed for a while"),
    ],
)
def test_under_the_floor_we_are_silent_until_well_above_it(volts: list[float | None], reasons: list[str]) -> None:
    watch = Watch()
    assert [watch.at(second, voltage_v=volt) for second, volt in enumerate(volts, start=1)] == reasons


def test_a_low_voltage_that_nobody_tells_any_more_is_forgotten_after_a_minute() -> None:
    watch = Watch()
    watch.at(10, voltage_v=11.0)
    watch.at(10.5, voltage_v=None)
    assert watch.at(69.5) == "low_voltage"
    assert watch.at(70.0) == ""


# Engine


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param({"rpm": 1.0}, id="revolutions"),
        pytest.param({"ignition": True}, id="ignition"),
        pytest.param({"ignition_line": True}, id="an ignition line"),
        pytest.param({"voltage_v": 13.2}, id="charged"),
        pytest.param({"speed_mps": 1.39}, id="moving"),
        pytest.param({"speed_mps": 20.0, "rpm": 0.0}, id="a hybrid that drives without its engine"),
        pytest.param({"voltage_v": 12.4, "rpm": 900.0}, id="an alternator that rests"),
    ],
)
def test_a_car_that_runs_is_asked(runs: dict[str, object]) -> None:
    watch = Watch(Signs(is_there=True, is_proved=True))
    assert watch.at(1000, **runs) == ""
    assert watch.at(2000) == ""


@pytest.mark.parametrize(
    "stands",
    [
        pytest.param({"rpm": 0.0}, id="no revolutions"),
        pytest.param({"ignition": False}, id="ignition off"),
        pytest.param({"ignition_line": False}, id="an ignition line that is off"),
        pytest.param({"rpm": 0.0, "voltage_v": 13.19}, id="just not charged"),
        pytest.param({"rpm": 0.0, "speed_mps": 1.38}, id="position noise"),
    ],
)
def test_when_the_engine_is_off_we_fall_silent_after_the_time_set(stands: dict[str, object]) -> None:
    watch = Watch()
    watch.at(99.5)
    watch.at(100, **({"rpm": None, "voltage_v": None} | stands))
    assert watch.at(399.4) == ""
    assert watch.at(399.5) == "engine_off"
    assert watch.at(4000) == "engine_off"
    assert watch.at(4000.5, rpm=700.0) == ""


def test_at_the_start_a_parked_car_is_not_asked() -> None:
    watch = Watch(Signs(is_there=True, is_proved=True, voltage_v=12.6), has_traffic=False)
    assert {watch.at(second) for second in range(0, 4000, 13)} == {"engine_off"}


def test_a_bus_that_falls_asleep_is_not_woken_though_its_last_word_was_ignition_on() -> None:
    watch = Watch(replace(DRIVING, ignition=True, voltage_v=None))
    watch.at(100)
    watch.has_traffic = False
    assert watch.at(405, rpm=None) == ""
    assert watch.at(410) == "engine_off"
    assert watch.at(40_000) == "engine_off"


@pytest.mark.parametrize(("silent_us", "reason"), [(AWAKE_US - 1, ""), (AWAKE_US, "engine_off")])
def test_a_bus_is_asleep_after_10_s_without_a_frame(silent_us: int, reason: str) -> None:
    silence = Silence(replace(RULE, engine_off_s=0.0))
    signs = Signs(is_there=True, is_proved=True, frames=1, ignition=True)
    silence.step(S, signs)
    assert silence.step(S + silent_us, signs) == reason


def test_a_bus_that_wakes_is_looked_at_for_10_s_and_again_while_it_stays_awake() -> None:
    watch = Watch(Signs(is_there=True, is_proved=True, voltage_v=12.4), has_traffic=False)
    watch.at(100)
    watch.has_traffic = True
    asked = [second for second in range(101, 1000) if not watch.at(second)]
    assert asked == [*range(101, 111), *range(411, 421), *range(721, 731)]
    watch.has_traffic = False
    assert not any(not watch.at(second) for second in range(1011, 2000))


def test_a_look_that_finds_the_engine_running_lasts() -> None:
    watch = Watch(Signs(is_there=True, is_proved=True))
    watch.at(3, rpm=800.0)
    assert watch.at(900) == ""


# The rest


def test_listen_only_is_never_left() -> None:
    watch = Watch(rule=replace(RULE, listen_only=True))
    assert {watch.at(second, is_proved=True) for second in range(1, 500)} == {"listen_only"}


def test_nothing_is_asked_before_the_bus_is_proved_and_then_at_once() -> None:
    watch = Watch(replace(DRIVING, is_proved=False))
    assert watch.at(100) == "not_proved"
    assert watch.silence.may_probe
    assert watch.at(101, is_proved=True) == ""


@pytest.mark.parametrize(
    ("told", "may_probe"),
    [
        ({"voltage_v": 13.2}, True),
        ({"voltage_v": 13.19}, False),
        ({"ignition_line": True}, True),
        ({"ignition": True}, False),
        ({"voltage_v": 14.0, "foreign": 1}, False),
        ({"voltage_v": 14.0, "errors": 1}, False),
    ],
)
def test_a_silent_bus_may_be_probed_only_when_the_car_is_known_to_run(told: dict[str, object], may_probe: bool) -> None:
    watch = Watch(Signs(is_there=True, is_proved=False), has_traffic=False)
    watch.at(20)
    watch.at(21, **told)
    assert watch.silence.may_probe is may_probe


def test_a_silent_bus_may_not_be_probed_any_more_once_the_charge_is_gone() -> None:
    watch = Watch(Signs(is_there=True, is_proved=False, voltage_v=14.0), has_traffic=False)
    assert watch.at(20) == "not_proved"
    watch.at(21, voltage_v=12.7)
    assert not watch.silence.may_probe


def test_health_tells_the_reason_since_when_and_how_often() -> None:
    watch = Watch()
    watch.at(10, foreign=1)
    watch.at(80, errors=1)
    watch.at(85, is_there=False)
    assert watch.silence.health(95 * S) == {
        "reason": "no_bus",
        "for_us": 10 * S,
        "silences": {"no_bus": 1, "bus_error": 1, "tester": 1},
        "recoveries": {"bus_off": 0, "bus_error": 1},
    }


def test_whatever_the_signs_there_is_always_a_known_reason_or_none() -> None:
    rng = Random(8)
    silence = Silence(RULE)
    now_us = 0
    for _ in range(20_000):
        now_us += rng.choice((0, 1, 10_000, S, 100 * S))
        signs = Signs(
            is_there=rng.random() < 0.9,
            is_bus_off=rng.random() < 0.1,
            is_proved=rng.random() < 0.9,
            errors=rng.randrange(3),
            foreign=rng.randrange(3),
            frames=rng.randrange(1000),
            ignition=rng.choice((None, False, True)),
            ignition_line=rng.choice((None, False, True)),
            rpm=rng.choice((None, 0.0, 800.0)),
            speed_mps=rng.choice((None, 0.0, 30.0)),
            voltage_v=rng.choice((None, 0.0, 11.8, 12.6, 14.2)),
        )
        reason = silence.step(now_us, signs)
        assert reason in ("", *REASONS)
        assert (reason == "no_bus") is not signs.is_there
