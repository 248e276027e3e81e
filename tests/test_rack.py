"""The rack: devices that come, go, die at once, and are opened another way; back-off by a clock the test turns."""

import logging
import os
from collections.abc import Iterator

import pytest

from drivers.errors import DeviceError, DriverError
from drivers.rack import RETRY_S_MAX, Rack
from drivers.source import Source

INPUT = bytes(80)


class FakeSource:
    """Always readable. Gives an input each time, or nothing, or dies."""

    def __init__(self, gives: bytes = INPUT) -> None:
        self.name = "fake"
        self.gives = gives
        self.is_dead = False
        self.is_closed = False
        self._fd = os.eventfd(1)

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        if self.is_dead:
            raise DeviceError("it was pulled out")
        return self.gives

    def counters(self) -> dict[str, int]:
        return {"frames": 7}

    def close(self) -> None:
        assert not self.is_closed, "once"
        self.is_closed = True
        os.close(self._fd)


class Socket:
    """Where a device may be. `opened` holds each that was opened; `why` is what is wrong with the next."""

    def __init__(self) -> None:
        self.opened: list[FakeSource] = []
        self.tried_s: list[float] = []
        self.why: DriverError | None = None
        self.gives = INPUT
        self.now_s = 1000.0

    def open(self) -> Source:
        self.tried_s.append(self.now_s)
        if self.why is not None:
            raise self.why
        self.opened.append(FakeSource(self.gives))
        return self.opened[-1]

    def clock(self) -> float:
        return self.now_s


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
def rack(socket: Socket) -> Iterator[Rack]:
    made = Rack({"can0": socket.open}, clock=socket.clock)
    yield made
    made.close()


def turns(rack: Rack, socket: Socket, seconds: float) -> int:
    """Turns every 0.1 s; how many inputs came."""
    inputs = 0
    for _ in range(round(seconds * 10)):
        socket.now_s += 0.1
        inputs += len(rack.read(0)) // len(INPUT)
    return inputs


def waits_s(socket: Socket) -> list[float]:
    return [round(after - before, 1) for before, after in zip(socket.tried_s, socket.tried_s[1:], strict=False)]


def test_a_device_that_is_there_is_read(rack: Rack, socket: Socket) -> None:
    assert turns(rack, socket, 1) == 10
    assert rack.source("can0") is socket.opened[0]
    assert rack.source("can1") is None
    assert rack.missing() == []
    assert rack.counters() == {"can0": {"frames": 7, "losses": 0, "failures": 0}}


def test_an_absent_device_is_tried_ever_more_seldom_but_at_least_every_5_s(socket: Socket) -> None:
    socket.why = DeviceError("not there")
    rack = Rack({"can0": socket.open}, clock=socket.clock)
    turns(rack, socket, 40)
    assert waits_s(socket)[:4] == pytest.approx([0.5, 1.0, 2.0, 4.0], abs=0.11)
    assert max(waits_s(socket)) == pytest.approx(RETRY_S_MAX, abs=0.11)
    assert rack.missing() == ["can0"]
    assert rack.counters()["can0"] == {"losses": 0, "failures": len(socket.tried_s)}
    socket.why = None
    assert turns(rack, socket, RETRY_S_MAX + 0.2) > 0
    rack.close()


def test_a_device_that_gave_something_is_tried_again_soon(rack: Rack, socket: Socket) -> None:
    for losses in range(5):
        turns(rack, socket, 1)
        socket.opened[-1].is_dead = True
        turns(rack, socket, 0.7)
        assert rack.counters()["can0"]["losses"] == losses + 1
        assert len(socket.opened) == losses + 2


def test_a_device_that_opens_gives_nothing_and_dies_is_tried_ever_more_seldom(rack: Rack, socket: Socket) -> None:
    socket.opened[0].gives = socket.gives = b""
    lived_s = []
    for _ in range(6):
        turns(rack, socket, 6)
        socket.opened[-1].is_dead = True
        since_s, count = socket.now_s, len(socket.opened)
        while len(socket.opened) == count:
            turns(rack, socket, 0.1)
        lived_s.append(socket.now_s - since_s)
    assert lived_s == pytest.approx([0.6, 1.1, 2.1, 4.1, 5.1, 5.1], abs=0.15)


def test_it_is_said_once_that_a_device_is_missing_and_once_that_it_came(
    socket: Socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    socket.why = DeviceError("not there")
    rack = Rack({"can0": socket.open}, clock=socket.clock)
    turns(rack, socket, 30)
    socket.why = None
    turns(rack, socket, 10)
    rack.reopen("can0", socket.open)
    turns(rack, socket, 1)
    assert [record.message for record in caplog.records] == ["can0: not there; trying again", "can0: open"]
    rack.close()


def test_a_device_is_opened_another_way_at_once_and_that_is_no_loss(rack: Rack, socket: Socket) -> None:
    other = Socket()
    rack.reopen("can0", other.open)
    assert socket.opened[0].is_closed
    assert rack.source("can0") is other.opened[0]
    assert rack.counters()["can0"]["losses"] == 0
    other.opened[0].is_dead = True
    turns(rack, socket, 2)
    assert len(other.opened) == 2, "and from now on"


def test_another_way_for_an_absent_device_brings_no_try_of_its_own(socket: Socket) -> None:
    socket.why = DeviceError("not there")
    rack = Rack({"can0": socket.open}, clock=socket.clock)
    turns(rack, socket, 20)
    tried = len(socket.tried_s)
    rack.reopen("can0", socket.open)
    rack.reopen("can1", socket.open)
    assert len(socket.tried_s) == tried
    assert rack.source("can0") is None
    rack.close()


def test_a_device_that_goes_while_it_is_opened_another_way_is_missing(rack: Rack, socket: Socket) -> None:
    socket.why = DeviceError("not there")
    rack.reopen("can0", socket.open)
    assert rack.missing() == ["can0"]
    socket.why = None
    assert turns(rack, socket, 1) > 0


def test_what_can_never_be_opened_is_said_at_the_start_and_a_failure_later(rack: Rack, socket: Socket) -> None:
    broken = Socket()
    broken.why = DriverError("an option is wrong")
    with pytest.raises(DriverError, match="option"):
        Rack({"can0": broken.open})
    socket.opened[0].is_dead = True
    socket.why = broken.why
    turns(rack, socket, 10)
    assert rack.missing() == ["can0"]
    assert rack.counters()["can0"]["failures"] >= 3


def test_one_that_dies_takes_nothing_from_the_others(socket: Socket) -> None:
    other = Socket()
    rack = Rack({"can0": socket.open, "can1": other.open}, clock=socket.clock)
    socket.opened[0].is_dead = True
    socket.why = DeviceError("not there")
    assert turns(rack, socket, 1) == 10
    assert rack.missing() == ["can0"]
    rack.close()
    assert other.opened[0].is_closed


def test_who_calls_is_told_apart_from_what_is_read(socket: Socket) -> None:
    fd = os.eventfd(0)
    rack = Rack({"can0": socket.open}, [fd], socket.clock)
    assert (len(rack.read(0)), rack.is_woken) == (len(INPUT), False)
    os.eventfd_write(fd, 1)
    assert (len(rack.read(0)), rack.is_woken) == (len(INPUT), True)
    rack.close()
    os.close(fd)
