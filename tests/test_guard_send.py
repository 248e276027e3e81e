"""What the guard lets pass reaches the bus as it was told, through python-can and through the kernel; nothing else does."""

import os
import pty
import socket
import struct
import tty
from collections.abc import Iterator

import can
import pytest

from drivers.batch import EXTENDED
from drivers.bus.can import ThreadedCan, open_can
from drivers.bus.socketcan import SocketCan
from drivers.errors import DeviceError
from drivers.guard import Guard
from tests.wires import Wire, said

WAIT_S = 30.0
CLASSIC = struct.Struct("=IBB2x8s")
REQUEST = bytes.fromhex("02010C0000000000")


def asking(name: str, guard: Guard | None, *, listen_only: bool = False) -> ThreadedCan:
    source = open_can("virtual", name, number=0, listen_only=listen_only, guard=guard)
    assert isinstance(source, ThreadedCan)
    return source


def test_what_the_guard_lets_pass_is_on_the_bus_as_it_was_told() -> None:
    source = asking("tbox-send", Guard((), 20))
    with can.Bus(interface="virtual", channel="tbox-send") as car:
        assert source.send(0, 0x7DF, REQUEST) == ""
        assert source.send(0, 0x18DA10F1 | EXTENDED, b"\x01\x03") == ""
        got = [car.recv(WAIT_S), car.recv(WAIT_S)]
    assert all(got)
    told = [
        (one.arbitration_id, one.is_extended_id, bytes(one.data), one.is_remote_frame, one.is_fd) for one in got if one
    ]
    assert told == [(0x7DF, False, REQUEST, False, False), (0x18DA10F1, True, b"\x01\x03", False, False)]
    assert source.counters()["sent"] == 2
    source.close()


def test_what_the_guard_refuses_is_not_on_the_bus() -> None:
    source = asking("tbox-send", Guard((), 4))
    with can.Bus(interface="virtual", channel="tbox-send") as car:
        refused = [
            (0x7E8, REQUEST),
            (0x7DF, b"\x01\x04"),
            (0x7DF | EXTENDED, REQUEST),
            (1 << 32, REQUEST),
            (0x7DF, bytes(65)),
        ]
        assert [source.send(0, *one) for one in refused] == ["identifier", "service", "identifier", "kind", "kind"]
        assert [source.send(0, 0x7DF, REQUEST) for _ in range(2)] == ["", "rate"]
        first, then = car.recv(WAIT_S), car.recv(0)
    assert first
    assert (first.arbitration_id, then) == (0x7DF, None)
    source.close()


@pytest.mark.parametrize(
    ("guard", "listen_only"),
    [
        pytest.param(None, True, id="as it begins"),
        pytest.param(None, False, id="no guard"),
        pytest.param(Guard(), True, id="a guard, and listen-only"),
    ],
)
def test_a_bus_that_only_listens_is_not_sent_on(guard: Guard | None, listen_only: bool) -> None:
    source = asking("tbox-send", guard, listen_only=listen_only)
    with can.Bus(interface="virtual", channel="tbox-send") as car:
        assert source.send(0, 0x7DF, REQUEST) == "listen_only"
        assert car.recv(0) is None
    source.close()


@pytest.fixture
def adapter() -> Iterator[tuple[int, str]]:
    """A serial adapter: its end of the line, and the port the terminal opens."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_slcan_that_may_send_is_opened_for_that_and_writes_the_frame(adapter: tuple[int, str]) -> None:
    master, port = adapter
    options = {"sleep_after_open": 0}
    source = open_can("slcan", port, number=0, bitrate=500_000, options=options, listen_only=False, guard=Guard())
    assert b"O\r" in said(master, b"O\r")
    assert source.send(0, 0x7DF, REQUEST) == ""
    assert said(master, b"0000\r").endswith(b"t7DF802010C0000000000\r")
    source.close()


def test_an_adapter_that_takes_nothing_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    source = asking("tbox-send", Guard())

    def full(*_: object, **__: object) -> None:
        raise can.CanOperationError("transmit buffer full")

    monkeypatch.setattr(source._bus, "send", full)
    assert source.send(0, 0x7DF, REQUEST) == "bus"
    assert source.counters() | {"frames": 0} == {"frames": 0, "dropped": 0, "errors": 0, "sent": 0, "unsent": 1}
    source.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A datagram pair that carries struct can_frame as a CAN socket does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    yield ours, theirs
    ours.close()
    theirs.close()


def wired(ours: socket.socket, guard: Guard | None) -> SocketCan:
    return SocketCan(Wire(ours), "can0", 0, guard)


@pytest.mark.parametrize(
    ("identifier", "data", "wanted"),
    [
        pytest.param(0x7DF, REQUEST, CLASSIC.pack(0x7DF, 8, 0, REQUEST), id="11 bits"),
        pytest.param(0x18DA10F1 | EXTENDED, b"\x01\x03", CLASSIC.pack(0x98DA10F1, 2, 0, b"\x01\x03"), id="29 bits"),
        pytest.param(0x7E0, b"\x30\x00\x00", CLASSIC.pack(0x7E0, 3, 0, b"\x30"), id="flow control"),
    ],
)
def test_what_the_guard_lets_pass_is_written_as_the_kernels_frame(
    pair: tuple[socket.socket, socket.socket], identifier: int, data: bytes, wanted: bytes
) -> None:
    source = wired(pair[0], Guard())
    assert source.send(0, identifier, data) == ""
    assert pair[1].recv(100) == wanted
    assert (source.counters()["sent"], source.counters()["unsent"]) == (1, 0)


def test_what_the_guard_refuses_is_not_written(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    source = wired(ours, Guard((), 4))
    refused = [
        (0x7E8, REQUEST),
        (0x7DF, b"\x01\x04"),
        (1 << 32, REQUEST),
        (-1, REQUEST),
        (0x7DF, bytes(9)),
        (0x7DF, bytes(65)),
    ]
    assert [source.send(0, *one) for one in refused] == ["identifier", "service", "kind", "kind", "length", "kind"]
    assert [source.send(0, 0x7DF, REQUEST) for _ in range(2)] == ["", "rate"]
    assert theirs.recv(100) == CLASSIC.pack(0x7DF, 8, 0, REQUEST)
    with pytest.raises(BlockingIOError):
        theirs.recv(100, socket.MSG_DONTWAIT)
    assert (source.counters()["sent"], source.counters()["unsent"]) == (1, 0)


def test_a_bus_without_a_guard_only_listens(pair: tuple[socket.socket, socket.socket]) -> None:
    assert wired(pair[0], None).send(0, 0x7DF, REQUEST) == "listen_only"
    with pytest.raises(BlockingIOError):
        pair[1].recv(100, socket.MSG_DONTWAIT)


def test_a_full_queue_is_busy_and_not_waited_for(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    source = wired(ours, Guard((), 100))
    said, second = [], 0
    while not said or said[-1] == "":
        second += 1
        said.append(source.send(second * 1_000_000, 0x7DF, REQUEST))
    assert said[-1] == "busy"
    theirs.recv(100)
    assert source.send((second + 1) * 1_000_000, 0x7DF, REQUEST) == ""
    assert source.counters() | {"sent": 0} == dict.fromkeys(source.counters(), 0) | {"unsent": 1}
    assert source.counters()["sent"] == len(said)


def test_a_bus_that_went_is_a_reason_when_sent_on_and_an_error_when_read(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    source = wired(pair[0], Guard())
    source.close()
    assert source.send(0, 0x7DF, REQUEST) == "bus"
    assert source.counters()["unsent"] == 1
    with pytest.raises(DeviceError, match="went while it was read"):
        source.read()


def test_the_budget_is_the_guards_whoever_asks_it(pair: tuple[socket.socket, socket.socket]) -> None:
    guard = Guard((), 8)
    source = wired(pair[0], guard)
    assert guard.frame(0, 0x7DF, REQUEST) == ""
    assert [source.send(0, 0x7DF, REQUEST) for _ in range(2)] == ["", "rate"]
    assert guard.counters()["requests"] == 2
