"""Time has no origin: a drive of long ago, in times before zero, is told as the same drive of now."""

from dataclasses import replace

import pytest

from agent.core import Core, Event, Output
from drivers.batch import INPUT_BYTES
from tests.golden_drives import Golden, all_drives
from tests.native.told import as_told  # noqa: F401 - a fixture of every test here

AGO_US = 3_600_000_000


def shifted(inputs: bytes, by_us: int) -> bytes:
    """The same inputs at other times."""
    told = bytearray(inputs)
    for at in range(0, len(told), INPUT_BYTES):
        t_us = int.from_bytes(told[at : at + 8], "little", signed=True)
        told[at : at + 8] = (t_us + by_us).to_bytes(8, "little", signed=True)
    return bytes(told)


def events(outputs: list[Output], by_us: int) -> list[Event]:
    """Their events, at other times."""
    return [
        replace(o, at_us=o.at_us + by_us, start_us=o.start_us + by_us, end_us=o.end_us + by_us)
        for o in outputs
        if isinstance(o, Event)
    ]


@pytest.mark.parametrize("drive", list(all_drives()), ids=lambda drive: drive.name)
def test_a_drive_before_zero_is_told_as_one_after(drive: Golden) -> None:
    now, then = Core(drive.settings, drive.table), Core(drive.settings, drive.table)
    told = now.feed(drive.inputs) + now.finish()
    before = then.feed(shifted(drive.inputs, -AGO_US)) + then.finish()
    assert events(before, AGO_US) == events(told, 0)
    assert then.counters() == now.counters()
    assert then.snapshot(0).distance_m == now.snapshot(0).distance_m
