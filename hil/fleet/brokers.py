"""The brokers that a fleet can be tried with: one mosquitto, or a RabbitMQ cluster; started, killed, started again."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hil.fleet.usage import tree_cpu_s
from hil.rabbit import Cluster
from hil.wires.broker import BrokerError, find_mosquitto, free_port

STOP_S = 60.0
NODES = 3
SETTINGS = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_dest stderr
log_type error
max_inflight_messages 0
max_queued_messages 0
max_connections -1
{user}"""


class Broker(Protocol):
    """What can be killed of it goes by name."""

    names: tuple[str, ...]
    ports: tuple[int, ...]

    def words(self, receiver: int) -> list[str]:
        """How this receiver, counted from 0, is told where records come from and receipts go."""

    def start(self, name: str) -> None:
        """This part of it."""

    def kill(self, name: str) -> None:
        """As a power cut does."""

    def cpu_s(self) -> float:
        """Processor seconds of all that ran so far."""

    def stop(self) -> None:
        """All of it."""


class Mosquitto:
    """One process that keeps nothing: what it had when it is killed, the terminals send again."""

    def __init__(self, folder: Path) -> None:
        """Ready when this returns."""
        self.names: tuple[str, ...] = ("broker",)
        self.ports: tuple[int, ...] = (free_port(),)
        self._folder, self._gone_s = folder, 0.0
        self.start("broker")

    def words(self, receiver: int) -> list[str]:
        """A shared subscription."""
        return ["--broker", f"127.0.0.1:{self.ports[0]}", "--name", str(receiver + 1)]

    def start(self, name: str) -> None:  # noqa: ARG002  (there is one)
        """BrokerError: it is not installed."""
        path = find_mosquitto()
        if path is None:
            raise BrokerError("the fleet needs mosquitto: apt-get install mosquitto")
        settings = self._folder / "mosquitto.conf"
        settings.write_text(SETTINGS.format(port=self.ports[0], user="user root\n" if os.geteuid() == 0 else ""))
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen([path, "-c", str(settings)], stdout=log, stderr=log)  # noqa: S603  (ours)

    def kill(self, name: str) -> None:  # noqa: ARG002  (there is one)
        """As a power cut does."""
        self._gone_s += tree_cpu_s(self._process.pid)
        self._process.kill()
        self._process.wait(STOP_S)

    def cpu_s(self) -> float:
        """Processor seconds of all that ran so far."""
        return self._gone_s + tree_cpu_s(self._process.pid)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(STOP_S)


class Rabbit:
    """Three nodes: terminals come by MQTT to any, receivers take from one quorum queue that all three keep."""

    def __init__(self, folder: Path) -> None:
        """Ready when this returns. BrokerError."""
        self._cluster = Cluster(folder, NODES)
        self._cluster.__enter__()
        self._nodes = {f"node{node.number + 1}": node for node in self._cluster.nodes}
        self._gone_s = 0.0
        self.names = tuple(self._nodes)
        self.ports = tuple(node.mqtt_port for node in self._cluster.nodes)

    def words(self, receiver: int) -> list[str]:
        """Its own node first, then the others; receipts by that node's MQTT."""
        nodes = self._cluster.nodes[receiver % NODES :] + self._cluster.nodes[: receiver % NODES]
        queues = ",".join(f"amqp://127.0.0.1:{node.amqp_port}/" for node in nodes)
        return ["--queue", queues, "--broker", ",".join(f"127.0.0.1:{node.mqtt_port}" for node in nodes)]

    def start(self, name: str) -> None:
        """This node."""
        self._cluster.start(self._nodes[name])

    def kill(self, name: str) -> None:
        """This node."""
        node = self._nodes[name]
        self._gone_s += 0.0 if node.process is None else tree_cpu_s(node.process.pid)
        self._cluster.kill(node)

    def cpu_s(self) -> float:
        """Processor seconds of all that ran so far."""
        return self._gone_s + sum(tree_cpu_s(pid) for pid in self._cluster.pids)

    def stop(self) -> None:
        """All nodes."""
        self._cluster.__exit__(None, None, None)


BROKERS: dict[str, Callable[[Path], Broker]] = {"mosquitto": Mosquitto, "rabbitmq": Rabbit}
