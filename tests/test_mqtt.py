"""The link, against real brokers: versions, session, state, last will, and delivery through lost links."""

import json
import os
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from agent.settings import Uplink as UplinkSettings
from agent.uplink.broker import KNOWN_S
from agent.uplink.exchange import LANES, Acked, Confirm, Connect, LinkDown, LinkUp, Message, Publish
from agent.uplink.mqtt import PROBE_S, Link
from agent.uplink.session import MESSAGE_BYTES_MAX
from agent.uplink.uplink import Uplink
from tests.brokers import Amqtt, Front, Mosquitto, Process, Subscriber, free_port
from tests.links import STATE, WAIT_S, Driver, plain


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


def state(*, online: bool, session: int = 1) -> bytes:
    return json.dumps({"online": online, **STATE, "session": session}).encode()


@pytest.mark.parametrize(("version", "receive_maximum"), [("5", 20), ("3.1.1", 65535)])
def test_records_state_and_session_travel_in_either_version(
    mosquitto: Process, version: str, receive_maximum: int
) -> None:
    device = f"car{version}"
    topic = f"tbox/v1/{device}"
    with Subscriber(mosquitto.port, f"{topic}/#") as subscriber:
        with Driver(plain(mosquitto.port, version=version), device) as first:
            name = f"127.0.0.1:{mosquitto.port}"
            assert first.take() == LinkUp(name, version, session_present=False, receive_maximum=receive_maximum)
            first.link.publish(Publish(41, "event", b"\x98\x01"))
            first.link.publish(Publish(42, "samples", b"\x98\x02"))
            assert [first.take(), first.take()] == [Acked(41), Acked(42)]
            with Subscriber(mosquitto.port, f"{topic}/state") as late:
                assert late.take() == (f"{topic}/state", state(online=True))
        told = [subscriber.take() for _ in range(4)]
        records = [(f"{topic}/event", b"\x98\x01"), (f"{topic}/samples", b"\x98\x02")]
        states = [(f"{topic}/state", state(online=online)) for online in (True, False)]
        assert told == [states[0], *records, states[1]]
        with Driver(plain(mosquitto.port, version=version), device) as second:
            assert second.wait(LinkUp).session_present


def test_the_brokers_receive_maximum_is_told(tmp_path: Path) -> None:
    lines = ["allow_anonymous true", "max_inflight_messages 3"]
    with Mosquitto(tmp_path, lines) as broker, Driver(plain(broker.port)) as driver:
        assert driver.wait(LinkUp).receive_maximum == 3


def test_no_more_is_unanswered_than_a_strict_broker_takes_and_nothing_larger_comes() -> None:
    props = b"\x21\x00\x01\x27\x00\x00\x01\x2c"  # receive maximum 1, maximum packet size 300
    came: list[int] = []

    def serve(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(bytes([0x20, 3 + len(props), 0, 0, len(props)]) + props)
            for packet_id in range(1, 5):  # the state, and what the link is given
                data = peer.recv(4096)
                while select.select([peer], [], [], 0.05)[0]:
                    data += peer.recv(4096)
                came.append(len(data))
                peer.sendall(bytes([0x40, 2, 0, packet_id]))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        with Driver(plain(server.getsockname()[1], version="5")) as driver:
            up = driver.wait(LinkUp)
            assert up.bytes_max == 300 - 10 - len("tbox/v1/car1/evidence")
            driver.link.publish(Publish(1, "evidence", bytes(up.bytes_max)))
            driver.link.say("config/reported", bytes(300))
            driver.link.say("config/reported", bytes(10))
            driver.link.publish(Publish(2, "event", bytes(20)))
            assert [driver.wait(Acked).seq for _ in range(2)] == [1, 2]
            thread.join(WAIT_S)
    assert came[1:] == [298, 3 + 2 + len("tbox/v1/car1/config/reported") + 2 + 10, 2 + 2 + 18 + 3 + 20]


def test_who_leaves_a_broker_that_does_not_answer_lets_the_will_tell() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = Link(plain(server.getsockname()[1], version="3.1.1"), "car1", STATE)
        link.connect()
        peer, _ = server.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(b"\x20\x02\x00\x00")
            told = peer.recv(4096)  # the state, which is never acknowledged
            link.close(wait_s=0.1)
            while data := peer.recv(4096):
                told += data
    assert b'"online": false' in told
    assert not told.endswith(b"\xe0\x00")  # no DISCONNECT: with one the broker would forget the will


def test_a_retained_receipt_comes_down_as_a_message(mosquitto: Process) -> None:
    receipt = b'{"upto": 3, "epoch": 1}'
    with Subscriber(mosquitto.port) as platform:
        platform.publish("tbox/v1/car-r/receipt", receipt)
    with Driver(plain(mosquitto.port), "car-r", subscribed=["receipt"]) as driver:
        assert Message("receipt", receipt, is_retained=True) in {driver.take(), driver.take()}


def test_a_message_too_long_to_be_a_receipt_is_dropped_and_counted(mosquitto: Process) -> None:
    driver = Driver(plain(mosquitto.port, version="3.1.1"), "car-l", subscribed=["receipt"])
    with driver, Subscriber(mosquitto.port) as platform:
        driver.wait(LinkUp)
        platform.publish("tbox/v1/car-l/receipt", bytes(MESSAGE_BYTES_MAX + 1))
        platform.publish("tbox/v1/car-l/receipt", b"short")
        assert driver.wait(Message).payload == b"short"
        assert driver.link.messages_dropped == 1


def test_messages_that_nobody_takes_are_bounded_and_counted(
    mosquitto: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.uplink.mqtt.MESSAGES_MAX", 3)
    driver = Driver(plain(mosquitto.port), "car-m", subscribed=["receipt"])
    with driver, Subscriber(mosquitto.port, "nothing") as platform:
        driver.wait(LinkUp)
        for number in range(5):
            platform.publish("tbox/v1/car-m/receipt", b"%d" % number)
        until_s = time.monotonic() + WAIT_S
        while driver.link.messages_dropped < 2:
            assert time.monotonic() < until_s
        assert [driver.wait(Message).payload for _ in range(3)] == [b"0", b"1", b"2"]


def test_the_last_will_tells_of_a_dead_connection(mosquitto: Process) -> None:
    with (
        Subscriber(mosquitto.port, "tbox/v1/car-w/state") as subscriber,
        Front(mosquitto.port) as front,
        Driver(plain(front.port), "car-w") as driver,
    ):
        driver.wait(LinkUp)
        front.slam()
        assert driver.wait(LinkDown).reason.startswith(
            f"the connection to 127.0.0.1:{front.port} was lost after seconds; if that goes on,"
        )
        assert [json.loads(subscriber.take()[1])["online"] for _ in range(2)] == [True, False]
        driver.link.connect()
        driver.wait(LinkUp)
        assert subscriber.take()[1] == state(online=True, session=2)


def test_an_amqtt_broker_gets_3_1_1_and_the_next_link_knows_it(tmp_path: Path) -> None:
    memory = tmp_path / "versions.json"
    with Amqtt(tmp_path) as broker:
        for _ in range(2):
            began_s = time.monotonic()
            with Driver(plain(broker.port), memory=memory) as driver:
                assert driver.wait(LinkUp).version == "3.1.1"
                driver.link.publish(Publish(1, "event", b"\x98"))
                assert driver.take() == Acked(1)
        assert time.monotonic() - began_s < PROBE_S
    assert json.loads(memory.read_text()) == {f"127.0.0.1:{broker.port}": "3.1.1"}


REFUSALS = {
    "with 0x01 as 3.1.1 says it": b"\x20\x02\x00\x01",
    "with 0x84 as MQTT 5 says it": b"\x20\x03\x00\x84\x00",
    "by hanging up": b"",
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1(mosquitto: Process, tmp_path: Path, refusal: bytes) -> None:
    with Front(mosquitto.port, refuse={5: refusal}) as front:
        for levels in ([5, 4], [5, 4, 4]):
            with Driver(plain(front.port), memory=tmp_path / "versions.json") as driver:
                assert driver.wait(LinkUp).version == "3.1.1"
            assert front.levels == levels


def test_a_bad_link_that_looked_like_a_broker_of_3_1_1_is_not_remembered_for_long(
    mosquitto: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "versions.json"
    with Front(mosquitto.port, refuse={5: b""}) as front:
        with Driver(plain(front.port), memory=memory) as driver:
            assert driver.wait(LinkUp).version == "3.1.1"
        os.utime(memory, (0, time.time() - KNOWN_S - 1))
        monkeypatch.setattr(
            "agent.uplink.mqtt.PROBE_S", 0.0
        )  # slower than this: MQTT 5 may have had no time to be answered
        for _ in range(2):
            with Driver(plain(front.port), memory=memory) as driver:
                assert driver.wait(LinkUp).version == "3.1.1"
            memory.unlink(missing_ok=True)
        assert front.levels == [5, 4, 5, 4, 5, 4]


def test_a_broker_that_learnt_mqtt_5_is_found_out(mosquitto: Process, tmp_path: Path) -> None:
    memory = tmp_path / "versions.json"
    with Front(mosquitto.port, refuse={4: b"\x20\x02\x00\x01"}) as front:
        memory.write_text(json.dumps({f"127.0.0.1:{front.port}": "3.1.1"}))
        with Driver(plain(front.port), memory=memory) as driver:
            assert driver.wait(LinkUp).version == "5"
        assert front.levels == [4, 5]
        assert json.loads(memory.read_text()) == {f"127.0.0.1:{front.port}": "5"}


def test_a_broker_of_mqtt_5_needs_no_memory(mosquitto: Process, tmp_path: Path) -> None:
    with Driver(plain(mosquitto.port), memory=tmp_path / "versions.json") as driver:
        assert driver.wait(LinkUp).version == "5"
    assert not (tmp_path / "versions.json").exists()


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"x": 5}'])
def test_a_broken_memory_of_versions_is_as_good_as_none(mosquitto: Process, tmp_path: Path, kept: str) -> None:
    (tmp_path / "versions.json").write_text(kept)
    with Driver(plain(mosquitto.port), memory=tmp_path / "versions.json") as driver:
        assert driver.wait(LinkUp).version == "5"


def test_closing_takes_a_bounded_time_when_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = Link(plain(silent.getsockname()[1]), "car1", STATE)
        link.connect()
        peer, _ = silent.accept()
        assert peer.recv(16)  # it said CONNECT, and now it waits
        began_s = time.monotonic()
        link.close(wait_s=0.1)
        assert time.monotonic() - began_s < 0.5
        peer.close()
    for thread in threading.enumerate():
        if thread.name == "mqtt":
            thread.join(WAIT_S)


def test_failed_tries_leave_no_thread_and_no_socket_behind() -> None:
    port = free_port()
    link = Link(plain(port), "car1", STATE)
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(20):
        link.connect()
        select.select([link], [], [], WAIT_S)
        assert [type(answer) for answer in link.answers()] == [LinkDown]
    link.close()
    after = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    assert after == (before[0] - 1, before[1])  # the link's own wake-up is closed


def test_a_broker_that_answers_pings_and_nothing_else_is_left_and_tells_the_will(mosquitto: Process) -> None:
    is_deaf = threading.Event()

    def swallow_pubacks(data: bytes) -> bytes:
        return b"" if is_deaf.is_set() and data[:1] == b"\x40" else data

    with Subscriber(mosquitto.port, "tbox/v1/car-d/state") as subscriber:
        with Front(mosquitto.port, tamper=swallow_pubacks) as front, Driver(plain(front.port), "car-d") as driver:
            driver.wait(LinkUp)
            is_deaf.set()
            driver.link.publish(Publish(1, "event", b"x"))
            driver.link.drop("nothing was acknowledged for 60 s")
            assert "nothing was acknowledged for 60 s; the connection is given up" in driver.wait(LinkDown).reason
        assert [subscriber.take()[1] for _ in range(2)] == [state(online=True), state(online=False)]


class Terminal:
    """An uplink over a real link, with 3000 records in memory: what a daemon does, and nothing else."""

    def __init__(self, port: int) -> None:
        self.rows: dict[str, list[tuple[int, bytes]]] = {lane: [] for lane in LANES}
        for seq in range(3000):
            self.rows[LANES[seq % len(LANES)]].append((seq, b"%d" % seq))
        self.confirmed: Counter[int] = Counter()
        settings = UplinkSettings(backoff_s_min=0.1, backoff_s_max=0.1)
        self.uplink = Uplink(settings, stored_upto=3000, rng=Random(1))
        self.link = Link(plain(port), "car-t", STATE)

    def turn(self) -> None:
        """Once round."""
        wake_s = self.uplink.wake_s()
        wait_s = WAIT_S if wake_s is None else max(0.0, wake_s - time.monotonic())
        select.select([self.link], [], [], wait_s)
        self.uplink.hear(time.monotonic(), self.link.answers())
        for want in self.uplink.wants():
            rows = [row for row in self.rows[want.lane] if row[0] > want.after_seq]
            self.uplink.offer(want, rows[: want.limit])
        for action in self.uplink.step(time.monotonic()):
            match action:
                case Connect():
                    self.link.connect()
                case Publish():
                    self.link.publish(action)
                case Confirm(seqs):
                    self.confirmed.update(seqs)

    def turn_until(self, condition: Callable[[], bool]) -> None:
        """Round and round until it holds."""
        until_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < until_s, f"{len(self.confirmed)} confirmed; {self.uplink.reason}"
            self.turn()


def test_every_record_arrives_in_order_though_the_link_is_cut_eight_times(mosquitto: Process) -> None:
    with Front(mosquitto.port) as front, Subscriber(mosquitto.port, "tbox/v1/car-t/+") as subscriber:
        terminal = Terminal(front.port)
        for cut in range(1, 9):
            terminal.turn_until(lambda wanted=cut * 300: len(terminal.confirmed) >= wanted)
            front.slam()  # some are under way
            terminal.turn_until(lambda: terminal.uplink.state == "down")
        terminal.turn_until(lambda: len(terminal.confirmed) == 3000)
        terminal.link.close()
        arrived: dict[str, dict[int, None]] = {lane: {} for lane in LANES}
        while any(len(seqs) < 600 for seqs in arrived.values()):
            topic, payload = subscriber.take()
            if not topic.endswith("/state"):
                arrived[topic.rpartition("/")[2]][int(payload)] = None
    assert terminal.confirmed == Counter(range(3000))
    assert terminal.uplink.counters()["losses"] == 8
    assert {lane: list(seqs) for lane, seqs in arrived.items()} == {
        lane: [seq for seq, _ in rows] for lane, rows in terminal.rows.items()
    }


def test_a_broker_that_is_killed_twice_gets_what_it_had_not_acknowledged_when_it_is_back(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        terminal = Terminal(broker.port)
        for upto in (700, 1500):
            terminal.turn_until(lambda wanted=upto: len(terminal.confirmed) >= wanted)
            broker.kill()
            terminal.turn_until(lambda: "nothing listens there" in terminal.uplink.reason)
            broker.start()
        terminal.turn_until(lambda: len(terminal.confirmed) == 3000)
        terminal.link.close()
    assert terminal.confirmed == Counter(range(3000))
    assert terminal.uplink.counters()["losses"] == 2
