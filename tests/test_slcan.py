"""A serial CAN adapter (slcan) through python-can, as the loop has it: absent, pulled out, back, with noise on its line."""

import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import can
import pytest

from drivers.bus.can import open_can
from drivers.errors import DeviceError
from drivers.guard import Guard
from drivers.rack import Rack
from hil.wires.wire import Adapter
from tests.packed import Frame, frames

WAIT_S = 30.0
OPTIONS = {"sleep_after_open": 0}


def message(number: int) -> can.Message:
    """A frame whose data say which one it is."""
    return can.Message(arbitration_id=0x123, is_extended_id=False, data=number.to_bytes(2, "big"))


def open_rack(link: Path) -> Rack:
    return Rack({"slcan": partial(open_can, "slcan", str(link), number=1, bitrate=500_000, options=OPTIONS)})


def heard(rack: Rack, adapter: Adapter, is_enough: Callable[[list[Frame]], bool]) -> list[Frame]:
    """Frames while the car sends one after the other, until there are enough."""
    found: list[Frame] = []
    late_s, number = time.monotonic() + WAIT_S, 0
    while not is_enough(found):
        assert time.monotonic() < late_s, found[-5:]
        adapter.recv(0)
        adapter.send(message(number % 65_536))
        number += 1
        found += frames(rack.read(0.002))
    return found


def test_an_adapter_that_is_absent_comes_goes_and_comes_back(tmp_path: Path) -> None:
    link = tmp_path / "port"
    rack = open_rack(link)
    assert rack.missing() == ["slcan"]
    for losses in range(2):
        adapter = Adapter(link)
        assert {one[1:3] for one in heard(rack, adapter, bool)} == {(1, 0x123)}
        assert adapter.is_open
        assert rack.counters()["slcan"]["losses"] == losses
        adapter.shutdown()
        late_s = time.monotonic() + WAIT_S
        while not rack.missing():
            rack.read(0.01)
            assert time.monotonic() < late_s
    rack.close()


@pytest.mark.parametrize("seed", range(3))
def test_noise_on_the_line_costs_frames_but_makes_none(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    adapter = Adapter(tmp_path / "port")
    rack = open_rack(adapter.link)
    heard(rack, adapter, bool)
    for _ in range(20):
        os.write(adapter.fileno(), bytes(dice.choices(range(0x80, 0x100), k=dice.randrange(1, 12))) + b"\r")
        assert {one[2] for one in heard(rack, adapter, lambda found: len(found) >= 2)} == {0x123}
    assert rack.counters()["slcan"]["errors"] >= 1
    assert rack.counters()["slcan"]["losses"] == 0
    rack.close()
    adapter.shutdown()


def test_what_the_guard_refuses_is_never_written_to_the_adapter(tmp_path: Path) -> None:
    adapter = Adapter(tmp_path / "port")
    source = open_can(
        "slcan", str(adapter.link), number=0, bitrate=500_000, listen_only=False, options=OPTIONS, guard=Guard()
    )
    assert source.send(0, 0x7DF, b"\x01\x04" + bytes(6)) == "service"
    assert source.send(0, 0x123, b"\x02\x01\x0d" + bytes(5)) == "identifier"
    assert source.send(1, 0x7DF, b"\x02\x01\x0d" + bytes(5)) == ""
    late_s, sent = time.monotonic() + WAIT_S, None
    while sent is None:
        assert time.monotonic() < late_s
        sent = adapter.recv(0.05)
    assert (sent.arbitration_id, bytes(sent.data)) == (0x7DF, b"\x02\x01\x0d" + bytes(5))
    source.close()
    adapter.shutdown()


def test_a_port_that_somebody_reads_is_not_set_up_anew_by_another(tmp_path: Path) -> None:
    link = tmp_path / "port"
    adapter, rack = Adapter(link), open_rack(link)
    assert heard(rack, adapter, bool)
    with pytest.raises(DeviceError, match="another process has it open, tbox run perhaps"):
        open_can("slcan", str(link), number=2, bitrate=250_000, options=OPTIONS)
    assert heard(rack, adapter, lambda found: len(found) > 3)
    assert rack.counters()["slcan"]["losses"] == 0
    rack.close()
    open_can("slcan", str(link), number=2, options=OPTIONS).close()
    adapter.shutdown()
