"""A broker for the bench, on the loopback only: mosquitto where it is installed, else amqtt, in a process of its own.

python -m hil.wires.broker --port N        (amqtt; what `start` runs when there is no mosquitto)
"""

import argparse
import asyncio
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hil.wires.tls import GOOD, Certificates, TlsError

HOST = "127.0.0.1"
SBIN = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
"""Where mosquitto is put on machines whose PATH leaves it out."""
START_S = 10.0
STOP_S = 3.0
ATTEMPTS = 5


class BrokerError(Exception):
    """No broker could be started; the text says which was tried and what it said."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker. `version` is the MQTT version it speaks, `doors` say where.

    With certificates it speaks TLS at `port` and lets in the terminal only; the bench itself listens at `inner_port`.
    """

    name: str
    version: str
    doors: "Doors"
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def port(self) -> int:
        """Where the terminal comes in."""
        return self.doors.port

    @property
    def inner_port(self) -> int:
        """Where the bench does."""
        return self.doors.inner_port

    def again(self, shown: str = "") -> "Broker":
        """Another one at the same doors, once this one has been stopped: it knows nobody. BrokerError.

        `shown`: with which of tls.py's certificates it proves itself; empty: the same.
        """
        doors = replace(self.doors, shown=shown or self.doors.shown)
        return _started(self.folder, doors, is_embedded=self.name == "amqtt")

    def stop(self) -> None:
        """End it; it keeps nothing."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True, slots=True)
class Doors:
    """Ports on the loopback; the same one twice without TLS. `shown`: the broker's certificate."""

    port: int
    inner_port: int
    certificates: Certificates | None = None
    shown: str = GOOD

    def lines(self, shown: str) -> str:
        """As mosquitto's settings have them, with this certificate. TlsError."""
        inner = f"listener {self.inner_port} {HOST}\n"
        if self.certificates is None:
            return inner
        whose = "user root\n" if os.geteuid() == 0 else ""  # who else could not read the key
        return f"{whose}{inner}listener {self.port} {HOST}\n{self.certificates.listener(shown)}"


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def find_mosquitto() -> str | None:
    """Its path, or None when it is not installed."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", ""), *SBIN)))


def start(folder: Path, *, embedded: bool = False, certificates: Certificates | None = None) -> Broker:
    """A broker that takes connections when this returns; `folder` holds its settings and log. BrokerError."""
    is_embedded = embedded or find_mosquitto() is None
    if certificates is not None and is_embedded:
        raise BrokerError("TLS needs mosquitto: apt-get install mosquitto")
    for attempt in range(1, ATTEMPTS + 1):
        inner_port = free_port()
        port = inner_port if certificates is None else free_port()
        try:
            return _started(folder, Doors(port, inner_port, certificates), is_embedded=is_embedded)
        except BrokerError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("ATTEMPTS is at least 1")


def _started(folder: Path, doors: Doors, *, is_embedded: bool) -> Broker:
    """One that takes connections at these doors. BrokerError."""
    mosquitto, log = find_mosquitto(), folder / "broker.log"
    command = _amqtt(doors.port) if is_embedded or mosquitto is None else _mosquitto(mosquitto, doors, folder)
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 # our own words
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    name, version = ("amqtt", "3.1.1") if is_embedded else ("mosquitto", "5")
    broker = Broker(name, version, doors, process, folder)
    if not _is_up(broker):
        broker.stop()
        raise BrokerError(f"{name} did not start; it said: {log.read_text(errors='replace')[-500:].strip()}")
    return broker


def _mosquitto(path: str, doors: Doors, folder: Path) -> list[str]:
    """The command for mosquitto, after writing its settings. BrokerError."""
    settings = folder / "mosquitto.conf"
    try:
        lines = doors.lines(doors.shown)
    except TlsError as why:
        raise BrokerError(str(why)) from None
    settings.write_text(f"allow_anonymous true\npersistence false\nlog_dest stderr\n{lines}")
    return [path, "-c", str(settings)]


def _amqtt(port: int) -> list[str]:
    return [sys.executable, "-m", "hil.wires.broker", "--port", str(port)]


def _is_up(broker: Broker) -> bool:
    """Whether it takes connections before START_S are over."""
    give_up_s = time.monotonic() + START_S
    while time.monotonic() < give_up_s and broker.process.poll() is None:
        try:
            for port in (broker.inner_port, broker.port):
                socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


async def serve(port: int) -> None:
    """The embedded broker, for ever."""
    try:
        from amqtt.broker import Broker as Embedded  # noqa: PLC0415 # an extra, needed only in this process
    except ImportError:
        sys.exit("there is no amqtt; install mosquitto, or pip install 'tbox-agent[demo]'")

    anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listeners = {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}}
    await Embedded({"listeners": listeners, "plugins": anonymous}).start()
    await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the embedded broker in this process."""
    parser = argparse.ArgumentParser(prog="python -m hil.wires.broker", description="The embedded MQTT broker (amqtt).")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(parser.parse_args(arguments).port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
