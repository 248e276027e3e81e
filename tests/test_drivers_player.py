"""Recordings played as if they were hardware: due when they were, stamps on boot time, silent after the end."""

import os
import select
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.errors import DeviceError, DriverError
from drivers.inbox import Inbox
from drivers.recordings.merge import times_us
from drivers.recordings.player import Player
from drivers.recordings.recording import play
from drivers.source import boot_us
from tests.packed import frames


def log(folder: Path, times_s: list[float]) -> Path:
    path = folder / "drive.log"
    path.write_text("".join(f"({t:.6f}) can0 123#{i % 256:02X}\n" for i, t in enumerate(times_s)))
    return path


def heard(player: Player) -> list[tuple[int, bytes]]:
    """All that is played: when each read came, and what it gave."""
    reads = []
    while not player.ended:
        assert select.select([player.fileno()], [], [], 10)[0], "nothing for 10 s"
        batch = player.read()
        reads.append((boot_us(), batch))
    return reads


def test_distances_are_kept_and_nothing_comes_before_it_is_due(tmp_path: Path) -> None:
    times_s = [1000 + i * 0.0137 for i in range(20)]
    began_us = boot_us()
    player = play([log(tmp_path, times_s)])
    reads = heard(player)
    times = [t for _, batch in reads for t in times_us(batch)]
    assert [t - times[0] for t in times] == [round((t - 1000) * 1e6) for t in times_s]
    assert began_us <= times[0] <= boot_us()
    assert all(now_us >= times_us(batch)[-1] for now_us, batch in reads if batch)
    assert player.counters() == {"lines_read": 20, "lines_bad": 0, "inputs": 20, "dropped": 0}
    player.close()


def test_a_hundred_times_as_fast_takes_a_hundredth(tmp_path: Path) -> None:
    player = play([log(tmp_path, [float(i) for i in range(11)])], speed=100)
    began_us = boot_us()
    times = [t for _, batch in heard(player) for t in times_us(batch)]
    assert [after - before for before, after in pairwise(times)] == [10_000] * 10
    assert boot_us() - began_us < 5_000_000
    player.close()


def test_after_the_end_it_is_silent(tmp_path: Path) -> None:
    player = play([log(tmp_path, [1.0, 1.001])])
    assert b"".join(batch for _, batch in heard(player)) != b""
    assert player.ended
    assert player.read() == b""
    assert not select.select([player.fileno()], [], [], 0)[0]
    player.close()


def test_it_can_be_closed_in_the_middle_and_twice(tmp_path: Path) -> None:
    player = play([log(tmp_path, [0.0, 1e6])])
    fd = player.fileno()
    player.close()
    player.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.eventfd_read(fd)
    assert not player.ended


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(DriverError, match="must be over 0"):
        play([log(tmp_path, [1.0])], speed=speed)


def test_all_that_is_due_at_once_waits_for_a_reader_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "burst.log"
    path.write_text("".join(f"(5.000000) can0 {i % 0x800:03X}#{i:08X}\n" for i in range(100_000)))
    player = play([path])
    got = [data for _, batch in heard(player) for _, _, _, data, _ in frames(batch)]
    assert got == [i.to_bytes(4, "big") for i in range(100_000)]
    player.close()


def test_an_inbox_is_bounded_and_its_failure_comes_last() -> None:
    inbox = Inbox(limit=2)
    assert inbox.put(bytes(160))
    assert not inbox.put(bytes(80))
    inbox.fail(DeviceError("gone"))
    assert inbox.take() == bytes(160)
    assert select.select([inbox.fileno()], [], [], 0)[0]
    with pytest.raises(DeviceError, match="gone"):
        inbox.take()
    inbox.close()
