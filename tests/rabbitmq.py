"""`python -m tests.rabbitmq`: the link and the daemon against RabbitMQ, a strict broker of MQTT 3.1.1; about a minute.

Debian's rabbitmq-server is started in a folder of its own, on loopback ports, with an epmd of its own; both are ended by
their process numbers. What holds is printed line by line; 1 when something does not.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.exchange import Acked, LinkUp, Message, Publish
from hil.relay import Relay
from hil.subscriber import Inbox
from hil.subscriber import Subscriber as Reader
from tests import brokers
from tests.links import Driver, plain
from tests.test_run import Terminal, assert_complete, have, running, until

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EPMD = shutil.which("epmd")
START_S = 60.0
BURST = 500
EVIDENCE_BYTES = 65_536


class RabbitMq(brokers.Process):
    """A RabbitMQ with its MQTT plugin; its nodes find each other through an epmd that is ours."""

    def __init__(self, folder: Path) -> None:
        port, self._epmd_port = brokers.free_port(), brokers.free_port()
        lines = [f"listeners.tcp.default = 127.0.0.1:{brokers.free_port()}"]
        lines += [f"mqtt.listeners.tcp.1 = 127.0.0.1:{port}", "mqtt.allow_anonymous = true"]
        (folder / "rabbitmq.conf").write_text("\n".join([*lines, ""]))
        (folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        told = {"NODENAME": f"tbox{port}@localhost", "MNESIA_BASE": folder / "mnesia", "LOG_BASE": folder / "log"}
        told |= {"CONFIG_FILE": folder / "rabbitmq.conf", "ENABLED_PLUGINS_FILE": folder / "plugins"}
        told |= {"DIST_PORT": brokers.free_port()}
        words = {f"RABBITMQ_{name}": str(value) for name, value in told.items()}
        words |= {"HOME": str(folder), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self._epmd_port)}
        command = ["env", *(f"{name}={value}" for name, value in words.items()), "setsid", str(SERVER)]
        super().__init__(command, port, folder / "rabbitmq.log")
        assert EPMD is not None
        self._epmd = subprocess.Popen([EPMD, "-port", str(self._epmd_port), "-address", "127.0.0.1"])

    def kill(self) -> None:
        """As a power cut does: the session of the server, which `setsid` made under its number."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        super().kill()

    def end(self) -> None:
        """All of it."""
        self.kill()
        self._epmd.terminate()
        self._epmd.wait(START_S)


def link(broker: RabbitMq, folder: Path) -> None:
    """Version, acknowledgements in order, and a piece of evidence of the largest size."""
    memory = folder / "versions.json"
    with Driver(plain(broker.port), "burst", memory=memory) as driver:
        assert driver.wait(LinkUp).version == "3.1.1"
        for number in range(BURST):
            driver.link.publish(Publish(number, "event", bytes(300)))
        assert [driver.take() for _ in range(BURST)] == [Acked(number) for number in range(BURST)]
        driver.link.publish(Publish(BURST, "evidence", bytes(EVIDENCE_BYTES)))
        assert driver.take() == Acked(BURST)
    assert json.loads(memory.read_text()) == {f"127.0.0.1:{broker.port}": "3.1.1"}


def session(broker: RabbitMq, _folder: Path) -> None:
    """The broker knows the session again, and gives the retained receipt each time."""
    with brokers.Subscriber(broker.port, "tbox/v1/known/state") as other:
        other.publish("tbox/v1/known/receipt", b'{"upto": 5}')
        for is_known in (False, True):
            with Driver(plain(broker.port), "known", subscribed=("receipt",)) as driver:
                told = [driver.take()]
                while not isinstance(told[-1], LinkUp):
                    told.append(driver.take())
                assert told[-1].session_present == is_known
                assert Message("receipt", b'{"upto": 5}') in told or driver.take() == Message("receipt", b'{"upto": 5}')


def will(broker: RabbitMq, _folder: Path) -> None:
    """The state is told, and the last will when the connection dies."""
    with (
        brokers.Subscriber(broker.port, "tbox/v1/gone/state") as other,
        brokers.Front(broker.port) as front,
        Driver(plain(front.port), "gone") as driver,
    ):
        driver.wait(LinkUp)
        front.slam()
        assert [json.loads(other.take()[1])["online"] for _ in range(2)] == [True, False]


def restart(broker: RabbitMq, folder: Path) -> None:
    """The broker is killed in a drive and started again: the daemon delivers all of it, in order."""
    reader, relay = listening(broker, Inbox()), Relay(broker.port)
    with running(Terminal(folder, relay.port, seconds=120)) as terminal:
        until(have(reader, "health", 3), "health")
        relay.cut()  # the reader must be back before the daemon: it has no session that outlives it
        reader.close()
        broker.kill()
        broker.start()
        reader = listening(broker, reader.inbox)
        relay.mend()
        known = len(reader.inbox.records)
        until(lambda: len(reader.inbox.records) > known + 10, "what came meanwhile")
        assert terminal.stop() == 0
    until(have(reader, "trip_end"), "the end of the trip")
    assert_complete(reader, folder)
    reader.close()
    relay.close()


def listening(broker: RabbitMq, inbox: Inbox) -> Reader:
    """Somebody who keeps the books."""
    reader = Reader("127.0.0.1", broker.port, "3.1.1", lambda _: None, inbox)
    assert reader.wait_until_subscribed(START_S), "the broker lets nobody subscribe"
    return reader


CHECKS: tuple[Callable[[RabbitMq, Path], None], ...] = (link, session, will, restart)


def main() -> int:
    """One check after the other."""
    if not SERVER.exists() or EPMD is None:
        print("RabbitMQ is not installed: apt-get install rabbitmq-server", file=sys.stderr)
        return 2
    brokers.START_S = START_S
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as made:
        folder = Path(made)
        broker = RabbitMq(folder)
        try:
            broker.start()
            for check in CHECKS:
                wrong += not _holds(check, broker, folder)
        finally:
            broker.end()
    return bool(wrong)


def _holds(check: Callable[[RabbitMq, Path], None], broker: RabbitMq, folder: Path) -> bool:
    """Say whether it does."""
    begin_s, fault = time.monotonic(), ""
    try:
        check(broker, folder)
    except AssertionError as error:
        fault = f": {error}"
    print(f"{'WRONG' if fault else 'holds'} {check.__doc__} ({time.monotonic() - begin_s:.1f} s){fault}", flush=True)
    return not fault


if __name__ == "__main__":
    sys.exit(main())
