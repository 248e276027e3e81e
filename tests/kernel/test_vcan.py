"""SocketCAN as the kernel has it, on vcan0: the reader in C against python-can's own, filters, stamps, drops, a link that goes."""

import random
import select
import subprocess
import time
from collections.abc import Iterator

import can
import pytest

from drivers.batch import EXTENDED
from drivers.bus.can import open_can
from drivers.bus.message import pack
from drivers.errors import DeviceError
from drivers.source import Source, boot_us
from tests.packed import frames

LINK = "vcan0"
WAIT_S = 10.0


def bus(fd: bool = True) -> can.BusABC:
    return can.Bus(interface="socketcan", channel=LINK, fd=fd, ignore_config=True)


def link(*words: str) -> None:
    subprocess.run(["ip", "link", *words], check=True)


@pytest.fixture
def sender() -> Iterator[can.BusABC]:
    made = bus()
    yield made
    made.shutdown()


def heard(source: Source, count: int) -> list:
    """So many frames."""
    got, until_s = [], time.monotonic() + WAIT_S
    while len(got) < count and time.monotonic() < until_s:
        select.select([source.fileno()], [], [], 0.1)
        got += frames(source.read())
    return got


def traffic(seed: int, count: int, is_fd: bool) -> list[can.Message]:
    luck = random.Random(seed)
    made = []
    for _ in range(count):
        is_wide, is_long = luck.random() < 0.5, is_fd and luck.random() < 0.5
        is_remote = not is_long and luck.random() < 0.1
        data = luck.randbytes(luck.choice([0, 8, 64]) if is_long else luck.randrange(9))
        made.append(
            can.Message(
                arbitration_id=luck.randrange(1 << 29 if is_wide else 1 << 11),
                is_extended_id=is_wide,
                is_fd=is_long,
                is_remote_frame=is_remote,
                data=None if is_remote else data,
            )
        )
    return made


@pytest.mark.parametrize("is_fd", [False, True])
def test_the_reader_gives_the_frames_python_can_gives_with_the_time_they_were_sent(
    is_fd: bool, sender: can.BusABC
) -> None:
    source, other = open_can("socketcan", LINK, number=1, fd=is_fd), bus(is_fd)
    spans = []
    for message in traffic(1, 150, is_fd):
        begin_us = boot_us()
        sender.send(message)
        spans.append((begin_us, boot_us()))
    got = heard(source, 150)
    expected = [frames(pack(other.recv(WAIT_S), 0, 1))[0] for _ in got]
    assert [frame[1:] for frame in got] == [frame[1:] for frame in expected]
    assert len(got) == 150
    slack_us = 20_000  # the kernel stamps by wall time; turned to boot time with what two clock readings differ
    assert all(a - slack_us <= frame[0] <= b + slack_us for frame, (a, b) in zip(got, spans, strict=True))
    source.close()
    other.shutdown()


def test_only_what_is_wanted_comes_through_the_kernels_filter(sender: can.BusABC) -> None:
    wanted = [
        {"can_id": 0x7E8, "can_mask": 0x7FF, "extended": False},
        {"can_id": 0x7E8, "can_mask": 0x1FFFFFFF, "extended": True},
    ]
    source = open_can("socketcan", LINK, number=0, filters=wanted)
    for identifier, is_wide in ((0x7E8, False), (0x7E9, False), (0x7E8, True), (0x123, True)):
        sender.send(can.Message(arbitration_id=identifier, is_extended_id=is_wide))
    assert [frame[2] for frame in heard(source, 2)] == [0x7E8, 0x7E8 | EXTENDED]
    assert source.read() == b""
    source.close()


@pytest.mark.parametrize("step_s", [3600, -7200])
def test_a_step_of_the_wall_clock_moves_no_frame(step_s: int, sender: can.BusABC) -> None:
    source = open_can("socketcan", LINK, number=0)
    begin_us = boot_us()
    sender.send(can.Message(arbitration_id=1))
    time.clock_settime(time.CLOCK_REALTIME, time.time() + step_s)
    sender.send(can.Message(arbitration_id=2))
    stamps = [frame[0] for frame in heard(source, 2)]
    assert begin_us - 20_000 <= stamps[0] <= stamps[1] <= boot_us()
    source.close()


def test_what_nobody_read_in_time_is_counted(sender: can.BusABC) -> None:
    source = open_can("socketcan", LINK, number=0)
    for number in range(3000):
        sender.send(can.Message(arbitration_id=number & 0x7FF, is_extended_id=False))
    first = heard(source, 3000)
    sender.send(can.Message(arbitration_id=1))
    total = len(first) + len(heard(source, 1))
    assert source.counters()["frames"] == total
    assert 0 < source.counters()["dropped"] == 3001 - total
    source.close()


def test_a_link_that_goes_down_or_away_is_said_and_comes_back(sender: can.BusABC) -> None:
    source = open_can("socketcan", LINK, number=0)
    link("set", LINK, "down")
    try:
        with pytest.raises(DeviceError, match="ip link set vcan0 up"):
            heard(source, 1)
    finally:
        link("set", LINK, "up")
        source.close()
    link("add", "dev", "vcan1", "type", "vcan")
    link("set", "vcan1", "up")
    gone = open_can("socketcan", "vcan1", number=0)
    link("del", "vcan1")
    with pytest.raises(DeviceError):
        heard(gone, 1)
    gone.close()
    with pytest.raises(DeviceError, match="plugged in"):
        open_can("socketcan", "vcan1", number=0)
    again, talker = open_can("socketcan", LINK, number=0), bus()
    talker.send(can.Message(arbitration_id=5))
    assert [frame[2] for frame in heard(again, 1)] == [5 | EXTENDED]
    again.close()
    talker.shutdown()
