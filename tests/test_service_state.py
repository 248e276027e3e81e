"""What the service page makes of what the agent tells: the engine's word as the core says it, the doctor's as the page shows it."""

from pathlib import Path
from typing import Any

import pytest

from agent.core import ENGINES
from agent.service.state import is_sound, live, signals
from tests.desks import FakeDesk


@pytest.mark.parametrize(("engine", "is_off"), [("on", False), ("off", True), ("unknown", False)])
def test_an_engine_that_is_off_is_known_by_the_cores_word(tmp_path: Path, engine: str, is_off: bool) -> None:
    assert engine in ENGINES
    desk = FakeDesk(tmp_path)
    told = live(desk.read() | {"engine": engine}, desk.ping(), {})
    assert [one["name"] for one in told["situations"]] == ["engine_off" if is_off else "ready"]
    desk.close()


def check(verdict: str, **said: Any) -> dict[str, Any]:
    return {"check": {"name": "store", "verdict": verdict, "words": "w", "fix": ""} | said}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], False, id="nothing was judged"),
        pytest.param([{"step": "listening"}, check("PASS"), check("SKIP")], True, id="nothing fails"),
        pytest.param([check("PASS"), check("FAIL", decides=False)], True, id="only the signal is missing"),
        pytest.param([check("FAIL", decides=True)], False, id="something fails"),
        pytest.param([check("FAIL")], False, id="a failure of which nobody says that it may wait"),
    ],
)
def test_a_box_is_sound_where_nothing_fails_that_stands_against_it(lines: list[dict[str, Any]], expected: bool) -> None:
    assert is_sound(lines) == expected


def test_a_signal_that_no_map_has_is_no_empty_tile(tmp_path: Path) -> None:
    desk = FakeDesk(tmp_path)
    never: dict[str, Any] = {"unit": "", "value": None, "age_s": None}
    told = desk.read()["signals"] | {
        "speed": never,
        "coolant": never,
        "fuel": never | {"age_s": 12.0},
        "brake": never | {"value": 1.0},
    }
    shown = {one["name"]: one["value"] for one in signals({"signals": told | {"airbag": never}})}
    assert list(shown) == ["speed", "rpm", "battery", "fuel", "throttle", "odometer", "load", "brake"]
    assert (shown["speed"], shown["fuel"]) == (None, None)
    desk.close()
