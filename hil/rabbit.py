"""RabbitMQ on the loopback, one node or several as a cluster, each with its MQTT plugin; an epmd of their own.

Debian's rabbitmq-server. Nodes are started, killed and started again by number; only processes started here are ended.
"""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from hil.wires.broker import BrokerError, free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EPMD = shutil.which("epmd")
START_S = 120.0
STOP_S = 30.0
COOKIE = "tbox-bench"


def is_here() -> bool:
    """Whether it is installed."""
    return SERVER.exists() and EPMD is not None


class Node:
    """One node: where it listens, its files, its process."""

    def __init__(self, number: int, folder: Path) -> None:
        """Ports are chosen here, so that a node comes back where it was."""
        self.number, self.folder = number, folder
        self.mqtt_port, self.amqp_port, self.dist_port = free_port(), free_port(), free_port()
        self.name = f"tbox{number}-{self.mqtt_port}@localhost"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_up(self) -> bool:
        """Whether MQTT is answered."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.mqtt_port), 1):
            return True
        return False


class Cluster:
    """So many nodes that know each other; entered, they take connections."""

    def __init__(self, folder: Path, count: int = 1, lines: tuple[str, ...] = ()) -> None:
        """`lines`: more of rabbitmq.conf."""
        self._folder, self._lines, self._epmd_port = folder, lines, free_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self.nodes = [Node(number, folder / f"node{number}") for number in range(count)]

    def __enter__(self) -> Self:
        if EPMD is None:
            raise BrokerError("RabbitMQ is not installed: apt-get install rabbitmq-server")
        self._epmd = subprocess.Popen([EPMD, "-port", str(self._epmd_port), "-address", "127.0.0.1"])  # noqa: S603
        try:
            for node in self.nodes:  # one after the other: the first makes the cluster, the others join it
                self.start(node)
                self.await_up(node)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for node in self.nodes:
            self.kill(node)
        if self._epmd is not None:
            self._epmd.terminate()
            self._epmd.wait(STOP_S)

    @property
    def pids(self) -> list[int]:
        """The sessions of the nodes that run."""
        return [node.process.pid for node in self.nodes if node.process is not None]

    def start(self, node: Node) -> None:
        """Start a node; it may take a while until it `is_up`."""
        node.folder.mkdir(exist_ok=True)
        (node.folder / "rabbitmq.conf").write_text("\n".join([*self._settings(node), *self._lines, ""]))
        (node.folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        cookie = node.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(COOKIE)
            cookie.chmod(0o400)
        with (node.folder / "out").open("ab") as out:
            node.process = subprocess.Popen(  # noqa: S603  (our own words)
                [str(SERVER)], env=os.environ | self._words(node), stdout=out, stderr=out, start_new_session=True
            )

    def await_up(self, node: Node) -> None:
        """Until it answers. BrokerError."""
        until_s = monotonic() + START_S
        while not node.is_up:
            if node.process is None or node.process.poll() is not None or monotonic() > until_s:
                said = " ".join((node.folder / "out").read_text(errors="replace").split())
                raise BrokerError(f"RabbitMQ node {node.number} did not start; it said: {said[-400:]}")
            sleep(0.2)

    def kill(self, node: Node) -> None:
        """As a power cut does: its whole session."""
        if node.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(node.process.pid, signal.SIGKILL)
        node.process.wait(STOP_S)
        node.process = None

    def _settings(self, node: Node) -> list[str]:
        others = [f"cluster_formation.classic_config.nodes.{one.number + 1} = {one.name}" for one in self.nodes]
        joined = ["cluster_formation.peer_discovery_backend = classic_config", *others] if len(others) > 1 else []
        return [
            f"listeners.tcp.default = 127.0.0.1:{node.amqp_port}",
            f"mqtt.listeners.tcp.1 = 127.0.0.1:{node.mqtt_port}",
            "mqtt.allow_anonymous = true",
            *joined,
        ]

    def _words(self, node: Node) -> dict[str, str]:
        told: dict[str, object] = {"NODENAME": node.name, "MNESIA_BASE": node.folder / "mnesia"}
        told |= {"LOG_BASE": node.folder / "log", "CONFIG_FILE": node.folder / "rabbitmq.conf"}
        told |= {"ENABLED_PLUGINS_FILE": node.folder / "plugins", "DIST_PORT": node.dist_port}
        words = {f"RABBITMQ_{name}": str(value) for name, value in told.items()}
        return words | {
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "HOME": str(node.folder), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self._epmd_port),
        }  # fmt: skip
