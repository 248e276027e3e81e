"""What the driver sees and hears: patterns on lights and buzzers, a command, and devices that are not there."""

import shutil
import sys
import time
from pathlib import Path

import pytest

from drivers.hook import Hook
from drivers.indicator import BY_SEVERITY, HELD, PATTERNS, Indicator, Light, Pattern, Tone, open_indicator

WAIT_S = 30.0


def light(root: Path, name: str, **attributes: str) -> Path:
    """An LED as the kernel shows it."""
    folder = root / "leds" / name
    folder.mkdir(parents=True)
    for attribute, words in ({"brightness": "0", "max_brightness": "1"} | attributes).items():
        (folder / attribute).write_text(words)
    return folder


def buzzer(root: Path) -> Path:
    folder = root / "pwm" / "pwmchip0" / "pwm0"
    folder.mkdir(parents=True)
    for attribute in ("enable", "period", "duty_cycle"):
        (folder / attribute).write_text("0")
    return folder


def said(place: Path) -> str:
    return place.read_text().strip()


def played(shown: Indicator, place: Path, until_ms: int, step_ms: int = 50) -> str:
    """What an attribute says from now on, each step."""
    words = ""
    for now_ms in range(0, until_ms, step_ms):
        shown.tend(now_ms / 1000)
        words += said(place)
    return words


@pytest.mark.parametrize(
    ("severity", "wanted"),
    [
        pytest.param("low", "11110000", id="short"),
        pytest.param("medium", "1111000011110000", id="double"),
        pytest.param("high", "1" * 20 + "0000", id="long"),
        pytest.param("unheard of", "11110000", id="a severity nobody knows: short"),
    ],
)
def test_a_severity_is_a_pattern(tmp_path: Path, severity: str, wanted: str) -> None:
    led = light(tmp_path, "alert")
    shown = open_indicator(["alert"], sysfs_root=tmp_path)
    shown.show("harsh_braking", severity)
    assert played(shown, led / "brightness", 50 * len(wanted)) == wanted
    assert shown.counters() == {"shown": 1, "crowded": 0, "absent": 0}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_a_pattern_is_over_when_it_says(pattern: Pattern) -> None:
    assert pattern.is_on(0)
    assert pattern.is_on(pattern.length_ms - 1)
    assert not pattern.is_on(pattern.length_ms)
    assert not pattern.is_on(-1)


def test_every_pattern_belongs_to_a_severity() -> None:
    assert set(BY_SEVERITY.values()) == set(PATTERNS)


def test_one_comes_after_the_other_and_what_is_too_much_is_counted(tmp_path: Path) -> None:
    led = light(tmp_path, "alert")
    shown = open_indicator(["alert"], sysfs_root=tmp_path)
    for _ in range(HELD + 3):
        shown.show("harsh_braking", "low")
    assert played(shown, led / "brightness", 50 * 8 * (HELD + 1)) == "11110000" * HELD + "00000000"
    assert shown.counters() == {"shown": HELD + 3, "crowded": 3, "absent": 0}


def test_the_brightest_is_what_the_light_says(tmp_path: Path) -> None:
    led = light(tmp_path, "alert", max_brightness="127")
    shown = open_indicator(["alert"], sysfs_root=tmp_path)
    shown.show("crash", "high")
    shown.tend(0)
    assert said(led / "brightness") == "127"


def test_the_kernel_blinks_where_it_can(tmp_path: Path) -> None:
    led = light(tmp_path, "alert", trigger="none [heartbeat] timer", delay_on="500", delay_off="500")
    shown = open_indicator(["alert"], sysfs_root=tmp_path)
    shown.tend(0)
    assert said(led / "trigger") == "none", "the light is ours from now on"
    (led / "trigger").write_text("[none] heartbeat timer")
    shown.show("crash", "medium")
    shown.tend(1.0)
    assert [said(led / name) for name in ("trigger", "delay_on", "delay_off", "brightness")] == [
        "timer",
        "200",
        "200",
        "0",
    ]
    shown.tend(1.59)
    assert said(led / "trigger") == "timer"
    shown.tend(1.6)
    assert (said(led / "trigger"), said(led / "brightness")) == ("none", "0")


def test_a_kernel_without_that_trigger_is_blinked_for(tmp_path: Path) -> None:
    led = light(tmp_path, "alert", trigger="[none] heartbeat")
    shown = open_indicator(["alert"], sysfs_root=tmp_path)
    shown.show("crash", "medium")
    assert played(shown, led / "brightness", 800) == "1111000011110000"


def test_a_buzzer_sounds_at_its_tone(tmp_path: Path) -> None:
    folder = buzzer(tmp_path)
    shown = open_indicator(pwm="pwmchip0/pwm0", tone_hz=2000, sysfs_root=tmp_path)
    shown.show("crash", "low")
    assert played(shown, folder / "enable", 400) == "11110000"
    assert (said(folder / "period"), said(folder / "duty_cycle")) == ("500000", "250000")


def test_a_buzzer_is_asked_for_where_it_is_not_shown_yet(tmp_path: Path) -> None:
    (tmp_path / "pwmchip0").mkdir()
    (tmp_path / "pwmchip0" / "export").write_text("")
    assert not Tone(tmp_path / "pwmchip0" / "pwm3", 2700).turn(is_on=True)
    assert said(tmp_path / "pwmchip0" / "export") == "3"


def test_light_and_buzzer_play_together(tmp_path: Path) -> None:
    folder, led = buzzer(tmp_path), light(tmp_path, "alert", trigger="[none] timer", delay_on="", delay_off="")
    shown = open_indicator(["alert"], pwm="pwmchip0/pwm0", sysfs_root=tmp_path)
    shown.show("crash", "medium")
    assert played(shown, folder / "enable", 800) == "1111000011110000"
    assert said(led / "trigger") == "none"


def test_a_device_that_is_absent_is_counted_and_used_when_it_returns(tmp_path: Path) -> None:
    shown = open_indicator(["alert"], sysfs_root=tmp_path)
    shown.show("crash", "low")
    for now_ms in range(0, 400, 50):
        shown.tend(now_ms / 1000)
    assert shown.counters()["absent"] > 0
    led = light(tmp_path, "alert")
    for turn in range(2):
        shown.show("crash", "low")
        shown.tend(10.0 + turn)
        assert said(led / "brightness") == "1"
        shutil.rmtree(led)
        shown.tend(10.4 + turn)
        led = light(tmp_path, "alert", brightness="0")
    assert shown.counters()["shown"] == 3


def test_closing_leaves_it_dark_and_silent(tmp_path: Path) -> None:
    led, folder = light(tmp_path, "alert"), buzzer(tmp_path)
    shown = Indicator([Light(led), Tone(folder, 2700)])
    shown.show("crash", "high")
    shown.tend(0)
    assert (said(led / "brightness"), said(folder / "enable")) == ("1", "1")
    shown.close()
    shown.close()
    assert (said(led / "brightness"), said(folder / "enable")) == ("0", "0")


def test_no_device_at_all_is_no_fault() -> None:
    shown = open_indicator()
    shown.show("crash", "high")
    shown.tend(0)
    shown.close()
    assert shown.counters() == {"shown": 1, "crowded": 0, "absent": 0}


def test_a_command_is_told_of_the_event(tmp_path: Path) -> None:
    code = "import os, sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))"
    command = [sys.executable, "-c", code, str(tmp_path / "said"), "{kind}", "{severity}"]
    shown = open_indicator(command=command, sysfs_root=tmp_path)
    shown.show("speeding", "medium")
    until_s, now_s = time.monotonic() + WAIT_S, 0.0
    while not (tmp_path / "said").exists() or said(tmp_path / "said") != "speeding medium":
        assert time.monotonic() < until_s
        shown.tend(now_s)
    shown.close()
    assert (shown.counters()["started"], shown.counters()["late"]) == (1, 0)


def test_a_command_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    led = light(tmp_path, "alert")
    hang = Hook([sys.executable, "-c", "import signal; signal.pause()"], timeout_s=60, at_once=2)
    shown = Indicator([Light(led)], hang)
    for _ in range(3):
        shown.show("crash", "low")
    assert played(shown, led / "brightness", 1200) == "11110000" * 3
    assert (shown.counters()["started"], shown.counters()["refused"]) == (2, 1)
    shown.close()
    assert not hang.is_running
