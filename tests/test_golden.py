"""The golden drives come out as written beside them, to the last bit; `make golden` is for a change that is meant."""

import pytest

from tests.golden_drives import GOLDEN, GRID, HOW, Golden, all_drives, grid_outcomes


@pytest.mark.parametrize("drive", list(all_drives()), ids=lambda drive: drive.name)
def test_a_golden_drive_comes_out_as_it_is_written(drive: Golden) -> None:
    assert drive.outcome() == drive.expected.read_text()


def test_the_drives_on_the_grid_of_the_limits_come_out_as_they_are_written() -> None:
    assert grid_outcomes().splitlines() == GRID.read_text().splitlines()


def test_every_golden_drive_has_its_outcome_and_every_outcome_its_drive() -> None:
    names = {drive.name for drive in all_drives()}
    assert {path.name.removesuffix(".expected.jsonl") for path in GOLDEN.glob("*.expected.jsonl")} == names
    assert set(HOW) <= names
