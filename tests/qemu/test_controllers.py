"""Two SJA1000 controllers with Debian's driver on one wire: can0 is the terminal's, can1 somebody else's."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence

import can
import pytest

from drivers.batch import ERROR, EXTENDED
from drivers.bus.can import open_can
from drivers.bus.can_asker import CanAsker
from drivers.bus.diagnostic import Answer, Request
from drivers.bus.link import set_up
from drivers.bus.pick import picked
from drivers.bus.socketcan import SocketCan
from drivers.errors import DeviceError
from drivers.guard import Guard
from drivers.source import boot_us
from hil.wired.checks import check_wire
from hil.wires import controller
from hil.wires.site import Site
from hil.wires.wire import End
from tests.packed import frames

OURS, OTHER = "can0", "can1"
RATE = 500_000
WAIT_S = 60.0
SOL_CAN_ISOTP, CAN_ISOTP_OPTS = 106, 1
TX_PADDING, FILLER = 0x004, 0xAA
VIN = b"\x49\x02\x01" + b"WVWZZZ1KZ6W612305"


@pytest.fixture(autouse=True)
def links() -> Iterator[None]:
    """Both up, both may send."""
    for name in (OURS, OTHER):
        controller.set_up(name, RATE)
    yield
    for name in (OURS, OTHER):
        controller.set_down(name)


@pytest.fixture
def other() -> Iterator[can.BusABC]:
    bus = can.Bus(interface="socketcan", channel=OTHER, ignore_config=True)
    yield bus
    bus.shutdown()


def opened(*, listen_only: bool = False) -> SocketCan:
    source = open_can("socketcan", OURS, number=0, listen_only=listen_only, guard=Guard(requests_per_s=50.0))
    assert isinstance(source, SocketCan)
    return source


def heard(source: SocketCan, count: int) -> list:
    got, until_s = [], time.monotonic() + WAIT_S
    while len(got) < count and time.monotonic() < until_s:
        select.select([source.fileno()], [], [], 0.1)
        got += frames(source.read())
    return got


class Unit:
    """A control unit whose messages are put together by the kernel's can-isotp, not by anything of ours."""

    def __init__(self, tester_id: int, ecu_id: int, answer: bytes) -> None:
        self.heard: list[bytes] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_CAN, socket.SOCK_DGRAM, socket.CAN_ISOTP)
        self._socket.setsockopt(SOL_CAN_ISOTP, CAN_ISOTP_OPTS, struct.pack("=IIBBBB", TX_PADDING, 0, 0, FILLER, 0, 0))
        self._socket.bind((OTHER, tester_id, ecu_id))
        self._socket.settimeout(WAIT_S)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        self.heard.append(self._socket.recv(4095))
        self._socket.send(self._answer)

    def close(self) -> None:
        """Once it has answered."""
        self._thread.join(WAIT_S)
        self._socket.close()


def asked(source: SocketCan, request: Request) -> list[Answer]:
    asker = CanAsker(source.send, channel=0, extended=request.to >= EXTENDED)
    assert asker.ask(request) == ""
    came: list[Answer] = []
    until_s = time.monotonic() + WAIT_S
    while not came and time.monotonic() < until_s:
        select.select([source.fileno()], [], [], 0.1)
        asker.hear(picked(source.read()))
        came += asker.answers()
    return came


@pytest.mark.parametrize(
    ("tester_id", "ecu_id", "answer"),
    [
        pytest.param(0x7E0, 0x7E8, b"\x49\x02\x01ABC", id="in one frame"),
        pytest.param(0x7E0, 0x7E8, VIN, id="in three frames"),
        pytest.param(EXTENDED | 0x18DA10F1, EXTENDED | 0x18DAF110, VIN, id="in three frames of 29 bits"),
        pytest.param(0x7E0, 0x7E8, b"\x49\x02\x02" + bytes(range(31)), id="in as many as the buffer holds"),
    ],
)
def test_what_the_kernels_isotp_answers_is_put_together(tester_id: int, ecu_id: int, answer: bytes) -> None:
    unit, source = Unit(tester_id, ecu_id, answer), opened()
    (came,) = asked(source, Request(0x09, b"\x02", to=tester_id))
    assert (came.ecu, came.payload) == (ecu_id, answer)
    unit.close()
    assert unit.heard == [b"\x09\x02"]
    source.close()


def test_a_link_that_the_terminal_sets_up_listens_only_until_it_is_set_up_to_send(other: can.BusABC) -> None:
    set_up(OURS, RATE, listen_only=True)
    assert controller.look(OURS).words == "500000 bit/s, listen-only, ERROR-ACTIVE"
    source = opened()
    assert source.send(boot_us(), 0x7DF, bytes.fromhex("02010c0000000000")) == "", "the kernel takes it and drops it"
    other.send(can.Message(arbitration_id=5, is_extended_id=False))
    assert [frame[2] for frame in heard(source, 1)] == [5]
    assert other.recv(1.0) is None
    source.close()
    set_up(OURS, RATE, listen_only=False)
    assert controller.look(OURS).words == "500000 bit/s, ERROR-ACTIVE"
    source = opened()
    assert source.send(boot_us(), 0x7DF, bytes.fromhex("02010c0000000000")) == ""
    told = other.recv(WAIT_S)
    assert told is not None
    assert told.arbitration_id == 0x7DF
    source.close()


@pytest.mark.parametrize(
    ("channel", "bitrate", "said"),
    [
        pytest.param(OURS, 5_000_000, "can0: cannot be set up: .*out of domain", id="a rate it cannot have"),
        pytest.param("can7", RATE, 'can7: cannot be set up: .*"can7": is it plugged in', id="no such controller"),
    ],
)
def test_what_cannot_be_set_up_is_said_with_the_command(channel: str, bitrate: int, said: str) -> None:
    with pytest.raises(DeviceError, match=said):
        set_up(channel, bitrate, listen_only=True)


def test_a_link_set_down_under_the_reader_is_said_with_the_fix() -> None:
    source = opened()
    controller.set_down(OURS)
    with pytest.raises(DeviceError, match="ip link set can0 up"):
        heard(source, 1)
    source.close()


def test_what_the_controllers_buffer_had_no_room_for_is_heard_as_error_frames(other: can.BusABC) -> None:
    source, errors, until_s = opened(listen_only=True), 0, time.monotonic() + WAIT_S
    while not errors and time.monotonic() < until_s:
        for number in range(8):
            other.send(can.Message(arbitration_id=number, data=bytes(8), is_extended_id=False), timeout=1.0)
        errors += sum(bool(frame[4] & ERROR) for frame in frames(source.read()))
    assert errors > 0
    assert controller.look(OURS).overruns > 0
    assert source.counters()["overruns"] > 0
    source.close()


def verdicts(ends: Sequence[str]) -> dict[str, str]:
    return {check.name: check.verdict for check in check_wire(Site(car=End(ends[0]), terminal=End(ends[1])))}


def test_the_checklist_passes_on_two_controllers_at_one_rate() -> None:
    assert set(verdicts((OTHER, OURS)).values()) == {"PASS"}


def test_the_checklist_finds_two_bit_rates_and_a_car_that_may_not_send() -> None:
    controller.set_up(OTHER, 250_000)
    assert verdicts((OTHER, OURS))["bit rate"] == "FAIL"
    controller.set_up(OTHER, RATE, listen_only=True)
    assert verdicts((OTHER, OURS))["a frame gets there"] == "FAIL"
