"""Candidate rules beside the active ones: what differs is told, and nothing else knows of them."""

import logging
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from agent.core import Core, Event
from agent.errors import SettingsError
from agent.settings import Settings, defaults
from agent.settings import Shadow as ShadowSettings
from agent.settings.file import read
from agent.slots.slot_settings import layer
from agent.slots.slots import Content
from agent.trip.alone import Alone, beside, beside_if_it_loads
from agent.trip.contrast import ENTRIES_MAX, Differed, Difference, contrast, counted
from agent.trip.shadow import PENDING_MAX, WAIT_US, Shadow, load
from agent.trip.trip import Moment, TripEnded, Trips
from drivers.batch import INPUT_BYTES
from tests.accounts import ledger
from tests.ride import EMPTY, START, found
from tests.road import Road, cruise, packed

S = 1_000_000
CANDIDATE = """
[detect.harsh_braking]
threshold_mps2 = 4.2
medium_mps2 = 5.0
[detect.harsh_acceleration]
threshold_mps2 = 2.9
"""
"""Of `ROAD`: one event more, one fewer, and one that is judged otherwise."""

ROAD = Road([(2, 0, 0), (5, 3.2, 0), *cruise(8), (1.5, -3.7, 0), *cruise(8), (1.5, -4.8, 0), *cruise(8)])
WANTED = {"harsh_acceleration": {"only_candidate": 1}, "harsh_braking": {"only_active": 1, "severity": 1}}


def event(name: str, start_s: float, end_s: float, severity: str = "low") -> Event:
    return replace(found(name, round(end_s * S), severity, 0.9), start_us=round(start_s * S))


def brake(start_s: float, end_s: float, severity: str = "low") -> Event:
    return event("harsh_braking", start_s, end_s, severity)


def shadowed(folder: Path, text: str = CANDIDATE, **more: object) -> Settings:
    """Settings with these candidate rules."""
    (folder / "candidate.toml").write_text(text)
    return msgspec.structs.replace(defaults(), shadow=ShadowSettings(rules=f"{folder}/candidate.toml"), **more)


# ---- the matcher -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("active", "candidate", "wanted"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([brake(1, 2)], [brake(1, 2)], [], id="the same"),
        pytest.param([brake(1, 2)], [brake(2, 3)], [], id="windows that touch are one"),
        pytest.param(
            [brake(1, 2)], [brake(2.000001, 3)], ["only_active", "only_candidate"], id="windows apart are two"
        ),
        pytest.param([brake(1, 2)], [event("idling", 1, 2)], ["only_active", "only_candidate"], id="other kinds"),
        pytest.param([brake(1, 2, "low")], [brake(1.2, 1.9, "high")], ["severity"], id="judged otherwise"),
        pytest.param([brake(1, 2)], [], ["only_active"], id="one fewer"),
        pytest.param([], [brake(1, 2)], ["only_candidate"], id="one more"),
        pytest.param([brake(1, 2), brake(3, 4)], [brake(1, 4)], ["only_active"], id="two that became one"),
        pytest.param([brake(0, 9)], [brake(1, 2), brake(3, 4)], ["only_candidate"], id="one that became two"),
        pytest.param(
            [brake(0, 1), brake(2, 9)], [brake(0.5, 3), brake(5, 6)], [], id="each has a partner where there is one"
        ),
        pytest.param([brake(5, 6), brake(1, 2)], [brake(1, 2), brake(5, 6)], [], id="told in another order"),
        pytest.param([brake(1, 1)], [brake(1, 1)], [], id="moments"),
    ],
)
def test_events_are_compared_by_kind_and_window(active: list[Event], candidate: list[Event], wanted: list[str]) -> None:
    assert sorted(one.kind for one in contrast(active, candidate)) == wanted
    swapped = {"only_active": "only_candidate", "only_candidate": "only_active"}
    assert sorted(swapped.get(one.kind, one.kind) for one in contrast(candidate, active)) == wanted


def test_counts_are_by_event_and_kind() -> None:
    assert counted({("b", "severity"): 2, ("a", "only_active"): 1, ("b", "only_active"): 3}) == {
        "a": {"only_active": 1},
        "b": {"only_active": 3, "severity": 2},
    }


def test_a_record_holds_so_many_and_says_how_many_more() -> None:
    many = tuple(Difference(brake(i, i + 0.5), None) for i in range(ENTRIES_MAX + 2))
    body = Differed(0, "new", "old", many).body()
    assert (len(body["differences"]), body["more"]) == (ENTRIES_MAX, 2)
    assert len(ledger().number("config", 1, {"trip": 1, "shadow": body})[0].raw) < 16_384


# ---- a drive ---------------------------------------------------------------------------------------------------------


def told(settings: Settings, inputs: bytes, size: int) -> list[Moment]:
    """What a terminal makes of these inputs, so many at once."""
    core, trips, shadow = Core(settings, EMPTY), Trips(settings.trip), beside(settings, EMPTY)
    moments: list[Moment] = []
    for start in range(0, len(inputs), size * INPUT_BYTES):
        batch = inputs[start : start + size * INPUT_BYTES]
        shadow.feed(batch)
        for output in core.feed(batch):
            moments += shadow.step(output, trips.step(output))
    for output in core.finish():
        moments += shadow.step(output, trips.step(output))
    return moments + shadow.finish(trips.finish(core.snapshot(0), "end_of_input"))


def test_a_candidate_that_finds_one_more_and_one_fewer_is_told_and_changes_nothing(tmp_path: Path) -> None:
    inputs = packed(ROAD.speed(10))
    alone, moments = told(defaults(), inputs, 64), told(shadowed(tmp_path), inputs, 64)
    (end,) = [one for one in moments if isinstance(one, TripEnded)]
    (differed,) = [one for one in moments if isinstance(one, Differed)]
    assert moments.index(differed) < moments.index(end)
    shadow = end.summary.pop("shadow")
    assert shadow["differences"] == WANTED
    assert shadow["rules"] == differed.rules != differed.active
    assert [one for one in moments if not isinstance(one, Differed)] == alone
    assert [one.kind for one in differed.differences] == ["only_candidate", "only_active", "severity"]
    assert [(one.body()["active"], one.body()["candidate"]) for one in differed.differences] == [
        (None, "low"),
        ("low", None),
        ("medium", "low"),
    ]


def test_batches_of_any_size_tell_the_same(tmp_path: Path) -> None:
    inputs = packed(ROAD.speed(10))
    settings = shadowed(tmp_path)
    whole = told(settings, inputs, len(inputs))
    assert sum(isinstance(one, Differed) for one in whole) == 1
    for size in (1, 7, 100):
        assert told(settings, inputs, size) == whole


def test_what_differs_while_nobody_drives_belongs_to_no_trip(tmp_path: Path) -> None:
    settings = shadowed(tmp_path)
    shadow = Shadow(load(Path(settings.shadow.rules), settings), settings, EMPTY)
    knock = event("parked_impact", 1, 1)
    assert shadow.step(knock, []) == []
    second = replace(START, at_us=knock.at_us + WAIT_US)
    assert shadow.step(second, []) == []
    (differed,) = shadow.step(replace(second, at_us=second.at_us + 1), [])
    assert isinstance(differed, Differed)
    assert (differed.trip, [one.active for one in differed.differences]) == (None, [knock])
    assert shadow.finish([]) == []


def test_no_more_events_wait_than_there_is_room_for(tmp_path: Path) -> None:
    settings = shadowed(tmp_path)
    shadow = Shadow(load(Path(settings.shadow.rules), settings), settings, EMPTY)
    for i in range(PENDING_MAX):
        shadow.step(brake(i / 1000, i / 1000), [])
    assert shadow.step(replace(START, at_us=S), []) == []
    shadow.step(brake(0.5, 0.5), [])
    (differed,) = shadow.step(replace(START, at_us=S + 1), [])
    assert isinstance(differed, Differed)
    assert len(differed.differences) == PENDING_MAX + 1


def test_a_rule_the_candidate_does_not_name_is_the_active_one(tmp_path: Path) -> None:
    active = read(None, ["detect.harsh_cornering.threshold_mps2=4", "detect.harsh_braking.release_mps2=1"]).settings
    (tmp_path / "candidate.toml").write_text("[detect.harsh_braking]\nthreshold_mps2 = 4.0\n")
    rules = load(tmp_path / "candidate.toml", active)
    assert rules.harsh_cornering == active.detect.harsh_cornering
    assert (rules.harsh_braking.threshold_mps2, rules.harsh_braking.release_mps2) == (4.0, 3.32)


def test_a_bundle_that_brings_candidate_rules_runs_them_unless_it_names_others(tmp_path: Path) -> None:
    content = Content(id="acme", version=1, content="0" * 64)
    assert "shadow" not in layer(b"", tmp_path, content).data
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "candidate.toml").write_text(CANDIDATE)
    assert layer(b"", tmp_path, content).data["shadow"]["rules"] == str(tmp_path / "rules" / "candidate.toml")
    named = layer(b'[shadow]\nrules = "rules/other.toml"\n', tmp_path, content)
    assert named.data["shadow"]["rules"] == str(tmp_path / "rules" / "other.toml")


# ---- what does not load ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[detect.harsh_braking]\nthreshold = 3\n", "candidate.toml:2: ", id="an unknown key"),
        pytest.param("[detect.harsh_braking]\nthreshold_mps2 = 0.0\n", "candidate.toml:2: ", id="out of its range"),
        pytest.param(
            "[detect.harsh_braking]\nmedium_mps2 = 9.0\n",
            "candidate.toml:2: detect.harsh_braking.medium",
            id="a conflict",
        ),
        pytest.param("[detect.harsh\n", "candidate.toml:1: not TOML", id="no TOML"),
        pytest.param('[mqtt]\nhost = "x"\n', "candidate.toml:1: candidate rules are [detect.*]", id="another table"),
        pytest.param("detect = 3\n", "candidate.toml:1: ", id="no table"),
    ],
)
def test_a_candidate_that_does_not_load_is_one_line_and_the_terminal_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, words: str
) -> None:
    settings = shadowed(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        beside(settings, EMPTY)
    assert words in str(caught.value)
    with caplog.at_level(logging.WARNING):
        assert isinstance(beside_if_it_loads(settings, EMPTY, None, None), Alone)
    (line,) = caplog.messages
    assert line == f"candidate rules are left: {caught.value}"
    assert "\n" not in line


def test_a_candidate_that_is_not_there_is_said_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = msgspec.structs.replace(defaults(), shadow=ShadowSettings(rules=str(tmp_path / "gone.toml")))
    assert isinstance(beside_if_it_loads(settings, EMPTY, None, None), Alone)
    assert "gone.toml: cannot be read: No such file" in caplog.text
