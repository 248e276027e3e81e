"""Real brokers for tests: mosquitto (MQTT 5 and 3.1.1) and amqtt (3.1.1 only), each a process on a free loopback port.

A broker is started, stopped, killed and started again on the same port. Only processes started here are ended.
"""

import asyncio
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

START_S = 10.0
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A broker's process."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and wait until it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until_s = time.monotonic() + START_S
        while not self._listens():
            assert self._process.poll() is None, f"the broker ended at once: {self.log.read_text()}"
            assert time.monotonic() < until_s, f"the broker does not listen: {self.log.read_text()}"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it as a service manager would."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(START_S)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(START_S)

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Mosquitto(Process):
    """A mosquitto whose configuration is these lines, below a listener on loopback."""

    def __init__(self, folder: Path, lines: Iterable[str] = ("allow_anonymous true",)) -> None:
        if MOSQUITTO is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        port = free_port()
        config = folder / f"mosquitto-{port}.conf"
        head = [f"listener {port} 127.0.0.1", f"user {'root' if os.geteuid() == 0 else 'nobody'}", "log_type all"]
        config.write_text("\n".join([*head, *lines, ""]))
        super().__init__([MOSQUITTO, "-c", str(config)], port, folder / f"mosquitto-{port}.log")


class Amqtt(Process):
    """A broker that speaks 3.1.1 only, and meets MQTT 5 with silence."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("amqtt", reason="amqtt is not installed: pip install 'tbox-agent[demo]'")
        port = free_port()
        super().__init__([sys.executable, __file__, str(port)], port, folder / f"amqtt-{port}.log")


class Front:
    """A door before a broker: answers CONNECTs of one version itself, changes what comes down, and can be slammed.

    `refuse` maps a protocol level (5, 4) to the bytes that answer its CONNECT before the door closes; `tamper` changes
    bytes on their way down. `levels` tells which protocol levels came.
    """

    def __init__(
        self, port: int, refuse: Mapping[int, bytes] = {}, tamper: Callable[[bytes], bytes] = bytes
    ) -> None:  # never changed
        self.levels: list[int] = []
        self._inner_port = port
        self._refuse = refuse
        self._tamper = tamper
        self._open: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.slam()

    def slam(self) -> None:
        """Cut every connection, without a word to either side."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                outer, _ = self._server.accept()
                self._serve(outer)

    def _serve(self, outer: socket.socket) -> None:
        """Look at the CONNECT, then refuse it or let both sides talk."""
        first = outer.recv(4096)
        level = first[first.index(b"MQTT") + 4]
        self.levels.append(level)
        if level in self._refuse:
            outer.sendall(self._refuse[level])
            outer.close()
            return
        inner = socket.create_connection(("127.0.0.1", self._inner_port))
        self._open += [outer, inner]
        inner.sendall(first)
        threading.Thread(target=_pump, args=(outer, inner, bytes), daemon=True).start()
        threading.Thread(target=_pump, args=(inner, outer, self._tamper), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]) -> None:
    """Carry bytes one way until an end closes, then close the other."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(change(data))
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


class Subscriber:
    """Somebody who listens on a broker; `messages` holds what came, in its order."""

    def __init__(self, port: int, topic: str = "tbox/v1/#") -> None:
        self.messages: queue.Queue[MQTTMessage] = queue.Queue()
        subscribed: queue.Queue[bool] = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self.client.on_message = lambda _client, _userdata, message: self.messages.put(message)
        self.client.on_subscribe = lambda *_: subscribed.put(True)
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(topic, qos=1)
        self.client.loop_start()
        assert subscribed.get(timeout=START_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        """Say something, retained, and wait until the broker has it."""
        self.client.publish(topic, payload, qos=1, retain=True).wait_for_publish(START_S)

    def drain(self) -> list[tuple[str, bytes]]:
        """Everything that came until the broker's end closed the connection."""
        while self.client.is_connected():
            time.sleep(0.01)
        return [self.take() for _ in range(self.messages.qsize())]

    def take(self) -> tuple[str, bytes]:
        """The next message, topic and payload."""
        message = self.messages.get(timeout=START_S)
        return message.topic, bytes(message.payload)


class Certificates:
    """An authority that vouches for the broker on localhost and for clients; and one that nobody knows.

    Names of the pairs: server, misnamed and late (servers for another name, and expired), client, expired (a client's),
    stranger (a client of the unknown authority).
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed: apt-get install openssl")
        self._folder = folder
        self._authority("ca")
        self._authority("other-ca")
        local = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        self._pair("server", "ca", local)
        self._pair("late", "ca", local, days="-1")
        self._pair("misnamed", "ca", "subjectAltName=DNS:broker.example")
        self._pair("client", "ca")
        self._pair("stranger", "other-ca")
        self._pair("expired", "ca", days="-1")

    def cert(self, name: str) -> str:
        """Path of a certificate."""
        return str(self._folder / f"{name}.crt")

    def key(self, name: str) -> str:
        """Path of its private key, its owner's alone."""
        return str(self._folder / f"{name}.key")

    def encrypted(self, name: str, folder: Path) -> str:
        """A copy of a key that wants a passphrase."""
        path = folder / "encrypted.key"
        path.touch(mode=0o600)
        self._openssl("ec", "-in", self.key(name), "-aes128", "-passout", "pass:secret", "-out", str(path))
        return str(path)

    def listener(self, server: str = "server") -> list[str]:
        """Lines that make a mosquitto ask for a client certificate."""
        lines = [f"cafile {self.cert('ca')}", f"certfile {self.cert(server)}", f"keyfile {self.key(server)}"]
        return [*lines, "require_certificate true", "allow_anonymous true"]

    def _authority(self, name: str) -> None:
        """A certificate that signs itself."""
        self._openssl(
            "req", "-x509", *self._new_key(name), "-subj", f"/CN={name}", "-days", "2", "-out", self.cert(name)
        )

    def _pair(self, name: str, authority: str, extension: str = "keyUsage=digitalSignature", days: str = "2") -> None:
        """A key, and a certificate for it signed by an authority."""
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(extension)
        self._openssl("req", *self._new_key(name), "-subj", f"/CN={name}", "-out", str(request))
        signer = ("-CA", self.cert(authority), "-CAkey", self.key(authority), "-CAcreateserial")
        files = ("-in", str(request), "-extfile", str(extensions), "-out", self.cert(name))
        self._openssl("x509", "-req", *files, *signer, "-days", days)

    def _new_key(self, name: str) -> tuple[str, ...]:
        key = self._folder / f"{name}.key"
        key.touch(mode=0o600)
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key))

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)


async def serve_amqtt(port: int) -> None:
    """Be the broker that speaks 3.1.1 only, until killed."""
    from amqtt.broker import Broker  # noqa: PLC0415  # only in the process that is the broker

    anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    await Broker({"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}, "plugins": anonymous}).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve_amqtt(int(sys.argv[1])))
