"""The flood on the kernel's CAN: batches of classic and of FD frames arrive whole, in order, and are counted."""

import select
import subprocess
import time

import pytest

from drivers.bus.can import open_can
from hil.soak import flood
from tests.packed import frames

LINK = "vcan0"
RATE = 500
WAIT_S = 20.0


@pytest.mark.parametrize("is_fd", [False, True])
def test_a_batch_is_one_call_and_arrives_whole(is_fd: bool) -> None:
    source = open_can("socketcan", LINK, number=0, fd=True)
    dbc, shape = (flood.FD_DBC, flood.FD) if is_fd else (flood.CLASSIC_DBC, flood.CLASSIC)
    made = flood.content(dbc, shape, RATE)
    wire = flood.Wire(LINK, made, shape.size)
    got: list = []
    for count in (200, 64, 1):  # less than wait for a reader at once
        wire.send(count)
        give_up_s = time.monotonic() + WAIT_S
        while len(got) < wire.sent and time.monotonic() < give_up_s:
            select.select([source.fileno()], [], [], 0.1)
            got += frames(source.read())
    assert [frame[3] for frame in got] == [told[8 : 8 + told[4]] for told, _ in made[:265]]
    assert [frame[2] for frame in got] == [int.from_bytes(told[:4], "little") for told, _ in made[:265]]
    assert (wire.sent, wire.refused, source.counters()["dropped"]) == (265, 0, 0)
    wire.close()
    source.close()


def test_a_link_that_is_down_is_an_error_not_silence() -> None:
    wire = flood.Wire(LINK, [(bytes(16), False)], 16)
    subprocess.run(["ip", "link", "set", LINK, "down"], check=True)
    try:
        with pytest.raises(OSError, match="down"):
            wire.send(1)
    finally:
        subprocess.run(["ip", "link", "set", LINK, "up"], check=True)
        wire.close()
