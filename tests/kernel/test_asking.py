"""Asking on the kernel's CAN: the guard's verdict and the write are one call; simulated units answer on vcan0."""

import select
import threading
import time
from collections.abc import Iterator

import can
import pytest

from drivers.bus.can import open_can
from drivers.bus.can_asker import CanAsker
from drivers.bus.diagnostic import Answer, Request
from drivers.bus.pick import picked
from drivers.bus.socketcan import SocketCan
from drivers.guard import Guard
from drivers.source import boot_us
from hil.car.ecu import VIN, Readings
from hil.car.ecu_bus import car, serve

LINK = "vcan0"
WAIT_S = 20.0


def opened(*, listen_only: bool = False) -> SocketCan:
    source = open_can("socketcan", LINK, number=0, listen_only=listen_only, guard=Guard(requests_per_s=50.0))
    assert isinstance(source, SocketCan)
    return source


@pytest.fixture
def listener() -> Iterator[can.BusABC]:
    made = can.Bus(interface="socketcan", channel=LINK, ignore_config=True)
    yield made
    made.shutdown()


@pytest.fixture
def units() -> Iterator[None]:
    """An engine and a gearbox on the same link."""
    bus, is_over = can.Bus(interface="socketcan", channel=LINK, ignore_config=True), threading.Event()
    thread = threading.Thread(target=serve, args=(bus, car(Readings()), is_over.is_set))
    thread.start()
    yield
    is_over.set()
    thread.join(WAIT_S)
    bus.shutdown()


@pytest.mark.parametrize(
    ("identifier", "data", "why"),
    [
        pytest.param(0x7DF, "02010c0000000000", "", id="revolutions, of everybody"),
        pytest.param(0x7E0, "0209020000000000", "", id="VIN, of the engine"),
        pytest.param(0x7DF, "0104000000000000", "service", id="clear codes"),
        pytest.param(0x7E0, "022e f190 00000000".replace(" ", ""), "service", id="a write"),
        pytest.param(0x123, "02010c0000000000", "identifier", id="somebody else's identifier"),
    ],
)
def test_only_what_the_guard_lets_pass_is_on_the_wire(
    identifier: int, data: str, why: str, listener: can.BusABC
) -> None:
    source = opened()
    payload = bytes.fromhex(data)[:8]
    assert source.send(boot_us(), identifier, payload) == why
    heard = listener.recv(0.0 if why else WAIT_S)
    assert (heard is None) == bool(why)
    if heard is not None:
        assert (heard.arbitration_id, bytes(heard.data)) == (identifier, payload)
    source.close()


def test_a_listener_sends_nothing(listener: can.BusABC) -> None:
    source = opened(listen_only=True)
    assert source.send(boot_us(), 0x7DF, bytes.fromhex("02010c0000000000")) == "listen_only"
    assert listener.recv(0.0) is None
    source.close()


@pytest.mark.usefixtures("units")
def test_two_units_answer_in_one_frame_and_in_several() -> None:
    source = opened()
    asker = CanAsker(source.send, channel=0)

    def asked(request: Request, count: int) -> list[Answer]:
        came, until_s = [], time.monotonic() + WAIT_S
        assert asker.ask(request) == ""
        while len(came) < count and time.monotonic() < until_s:
            select.select([source.fileno()], [], [], 0.1)
            asker.hear(picked(source.read()))
            came += asker.answers()
        return came

    assert {answer.ecu for answer in asked(Request(0x01, b"\x0c"), 2)} == {0x7E8, 0x7E9}
    (vin,) = asked(Request(0x09, b"\x02", to=0x7E0), 1)
    assert vin.payload[3:] == VIN.encode()
    assert asker.foreign() == 0
    assert source.counters()["sent"] >= 3
    source.close()
