"""CAN by name and options: a serial adapter on a pseudo terminal, python-can's virtual bus, and each way to fail."""

import os
import pty
import select
import termios
import tty
from collections.abc import Iterator

import can
import pytest

from drivers.batch import EXTENDED, REMOTE
from drivers.bus import can as driver
from drivers.bus.can import ThreadedCan, open_can
from drivers.errors import DeviceError, DriverError
from drivers.inbox import Inbox
from drivers.source import Source, boot_us
from tests.packed import Frame, frames
from tests.wires import said

WAIT_S = 10.0


def heard(source: Source, count: int) -> list[Frame]:
    """Frames as they come, until there are so many."""
    found: list[Frame] = []
    while len(found) < count:
        assert select.select([source.fileno()], [], [], WAIT_S)[0], f"{len(found)} of {count} frames, then silence"
        found += frames(source.read())
    return found


@pytest.fixture
def adapter() -> Iterator[tuple[int, str]]:
    """A serial adapter: its end of the line, and the port the terminal opens."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    settings = termios.tcgetattr(slave)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    yield master, os.ttyname(slave)
    for fd in (master, slave):
        try:
            os.close(fd)
        except OSError:
            continue  # a test hung up


@pytest.fixture
def serial_bus(adapter: tuple[int, str]) -> Iterator[tuple[int, Source]]:
    master, port = adapter
    source = open_can("slcan", port, number=3, bitrate=500_000, options={"sleep_after_open": 0})
    yield master, source
    source.close()


def test_slcan_frames_are_read_and_stamped_on_boot_time(serial_bus: tuple[int, Source]) -> None:
    master, source = serial_bus
    before_us = boot_us()
    os.write(master, b"t7E8403410D32\rT18DAF1102AABB\rr1230\r")
    got = heard(source, 3)
    assert [one[1:] for one in got] == [
        (3, 0x7E8, b"\x03\x41\x0d\x32", 0),
        (3, 0x18DAF110 | EXTENDED, b"\xaa\xbb", 0),
        (3, 0x123, b"", REMOTE),
    ]
    assert before_us <= got[0][0] <= got[1][0] <= got[2][0] <= boot_us()
    assert source.counters() == {"frames": 3, "dropped": 0, "errors": 0, "sent": 0, "unsent": 0}


def test_slcan_is_opened_to_listen_only_at_the_rate_asked_for(serial_bus: tuple[int, Source]) -> None:
    words = said(serial_bus[0], b"L\r")
    assert b"S6\r" in words
    assert b"O\r" not in words


def test_slcan_nonsense_is_counted_and_what_follows_is_read(serial_bus: tuple[int, Source]) -> None:
    master, source = serial_bus
    os.write(master, b"t7E8403410D3Z\r")
    os.write(master, b"\xff\xfe\r")
    got: list[Frame] = []
    while source.counters()["errors"] < 1 or not got:
        os.write(master, b"t5552AABB\r")  # one of them may go with the nonsense, when the buffer is emptied
        if select.select([source.fileno()], [], [], 0.01)[0]:
            got += frames(source.read())
    assert {one[2:] for one in got} == {(0x555, b"\xaa\xbb", 0)}


def test_nothing_but_nonsense_is_a_device_that_went(serial_bus: tuple[int, Source]) -> None:
    master, source = serial_bus
    while not select.select([source.fileno()], [], [], 0.01)[0]:
        os.write(master, b"tZZZ\r" * 20)
    with pytest.raises(DeviceError, match="only nonsense comes from it: check interface"):
        source.read()


def test_a_serial_adapter_pulled_out_is_a_device_that_went(serial_bus: tuple[int, Source]) -> None:
    master, source = serial_bus
    os.write(master, b"t7E81FF\r")
    heard(source, 1)
    os.close(master)
    assert select.select([source.fileno()], [], [], WAIT_S)[0]
    with pytest.raises(DeviceError, match="went while it was read"):
        source.read()


def test_the_virtual_bus_gives_what_is_sent_on_it() -> None:
    source = open_can("virtual", "tbox-test", number=0, options={"preserve_timestamps": True})
    with can.Bus(interface="virtual", channel="tbox-test", preserve_timestamps=True) as car:
        sent = [can.Message(timestamp=12.5 + i, arbitration_id=i, is_extended_id=False, data=[i]) for i in range(50)]
        for message in sent:
            car.send(message)
        got = heard(source, 50)
    assert [(identifier, data) for _, _, identifier, data, _ in got] == [(i, bytes([i])) for i in range(50)]
    assert all(0 <= boot_us() - t_us < 60_000_000 for t_us, *_ in got), "a stamp of the sender's clock"
    source.close()


def test_filters_keep_out_what_no_map_asks_for() -> None:
    wanted: list[dict[str, object]] = [
        {"can_id": 0x7E8, "can_mask": 0x7FF, "extended": False},
        {"can_id": 0x7E8, "can_mask": 0x1FFFFFFF, "extended": True},
    ]
    source = open_can("virtual", "tbox-test", number=0, filters=wanted)
    with can.Bus(interface="virtual", channel="tbox-test") as car:
        for identifier, extended in ((0x123, False), (0x7E8, False), (0x7E9, True), (0x7E8, True)):
            car.send(can.Message(arbitration_id=identifier, is_extended_id=extended))
        assert [one[2] for one in heard(source, 2)] == [0x7E8, 0x7E8 | EXTENDED]
    source.close()


def test_frames_nobody_reads_in_time_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "Inbox", lambda limit: Inbox(5))
    source = open_can("virtual", "tbox-test", number=0)
    with can.Bus(interface="virtual", channel="tbox-test") as car:
        for identifier in range(12):
            car.send(can.Message(arbitration_id=identifier, is_extended_id=False))
        while source.counters()["frames"] < 12:
            assert select.select([source.fileno()], [], [], WAIT_S)[0]
    assert source.counters() == {"frames": 12, "dropped": 7, "errors": 0, "sent": 0, "unsent": 0}
    assert [one[2] for one in frames(source.read())] == [0, 1, 2, 3, 4]
    source.close()


def test_a_source_can_be_closed_twice() -> None:
    source = open_can("virtual", "tbox-test", number=0)
    assert isinstance(source, ThreadedCan)
    source.close()
    source.close()


@pytest.mark.parametrize(
    ("interface", "channel", "options", "error", "said_words"),
    [
        pytest.param(
            "sockcan", "can0", {}, DriverError, "no CAN interface 'sockcan': known are .*socketcan", id="unknown"
        ),
        pytest.param("slcan", "/dev/null-tty", {}, DeviceError, "slcan '/dev/null-tty': cannot be opened", id="absent"),
        pytest.param("slcan", "", {}, DriverError, "an option is wrong .*serial port", id="no port"),
        pytest.param(
            "socketcan",
            "can77",
            {},
            DeviceError,
            "'can77': cannot be opened: .*: (is it plug|this kernel)",
            id="no such bus",
        ),
    ],
)
def test_what_cannot_be_opened_says_whose_fault_it_is(
    interface: str, channel: str, options: dict, error: type[DriverError], said_words: str
) -> None:
    with pytest.raises(DriverError, match=said_words) as caught:
        open_can(interface, channel, number=0, options=options)
    assert caught.type is error


@pytest.mark.parametrize(
    ("bitrate", "option", "said_words"),
    [
        (7, {}, "bitrate = 7.*: Invalid bitrate, choose one of 10000"),
        (None, {"tty_baudrate": "fast"}, "tty_baudrate = 'fast'"),
    ],
)
def test_an_option_the_adapter_cannot_take_is_the_settings_fault(
    adapter: tuple[int, str], bitrate: int | None, option: dict, said_words: str
) -> None:
    with pytest.raises(DriverError, match=said_words) as caught:
        open_can("slcan", adapter[1], number=0, bitrate=bitrate, options={"sleep_after_open": 0} | option)
    assert caught.type is DriverError
