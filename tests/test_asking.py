"""Questions meet devices: adapters opened another way, error frames, two cars' worth of units, what is kept."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from agent.asking.asking import FORBIDDEN, Asking, Line
from agent.asking.diagnosis import Diagnosis
from agent.asking.silence import Rule
from agent.maps import maps
from agent.settings import Can, Settings
from agent.settings.obd import Elm, Obd
from agent.sources.lines import ElmDevice, make_lines
from agent.sources.openers import elm_opener
from agent.sources.sources import open_asking
from agent.vehicle import Data, Table
from drivers.batch import frame
from drivers.bus.diagnostic import Answer, Request
from drivers.bus.pick import Picked
from drivers.rack import Rack
from tests.askable import BUS_OFF, RESTARTED, S, World
from tests.garage import poller
from tests.plugs import Plug
from tests.ride import START, told

RULE = Rule(listen_only=False, tester_s=60.0, engine_off_s=60.0, floor_v=11.8, charging_v=13.2)
VIN = "1HGCM82633A004352"
CODE = b"\x43\x01\x03\x01"


class FakeDevice:
    """An adapter that says what a test lets it say."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.says: list[Answer] = []
        self.permits: list[bool | None] = []
        self.others = 0

    def hear(self, frames: list[Picked]) -> None:
        """Nothing: it has its own ears."""

    def ask(self, request: Request, *, is_extended: bool) -> str:
        """Only kept."""
        self.asked.append(request)
        return ""

    def answers(self) -> list[Answer]:
        """What it was let say."""
        came, self.says = self.says, []
        return came

    def foreign(self) -> int:
        """Another tester's."""
        return self.others

    def is_proved(self) -> bool | None:
        """It has found its car."""
        return True

    def permit(self, may_look: bool | None) -> None:
        """Only kept."""
        self.permits.append(may_look)

    def counters(self) -> dict[str, int]:
        """None."""
        return {}


class Adapters:
    """Lines of two adapters on a rack, and the seconds that go by."""

    def __init__(self) -> None:
        self.plugs = {name: Plug() for name in ("one", "two", "can0")}
        for plug in self.plugs.values():
            plug.gives = b""
        self.rack = Rack({name: plug.open for name, plug in self.plugs.items()})
        self.devices = {name: FakeDevice() for name in ("one", "two")}
        self.asking = Asking(
            [
                Line(name, number, Diagnosis(RULE, poller(requests_per_s=5.0)), device)
                for number, (name, device) in enumerate(self.devices.items())
            ],
            self.rack,
        )
        self.now_us = 1000 * S
        self.told: list[dict[str, Any]] = []

    def turn(self, batch: bytes = b"", **values: float) -> None:
        """A second goes by."""
        self.now_us += S
        self.asking.note(replace(START, at_us=self.now_us, values=told(**values)))
        self.told += self.asking.turn(self.now_us, batch)

    def say(self, name: str, payload: bytes, ecu: int = 0x7E8) -> None:
        """An adapter's car answers."""
        self.devices[name].says.append(Answer(self.now_us, ecu, payload))


@pytest.fixture
def adapters() -> Adapters:
    return Adapters()


def test_a_silent_bus_is_found_asked_and_tells_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch).run(12)
    assert world.opened == [(0, True), (500_000, True), (250_000, True), (500_000, False)]
    assert world.health()["identity"]["0902 7E8"] == VIN
    assert world.health()["reason"] == ""
    assert world.requests()[0][1] == b"\x01\0"
    assert len(world.speeds_us) > 30


def test_the_loop_waits_for_nothing_while_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.volts = 12.3
    world.run(5)
    assert world.asking.wait_s(world.now_us, 0.25) == 0.25
    world.volts = 14.1
    world.run(12)
    assert world.asking.wait_s(world.now_us, 0.25) < 0.25
    assert world.asking.wait_s(world.now_us + 10 * S, 0.25) == 0.0


def test_bus_off_is_over_when_the_controller_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch).run(12)
    world.fail(BUS_OFF)
    world.run(30)
    assert world.health()["reason"] == "bus_off"
    world.fail(RESTARTED)
    world.run(7)
    assert world.health()["reason"] == ""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(0x002, "", id="it gave way to another frame"),
        pytest.param(0x202, "", id="the same, with its counters beside"),
        pytest.param(0x001, "bus_error", id="nobody took its frame"),
        pytest.param(0x004, "bus_error", id="it warns, or turned passive"),
        pytest.param(0x00A, "bus_error", id="it gave way, and there was an error"),
    ],
)
def test_who_gave_way_to_another_frame_goes_on_asking(monkeypatch: pytest.MonkeyPatch, error: int, reason: str) -> None:
    world = World(monkeypatch).run(12)
    world.fail(error)
    world.run(0.5)
    assert world.health()["reason"] == reason


def test_bus_off_is_over_when_the_device_was_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch).run(12)
    world.fail(BUS_OFF)
    world.run(3)
    world.is_plugged = False
    world.run(3)
    assert world.health()["reason"] == "no_bus"
    world.is_plugged = True
    world.run(15)
    assert world.health()["reason"] == ""


@pytest.mark.parametrize("after_s", [0.9, 1.5])
def test_another_tester_silences_within_a_second(monkeypatch: pytest.MonkeyPatch, after_s: float) -> None:
    world = World(monkeypatch).run(12)
    world.say(0x7DF, b"\x02\x01\x0c")
    since_us = world.now_us
    world.run(after_s + 55)
    assert [at_us for at_us, _ in world.requests(since_us) if at_us > since_us + S] == []
    assert world.health()["reason"] == "tester"


def test_what_a_map_asks_by_other_identifiers_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identifiers beside those of OBD-II are picked out of the batch too."""
    table = replace(
        maps.load(Path("obd2.toml")), data=(Data(channel=0, to=0x79B, answer=0x7BB, did=0x2101, period_s=1.0),)
    )
    world = World(monkeypatch, table=table).run(12)
    assert (0x79B, bytes.fromhex("03222101CCCCCCCC")) in [(identifier, data) for _, identifier, data in world.sent]
    world.ecus.ports.clear()
    world.run(1)
    before = world.health()["transport"]["answers"]
    world.say(0x7BB, bytes.fromhex("0562210112340000"))
    world.run(0.5)
    assert world.health()["transport"]["answers"] == before + 1
    world.say(0x79B, bytes.fromhex("0322210100000000"))
    world.run(0.5)
    assert world.health()["reason"] == "tester"


def test_what_was_found_is_to_be_saved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    assert not world.asking.is_unsaved()
    world.run(12)
    assert world.asking.is_unsaved(), "the way, and the VIN that the codes belong to"
    kept = world.asking.state()
    assert kept["can0"]["way"] == [500_000, False]
    assert kept["can0"]["trouble"]["vins"] == [[0x7E8, VIN]]
    world.run(30)
    assert not world.asking.is_unsaved()
    world.is_plugged = False
    world.run(5)
    assert not world.asking.is_unsaved(), "it is remembered while it is away"


def test_what_was_saved_makes_the_next_start_quicker_and_tells_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    first = World(monkeypatch)
    first.ecus.ports[0].ecu.confirm("P0301")
    first.run(30)
    assert [body["code"] for body in first.told if body.get("kind") == "stored"] == ["P0301"]
    second = World(monkeypatch, kept=first.asking.state())
    second.ecus.ports[0].ecu.confirm("P0301")
    assert not second.asking.is_unsaved()
    second.run(30)
    assert second.requests()[0][0] - 1000 * S < 3.3 * S, "after its own rate was heard alone"
    assert [body for body in second.told if body["dtc"] in ("appeared", "cleared")] == []


def test_units_of_the_same_name_on_two_lines_are_two(adapters: Adapters) -> None:
    for turn in range(3):
        adapters.turn(battery=14.1)
        adapters.say("one", CODE)
        adapters.say("two", b"\x43\0")
        if turn == 1:
            assert adapters.told == []
    adapters.turn(battery=14.1)
    assert [(body["dtc"], body["code"]) for body in adapters.told] == [("appeared", "P0301")]
    kept = adapters.asking.state()
    assert (kept["one"]["trouble"]["told"], kept["two"]["trouble"]["told"]) == (
        [[0x7E8, "03", ["P0301"]]],
        [[0x7E8, "03", []]],
    )


def test_an_adapter_is_opened_by_itself_and_never_another_way(adapters: Adapters) -> None:
    for _ in range(10):
        adapters.turn(battery=14.1)
    assert [len(plug.opened) for plug in adapters.plugs.values()] == [1, 1, 1]
    assert len(adapters.devices["one"].asked) > 1


def test_an_adapter_may_look_for_its_car_while_a_bus_that_is_awake_says_ignition(adapters: Adapters) -> None:
    device = adapters.devices["one"]
    source = adapters.plugs["can0"].opened[0]
    seen = []
    for frames in (7, 8, 9, 9, 10):
        source.counters = lambda frames=frames: {"frames": frames}  # type: ignore[method-assign]
        adapters.turn(battery=12.5, ignition=1.0)
        seen.append(device.permits[-1])
    assert seen == [True, True, True, None, True], "the bus slept in the fourth second; what it said last is no news"
    assert adapters.asking.health(adapters.now_us)["one"]["reason"] == ""
    adapters.turn(battery=12.5, ignition=0.0)
    assert device.permits[-1] is None


def test_an_adapter_may_not_even_look_while_somebody_else_asks(adapters: Adapters) -> None:
    device = adapters.devices["one"]
    adapters.turn(battery=14.1)
    device.others = 1
    for _ in range(60):
        adapters.turn(battery=14.1)
    assert adapters.asking.health(adapters.now_us)["one"]["reason"] == "tester"
    assert set(device.permits[2:]) == {False}
    assert adapters.devices["two"].permits[-1] is None
    adapters.turn(battery=14.1)
    adapters.turn(battery=14.1)
    assert device.permits[-1] is None
    adapters.turn(battery=11.0)
    assert device.permits[-1] is False
    assert "engine_off" not in FORBIDDEN, "then its own supply decides"


class FakeElm:
    """The daemon's end of an adapter's process."""

    def __init__(self) -> None:
        self.permits: list[bool | None] = []

    def permit(self, may_look: bool | None) -> None:
        """Only kept."""
        self.permits.append(may_look)


def test_an_adapters_process_is_told_only_what_is_news_to_it() -> None:
    there: dict[str, Any] = {}
    rack = cast("Any", type("FakeRack", (), {"source": lambda _, name: there.get(name)})())
    device = ElmDevice(rack, "elm")
    device.permit(False)
    first, second = FakeElm(), FakeElm()
    there["elm"] = first
    for may_look in (None, False, False, None, None, True):
        device.permit(may_look)
    assert first.permits == [False, None, True]
    there["elm"] = second
    device.permit(True)
    device.permit(True)
    assert second.permits == [True], "a new one knows nothing yet"


def test_an_absent_adapter_answers_nothing() -> None:
    rack = cast("Any", type("FakeRack", (), {"source": lambda _, _name: None})())
    device = ElmDevice(rack, "elm")
    assert device.ask(Request(0x01, b"\x0d"), is_extended=False) == "bus"
    assert (device.answers(), device.foreign(), device.is_proved(), device.counters()) == ([], 0, False, {})


def test_buses_that_may_send_and_adapters_are_asked() -> None:
    settings = Settings(can=(Can(listen_only=False), Can(channel="can1", number=1)), elm=(Elm(number=2),))
    asking = open_asking(settings, maps.load(Path("obd2.toml")), Rack({}), {})
    assert list(asking.health(0)) == ["can0", "/dev/ttyUSB0"]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(Settings(can=(Can(),)), id="a bus that only listens"),
        pytest.param(Settings(can=(Can(listen_only=False),), elm=(Elm(number=1),), obd=Obd(ask="never")), id="never"),
    ],
)
def test_nobody_is_asked_where_the_settings_do_not_let_it(settings: Settings) -> None:
    kept = {"can0": {"way": [500_000, False]}}
    asking = open_asking(settings, maps.load(Path("obd2.toml")), Rack({}), kept)
    asking.note(START)
    assert list(asking.turn(S, frame(S, 0, 0x7E8, CODE))) == []
    assert (asking.health(S), asking.wait_s(S, 0.25), asking.is_unsaved()) == ({}, 0.25, False)
    assert asking.state() == kept, "for one that asks again"


@pytest.mark.parametrize(("ask", "volts"), [("auto", 13.2), ("never", math.inf)])
def test_an_adapter_that_may_not_ask_waits_for_ever(ask: Any, volts: float) -> None:
    opener = cast("Any", elm_opener(Settings(obd=Obd(ask=ask)), Elm(), maps.load(Path("obd2.toml"))))
    assert opener.keywords["engine_volts"] == volts


def test_a_rate_that_is_set_is_the_only_one() -> None:
    table = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
    settings = Settings(can=(Can(interface="slcan", bitrate=250_000, listen_only=False),))
    (line,) = make_lines(settings, table, Rack({}), {})
    assert line.diagnosis._rates == (250_000,)
