"""The daemon asks a simulated car, over an ELM327 adapter and over a CAN adapter: real processes, ptys, a real broker."""

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import can
import pytest

from agent.codec import Record
from drivers.source import boot_us
from hil.car import ecu_bus, elm_chip
from hil.car.ecu import VIN, Readings
from hil.car.elm import Elm
from hil.drive import STEP_S, Leg, drive
from hil.subscriber import Subscriber
from hil.wires import wire
from tests.brokers import Mosquitto
from tests.test_run import FAST, Terminal, listening, running, until

LEGS = (
    Leg("the engine idles", 1),
    Leg("off", 8, 2.0),
    Leg("along", 3),
    Leg("harsh", 2, -6.0),
    Leg("along", 2),
    Leg("on", 3, 1.5),
    Leg("to the kerb", 5, -2.0),
    Leg("parked", 1, engine=False),
)
CODE = "P0301"
CALM_US = 1_000_000
"""How long we may go on after another tester asked."""
QUESTION = bytes.fromhex("02010C0000000000")
TICK_S = 0.02
VOLTS = "time_s,battery_v\n" + "".join(f"{second},{12.3 if second < 4 else 14.1}\n" for second in range(120))
RUNNING = VOLTS.replace("12.3", "14.1")


class Wire(wire.Adapter):
    """The simulated CAN adapter, which notes what it was told, and when; what a test wants said is said in its thread."""

    def __init__(self, link: Path) -> None:
        self.lines: deque[str] = deque()
        self.sent: deque[tuple[int, int, bytes]] = deque()
        self.says: deque[can.Message] = deque()
        super().__init__(link)

    def recv(self, timeout: float | None = None) -> can.Message | None:
        """What the terminal sent."""
        while self.says:
            self.send(self.says.popleft())
        message = super().recv(timeout)
        if message is not None:
            self.sent.append((boot_us(), message.arbitration_id, bytes(message.data)))
        return message

    def _obey(self, line: str) -> None:
        self.lines.append(line)
        super()._obey(line)

    def requests(self) -> list[tuple[int, bytes]]:
        """Questions by when they came; flow control is none."""
        return [(at_us, data[1 : 1 + data[0]]) for at_us, _, data in tuple(self.sent) if data[0] <= 7]


class Car:
    """Control units that answer on every adapter, and a driver; threads of it end with the `with`."""

    def __init__(self) -> None:
        self.readings = Readings()
        self.ecus = ecu_bus.car(self.readings)
        self.engine = self.ecus.ports[0].ecu
        self.behind = elm_chip.Car({port.ecu_id: port.ecu for port in self.ecus.ports}, volts=12.3)
        self.is_over = Event()
        self._threads: list[Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def plug(self, link: Path) -> tuple[Wire, Callable[[], None]]:
        """A CAN adapter on the car's bus, and how it is pulled out."""
        adapter, is_out = Wire(link), Event()

        def serve() -> None:
            ecu_bus.serve(adapter, self.ecus, lambda: is_out.is_set() or self.is_over.is_set())
            adapter.shutdown()

        def unplug() -> None:
            is_out.set()
            thread.join()

        thread = self._start(serve)
        return adapter, unplug

    def chatter(self, link: Path) -> Wire:
        """Another adapter on a bus that only talks."""
        adapter = Wire(link)

        def talk() -> None:
            while not self.is_over.wait(TICK_S):
                adapter.says.append(can.Message(arbitration_id=0x123, is_extended_id=False, data=bytes(8)))
                adapter.recv(0)
            adapter.shutdown()

        self._start(talk)
        return adapter

    def follow(self, legs: Sequence[Leg]) -> Thread:
        """Drive off, in real time; the thread ends with the last leg."""
        states, start_s = list(drive(legs)), time.monotonic()

        def follow() -> None:
            at = 0
            while at < len(states) - 1 and not self.is_over.wait(TICK_S):
                at = min(int((time.monotonic() - start_s) / STEP_S), len(states) - 1)
                self.readings.follow(states[at])

        return self._start(follow)

    def _start(self, work: Callable[[], None]) -> Thread:
        thread = Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread


class Box(Terminal):
    """A terminal with a folder of its own, and what arrived of it."""

    def __init__(self, folder: Path, port: int, subscriber: Subscriber, devices: str, volts: str = "") -> None:
        folder.mkdir()
        self.folder, self.log, self.config = folder, folder / "tbox.log", folder / "tbox.toml"
        self._subscriber = subscriber
        self.process = None
        if volts:
            (folder / "volts.csv").write_text(volts)
            devices += '[recording]\npaths = ["volts.csv"]\n'
        self.config.write_text(
            f'{FAST}[device]\nstate_dir = "state"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n'
            f"[obd]\ncodes_s = 10\n{devices}"
        )

    @property
    def device(self) -> bytes:
        """Who it is; empty until it has said so."""
        named = re.search(r", device ([0-9a-f]{16}),", self.log.read_text())
        return bytes.fromhex(named[1]) if named else b""

    def bodies(self, kind: str) -> list[Record]:
        """Records of it, lowest number first."""
        device = self.device
        with self._subscriber.lock:
            return [record for record in self._subscriber.inbox.bodies(kind) if record.device == device]

    def said(self, line: str) -> list[tuple[int, dict[str, Any]]]:
        """What health told of a bus or adapter, and when."""
        return [(r.t_us, r.body["asking"][line]) for r in self.bodies("health") if line in r.body["asking"]]

    def reasons(self, line: str) -> list[str]:
        """Why it was silent, as health told."""
        return [told["reason"] for _, told in self.said(line)]

    def knows(self, line: str) -> bool:
        """Whether the VIN is in health."""
        return any(told["identity"].get("0902 7E8") == VIN for _, told in self.said(line)[-1:])

    def codes(self) -> list[tuple[str, str, str]]:
        """What was told of trouble codes."""
        told = [r.body for r in self.bodies("dtc")]
        return [(body["dtc"], body["code"], body["kind"]) for body in told if body["dtc"] in ("appeared", "cleared")]


def bus(channel: str, number: int, *, listen_only: bool) -> str:
    """Settings of a CAN adapter."""
    return (
        f'[[can]]\ninterface = "slcan"\nchannel = "{channel}"\nnumber = {number}\nbitrate = 500000\n'
        f"listen_only = {str(listen_only).lower()}\noptions = {{ sleep_after_open = 0 }}\n"
    )


def adapter(port: str, number: int) -> str:
    """Settings of an ELM327."""
    return f'[[elm]]\nport = "{port}"\nnumber = {number}\nprotocol = "6"\n'


@pytest.fixture
def subscriber(tmp_path: Path) -> Iterator[tuple[Subscriber, int]]:
    with Mosquitto(tmp_path) as broker, listening(broker.port) as there:
        yield there, broker.port


@contextmanager
def elm327(link: Path, car: elm_chip.Car) -> Iterator[Elm]:
    elm = Elm(link, car)
    try:
        yield elm
    finally:
        elm.close()


def seen(box: Box, kind: str) -> dict[str, Any]:
    (record,) = box.bodies(kind)
    return record.body


def test_both_ways_into_the_car_give_the_same_trip_and_ask_nothing_without_an_engine(
    tmp_path: Path, subscriber: tuple[Subscriber, int]
) -> None:
    there, port = subscriber
    links = {name: str(tmp_path / name) for name in ("elm", "can", "talk")}
    with Car() as car, elm327(Path(links["elm"]), car.behind) as elm:
        on_bus, _ = car.plug(Path(links["can"]))
        other = car.chatter(Path(links["talk"]))
        buses = bus(links["can"], 0, listen_only=False) + bus(links["talk"], 1, listen_only=True)
        with (
            running(Box(tmp_path / "a", port, there, adapter(links["elm"], 0))) as by_elm,
            running(Box(tmp_path / "b", port, there, buses, VOLTS)) as by_can,
        ):
            ways = ((by_elm, links["elm"]), (by_can, links["can"]))
            assert_silent_without_an_engine(ways, on_bus, elm)
            car.behind.volts = 14.1
            car.engine.confirm(CODE)
            until(lambda: all(box.knows(line) for box, line in ways), "the VIN in health, from both")
            drives = car.follow(LEGS)
            until(lambda: all(("appeared", CODE, "stored") in box.codes() for box, _ in ways), "the code, from both")
            car.engine.trouble.heal(CODE)
            until(lambda: all(("cleared", CODE, "stored") in box.codes() for box, _ in ways), "the end of the code")
            until(lambda: not drives.is_alive(), "the end of the drive")
            assert_a_tester_silences(by_can, links["can"], on_bus)
            assert [box.stop() for box, _ in ways] == [0, 0]
            until(lambda: all(box.bodies("trip_end") for box, _ in ways), "both trips")
            assert_same_trip(seen(by_elm, "trip_end"), seen(by_can, "trip_end"))
            for box, _ in ways:
                assert box.codes().count(("appeared", CODE, "stored")) == 1
        assert "L" in other.lines, "it was opened"
        assert [line for line in other.lines if line[:1] in ("t", "T", "O")] == [], "listen_only = true sends nothing"


def assert_silent_without_an_engine(ways: Sequence[tuple[Box, str]], on_bus: Wire, elm: Elm) -> None:
    """Health says twice that the engine is off, and until then nothing came out of either."""

    def is_told() -> bool:
        return all(box.reasons(line)[:2] == ["engine_off"] * 2 for box, line in ways)

    until(is_told, "two words of health")
    assert elm.requests == []
    until_us = ways[1][0].said(ways[1][1])[1][0]
    assert [data for at_us, data in on_bus.requests() if at_us < until_us] == []


def assert_a_tester_silences(box: Box, line: str, on_bus: Wire) -> None:
    """From one second after another's question nothing goes out, and health says why."""
    asked = len(on_bus.requests())
    until(lambda: len(on_bus.requests()) > asked, "it asks")
    on_bus.says.append(can.Message(arbitration_id=0x7DF, is_extended_id=False, data=QUESTION))
    since_us = boot_us()
    until(lambda: [told["reason"] for at_us, told in box.said(line) if at_us > since_us + CALM_US][:2] == ["tester"] * 2,
          "two words of health")  # fmt: skip
    assert [data for at_us, data in on_bus.requests() if at_us > since_us + CALM_US] == []
    assert box.said(line)[-1][1]["silences"]["tester"] == 1


def assert_same_trip(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["events"] == other["events"] == {"harsh_braking": 1}
    assert one["distance_m"] == pytest.approx(other["distance_m"], rel=0.01)
    assert one["distance_m"] > 150
    assert one["start_us"] == pytest.approx(other["start_us"], abs=1_000_000)
    assert one["end_us"] == pytest.approx(other["end_us"], abs=1_000_000)


def test_adapters_may_be_absent_come_go_and_come_back(tmp_path: Path, subscriber: tuple[Subscriber, int]) -> None:
    there, port = subscriber
    link, elm_link = tmp_path / "can", tmp_path / "elm"
    settings = bus(str(link), 0, listen_only=False) + adapter(str(elm_link), 1)
    with Car() as car, running(Box(tmp_path / "box", port, there, settings, RUNNING)) as box:
        car.behind.volts = 14.1
        until(lambda: box.log.read_text().count("trying again") == 2, "a word about both that are absent")
        adapter_, unplug = car.plug(link)
        with elm327(elm_link, car.behind) as elm:
            until(lambda: is_polled(adapter_, elm), "speed, from both")
            unplug()
            elm.unplug()
            until(lambda: box.log.read_text().count("lost: ") == 2, "a word about both that went")
            elm.heard.clear()
            adapter_, _ = car.plug(link)
            elm.plug()
            until(lambda: is_polled(adapter_, elm), "speed again, from both")
            until(lambda: all(box.knows(line) for line in (str(link), str(elm_link))), "the VIN again")
            assert box.stop() == 0
        sources = box.bodies("health")[-1].body["sources"]
        assert [sources[str(line)]["losses"] for line in (link, elm_link)] == [1, 1]
        assert all(sources[str(line)]["failures"] >= 1 for line in (link, elm_link))


def is_polled(on_bus: Wire, elm: Elm) -> bool:
    """Whether the speed is asked for, both ways."""
    return b"\x01\x0d" in [data for _, data in on_bus.requests()] and any("010D" in line for line in elm.requests)
