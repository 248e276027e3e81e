"""What the driver is told: each gate at its edge, and a hard-driven hour that does not become a nuisance."""

from datetime import datetime
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from agent.core import EVENTS
from agent.power.notice import Notice, Show, minute_of
from agent.settings.notice import Notice as NoticeSettings

NOON = 720
LOOSE = NoticeSettings(kind_s=0, any_s=0, hour_max=3600)
BRAKE = ("harsh_braking", "medium")


def told(
    settings: NoticeSettings, events: list[tuple[float, str, str]], minute: int | None = NOON
) -> list[Show | None]:
    notice = Notice(settings)
    return [
        notice.step(round(at_s * 1e6), kind, severity, round(at_s * 1e6), minute) for at_s, kind, severity in events
    ]


@pytest.mark.parametrize(
    ("kind", "severity", "shown"),
    [
        ("harsh_braking", "low", "low"),
        ("harsh_braking", "high", "high"),
        ("speeding", "low", "low"),
        ("fatigue_warning", "low", "medium"),
        ("fatigue", "low", "high"),
        ("overheat", "low", "high"),
        ("crash", "medium", "high"),
    ],
)
def test_an_event_is_as_severe_as_it_is_to_a_driver(kind: str, severity: str, shown: str) -> None:
    assert told(NoticeSettings(), [(0, kind, severity)]) == [Show(kind, shown)]  # type: ignore[arg-type]  # a word of three


@pytest.mark.parametrize(
    ("settings", "kind", "severity", "why"),
    [
        pytest.param(NoticeSettings(enabled=False), *BRAKE, "switched_off", id="all off"),
        pytest.param(NoticeSettings(kinds=("speeding",)), *BRAKE, "switched_off", id="this kind off"),
        pytest.param(NoticeSettings(), "parked_impact", "high", "switched_off", id="nobody is in the car"),
        pytest.param(NoticeSettings(severity="medium"), "harsh_braking", "low", "too_mild", id="under the threshold"),
        pytest.param(NoticeSettings(severity="medium"), *BRAKE, "told", id="at the threshold"),
        pytest.param(NoticeSettings(severity="high"), "fatigue", "low", "told", id="severe to a driver"),
        pytest.param(NoticeSettings(hour_max=0), *BRAKE, "too_many", id="none an hour"),
        pytest.param(NoticeSettings(hour_max=0), "crash", "low", "told", id="but severe ones"),
    ],
)
def test_settings_switch_what_is_told(settings: NoticeSettings, kind: str, severity: str, why: str) -> None:
    notice = Notice(settings)
    shown = notice.step(0, kind, severity, 0, NOON)
    assert (shown is not None) is (why == "told")
    assert notice.counts == {why: 1}


@pytest.mark.parametrize(("age_s", "is_told"), [(0.0, True), (10.0, True), (10.001, False), (3600.0, False)])
def test_what_is_old_is_no_news(age_s: float, is_told: bool) -> None:
    shown = Notice(NoticeSettings()).step(10_000_000_000, *BRAKE, 10_000_000_000 - round(age_s * 1e6), NOON)
    assert (shown is not None) is is_told


@pytest.mark.parametrize(("after_s", "is_told"), [(59.999, False), (60.0, True)])
def test_one_kind_waits_for_its_minute(after_s: float, is_told: bool) -> None:
    assert told(NoticeSettings(), [(0, *BRAKE), (after_s, *BRAKE)])[1] == (Show(*BRAKE) if is_told else None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("after_s", "severity", "is_told"),
    [(4.999, "medium", False), (5.0, "medium", True), (0.1, "high", True), (4.999, "low", False)],
)
def test_other_kinds_wait_for_each_other_unless_more_severe(after_s: float, severity: str, is_told: bool) -> None:
    shown = told(NoticeSettings(), [(0, *BRAKE), (after_s, "speeding", severity)])[1]
    assert (shown is not None) is is_told


def test_an_hour_holds_so_many_and_the_next_begins_as_they_grow_old() -> None:
    settings = replace(LOOSE, hour_max=2)
    events = [(0, *BRAKE), (10, *BRAKE), (3599.9, *BRAKE), (3600, *BRAKE), (3609.9, *BRAKE), (3610, *BRAKE)]
    assert [show is not None for show in told(settings, events)] == [True, True, False, True, False, True]


@pytest.mark.parametrize(
    ("hours", "minute", "is_told"),
    [
        pytest.param(("22:00", "06:30"), 22 * 60 - 1, True, id="a minute before"),
        pytest.param(("22:00", "06:30"), 22 * 60, False, id="they begin"),
        pytest.param(("22:00", "06:30"), 0, False, id="midnight"),
        pytest.param(("22:00", "06:30"), 6 * 60 + 29, False, id="their last minute"),
        pytest.param(("22:00", "06:30"), 6 * 60 + 30, True, id="they are over"),
        pytest.param(("12:00", "13:00"), NOON, False, id="within a day"),
        pytest.param(("12:00", "13:00"), NOON + 60, True, id="after them"),
        pytest.param(("00:00", "00:00"), 0, True, id="none are set"),
        pytest.param(("22:00", "06:30"), None, True, id="nobody knows the time"),
    ],
)
def test_quiet_hours_keep_all_but_the_severe(hours: tuple[str, str], minute: int | None, is_told: bool) -> None:
    settings = NoticeSettings(quiet_from=hours[0], quiet_until=hours[1])
    assert (told(settings, [(0, *BRAKE)], minute)[0] is not None) is is_told
    assert told(settings, [(0, "crash", "low")], minute) == [Show("crash", "high")]


@pytest.mark.parametrize(
    ("utc", "minute"),
    [
        ("2026-07-01T20:00", 22 * 60),
        ("2026-12-01T20:00", 21 * 60),
        ("2026-12-01T23:30", 30),
        ("2040-07-01T20:00", 22 * 60),
    ],
)
def test_the_local_minute_knows_summer_time(utc: str, minute: int) -> None:
    utc_us = round(datetime.fromisoformat(f"{utc}+00:00").timestamp() * 1e6)
    assert minute_of(utc_us, ZoneInfo("Europe/Berlin")) == minute


def test_every_kind_that_is_told_by_default_is_an_event() -> None:
    assert set(NoticeSettings().kinds) <= set(EVENTS)


@pytest.mark.parametrize("seed", range(5))
def test_a_hard_driven_hour_is_no_nuisance(seed: int) -> None:
    rng, notice, shown = Random(seed), Notice(NoticeSettings()), []
    now_s = 0.0
    while now_s < 3600:
        now_s += rng.expovariate(1 / 3)
        kind, severity = rng.choice(EVENTS), rng.choice(("low", "medium", "high"))
        show = notice.step(round(now_s * 1e6), kind, severity, round(now_s * 1e6), NOON)
        if show is not None:
            shown.append((now_s, show))
    assert sum(show.severity != "high" for _, show in shown) <= 20
    assert len(shown) > 60
    for kind in {show.kind for _, show in shown}:
        times_s = [at_s for at_s, show in shown if show.kind == kind]
        assert all(after_s - before_s >= 60 for before_s, after_s in pairwise(times_s))
    assert sum(notice.counts.values()) > 1000
