"""`python -m tests.rabbitmq`: link, daemon and receiver against RabbitMQ, a strict broker of MQTT 3.1.1; about a minute.

One node of Debian's rabbitmq-server (hil/rabbit.py), with the users that the operator's guide makes of terminals. What holds
is printed line by line; 1 when something does not.
"""

import base64
import hashlib
import json
import queue
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.uplink.exchange import Acked, LinkUp, Message, Publish
from hil.rabbit import START_S, Cluster, is_here
from hil.subscriber import Inbox
from hil.subscriber import Subscriber as Reader
from hil.wires.broker import free_port
from hil.wires.relay import Relay
from hil.wires.tls import AUTHORITY, GOOD, Certificates
from tests import brokers
from tests.accounts import two_boots
from tests.links import Driver, plain
from tests.test_guides import BROKER, GUIDES, blocks, commands
from tests.test_run import FAST, Terminal, assert_complete, have, running, until

BURST = 500
EVIDENCE_BYTES = 65_536
USER = "0123456789abcdef"
RECEIVER, OWN = "receiver", "^tbox-records$|^mqtt-subscription-.*"
"""Who stores, and what is its own, as the guide says."""
AMQPS_PORT, MQTTS_PORT = free_port(), free_port()
RECEIPTS = '[uplink]\nconfirm = "receipt"\nbackoff_s_min = 0.2\n'


def definitions() -> dict[str, Any]:
    """Who may what: `guest` all of it, USER what the guide's commands give a terminal. Each is its own password."""
    (guide,) = (path for path in GUIDES if path.name == BROKER)
    typed = [words for block in blocks(guide) if block.is_read for words in commands(block.text)]
    said = {words[1]: [word.replace("$ID", USER) for word in words[2:]] for words in typed if words[0] == "rabbitmqctl"}
    (_, *rights), (_, exchange, *topics) = said["set_permissions"], said["set_topic_permissions"]
    mine = {"user": USER, "vhost": "/"}
    return {
        "vhosts": [{"name": "/"}],
        "users": [user("guest", "administrator"), user(USER, ""), user(RECEIVER, "")],
        "permissions": [
            {"user": "guest", "vhost": "/"} | dict.fromkeys(("configure", "write", "read"), ".*"),
            mine | dict(zip(("configure", "write", "read"), rights, strict=True)),
            {
                "user": RECEIVER,
                "vhost": "/",
                "configure": OWN,
                "write": f"{OWN}|^amq[.]topic$",
                "read": f"{OWN}|^amq[.]topic$",
            },
        ],
        "topic_permissions": [mine | {"exchange": exchange} | dict(zip(("write", "read"), topics, strict=True))],
    }


def user(name: str, tags: str) -> Mapping[str, str]:
    """Somebody whose password is the name."""
    salt = b"salt"
    known = base64.b64encode(salt + hashlib.sha256(salt + name.encode()).digest()).decode()
    return {"name": name, "password_hash": known, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": tags}


def link(cluster: Cluster, folder: Path) -> None:
    """Version, acknowledgements in order, and a piece of evidence of the largest size."""
    port, memory = cluster.nodes[0].mqtt_port, folder / "versions.json"
    with Driver(plain(port), "burst", memory=memory) as driver:
        assert driver.wait(LinkUp).version == "3.1.1"
        for number in range(BURST):
            driver.link.publish(Publish(number, "event", bytes(300)))
        assert [driver.take() for _ in range(BURST)] == [Acked(number) for number in range(BURST)]
        driver.link.publish(Publish(BURST, "evidence", bytes(EVIDENCE_BYTES)))
        assert driver.take() == Acked(BURST)
    assert json.loads(memory.read_text()) == {f"127.0.0.1:{port}": "3.1.1"}


def session(cluster: Cluster, _folder: Path) -> None:
    """The broker knows the session again, and gives the retained receipt each time."""
    port, kept = cluster.nodes[0].mqtt_port, Message("receipt", b'{"upto": 5}', is_retained=True)
    with brokers.Subscriber(port, "tbox/v1/known/state") as other:
        other.publish("tbox/v1/known/receipt", b'{"upto": 5}')
        for is_known in (False, True):
            with Driver(plain(port), "known", subscribed=("receipt",)) as driver:
                told = [driver.take()]
                while not isinstance(told[-1], LinkUp):
                    told.append(driver.take())
                assert told[-1].session_present == is_known
                assert kept in told or driver.take() == kept


def will(cluster: Cluster, _folder: Path) -> None:
    """The state is told, and the last will when the connection dies."""
    port = cluster.nodes[0].mqtt_port
    with (
        brokers.Subscriber(port, "tbox/v1/gone/state") as other,
        brokers.Front(port) as front,
        Driver(plain(front.port), "gone") as driver,
    ):
        driver.wait(LinkUp)
        front.slam()
        assert [json.loads(other.take()[1])["online"] for _ in range(2)] == [True, False]


def rights(cluster: Cluster, _folder: Path) -> None:
    """By the operator's guide a terminal writes and reads its own topics, and is thrown out at any other's."""
    port = cluster.nodes[0].mqtt_port
    mine, theirs = f"tbox/v1/{USER}", "tbox/v1/other"
    for topic in (f"{mine}/event", f"{mine}/config/reported", f"{mine}/response/r1", f"{mine}/probe"):
        assert stays(port, lambda client, topic=topic: client.publish(topic, b"x", qos=1)), f"{topic} is refused"
    for topic in (f"{theirs}/event", f"{mine}/receipt", f"{mine}/command/ping", "else"):
        assert not stays(port, lambda client, topic=topic: client.publish(topic, b"x", qos=1)), f"{topic} is taken"
    for topic in (f"{mine}/receipt", f"{mine}/config/desired", f"{mine}/command/+"):
        assert stays(port, lambda client, topic=topic: client.subscribe(topic, qos=1)), f"{topic} cannot be read"
    for topic in (f"{theirs}/receipt", "tbox/v1/#"):
        assert not stays(port, lambda client, topic=topic: client.subscribe(topic, qos=1)), f"{topic} can be read"


def stays(port: int, do: Callable[[Client], object]) -> bool:
    """Whether the broker does this for USER; else it refuses, or ends the connection."""
    answers: queue.Queue[bool] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, USER, False, protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set(USER, USER)
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.put(not reason.is_failure)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert answers.get(timeout=START_S), "it is not let in"
        client.on_publish = lambda *_: answers.put(True)
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: answers.put(not reasons[0].is_failure)
        client.on_disconnect = lambda *_: answers.put(False)
        do(client)
        return answers.get(timeout=START_S)
    finally:
        client.disconnect()
        client.loop_stop()


def restart(cluster: Cluster, folder: Path) -> None:
    """The broker is killed in a drive and started again: the daemon delivers all of it, in order."""
    (node,) = cluster.nodes
    reader, relay = listening(node.mqtt_port, Inbox()), Relay(node.mqtt_port)
    with running(Terminal(folder, relay.port, seconds=120)) as terminal:
        until(have(reader, "health", 3), "health")
        relay.cut()  # the reader must be back before the daemon: it has no session that outlives it
        reader.close()
        cluster.kill(node)
        cluster.start(node)
        cluster.await_up(node)
        reader = listening(node.mqtt_port, reader.inbox)
        relay.mend()
        known = len(reader.inbox.records)
        until(lambda: len(reader.inbox.records) > known + 10, "what came meanwhile")
        assert terminal.stop() == 0
    until(have(reader, "trip_end"), "the end of the trip")
    assert_complete(reader, folder)
    reader.close()
    relay.close()


def listening(port: int, inbox: Inbox) -> Reader:
    """Somebody who keeps the books."""
    reader = Reader("127.0.0.1", port, "3.1.1", lambda _: None, inbox)
    assert reader.wait_until_subscribed(START_S), "the broker lets nobody subscribe"
    return reader


def store(cluster: Cluster, folder: Path) -> None:
    """The receiver takes a terminal's account out of the quorum queue, stores it, and its receipts arrive."""
    (node,) = cluster.nodes
    platform = folder / "platform.db"
    with taking(cluster, platform, folder / "receiver.log"):
        with running(Terminal(folder, node.mqtt_port, more=FAST.partition("[uplink]")[0] + RECEIPTS)) as terminal:
            until(lambda: stored(platform, "event"), "the brake, stored")
            assert terminal.stop() == 0
        until(lambda: stored(platform, "trip_end"), "the end of the trip, stored")
    with closing(sqlite3.connect(platform)) as database:
        (name,) = database.execute("SELECT terminal FROM terminals").fetchone()
    account = folder / "account.tbox"
    words = [sys.executable, "-m", "hil.receiver", "--store", str(platform), "--export", name]
    account.write_bytes(subprocess.run(words, capture_output=True, check=True).stdout)
    words = [sys.executable, "-m", "agent.cli", "verify", "--json", str(account)]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    with closing(sqlite3.connect(folder / "state" / "outbox.db")) as outbox:
        (kept,) = outbox.execute("SELECT count(*) FROM records WHERE raw IS NULL").fetchone()
    assert kept, "no receipt came: nothing was let go"


@contextmanager
def taking(cluster: Cluster, platform: Path, log: Path) -> Iterator[None]:
    """A receiver at the queue, ready."""
    (node,) = cluster.nodes
    words = ["--queue", f"amqp://127.0.0.1:{node.amqp_port}/", "--broker", f"127.0.0.1:{node.mqtt_port}"]
    with _receiver(platform, log, words):
        yield


@contextmanager
def _receiver(platform: Path, log: Path, more: Sequence[str]) -> Iterator[None]:
    words = [sys.executable, "-m", "hil.receiver", "--store", str(platform), *more]
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out)
    try:
        until(lambda: "taking records" in log.read_text() or process.poll() is not None, "the receiver")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0, log.read_text()


def safe(_cluster: Cluster, folder: Path) -> None:
    """By TLS and login a receiver comes in at both doors and its receipts go out; a wrong password ends it in one line."""
    platform, log, certificates = folder / "platform.db", folder / "receiver.log", Certificates(folder.parent)
    words = ["--queue", f"amqps://localhost:{AMQPS_PORT}/", "--broker", f"localhost:{MQTTS_PORT}", "--user", RECEIVER]
    words += ["--ca", str(certificates.cert(AUTHORITY)), "--password-file", str(folder / "password")]
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text("wrong")
    argv = [sys.executable, "-m", "hil.receiver", "--store", str(platform), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=START_S)
    assert (done.returncode, len(done.stderr.splitlines())) == (78, 1), done.stderr
    (folder / "password").write_text(RECEIVER)
    answers: queue.Queue[bytes] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, "car", protocol=MQTTProtocolVersion.MQTTv311)
    client.tls_set(str(certificates.cert(AUTHORITY)))
    client.username_pw_set("guest", "guest")
    client.on_message = lambda _c, _u, message: answers.put(message.payload)
    with _receiver(platform, log, words):
        client.connect("localhost", MQTTS_PORT)
        client.subscribe("tbox/v1/car/receipt", qos=1)
        client.loop_start()
        for record in two_boots():
            client.publish(f"tbox/v1/car/{record.lane}", record.raw, qos=1).wait_for_publish(START_S)
        while b'"upto": 17' not in answers.get(timeout=START_S):
            continue
    client.loop_stop()


def tls_lines(folder: Path) -> tuple[str, ...]:
    """Of rabbitmq.conf: the same node by TLS; who comes shows no certificate."""
    certificates = Certificates(folder)
    return (
        f"listeners.ssl.1 = 127.0.0.1:{AMQPS_PORT}",
        f"mqtt.listeners.ssl.1 = 127.0.0.1:{MQTTS_PORT}",
        f"ssl_options.cacertfile = {certificates.cert(AUTHORITY)}",
        f"ssl_options.certfile = {certificates.cert(GOOD)}",
        f"ssl_options.keyfile = {certificates.key(GOOD)}",
    )


def stored(platform: Path, kind: str) -> bool:
    """Whether the platform has a record of this kind."""
    with closing(sqlite3.connect(platform)) as database:
        return database.execute("SELECT 1 FROM records WHERE kind = ?", (kind,)).fetchone() is not None


CHECKS: tuple[Callable[[Cluster, Path], None], ...] = (link, session, will, rights, store, safe, restart)


def main() -> int:
    """One check after the other."""
    if not is_here():
        print("RabbitMQ is not installed: apt-get install rabbitmq-server", file=sys.stderr)
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as made:
        folder = Path(made)
        (folder / "definitions.json").write_text(json.dumps(definitions()))
        lines = (f"load_definitions = {folder / 'definitions.json'}", *tls_lines(folder))
        with Cluster(folder, lines=lines) as cluster:
            for check in CHECKS:
                (folder / check.__name__).mkdir()
                wrong += not _holds(check, cluster, folder / check.__name__)
    return bool(wrong)


def _holds(check: Callable[[Cluster, Path], None], cluster: Cluster, folder: Path) -> bool:
    """Say whether it does."""
    begin_s, fault = time.monotonic(), ""
    try:
        check(cluster, folder)
    except AssertionError as error:
        fault = f": {error}"
    print(f"{'WRONG' if fault else 'holds'} {check.__doc__} ({time.monotonic() - begin_s:.1f} s){fault}", flush=True)
    return not fault


if __name__ == "__main__":
    sys.exit(main())
