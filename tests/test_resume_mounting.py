"""How the box is mounted outlives a restart, and is judged by from the first second."""

from pathlib import Path

import pytest

from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.trip.resume import rotation_of
from tests.accounts import ledger

UPRIGHT = (0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
LEVEL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def body(rotation: object) -> dict[str, object]:
    return {"at_us": 5, "gravity": [1.0, 0.0, 0.0], "rotation": rotation, "quality": 0.9}


def test_the_newest_calibration_is_there_after_it_was_delivered_and_the_power_was_cut(tmp_path: Path) -> None:
    store = tmp_path / STORE_NAME
    first = Outbox.open(store, 64_000_000, "first boot")
    assert first.calibration() is None
    book = ledger(first.boot, first.tail())
    records = [*book.start(0, {}), *book.number("calibration", 1, body(list(LEVEL)))]
    first.append([*records, *book.number("calibration", 2, body(list(UPRIGHT)))])
    first.confirm_ranges([(0, 99)])
    first.close()
    second = Outbox.open(store, 64_000_000, "second boot")
    try:
        assert rotation_of(second.calibration()) == UPRIGHT
    finally:
        second.close()


@pytest.mark.parametrize(
    "rotation",
    [
        pytest.param(list(UPRIGHT[:8]), id="a number short"),
        pytest.param([2.0, *UPRIGHT[1:]], id="no unit vectors"),
        pytest.param([1.0, 0.0, 0.0, *UPRIGHT[3:]], id="not at right angles"),
        pytest.param("as before", id="no numbers"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_calibration_that_is_no_rotation_is_solved_anew(rotation: object) -> None:
    (record,) = ledger().number("calibration", 1, body(rotation))
    assert rotation_of(record.raw) is None


def test_without_a_calibration_there_is_none() -> None:
    assert rotation_of(None) is None
    assert rotation_of(b"\xff torn") is None
