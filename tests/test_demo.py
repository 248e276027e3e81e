"""The demo and its parts: the network that can be cut, the brokers, the receiver's books, the proof, and all of it at once."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from agent import settings
from agent.codec import ZEROS, Record, make
from agent.outbox.recordfile import read_pile
from agent.proof import proof as account_proof
from agent.settings import file as settings_file
from hil import ROOT, demo
from hil.bench import Notices
from hil.car.scenario import SETTINGS
from hil.proof import Drive, check
from hil.screen import PlainScreen, View, bar, draw, event_line
from hil.subscriber import Inbox, Subscriber
from hil.wires import broker as brokers
from hil.wires.relay import Relay

WAIT_S = 10.0
DEMO_S = 120.0
DEVICE, OTHER = b"12345678", b"87654321"


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until it holds; a test fails when it never does."""
    give_up_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up_s, "it never came to hold"
        threading.Event().wait(0.01)


# ---- the network ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(WAIT_S)
        yield listener


@pytest.fixture
def relay(server: socket.socket) -> Iterator[Relay]:
    relay = Relay(server.getsockname()[1])
    yield relay
    relay.close()


def meet(relay: Relay, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """A connection through the relay, both ends."""
    near = socket.create_connection(("127.0.0.1", relay.port), timeout=WAIT_S)
    far, _ = server.accept()
    far.settimeout(WAIT_S)
    return near, far


def test_the_relay_passes_bytes_both_ways(relay: Relay, server: socket.socket) -> None:
    near, far = meet(relay, server)
    with near, far:
        near.sendall(b"there" * 50_000)
        assert _exactly(far, 250_000) == b"there" * 50_000
        far.sendall(b"back")
        assert _exactly(near, 4) == b"back"


def _exactly(sock: socket.socket, count: int) -> bytes:
    heard = b""
    while len(heard) < count:
        heard += sock.recv(count - len(heard))
    return heard


def test_a_cut_relay_resets_both_sides_and_refuses_new_ones(relay: Relay, server: socket.socket) -> None:
    near, far = meet(relay, server)
    with near, far:
        relay.cut()
        assert not relay.is_whole
        for side in (near, far):
            with pytest.raises(ConnectionResetError):
                side.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", relay.port), timeout=WAIT_S)


def test_a_mended_relay_listens_where_it_did(relay: Relay, server: socket.socket) -> None:
    port = relay.port
    for _ in range(3):
        relay.cut()
        relay.mend()
    near, far = meet(relay, server)
    with near, far:
        near.sendall(b"again")
        assert _exactly(far, 5) == b"again"
    assert relay.port == port


def test_when_one_side_leaves_the_other_is_told(relay: Relay, server: socket.socket) -> None:
    near, far = meet(relay, server)
    with far:
        near.close()
        with pytest.raises(ConnectionResetError):
            far.recv(1)


def test_when_there_is_no_broker_the_connection_ends(relay: Relay, server: socket.socket) -> None:
    server.close()
    with socket.create_connection(("127.0.0.1", relay.port), timeout=WAIT_S) as near:
        assert near.recv(1) == b""


# ---- brokers and the subscriber -----------------------------------------------------------------------------------


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[brokers.Broker]:
    if request.param == "mosquitto" and brokers.find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    broker = brokers.start(tmp_path, embedded=request.param == "amqtt")
    yield broker
    broker.stop()


def test_what_is_published_arrives_decoded_at_the_subscriber(broker: brokers.Broker) -> None:
    arrived: list[Record] = []
    subscriber = Subscriber(brokers.HOST, broker.port, broker.version, arrived.append)
    assert subscriber.wait_until_subscribed(WAIT_S)
    publisher = Client(CallbackAPIVersion.VERSION2, protocol=subscriber.protocol)
    publisher.connect(brokers.HOST, broker.port)
    publisher.loop_start()
    sent = [record("boot", 0), record("event", 1)]
    for one in sent:
        publisher.publish(f"tbox/v1/demo/{one.lane}", one.raw, qos=1)
    wait_for(lambda: len(arrived) == 2)
    assert arrived == sent
    for client in (publisher.disconnect, publisher.loop_stop, subscriber.close):
        client()


def test_the_broker_is_on_the_loopback_only_and_gone_when_stopped(broker: brokers.Broker) -> None:
    listening = Path("/proc/net/tcp").read_text()
    assert f"0100007F:{broker.port:04X} 00000000:0000 0A" in listening
    assert f"00000000:{broker.port:04X} " not in listening
    broker.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((brokers.HOST, broker.port), timeout=WAIT_S)


def test_a_broker_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "_amqtt", lambda port: [sys.executable, "-c", f"raise SystemExit('no port {port}')"])
    with pytest.raises(brokers.BrokerError, match=r"amqtt did not start; it said: no port \d+"):
        brokers.start(tmp_path, embedded=True)


# ---- the receiver's books ---------------------------------------------------------------------------------------


def record(kind: str, seq: int, device: bytes = DEVICE, **body: Any) -> Record:
    return make(kind, device, 1, seq, seq * 1000, ZEROS, body)


def take(*records: Record) -> Inbox:
    inbox = Inbox()
    for one in records:
        inbox.take(f"tbox/v1/demo/{one.lane}", one.raw)
    return inbox


def test_a_record_that_comes_again_is_known_and_no_fault() -> None:
    inbox = take(record("boot", 0), record("boot", 0))
    assert (len(inbox.records), inbox.redelivered, inbox.faults) == (1, 1, [])


def test_other_bytes_under_a_known_number_are_a_fault() -> None:
    assert take(record("boot", 0), record("boot", 0, other=1)).faults == ["record 0 came twice with different bytes"]


def test_the_same_number_of_another_device_is_another_record() -> None:
    inbox = take(record("boot", 0), record("boot", 0, OTHER))
    assert (len(inbox.records), inbox.redelivered) == (2, 0)


def test_what_is_live_may_overtake_a_backlog_on_its_own_lane_too() -> None:
    inbox = take(record("event", 5), record("samples", 3), record("boot", 3, OTHER), record("boot", 2))
    assert (len(inbox.records), inbox.faults) == (4, [])


def test_a_record_on_the_wrong_lane_is_a_fault() -> None:
    inbox = Inbox()
    inbox.take("tbox/v1/demo/samples", record("event", 0).raw)
    assert inbox.faults == ["record 0 (event) came on the lane samples, not event"]


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"{}", record("event", 0).raw[:-1]])
def test_what_is_no_record_is_a_fault_and_not_an_exception(payload: bytes) -> None:
    inbox = Inbox()
    assert inbox.take("tbox/v1/demo/event", payload) is None
    assert len(inbox.faults) == 1


@pytest.mark.parametrize(
    ("seqs", "missing"), [([0, 1, 2], []), ([2, 0], [1]), ([3], [0, 1, 2]), ([], []), ([0, 4, 2], [1, 3])]
)
def test_missing_numbers_are_named(seqs: list[int], missing: list[int]) -> None:
    assert take(*(record("event", seq) for seq in sorted(seqs))).missing(DEVICE) == missing


def test_the_state_and_the_last_will_say_whether_the_terminal_is_online() -> None:
    inbox = Inbox()
    seen = []
    for payload in (b'{"online": true}', b'{"online": false}', b"[]", b"no json"):
        inbox.take("tbox/v1/demo/state", payload)
        seen.append(inbox.is_online())
    assert seen == [True, False, False, False]
    assert inbox.faults == ["the state of demo is no JSON"]


def test_other_topics_are_no_records() -> None:
    inbox = Inbox()
    assert inbox.take("tbox/v1/demo/config/reported", b"x") is None
    assert (inbox.records, inbox.faults) == ({}, [])


def test_what_is_kept_is_a_file_that_the_agent_reads_back(tmp_path: Path) -> None:
    records = [record("boot", 0), record("event", 1, text="x" * 300), record("samples", 2, data=bytes(70_000))]
    file = tmp_path / "received.tbox"
    file.write_bytes(take(*records).framed())
    pile = read_pile(file)
    assert (pile.records, pile.faults) == (records, [])


# ---- the proof ----------------------------------------------------------------------------------------------------

DRIVE = Drive(distance_m=261.0, frames_dropped=0, cut_us=(14_000_000, 21_000_000))
FRAMES = {"in": 10, "decoded": 8, "unmapped": 1, "rejected": 1, "dropped": 0}


def event(seq: int, name: str, start_s: float, direction: str | None = None) -> Record:
    return record("event", seq, event=name, direction=direction, start_us=round(start_s * 1e6))


def good() -> list[Record]:
    return [
        record("boot", 0),
        record("trip_start", 1),
        event(2, "harsh_acceleration", 3),
        event(3, "harsh_cornering", 10, "left"),
        event(4, "harsh_braking", 15),
        event(5, "idling", 19),
        event(6, "crash", 34, "front"),
        record("evidence", 7, part=0, parts=None),
        record("evidence", 8, part=1, parts=2),
        record("samples", 9),
        record("trip_end", 10, distance_m=261.4, end_reason="stopped"),
        record("seal", 11, frames=FRAMES),
    ]


def failing(records: list[Record], drive: Drive = DRIVE) -> str:
    return "\n".join(one.words for one in check(take(*records), drive) if not one.holds)


def test_a_whole_drive_holds() -> None:
    assert failing(good()) == ""


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (2, "harsh_acceleration: launch at 0.49 g (arrived 0 times)"),
        (4, "begun while there was no link, delivered later: idling"),
        (6, "crash: frontal blow"),
        (8, "evidence arrived"),
        (9, "its samples arrived (0 records)"),
        (10, "one trip began and ended (1 began, 0 ended)"),
        (5, "records 0 to 11, none missing: but [5]"),
        (11, "0 seals"),
    ],
)
def test_a_record_that_is_gone_is_missed(gone: int, words: str) -> None:
    assert words in failing([one for one in good() if one.seq != gone])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (event(12, "impact", 36), "no other event: but impact"),
        (event(12, "crash", 36, "front"), "crash: frontal blow, 12 m/s in 100 ms (arrived 2 times)"),
        (event(12, "harsh_cornering", 36, "right"), "no other event: but harsh_cornering"),
        (record("trip_end", 12, distance_m=261.4, end_reason="stopped"), "(1 began, 2 ended)"),
        (record("boot", 0, OTHER), "one device"),
        (record("seal", 12, frames=FRAMES | {"in": 11}), "no frame unaccounted for: 11 in"),
        (record("seal", 12, frames=dict.fromkeys(FRAMES, 0)), "no frame unaccounted for: 0 in"),
    ],
)
def test_what_should_not_have_come_is_said(more: Record, words: str) -> None:
    assert words in failing([*good(), more])


@pytest.mark.parametrize(("told_m", "holds"), [(255.79, True), (255.77, False), (266.21, True), (266.23, False)])
def test_the_distance_may_differ_by_two_percent(told_m: float, holds: bool) -> None:
    records = [one for one in good() if one.kind != "trip_end"]
    records.insert(-1, record("trip_end", 10, distance_m=told_m, end_reason="stopped"))
    assert ("its distance" not in failing(records)) == holds


def test_a_trip_that_ended_for_another_reason_is_said() -> None:
    records = [one for one in good() if one.kind != "trip_end"]
    records.insert(-1, record("trip_end", 10, distance_m=261.0, end_reason="power_cut"))
    assert failing(records) == "its end: power_cut"


def test_frames_lost_on_the_bus_are_said() -> None:
    assert failing(good(), Drive(261.0, 3, DRIVE.cut_us)) == "the bus lost no frame (3 lost)"


# ---- what is shown --------------------------------------------------------------------------------------------------


def view(**told: Any) -> View:
    return View([("Broker", "amqtt"), ("Settings", "a = 1")], 40.0, **told)


def test_plain_lines_say_each_thing_once() -> None:
    out = io.StringIO()
    screen = PlainScreen(out)
    for one in (
        view(doing="cruise"),
        view(doing="cruise"),
        view(doing="crash", events=["34.2 s  crash"]),
        view(doing="crash", events=["34.2 s  crash"]),
    ):
        screen.show(one)
    assert [line.strip()[:22] for line in out.getvalue().splitlines()] == [
        "Broker: amqtt",
        "Settings: a = 1",
        "[ 0.0 s] cruise, 0 km/",
        "[ 0.0 s] crash, 0 km/h",
        "arrived at 34.2 s  cra",
    ]


def test_the_panel_shows_speed_link_records_and_events() -> None:
    console = pytest.importorskip("rich.console").Console(width=100, file=io.StringIO())
    told = view(
        doing="cruise", speed_kmh=62.0, is_linked=False, waiting=3, delivered=7, redelivered=1, events=["a crash"]
    )
    console.print(draw(told))
    shown = console.file.getvalue()
    for words in (
        "62 km/h",
        "network CUT, terminal offline",
        "7 delivered, 1 of them twice, 3 waiting",
        "a crash",
        "a = 1",
    ):
        assert words in shown


@pytest.mark.parametrize(("share", "full"), [(-1.0, 0), (0.0, 0), (0.5, 5), (1.0, 10), (7.0, 10)])
def test_a_bar_is_filled_to_its_share(share: float, full: int) -> None:
    assert bar(share, 10) == "█" * full + "░" * (10 - full)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"event": "crash", "severity": "high", "peak_mps2": 184.0, "delta_v_mps": 12.0, "direction": "front"},
            " 34.2 s  crash, front, high, 18.76 g, Δv 43 km/h, by speed and imu",
        ),
        ({"event": "idling", "severity": "low", "peak_mps2": None}, " 34.2 s  idling, 8.0 s long"),
        (
            {"event": "harsh_cornering", "severity": "low", "peak_mps2": 4.2, "delta_v_mps": 0.1, "direction": "left"},
            " 34.2 s  harsh cornering, left, low, 0.43 g, by speed and imu",
        ),
    ],
)
def test_an_event_is_one_line(body: dict[str, Any], words: str) -> None:
    told = {"start_us": 1_000_000, "end_us": 9_000_000, "sources": ["speed", "imu"]}
    assert event_line(told | body, 34.2) == words


# ---- all of it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [None, Path("/tmp/x/can0")])
def test_the_demo_changes_nothing_but_what_it_says(link: Path | None, tmp_path: Path) -> None:
    file = tmp_path / "tbox.toml"
    file.write_text(demo.settings_text(tmp_path, 1883, link))
    told, shipped = settings_file.load(file), settings.defaults()
    assert SETTINGS == {"detect.idling.hold_s": 6, "trip.end_s": 5}
    assert (told.detect.idling.hold_s, told.trip.end_s) == (6, 5)
    for name in ("harsh_braking", "harsh_acceleration", "harsh_cornering", "speeding", "crash"):
        assert getattr(told.detect, name) == getattr(shipped.detect, name)
    for name in ("imu", "ring", "samples", "store", "uplink", "health"):
        assert getattr(told, name) == getattr(shipped, name)


def test_what_the_agent_tells_its_service_manager_is_heard(tmp_path: Path) -> None:
    notices = Notices(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as agent:
        for words in (b"READY=1", b"STATUS=connected\nWATCHDOG=1"):
            agent.sendto(words, str(notices.path))
    notices.read()
    assert (notices.is_ready, notices.status) == (True, "connected")
    notices.close()


def start_demo(out: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hil.demo", "--out", str(out), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(out.parent)},
    )


def children_of(parent: int) -> list[int]:
    """Processes this one has started, as proc(5) tells it: the fourth field of stat, after the name in brackets."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended while we looked
            stat = path.read_text()
            found += [int(stat.split()[0])] if int(stat.rpartition(")")[2].split()[1]) == parent else []
    return found


def test_the_whole_demo_delivers_everything(tmp_path: Path) -> None:
    out = tmp_path / "out"
    said, _ = start_demo(out).communicate(timeout=DEMO_S)
    assert "✗" not in said, said
    assert said.rstrip().endswith("Everything arrived."), said
    for words in ("detect.idling.hold_s = 6, trip.end_s = 5", "network CUT", "report.html"):
        assert words in said
    assert account_proof.check([read_pile(out / "received.tbox")]).is_good
    assert len(re.findall(r'id="event-\d+"', (out / "report.html").read_text())) == 5
    assert list(tmp_path.glob("tbox-demo-*")) == []


def test_a_demo_that_is_interrupted_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    running = start_demo(tmp_path / "out", "--embedded-broker")
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("[ "):
            break
    pids = children_of(running.pid)
    assert len(pids) >= 3, "broker, car, agent"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=WAIT_S * 3)
    assert running.returncode == 130
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.glob("tbox-demo-*")) == []
