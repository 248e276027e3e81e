"""Whether a configuration has proved itself in the running agent: each way to fail at its threshold and just under it."""

from pathlib import Path

import pytest

from agent.maps import maps
from agent.settings.flash import Flash
from agent.slots.trial import FRAMES_MIN, STUCK_US, Signs, Trial, has_broadcast

S = 1_000_000
RULE = Flash(healthy_s=60, window_s=120, memory_mb=100)
GOOD = Signs(frames=1000, decoded=1000, resident_bytes=40_000_000, is_linked=True)


def signs(**said: int) -> Signs:
    return Signs(**({"frames": 1000, "decoded": 1000, "resident_bytes": 0, "is_linked": True} | said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("at_s", "told", "verdict"),
    [
        pytest.param(59, GOOD, None, id="a second to go"),
        pytest.param(60, GOOD, "", id="long enough"),
        pytest.param(60, signs(frames=0, decoded=0), "", id="a car that sleeps says nothing against it"),
        pytest.param(1, signs(resident_bytes=100_000_000), None, id="as much memory as is allowed"),
        pytest.param(1, signs(resident_bytes=100_000_001), "takes 100 MB of memory, more than 100 MB", id="more"),
        pytest.param(1, signs(frames=FRAMES_MIN - 1, decoded=0), None, id="too few frames to say that none is known"),
        pytest.param(1, signs(frames=FRAMES_MIN, decoded=0), "the vehicle map does not fit this car: it knows none of 500 frames", id="no frame is known"),
        pytest.param(60, signs(is_linked=0), None, id="the broker is not reached yet"),
        pytest.param(120, signs(is_linked=0), None, id="nor at the end of the window"),
        pytest.param(121, signs(is_linked=0), "the broker, which was reached before, is out of reach within 120 s", id="nor after it"),
    ],
)  # fmt: skip
def test_a_verdict(at_s: int, told: Signs, verdict: str | None) -> None:
    trial = Trial(RULE, 0, has_broadcast=True, needs_link=True)
    for second in range(at_s):
        assert trial.step(second * S, signs()) is None or second >= 60
    assert trial.step(at_s * S, told) == verdict


def test_no_broker_is_needed_where_none_was_reached_before() -> None:
    trial = Trial(RULE, 0, has_broadcast=True, needs_link=False)
    assert [trial.step(at * 5 * S, signs(is_linked=0)) for at in range(13)] == [*[None] * 12, ""]


def test_a_map_that_has_to_be_asked_for_may_know_no_frame() -> None:
    trial = Trial(RULE, 0, has_broadcast=False, needs_link=False)
    assert trial.step(S, signs(decoded=0)) is None


@pytest.mark.parametrize(("pause_us", "verdict"), [(STUCK_US, ""), (STUCK_US + 1, None)])
def test_a_loop_that_stands_still_proves_nothing(pause_us: int, verdict: str | None) -> None:
    trial = Trial(Flash(healthy_s=11, window_s=120), 0, has_broadcast=True, needs_link=False)
    trial.step(S, GOOD)
    trial.step(S + pause_us, GOOD)
    assert trial.step(12 * S, GOOD) == verdict


def test_not_healthy_within_its_window() -> None:
    trial = Trial(RULE, 0, has_broadcast=True, needs_link=False)
    told = [trial.step(at * 11 * S, GOOD) for at in range(12)]
    assert told == [*[None] * 11, "not healthy within 120 s"]


@pytest.mark.parametrize(("name", "is_heard"), [("rav4.toml", True), ("obd2.toml", False)])
def test_a_map_is_heard_or_asked_for(name: str, is_heard: bool) -> None:
    assert has_broadcast(maps.load(Path(name))) == is_heard
