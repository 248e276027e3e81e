"""The golden drives come out as written beside them, to the last bit; `make golden` is for a change that is meant."""

import pytest

from tests.golden_drives import GOLDEN, HOW, Golden, all_drives


@pytest.mark.parametrize("drive", list(all_drives()), ids=lambda drive: drive.name)
def test_a_golden_drive_comes_out_as_it_is_written(drive: Golden) -> None:
    assert drive.outcome() == drive.expected.read_text()


def test_every_golden_drive_has_its_outcome_and_every_outcome_its_drive() -> None:
    names = {drive.name for drive in all_drives()}
    assert {path.name.removesuffix(".expected.jsonl") for path in GOLDEN.glob("*.expected.jsonl")} == names
    assert set(HOW) <= names
