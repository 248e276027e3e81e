"""Fixtures of pytest for a fleet's own CI: a scenario is a test of ten lines.

    from hil.drive import Leg

    pytest_plugins = ["hil.plugin"]

    def test_a_harsh_braking_is_told(vehicle, terminal):
        vehicle.drive(Leg("pulls away", 4.0, forward_mps2=3.0), Leg("brakes hard", 2.0, forward_mps2=-5.0))
        (event,) = terminal.events("harsh_braking")
        assert event["severity"] == "medium"

bus            where car and terminal meet: vcan0 of this kernel, else a serial CAN adapter over a pty
broker         a broker of its own: what arrived there, by kind of record; `cut` and `mend` the network before it
terminal       `tbox run` on the bus; it starts when the car is there; its events and trips as they arrived, its log
vehicle        the simulated car: drives legs, or a scenario's drive, in real time, until all of it has arrived;
               `at={5.0: broker.cut, 9.0: broker.mend}` does something at these seconds of the drive
kernel         runs a command in a kernel with vcan0 that comes along; the test is skipped where there is none
tbox_settings  the agent's settings by dotted key; define one of your own to change them

What the terminal wrote stands under a test that failed.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hil import ROOT
from hil import kernel as kernels
from hil.bench import CarProcess
from hil.car.road import lasts_s
from hil.drive import Leg
from hil.scenes import scenario_file
from hil.scenes.scenario_file import ScenarioError
from hil.scenes.scenario_table import LIVE_FAULTS, Scenario
from hil.subscriber import Inbox, Subscriber
from hil.terminal import Plug, Setting, Terminal, TerminalError, toml
from hil.wires import broker as brokers
from hil.wires.relay import Relay
from hil.wires.wire import has_vcan

WAIT_S = 30.0
TURN_S = 0.05
LEG = ("label", "lasts_s", "forward_mps2", "left_mps2", "engine", "blow_mps")

KernelRun = Callable[[Sequence[str]], kernels.Done]
Truth = Mapping[str, Any]
"""What the car says of itself: time_s, speed_mps, distance_m and more."""


def wait_until(holds: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> None:
    """Until it holds; the test fails when it never does."""
    give_up_s = time.monotonic() + wait_s
    while not holds():
        if time.monotonic() > give_up_s:
            pytest.fail(f"{what}: not within {wait_s:.0f} s", pytrace=False)
        time.sleep(TURN_S)


@dataclass(frozen=True, slots=True)
class Bus:
    """`link` is the path of the serial adapter; None: vcan0."""

    link: Path | None

    @property
    def words(self) -> list[str]:
        """As the car's command line has it."""
        return ["--channel", "vcan0"] if self.link is None else ["--link", str(self.link)]


@dataclass(frozen=True, slots=True)
class Platform:
    """The broker, the network before it, and the one who listens there."""

    broker: brokers.Broker
    relay: Relay
    subscriber: Subscriber

    @property
    def inbox(self) -> Inbox:
        """What has arrived."""
        return self.subscriber.inbox

    def bodies(self, kind: str) -> list[Mapping[str, Any]]:
        """Bodies of the records of a kind, lowest number first."""
        with self.subscriber.lock:
            return [record.body for record in self.inbox.bodies(kind)]

    def cut(self) -> None:
        """Every connection is reset, new ones are refused."""
        self.relay.cut()

    def mend(self) -> None:
        """As if nothing had been."""
        self.relay.mend()

    def is_complete(self) -> bool:
        """Whether no number is missing, up to the seal that an orderly end leaves."""
        with self.subscriber.lock:
            devices = {device for device, _ in self.inbox.records}
            last = max((seq for _, seq in self.inbox.records), default=-1)
            is_sealed = any(seal.seq == last for seal in self.inbox.bodies("seal"))
            return is_sealed and not any(self.inbox.missing(device) for device in devices)


class TerminalUnderTest(Terminal):
    """A terminal, and what arrived of it."""

    def __init__(self, folder: Path, bus: Bus, platform: Platform, settings: Mapping[str, Setting]) -> None:
        super().__init__(folder, Plug(bus.link), platform.relay.port, settings)
        self._platform, self._own = platform, settings

    def take(self, settings: Mapping[str, Setting]) -> None:
        """A scenario's settings, beside the test's own, which go first."""
        self.configure({**settings, **self._own})

    def events(self, kind: str) -> list[Mapping[str, Any]]:
        """Events of a kind, in order."""
        return [body for body in self._platform.bodies("event") if body["event"] == kind]

    def trips(self) -> list[Mapping[str, Any]]:
        """Summaries of the trips that have ended."""
        return self._platform.bodies("trip_end")


class Vehicle:
    """The car at the terminal's bus."""

    def __init__(self, folder: Path, bus: Bus, platform: Platform, terminal: TerminalUnderTest) -> None:
        self._folder, self._bus, self._platform, self._terminal = folder, bus, platform, terminal

    def drive(self, *what: Leg | str, at: Mapping[float, Callable[[], None]] | None = None, seed: int = 1) -> Truth:
        """Drive these legs, or a scenario by name or path, and end the terminal; where the car really was at the end.

        `at`: what to do at which second of the drive. A car that does not stop drives on until all has arrived; the
        test fails when it does not.
        """
        path = self._written(what)
        scenario = _read(path)
        car = CarProcess([str(path), *self._bus.words, "--seed", str(seed)], "hil.car.vehicle")
        try:
            wait_until(car.is_ready.is_set, "the car")
            self._terminal.take(scenario.settings)
            self._terminal.start()
            wait_until(self._terminal.is_ready, "tbox run")
            car.go()
            self._through(car, lasts_s(scenario), dict(at or {}))
            wait_until(lambda: self._terminal.waiting == 0, "the records reach the broker (is the network cut?)")
            self._terminal.stop()
            wait_until(self._platform.is_complete, "the whole account is at the broker")
        except TerminalError as why:
            pytest.fail(str(why), pytrace=False)
        finally:
            car.stop()
        return car.truth

    def _through(self, car: CarProcess, drive_s: float, at: dict[float, Callable[[], None]]) -> None:
        """Until the drive is over, doing what is due.

        What the terminal says of itself is heard meanwhile: its socket holds ten words, and drops what comes then.
        """

        def is_over() -> bool:
            now_s, _ = float(car.truth.get("time_s", 0.0)), self._terminal.waiting
            for time_s in sorted(time_s for time_s in at if time_s <= now_s):
                at.pop(time_s)()
            if car.exit_code() is not None:
                pytest.fail("the car ended in mid-drive", pytrace=False)
            return now_s >= drive_s

        wait_until(is_over, "the drive", drive_s + WAIT_S)

    def _written(self, what: Sequence[Leg | str]) -> Path:
        """The scenario's file; legs become one."""
        if not what:
            pytest.fail("vehicle.drive() needs legs, or the name or path of a scenario", pytrace=False)
        if isinstance(what[0], str):
            return _found(what[0])
        legs = [", ".join(f"{name} = {toml(getattr(leg, name))}" for name in LEG) for leg in what]
        drive = ",\n".join(f"    {{ {leg} }}" for leg in legs)
        path = self._folder / "drive.toml"
        path.write_text(f'title = "a test"\nwhy = "a test"\nplaces = ["live"]\nexpect = {{}}\ndrive = [\n{drive}\n]\n')
        return path


def _found(name: str) -> Path:
    """The file of a scenario; the test fails, in one line, when there is none."""
    try:
        return scenario_file.find(name).resolve()
    except ScenarioError as why:
        pytest.fail(str(why), pytrace=False)


def _read(path: Path) -> Scenario:
    """The scenario; the test fails, in one line, when it needs more than a car that broadcasts on a bus."""
    try:
        scenario = scenario_file.read(path)
    except ScenarioError as why:
        pytest.fail(str(why), pytrace=False)
    more: list[str] = [fault.name for fault in scenario.fault if fault.name in LIVE_FAULTS]
    more += ["an adapter"] if scenario.adapter != "none" else []
    more += ["units that are asked"] if scenario.ecus != "none" else []
    more += ["a recording"] if scenario.recording else []
    more += ["rows"] if scenario.feed == "rows" else []
    if more:
        pytest.fail(f"{path.stem} has {', '.join(more)}: python -m hil run {path.stem}", pytrace=False)
    return scenario


@pytest.fixture
def tbox_settings() -> Mapping[str, Setting]:
    """Nothing is changed."""
    return {}


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    """Where car and terminal meet."""
    return Bus(None if has_vcan() else tmp_path / "can0")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Platform]:
    """A broker, with somebody who listens."""
    made = brokers.start(tmp_path)
    relay = Relay(made.port)
    subscriber = Subscriber(brokers.HOST, made.port, made.version, lambda _: None)
    wait_until(lambda: subscriber.wait_until_subscribed(TURN_S), "the subscriber")
    yield Platform(made, relay, subscriber)
    subscriber.close()
    relay.close()
    made.stop()


@pytest.fixture
def terminal(
    tmp_path: Path, bus: Bus, broker: Platform, tbox_settings: Mapping[str, Setting]
) -> Iterator[TerminalUnderTest]:
    """`tbox run`, once the car is there."""
    made = TerminalUnderTest(tmp_path, bus, broker, tbox_settings)
    yield made
    made.close()
    print(made.log())


@pytest.fixture
def vehicle(tmp_path: Path, bus: Bus, broker: Platform, terminal: TerminalUnderTest) -> Vehicle:
    """The car; it drives when it is told."""
    return Vehicle(tmp_path, bus, broker, terminal)


@pytest.fixture
def kernel(tmp_path: Path) -> KernelRun:
    """A command in there, by this Python where it begins with "python"; /run/out is the test's folder."""
    if not kernels.is_here():
        pytest.skip("user-mode-linux is not installed")

    def run(words: Sequence[str]) -> kernels.Done:
        begin = [sys.executable] if words[0] == "python" else [words[0]]
        environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
        return kernels.run([*begin, *words[1:]], tmp_path, environment=environment)

    return run
