"""The terminal itself: it sleeps by a command once everything is on flash, has a radio, and tells the driver."""

import select
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.power import awake
from agent.power.upkeep import Upkeep
from agent.settings import Device, Settings
from agent.settings.notice import Notice
from agent.settings.power import Hooks, Power
from agent.settings.sensors import Indicator
from tests.ride import START, found, told

S = 1_000_000
WAIT_S = 30.0
NOON_US = 1_767_182_400 * S
"""2025-12-31 12:00 UTC."""

PARKED = {"battery": 12.7, "speed": 0.0, "rpm": 0.0}
FAILS = ("/bin/false",)


def writing(place: Path, what: str) -> tuple[str, ...]:
    """A command that adds a line to a file."""
    return ("/bin/sh", "-c", f"echo {what} >> {place}")


class Bench:
    """An upkeep, the seconds that go by, and the loop around it."""

    def __init__(self, settings: Settings, kept: dict[str, Any] | None = None) -> None:
        self.it = Upkeep(settings, 0, kept or {})
        self.now_us = 0
        self.is_on_flash = True
        self.is_queue_empty = True
        self.frames = 0

    def run(self, seconds: int, engine: str = "off", **values: float) -> None:
        """Seconds of a car that is parked, but for these values."""
        for _ in range(seconds):
            self.now_us += S
            sample = replace(START, at_us=self.now_us, engine=engine, values=told(**(PARKED | values)))
            self.it.note(sample, self.frames, is_queue_empty=self.is_queue_empty)
            self.turn()

    def turn(self) -> None:
        """What the loop does."""
        self.it.tend(self.now_us)
        if self.it.wanted is not None and self.is_on_flash:
            self.it.sleep(self.now_us)

    def until(self, condition: Callable[[], bool]) -> None:
        """Commands take their own time."""
        late_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < late_s, self.it.health()
            select.select([], [], [], 0.005)
            self.turn()

    @property
    def state(self) -> str:
        """The power decider's."""
        return str(self.it.health()["power"]["state"])

    @property
    def refusals(self) -> int:
        """How often a command did not suspend."""
        return int(self.it.health()["power"]["refusals"])


def power(**hooks: tuple[str, ...]) -> Settings:
    return Settings(power=Power(settle_s=10, settle_s_max=20, watch_s=0, hooks=Hooks(**hooks)))


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def bench(settings: Settings, kept: dict[str, Any] | None = None) -> Bench:
        made.append(Bench(settings, kept))
        return made[-1]

    yield bench
    for one in made:
        one.it.close()


def test_it_is_put_to_sleep_only_after_everything_is_on_flash(make: Callable[..., Bench], tmp_path: Path) -> None:
    place = tmp_path / "slept"
    bench = make(power(suspend=writing(place, "{wake_s} {wake_on}"), resume=writing(tmp_path / "resumed", "up")))
    bench.is_on_flash = False
    bench.run(120)
    assert bench.state == "asleep"
    assert bench.it.wanted is not None
    assert not place.exists(), "records wait"
    bench.is_on_flash = True
    bench.until(lambda: bench.state == "parked")
    assert place.read_text() == "86400 can,motion,voltage\n"
    bench.run(1)
    bench.until((tmp_path / "resumed").exists)
    assert bench.it.health()["power"]["wakes"] == {"a wake source": 1}


def test_an_engine_that_starts_meanwhile_keeps_it_awake(make: Callable[..., Bench], tmp_path: Path) -> None:
    place = tmp_path / "slept"
    bench = make(power(suspend=writing(place, "slept")))
    bench.is_on_flash = False
    bench.run(120)
    assert bench.it.wanted is not None
    bench.run(1, engine="on", rpm=800.0)
    assert bench.it.wanted is None
    bench.is_on_flash = True
    bench.run(30, engine="on", rpm=800.0)
    assert not place.exists()
    assert bench.state == "driving"


@pytest.mark.parametrize(
    "hook", [pytest.param(FAILS, id="it fails"), pytest.param(("/nowhere/suspend",), id="it is missing")]
)
def test_a_command_that_does_not_suspend_is_counted_and_tried_again(
    make: Callable[..., Bench], hook: tuple[str, ...]
) -> None:
    bench = make(power(suspend=hook))
    bench.run(30)
    bench.until(lambda: bench.refusals == 1)
    assert bench.state == "parked"
    bench.run(25)
    assert bench.refusals == 1, "not at once"
    bench.run(60)
    bench.until(lambda: bench.refusals == 2)


def test_without_a_command_nothing_is_ever_wanted(make: Callable[..., Bench]) -> None:
    bench = make(power())
    bench.run(300)
    assert bench.it.wanted is None
    assert bench.state == "asleep"


def test_the_radio_goes_with_the_state_one_command_after_the_other(make: Callable[..., Bench], tmp_path: Path) -> None:
    place = tmp_path / "radio"
    slow = ("/bin/sh", "-c", f"until [ -e {place}.go ]; do read _ < /dev/null; done; echo off >> {place}")
    bench = make(power(radio_off=slow, radio_on=writing(place, "on")))
    bench.run(60)
    bench.run(3, engine="on", rpm=800.0)
    assert not place.exists(), "off has not ended"
    (tmp_path / "radio.go").touch()
    bench.until(place.exists)
    bench.until(lambda: not bench.it._hooks["radio_off"].is_running)
    bench.run(1, engine="on", rpm=800.0)
    bench.until(lambda: place.read_text() == "off\non\n")


def test_a_moved_car_and_frames_keep_it_awake(make: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make(power(suspend=writing(tmp_path / "slept", "slept")))
    for second in range(60):
        bench.frames += 10
        bench.run(1, accel_x=0.0, accel_y=0.0, accel_z=9.8 + second % 2)
    assert bench.state == "parked"
    for _ in range(30):
        bench.run(1, accel_x=0.0, accel_y=0.0, accel_z=9.8)
    bench.until((tmp_path / "slept").exists)


def test_the_battery_account_outlives_a_start(make: Callable[..., Bench]) -> None:
    first = make(power())
    first.run(600)
    kept = first.it.kept()
    assert kept["spent_ah"] > 0
    assert make(power(), kept).it.kept() == pytest.approx(kept)


@pytest.mark.parametrize(
    ("zone", "counts"),
    [
        pytest.param("UTC", {"told": 1}, id="noon in London"),
        pytest.param("Asia/Tokyo", {"told": 1}, id="21:00 in Tokyo"),
        pytest.param("Pacific/Auckland", {"quiet_hours": 1}, id="1:00 in Auckland"),
    ],
)
def test_quiet_hours_are_local(make: Callable[..., Bench], tmp_path: Path, zone: str, counts: dict[str, int]) -> None:
    place = tmp_path / "shown"
    bench = make(
        Settings(
            device=Device(timezone=zone),
            notice=Notice(quiet_from="22:00", quiet_until="06:00"),
            indicator=Indicator(command=writing(place, "{kind} {severity}")),
        )
    )
    bench.it.show(found("harsh_braking", 0, "low", 1.0), 0, NOON_US)
    assert bench.it.health()["notice"] == counts
    if "told" in counts:
        bench.until(place.exists)
        bench.until(lambda: place.read_text() == "harsh_braking low\n")


def test_a_notice_is_shown_where_nobody_knows_the_time(make: Callable[..., Bench]) -> None:
    bench = make(Settings(notice=Notice(quiet_from="00:00", quiet_until="23:59")))
    bench.it.show(found("harsh_braking", 0, "low", 1.0), 0, None)
    assert bench.it.health()["notice"] == {"told": 1}


def test_a_technician_keeps_it_awake_for_a_while(make: Callable[..., Bench], tmp_path: Path) -> None:
    place = tmp_path / "asleep"
    settings = Settings(
        device=Device(state_dir=str(tmp_path)),
        power=Power(hooks=Hooks(suspend=writing(place, "now")), stay_s_max=7200, settle_s=0, watch_s=0),
    )
    bench = make(settings)
    assert cli.main(["awake", "3600", "--set", f"device.state_dir={tmp_path}", "--config", str(shipped(tmp_path))]) == 0
    bench.run(120)
    assert bench.it.health()["power"]["reason"] == "it is kept awake for service"
    assert not place.exists()
    assert awake.run(settings, 0) == 0
    bench.run(120)
    bench.until(place.exists)


@pytest.mark.parametrize(
    ("note", "why"),
    [
        pytest.param("{}", "", id="no note of ours"),
        pytest.param('{"kernel": "another", "until_us": 9e18}', "", id="of another boot"),
        pytest.param("", "too long", id="for longer than is allowed"),
    ],
)
def test_what_is_no_leave_to_stay_awake_is_none(
    make: Callable[..., Bench], tmp_path: Path, note: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(device=Device(state_dir=str(tmp_path)), power=Power(stay_s_max=60))
    assert awake.run(settings, 3600) == 0
    if note:
        (tmp_path / awake.NOTE_NAME).write_text(note)
    bench = make(settings)
    bench.run(3)
    assert bench.it.health()["power"]["reason"] != "it is kept awake for service"
    assert caplog.text.count("too long") == (1 if why else 0)


@pytest.mark.parametrize(("words", "code"), [(["awake", "-1"], 2), (["awake", "soon"], 2), (["awake"], 2)])
def test_how_long_must_be_said(words: list[str], code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == code


def shipped(folder: Path) -> Path:
    """A machine's settings."""
    path = folder / "tbox.toml"
    path.write_text("")
    return path
