"""Links under test: settings for them, and a driver that waits for what they tell."""

import select
import time
from collections import deque
from types import TracebackType
from typing import Any, Self, TypeVar

from agent.settings import Mqtt
from agent.uplink.exchange import Answer
from agent.uplink.mqtt import Link
from tests.brokers import Certificates

STATE = {"boot": 7, "versions": {"agent": "0.1.0", "record": 1}, "key": "00ff"}
WAIT_S = 10.0
Wanted = TypeVar("Wanted", bound=Answer)


def plain(port: int, **more: Any) -> Mqtt:
    """Settings for a broker without TLS."""
    return Mqtt(**({"host": "127.0.0.1", "port": port, "tls": False} | more))


def secure(port: int, certificates: Certificates, client: str = "client", **more: Any) -> Mqtt:
    """Settings for a broker with TLS; `client` names our certificate, "" for none."""
    pair = {"cert_file": certificates.cert(client), "key_file": certificates.key(client)} if client else {}
    return Mqtt(**({"host": "localhost", "port": port, "ca_file": certificates.cert("ca")} | pair | more))


class Driver:
    """A link that connects at once, what it told, and an end."""

    def __init__(self, mqtt: Mqtt, device: str = "car1", **more: Any) -> None:
        self.link = Link(mqtt, device, STATE, **more)
        self._waiting: deque[Answer] = deque()

    def __enter__(self) -> Self:
        self.link.connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.link.close()

    def take(self) -> Answer:
        """The next answer."""
        until_s = time.monotonic() + WAIT_S
        while not self._waiting:
            assert select.select([self.link], [], [], max(0, until_s - time.monotonic()))[0], "the link tells nothing"
            self._waiting += self.link.answers()
        return self._waiting.popleft()

    def wait(self, kind: type[Wanted]) -> Wanted:
        """The next answer, which must be of this kind."""
        answer = self.take()
        assert isinstance(answer, kind), answer
        return answer
