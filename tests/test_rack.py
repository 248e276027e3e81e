"""The rack: devices that come, go, die at once, and are opened another way; back-off by a clock the test turns."""

import logging
import os
from collections.abc import Iterator

import pytest

from drivers.errors import DeviceError, DriverError
from drivers.rack import RETRY_S_MAX, Rack
from tests.plugs import INPUT, Plug


@pytest.fixture
def plug() -> Plug:
    return Plug()


@pytest.fixture
def rack(plug: Plug) -> Iterator[Rack]:
    made = Rack({"can0": plug.open}, clock=plug.clock)
    yield made
    made.close()


def turns(rack: Rack, plug: Plug, seconds: float) -> int:
    """Turns every 0.1 s; how many inputs came."""
    inputs = 0
    for _ in range(round(seconds * 10)):
        plug.now_s += 0.1
        inputs += len(rack.read(0)) // len(INPUT)
    return inputs


def waits_s(plug: Plug) -> list[float]:
    return [round(after - before, 1) for before, after in zip(plug.tried_s, plug.tried_s[1:], strict=False)]


def test_a_device_that_is_there_is_read(rack: Rack, plug: Plug) -> None:
    assert turns(rack, plug, 1) == 10
    assert rack.source("can0") is plug.opened[0]
    assert rack.source("can1") is None
    assert rack.missing() == []
    assert rack.counters() == {"can0": {"frames": 7, "losses": 0, "failures": 0}}


def test_an_absent_device_is_tried_ever_more_seldom_but_at_least_every_5_s(plug: Plug) -> None:
    plug.why = DeviceError("not there")
    rack = Rack({"can0": plug.open}, clock=plug.clock)
    turns(rack, plug, 40)
    assert waits_s(plug)[:4] == pytest.approx([0.5, 1.0, 2.0, 4.0], abs=0.11)
    assert max(waits_s(plug)) == pytest.approx(RETRY_S_MAX, abs=0.11)
    assert rack.missing() == ["can0"]
    assert rack.counters()["can0"] == {"losses": 0, "failures": len(plug.tried_s)}
    plug.why = None
    assert turns(rack, plug, RETRY_S_MAX + 0.2) > 0
    rack.close()


def test_a_device_that_gave_something_is_tried_again_soon(rack: Rack, plug: Plug) -> None:
    for losses in range(5):
        turns(rack, plug, 1)
        plug.opened[-1].is_dead = True
        turns(rack, plug, 0.7)
        assert rack.counters()["can0"]["losses"] == losses + 1
        assert len(plug.opened) == losses + 2


def test_a_device_that_opens_gives_nothing_and_dies_is_tried_ever_more_seldom(rack: Rack, plug: Plug) -> None:
    plug.opened[0].gives = plug.gives = b""
    lived_s = []
    for _ in range(6):
        turns(rack, plug, 6)
        plug.opened[-1].is_dead = True
        since_s, count = plug.now_s, len(plug.opened)
        while len(plug.opened) == count:
            turns(rack, plug, 0.1)
        lived_s.append(plug.now_s - since_s)
    assert lived_s == pytest.approx([0.6, 1.1, 2.1, 4.1, 5.1, 5.1], abs=0.15)


def test_it_is_said_once_that_a_device_is_missing_and_once_that_it_came(
    plug: Plug, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="drivers.rack")
    plug.why = DeviceError("not there")
    rack = Rack({"can0": plug.open}, clock=plug.clock)
    turns(rack, plug, 30)
    plug.why = None
    turns(rack, plug, 10)
    rack.reopen("can0", plug.open)
    turns(rack, plug, 1)
    assert [record.message for record in caplog.records] == ["can0: not there; trying again", "can0: open"]
    rack.close()


def test_a_device_is_opened_another_way_at_once_and_that_is_no_loss(rack: Rack, plug: Plug) -> None:
    other = Plug()
    rack.reopen("can0", other.open)
    assert plug.opened[0].is_closed
    assert rack.source("can0") is other.opened[0]
    assert rack.counters()["can0"]["losses"] == 0
    other.opened[0].is_dead = True
    turns(rack, plug, 2)
    assert len(other.opened) == 2, "and from now on"


def test_another_way_for_an_absent_device_brings_no_try_of_its_own(plug: Plug) -> None:
    plug.why = DeviceError("not there")
    rack = Rack({"can0": plug.open}, clock=plug.clock)
    turns(rack, plug, 20)
    tried = len(plug.tried_s)
    rack.reopen("can0", plug.open)
    rack.reopen("can1", plug.open)
    assert len(plug.tried_s) == tried
    assert rack.source("can0") is None
    rack.close()


def test_a_device_that_goes_while_it_is_opened_another_way_is_missing(rack: Rack, plug: Plug) -> None:
    plug.why = DeviceError("not there")
    rack.reopen("can0", plug.open)
    assert rack.missing() == ["can0"]
    plug.why = None
    assert turns(rack, plug, 1) > 0


def test_what_can_never_be_opened_is_said_at_the_start_and_a_failure_later(rack: Rack, plug: Plug) -> None:
    broken = Plug()
    broken.why = DriverError("an option is wrong")
    with pytest.raises(DriverError, match="option"):
        Rack({"can0": broken.open})
    plug.opened[0].is_dead = True
    plug.why = broken.why
    turns(rack, plug, 10)
    assert rack.missing() == ["can0"]
    assert rack.counters()["can0"]["failures"] >= 3


def test_one_that_dies_takes_nothing_from_the_others(plug: Plug) -> None:
    other = Plug()
    rack = Rack({"can0": plug.open, "can1": other.open}, clock=plug.clock)
    plug.opened[0].is_dead = True
    plug.why = DeviceError("not there")
    assert turns(rack, plug, 1) == 10
    assert rack.missing() == ["can0"]
    rack.close()
    assert other.opened[0].is_closed


def test_who_calls_is_told_apart_from_what_is_read(plug: Plug) -> None:
    fd = os.eventfd(0)
    rack = Rack({"can0": plug.open}, [fd], plug.clock)
    assert (len(rack.read(0)), rack.is_woken) == (len(INPUT), False)
    os.eventfd_write(fd, 1)
    assert (len(rack.read(0)), rack.is_woken) == (len(INPUT), True)
    rack.close()
    os.close(fd)
