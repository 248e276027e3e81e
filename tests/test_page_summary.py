"""The page of a crash claims no more than was measured: how hard, where, when, what came after."""

from dataclasses import replace
from typing import Any

import pytest

from agent.evidence.claim import Bus, Claim
from agent.world.dating import Moment
from tests.test_page_evidence import UTC_US, crashed, gathered, read


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Claim:
    """Of a crash."""
    return gathered(tmp_path_factory.mktemp("crash") / "a", crashed())


SURE: dict[str, Any] = {"dv_clipped": False, "sources": ["imu"], "delta_v_mps": 18.3}


@pytest.mark.parametrize(
    ("event", "there", "absent"),
    [
        pytest.param(
            {"dv_clipped": True}, ["changed by at least 66 km/h", "≥ 66 km/h"], ["changed by 66"], id="clipped"
        ),
        pytest.param(
            {"sources": ["speed"], "delta_v_mps": 15.0, "delta_v_s": 0.9},
            ["lost speed faster than brakes", "fell by 54 km/h within 0.9 s", "No sensor felt a blow"],
            ["was struck", "A blow was felt"],
            id="by the speed alone",
        ),
        pytest.param(
            {"event": "rollover", "rule": "roll", "value": 120.0, "delta_v_mps": -5.5, "direction": None},
            ["The car turned over at 57 km/h, by 120°", "Turned by"],
            ["was struck", "A blow was felt", "changed by", "Pothole"],
            id="rollover",
        ),
        pytest.param(
            {"event": "impact"}, ["A blow from the front was felt at 57 km/h"], ["was struck"], id="unconfirmed"
        ),
    ],
)
def test_it_claims_no_more_than_was_measured(
    event: dict[str, Any], there: list[str], absent: list[str], told: Claim
) -> None:
    text = read(replace(told, event={**told.event, **SURE, **event})).text
    assert [words for words in there if words not in text] == []
    assert [words for words in absent if words in text] == []


def test_how_old_a_place_is_and_who_vouches_for_the_clock_is_said(told: Claim) -> None:
    way = ((-25.0, (1.0, 2.0)), (3.0, (4.0, 5.0)))
    text = read(replace(told, way=way, moment=Moment(UTC_US, None, "system"), is_recorded=True)).text
    assert "A recording stood for the car" in text
    assert "1.000000, 2.000000 (WGS 84), by the receiver 25.0 s before" in text
    assert text.strip().startswith(
        "Crash, 21 September 2026, 16:13:20 (Europe/Berlin, by a clock that nobody vouches for)"
    )


@pytest.mark.parametrize(
    ("caught_s", "last_s", "is_silent"), [(15.0, 14.5, False), (15.0, 9.0, True), (0.2, 0.19, False)]
)
def test_a_bus_is_silent_only_where_more_was_caught(
    caught_s: float, last_s: float, is_silent: bool, told: Claim
) -> None:
    text = read(replace(told, caught_s=(-30.0, caught_s), buses=(Bus(0, 9, 9, 0, last_s),))).text
    assert (f"silent from +{last_s:.1f} s on" in text) == is_silent
    assert ("What was caught ends 0.2 s after" in text) == (caught_s < 1)


@pytest.mark.parametrize(
    ("brake", "words"),
    [
        ([0.0] * 50 + [1.0], "the pedal was pressed at the blow, not before"),
        ([1.0] * 50 + [0.0], "the pedal was not pressed at the blow (5.0 s of the 5 s)"),
        ([0.0] * 50 + [None], "the brake pedal was not told at the blow"),
    ],
)
def test_the_pedal_is_told_as_it_was(brake: list[float | None], words: str, told: Claim) -> None:
    table = dict(told.dossier.table or {})
    table["before"] = {**table["before"], "brake": brake, "speed_mps": [None] * 36 + [10.0] * 15}
    text = read(replace(told, dossier=replace(told.dossier, table=table))).text
    assert f"{words}; speed went from 36 to 36 km/h in the 1.4 s before" in text
