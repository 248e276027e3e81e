"""The daemon on a live bus: CPU against python-can's bare loop, memory, start, latency.

The bus is a UDP socket on the loopback that carries struct can_frame: the kernel stamps its datagrams as it stamps those of
a CAN socket, which python-can insists on and an AF_UNIX pair does not do. Both readers get the same frames at the same
pace. CPU is what the kernel's scheduler counted for all threads (/proc/PID/task/*/schedstat), start and warm-up left out.
"""

import json
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.codec import decode
from drivers.source import boot_us
from tests.brokers import Certificates, Mosquitto, Subscriber, free_port
from tests.native import bus
from tests.native.figure import Figure

FRAMES_PER_S = 4000
BURST = 1
WARM_S = 4.0
MEASURED_S = 10.0
LATENCY_S = 30.0
START_S = 30.0
RCVBUF_BYTES = 1 << 22
_FRAME = struct.Struct("=IB3x8s")


class Broker(Mosquitto):
    """A broker with TLS for the terminal, and a plain port for who measures."""

    def __init__(self, folder: Path, certs: Certificates) -> None:
        self.plain_port = free_port()
        super().__init__(folder, [*certs.listener(), f"listener {self.plain_port} 127.0.0.1"])


class Pair:
    """A bus with one reader: what is sent on one end, the process that got the other reads."""

    def __init__(self) -> None:
        self.reader = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF_BYTES)
        self.reader.bind(("127.0.0.1", 0))
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.connect(self.reader.getsockname())

    def close(self) -> None:
        """Both ends."""
        self.reader.close()
        self.sender.close()


def send(pair: Pair, frames: Sequence[bytes], seconds: float) -> None:
    """Frames at FRAMES_PER_S, a few at a time, again from the first when they end."""
    begin_s = time.monotonic()
    sent = 0
    while (due := int((time.monotonic() - begin_s) * FRAMES_PER_S)) < seconds * FRAMES_PER_S:
        while sent + BURST <= due:
            for frame in (frames[at % len(frames)] for at in range(sent, sent + BURST)):
                pair.sender.send(frame)
            sent += BURST
        time.sleep(BURST / FRAMES_PER_S)


def cpu_s(pid: int) -> float:
    """CPU seconds of all threads so far."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def memory_mib(pid: int) -> dict[str, float]:
    """Resident memory, and what of it is anonymous."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(rows[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")}


def child(words: Sequence[str | Path], fd: int, log: Path) -> "subprocess.Popen[bytes]":
    """A process of tests/native/terminal.py that has got the reader's end."""
    command = [sys.executable, "-m", "tests.native.terminal", *map(str, words)]
    with log.open("ab") as out:
        return subprocess.Popen(command, pass_fds=[fd], stdout=out, stderr=out)


def config(folder: Path, port: int, certs: Certificates, more: str) -> Path:
    """Settings of a terminal with TLS and its client certificate."""
    path = folder / "tbox.toml"
    path.write_text(
        f'[device]\nstate_dir = "{folder}/state"\n[[can]]\nchannel = "can0"\n[vehicle]\nmap = "{folder}/bus.table"\n'
        f'[mqtt]\nhost = "localhost"\nport = {port}\nca_file = "{certs.cert("ca")}"\n'
        f'cert_file = "{certs.cert("client")}"\nkey_file = "{certs.key("client")}"\n{more}'
    )
    return path


def loaded(
    words: Sequence[str | Path], pair: Pair, frames: Sequence[bytes], log: Path
) -> tuple[float, dict[str, float]]:
    """CPU as a share of one core, and memory, of a reader under load."""
    process = child(words, pair.reader.fileno(), log)
    try:
        send(pair, frames, WARM_S)
        before_s, begin_s = cpu_s(process.pid), time.monotonic()
        send(pair, frames, MEASURED_S)
        share = (cpu_s(process.pid) - before_s) / (time.monotonic() - begin_s)
        return share, memory_mib(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)


def figures(folder: Path) -> Iterator[Figure]:
    """All of it."""
    from agent.maps import compile  # noqa: A004, PLC0415 - the room's name
    from agent.vehicle import save  # noqa: PLC0415

    save(compile.compile_map(bus.write_map(folder)), folder / "bus.table")
    frames = [_FRAME.pack(identifier, 8, data) for _, identifier, data in bus.traffic(bus.DRIVE.seconds)]
    certs = Certificates(folder)
    log = folder / "daemon.log"
    log.unlink(missing_ok=True)
    with Broker(folder, certs) as broker:
        ring, none = "", "[ring]\nbefore_s = 0\n"
        bare, _ = one(["bare"], folder, frames, log)
        with_ring, big = one(["agent", config(folder, broker.port, certs, ring)], folder, frames, log)
        without, small = one(["agent", config(folder, broker.port, certs, none)], folder, frames, log)
        yield Figure("daemon: CPU of python-can's bare loop at 4,000/s", 100 * bare, "% of a core")
        yield Figure("daemon: CPU of tbox run, TLS, ring", 100 * with_ring, "% of a core")
        yield Figure("daemon: ours / python-can's", 100 * with_ring / bare, "%", 30)
        yield Figure("daemon: the same without ring", 100 * without / bare, "%", 30)
        yield Figure("daemon: anonymous memory, no ring, TLS", small["RssAnon"], "MiB", 28)
        yield Figure("daemon: resident memory, no ring, TLS", small["VmRSS"], "MiB", 40)
        yield Figure("daemon: anonymous memory, ring of 30 s, TLS", big["RssAnon"], "MiB")
        yield Figure("daemon: resident memory, ring of 30 s, TLS", big["VmRSS"], "MiB")
        yield from latencies(folder, broker, certs, frames, log)


def one(
    words: Sequence[str | Path], folder: Path, frames: Sequence[bytes], log: Path
) -> tuple[float, dict[str, float]]:
    """A reader under load, on a bus of its own."""
    pair = Pair()
    try:
        fd = pair.reader.fileno()
        told = [words[0], fd, *words[1:], *([folder / "told.json"] if words[0] == "agent" else [])]
        return loaded([str(word) for word in told], pair, frames, log)
    finally:
        pair.close()


def latencies(
    folder: Path, broker: Broker, certs: Certificates, frames: Sequence[bytes], log: Path
) -> Iterator[Figure]:
    """From the last frame to the synced record and to a subscriber at the broker, and from the start to the first frame."""
    path = config(folder, broker.port, certs, "[samples]\nchunk_s = 1\njournal_s = 1\n")
    pair, told = Pair(), folder / "told.json"
    with Subscriber(broker.plain_port) as subscriber:
        started_us = boot_us()
        process = child(["agent", str(pair.reader.fileno()), path, told], pair.reader.fileno(), log)
        send(pair, frames, LATENCY_S)
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)
        messages = [subscriber.messages.get() for _ in range(subscriber.messages.qsize())]
    pair.close()
    notes = json.loads(told.read_text())
    records = {
        int(seq): times for seq, times in notes["records"].items() if times[0] > notes["first_us"] + WARM_S * 1e6
    }
    offset_us = boot_us() - time.monotonic() * 1e6
    came_us = {
        seq: message.timestamp * 1e6 + offset_us
        for message in messages
        if (seq := seq_of(message.topic, message.payload)) in records
    }
    synced = sorted((times[1] - times[0]) / 1000 for times in records.values())
    delivered = sorted((at_us - records[seq][0]) / 1000 for seq, at_us in came_us.items())
    yield Figure("daemon: start to first frame", (notes["first_us"] - started_us) / 1e6, "s", 0.5)
    yield Figure("daemon: records timed", len(synced), "")
    yield Figure("daemon: last frame to synced record, median", statistics.median(synced), "ms")
    yield Figure("daemon: last frame to synced record, p99", quantile(synced, 0.99), "ms", 15)
    yield Figure("daemon: last frame to broker and back, median", statistics.median(delivered), "ms")
    yield Figure("daemon: last frame to broker and back, p99", quantile(delivered, 0.99), "ms", 30)


def seq_of(topic: str, payload: bytes) -> int:
    """The number of the record in a message; -1 for what is none."""
    return -1 if topic.count("/") != 3 or topic.endswith("state") else decode(payload).seq


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that this share does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
