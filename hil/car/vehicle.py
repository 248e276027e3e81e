"""The car of a scenario in real time, on a real bus or behind a serial adapter, with the faults of its sensors and bus.

    python -m hil.car.vehicle SCENARIO.toml (--link PATH | --channel vcan0) [--receiver PATH --utc US] [--seed N]

Speaks as car.py does: `ready`, then after `go` a JSON line ten times a second; it goes when its input ends.
"""

import argparse
import json
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import can

from hil.car.broadcast import STEP_S, Broadcast
from hil.car.bus_faults import BusFaults
from hil.car.car_faults import Troubles, torn_share
from hil.car.ecu import Readings, engine, gearbox
from hil.car.ecu_bus import WIDE, Ecus, car
from hil.car.elm import Elm
from hil.car.elm_chip import CLONE, GENUINE, STN, Car
from hil.car.gnss import Receiver
from hil.car.road import Moment, moments
from hil.scenes.scenario_file import read
from hil.scenes.scenario_table import Scenario
from hil.wires.wire import Adapter, open_car_end

REPORT_STEPS = 10
LATE_S = 0.02
"""So much is caught up."""
FLAVOURS = {"genuine": GENUINE, "stn": STN, "clone": CLONE}


def whole_day(scenario: Scenario) -> Iterator[Moment]:
    """The drive, then the car as it stands, for as long as anybody looks."""
    now = Moment(next(moments(scenario)).state)
    for now in moments(scenario):
        yield now
    while True:
        state = replace(now.state, time_s=round(now.time_s + STEP_S, 6), yaw_radps=0.0)
        now = replace(now, state=state)
        yield now


class Clock:
    """Moments of the drive, each when it is time, until the input ends."""

    def __init__(self, scenario: Scenario, watch: Callable[[Moment], None]) -> None:
        """`watch` sees each of them."""
        self._scenario, self._watch = scenario, watch
        self._told = -REPORT_STEPS

    def moments(self) -> Iterator[Moment]:
        """One every STEP_S.

        On a machine that is late the car drives on unheard: what was missed is left out. Only a blow, which is over in
        a tenth of a second, waits for whoever hears it.
        """
        begun_s = time.monotonic()
        for moment in whole_day(self._scenario):
            late_s = time.monotonic() - begun_s - moment.time_s
            if late_s > LATE_S and not self._is_blow(moment):
                continue
            begun_s += max(0.0, late_s - LATE_S)
            if select.select([sys.stdin], [], [], max(0.0, -late_s))[0]:
                return
            self._watch(moment)
            yield moment

    def _is_blow(self, moment: Moment) -> bool:
        return bool(self._scenario.drive[moment.state.leg].blow_mps)

    def tell(self, moment: Moment, *, sent: int, heard: int, dropped: int) -> None:
        """Where the car is: the truth, which the agent never sees; ten times a second."""
        state, step = moment.state, round(moment.time_s / STEP_S)
        if step - self._told < REPORT_STEPS:
            return
        self._told = step
        line = {
            "time_s": state.time_s,
            "leg": state.leg,
            "speed_mps": round(state.speed_mps, 3),
            "forward_mps2": round(state.forward_mps2, 3),
            "left_mps2": round(state.left_mps2, 3),
            "rpm": round(state.rpm),
            "distance_m": round(state.distance_m, 3),
            "at_us": time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000,
            "frames": sent,
            "heard": heard,
            "dropped": dropped,
        }
        print(json.dumps(line), flush=True)


class BusDriver:
    """Sends what the car, its units and the faults of the bus say, and counts what others say."""

    def __init__(self, bus: can.BusABC, scenario: Scenario, seed: int) -> None:
        self._bus, self._scenario = bus, scenario
        self._broadcast, self._strays = Broadcast(scenario, seed), BusFaults(scenario.fault, seed)
        self._readings = Readings()
        units = car(self._readings, wide=scenario.ecus == "wide", seed=seed)
        self._troubles = Troubles(scenario.fault, units.ports[0].ecu)
        self._units = units if scenario.ecus != "none" else Ecus([])
        self._sent = self._refused = self._heard = 0

    def idle(self) -> None:
        """Nothing drives yet, but the adapter answers."""
        self._bus.recv(0)

    def drive(self, clock: Clock) -> None:
        """Until the input ends."""
        for moment in clock.moments():
            self._say(moment)
            self._answer(moment)
            dropped = self._refused + (self._bus.dropped if isinstance(self._bus, Adapter) else 0)
            clock.tell(moment, sent=self._sent, heard=self._heard, dropped=dropped)

    def close(self) -> None:
        """Leave the bus."""
        self._bus.shutdown()

    def _say(self, moment: Moment) -> None:
        """What the car broadcasts, and what strays on its bus."""
        frames = self._broadcast.frames(moment)
        for identifier, data in [] if self._strays.is_off(moment.time_s) else frames:
            self._send(identifier, data)
        for stray in self._strays.until(moment.time_s):
            self._send(stray.identifier, stray.data, is_error=stray.is_error)
            if not stray.is_error:
                self._units.hear(now_us(), stray.identifier, stray.data)

    def _answer(self, moment: Moment) -> None:
        """Hear what is asked, answer what is due."""
        is_off = self._strays.is_off(moment.time_s)
        while (heard := self._bus.recv(0)) is not None:
            self._heard += 1
            identifier = heard.arbitration_id | (WIDE if heard.is_extended_id else 0)
            if not is_off:
                self._units.hear(now_us(), identifier, bytes(heard.data))
        self._readings.follow(moment.state)
        self._troubles.step(moment.time_s)
        share = torn_share(self._scenario.fault, moment.time_s)
        for port in self._units.ports:
            port.habits.loses = share
        for _, identifier, data in [] if is_off else self._units.due(now_us()):
            self._send(identifier & ~WIDE, data, is_wide=identifier >= WIDE)

    def _send(self, identifier: int, data: bytes, *, is_wide: bool = False, is_error: bool = False) -> None:
        """A frame that the bus refuses is counted: nobody has heard it."""
        try:
            self._bus.send(
                can.Message(arbitration_id=identifier, data=data, is_extended_id=is_wide, is_error_frame=is_error)
            )
            self._sent += 1
        except can.CanError:
            self._refused += 1


class ElmDriver:
    """The same car behind a gateway: there is nothing to hear, and an ELM327 asks its units."""

    def __init__(self, link: Path, scenario: Scenario, seed: int) -> None:
        self._scenario, self._readings = scenario, Readings()
        first, second, protocol = (0x7E8, 0x7E9, "6") if scenario.ecus == "narrow" else (0x18DAF110, 0x18DAF118, "7")
        units = {first: engine(self._readings), second: gearbox(self._readings)}
        self._troubles = Troubles(scenario.fault, units[first])
        self._gone = [fault for fault in scenario.fault if fault.name == "adapter_gone"]
        self._car = Car(units, protocol)
        self._elm = Elm(link, self._car, FLAVOURS[scenario.adapter], seed=seed)
        self._is_there = True

    def idle(self) -> None:
        """A thread of its own answers."""

    def drive(self, clock: Clock) -> None:
        """Until the input ends."""
        for moment in clock.moments():
            self._readings.follow(moment.state)
            self._car.volts = moment.supply_v
            self._troubles.step(moment.time_s)
            self._plug(moment.time_s)
            clock.tell(moment, sent=0, heard=len(self._elm.requests), dropped=0)

    def close(self) -> None:
        """Take the adapter away."""
        self._elm.close()

    def _plug(self, time_s: float) -> None:
        is_there = not any(fault.from_s <= time_s < fault.until_s for fault in self._gone)
        if is_there != self._is_there:
            self._is_there = is_there
            (self._elm.plug if is_there else self._elm.unplug)()


def now_us() -> int:
    """The units' clock."""
    return time.monotonic_ns() // 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the bus, wait for the word, drive."""
    parser = argparse.ArgumentParser(prog="python -m hil.car.vehicle", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--link", type=Path, help="make a serial adapter and let this path point at it")
    parser.add_argument("--channel", default="vcan0", help="without --link: this interface (default: vcan0)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--receiver", type=Path, help="make a GNSS receiver and let this path point at its port")
    parser.add_argument("--utc", type=int, default=0, help="what makes boot time UTC, in us, for its dates")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # an adapter that is pulled out hangs up its line
    scenario = read(options.scenario)
    with ExitStack() as stack:
        driver = _driver(options, scenario)
        stack.callback(driver.close)
        watch: Callable[[Moment], None] = _ignore
        if options.receiver is not None:
            receiver = Receiver(options.receiver, scenario.fault)
            stack.callback(receiver.close)
            watch = partial(_tell_time, receiver, options.utc)
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0.01)[0]:
            driver.idle()
        if sys.stdin.readline().strip() == "go":
            driver.drive(Clock(scenario, watch))
    return 0


def _driver(options: argparse.Namespace, scenario: Scenario) -> BusDriver | ElmDriver:
    """The car on its bus, or behind its adapter."""
    if scenario.adapter == "none":
        return BusDriver(open_car_end(link=options.link, channel=options.channel), scenario, options.seed)
    return ElmDriver(options.link, scenario, options.seed)


def _ignore(_: Moment) -> None:
    """Nobody has a receiver."""


def _tell_time(receiver: Receiver, utc_us: int, moment: Moment) -> None:
    receiver.step(moment, utc_us + time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)


if __name__ == "__main__":
    sys.exit(main())
