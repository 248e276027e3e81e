"""The books of a live run: times of the drive, what arrived, the queue; and the relay that forgets."""

import socket
from typing import Any

import pytest

from agent.codec import ZEROS, Record, make
from hil.books import Books
from hil.wires.relay import Relay

DEVICE = b"12345678"
TRUTH = {"speed_mps": 1.0, "forward_mps2": 0.0, "left_mps2": 0.0, "rpm": 800, "distance_m": 5.0, "heard": 0}


def books(*ticks: tuple[int, float]) -> Books:
    made = Books()
    for at_us, time_s in ticks:
        made.see({**TRUTH, "at_us": at_us, "time_s": time_s}, waiting=2)
    return made


def record(kind: str, seq: int, **body: Any) -> Record:
    return make(kind, DEVICE, 1, seq, seq * 1000, ZEROS, body)


@pytest.mark.parametrize(
    ("at_us", "time_s"),
    [
        pytest.param(9_500_000, -0.5, id="before it began"),
        pytest.param(10_000_000, 0.0, id="as it began"),
        pytest.param(10_050_000, 0.05, id="between two words"),
        pytest.param(10_600_000, 0.15, id="while the machine was late: half of the way"),
        pytest.param(11_100_000, 0.2, id="when it went on"),
        pytest.param(11_300_000, 0.4, id="after the last word"),
    ],
)
def test_a_late_machine_makes_the_drive_longer_not_its_times(at_us: int, time_s: float) -> None:
    told = books((10_000_000, 0.0), (10_100_000, 0.1), (11_100_000, 0.2))
    assert told.seconds(at_us) == pytest.approx(time_s)


def test_the_account_is_complete_when_trips_are_sealed_and_no_number_is_missing() -> None:
    made = books((0, 0.0))
    assert not made.is_complete(0)
    told = [record("boot", 0), record("trip_end", 1), record("event", 2), record("seal", 3)]
    for number in (0, 1, 3):
        made.inbox.take(f"tbox/v1/x/{told[number].lane}", told[number].raw)
    assert not made.is_complete(1), "2 is missing"
    made.inbox.take(f"tbox/v1/x/{told[2].lane}", told[2].raw)
    assert made.is_complete(1)
    assert not made.is_complete(2), "one trip has ended"


def test_a_relay_that_forgets_lets_connections_stand_and_takes_new_ones() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        relay = Relay(server.getsockname()[1])
        old = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
        old_far, _ = server.accept()
        relay.forget()
        new = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
        new_far, _ = server.accept()
        old.sendall(b"lost")
        new.sendall(b"heard")
        assert new_far.recv(10) == b"heard"
        old_far.setblocking(False)
        with pytest.raises(BlockingIOError):
            old_far.recv(10)
        relay.close()
        for sock in (old, new, old_far, new_far):
            sock.close()
