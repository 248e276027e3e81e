"""A bus where the kernel has no CAN: datagrams that carry struct can_frame, in place of SocketCAN's.

The kernel stamps them, queues them and counts those it drops as it does a CAN socket's. python-can finds this as a
plug-in of the name socketcan, so that the terminal is `tbox run` as it ships.
"""

import os
import socket
from pathlib import Path

HOST = "127.0.0.1"
QUEUE_BYTES = 16 << 20
"""What may wait for the reader: some seconds of a full bus, so that a machine with others on it gives no false alarm.
Linux's default of 208 KiB holds 277 frames, 70 ms of it."""
QUEUE_SETTINGS = tuple(Path("/proc/sys/net/core", name) for name in ("rmem_max", "rmem_default"))
PLUGIN = "tbox_bench_wire-0.dist-info"


class Wire:
    """What python-can's SocketcanBus is to a reader: a descriptor, filters, an end. `channel` is a port."""

    def __init__(self, channel: str, **_: object) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
        self._socket.bind((HOST, int(channel)))

    def fileno(self) -> int:
        """Give the socket's descriptor."""
        return self._socket.fileno()

    def shutdown(self) -> None:
        """Close it."""
        self._socket.close()


def offer(folder: Path) -> None:
    """Let python-can in the processes started from now on find it; `folder` must stay as long as they run."""
    plugin = folder / PLUGIN
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: tbox-bench-wire\nVersion: 0\n")
    (plugin / "entry_points.txt").write_text(f"[can.interface]\nsocketcan = {__name__}:Wire\n")
    here = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), here, os.environ.get("PYTHONPATH"))))


def widen() -> None:
    """The same for the CAN sockets of a kernel of our own, however much their reader asks for."""
    for setting in QUEUE_SETTINGS:
        setting.write_text(str(QUEUE_BYTES))


def free_ports(count: int) -> list[int]:
    """So many ports that nobody has."""
    held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in held:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
