"""SocketCAN: python-can opens and filters the socket, C reads it in batches and turns its stamps to boot time.

What is sent goes through C as well (tbox_can_send): the guard's verdict and the write are one call.
"""

import errno
import os
import socket
from pathlib import Path

import can

from drivers._socketcan import ffi, lib
from drivers.batch import INPUT_BYTES
from drivers.errors import DeviceError
from drivers.guard import FRAME_BYTES_MAX, REASONS, Guard

ROOM = 256
"""Inputs taken at once; more wait in the kernel, whose counter tells when it ran full."""

RECEIVE_BYTES = 4 * 2**20
"""Room asked of the kernel for frames that wait. It gives net.core.rmem_max at most, 0.14 s of a full classic bus where
nobody raised it: that sysctl decides how long the agent may be held up without a loss."""
RECEIVE_MOST = Path("/proc/sys/net/core/rmem_max")

BUSY = (errno.ENOBUFS, errno.EAGAIN)
"""How a full queue of frames to send shows."""


class SocketCan:
    """One bus of the kernel. `bus` is python-can's, and is shut down with this. Without a guard it only listens."""

    def __init__(self, bus: can.BusABC, name: str, number: int, guard: Guard | None = None) -> None:
        self.name = name
        self._guard = guard and ffi.cast("tbox_guard_t *", guard.address)
        self._kept = guard
        self._bus = bus
        self._fd = bus.fileno()
        self._self = ffi.new("tbox_can_t *")
        self._room = bytearray(ROOM * INPUT_BYTES)
        self._inputs = ffi.from_buffer("uint8_t[]", self._room, require_writable=True)
        with socket.socket(fileno=os.dup(self._fd)) as own:
            make_room(own)
        lib.tbox_can_init(self._self, self._fd, number)

    def fileno(self) -> int:
        """Readable when a frame waits in the kernel."""
        return self._fd

    def read(self) -> bytes:
        """Give up to ROOM frames; DeviceError when the link is down or gone."""
        count = lib.tbox_can_read(self._self, self._inputs, ROOM)
        if count < 0:
            why = os.strerror(-count)
            fix = f": ip link set {self.name} up" if -count == errno.ENETDOWN else ""
            raise DeviceError(f"{self.name}: went while it was read: {why}{fix}")
        return bytes(memoryview(self._room)[: count * INPUT_BYTES])

    def send(self, t_us: int, identifier: int, data: bytes) -> str:
        """Put a frame on the bus now, at `t_us` of boot time, without waiting. Empty: it went; else why not.

        A reason of the guard's, "listen_only", "busy" where the kernel's queue is full, or "bus" where the link is down
        or gone: `read` says so next.
        """
        if self._guard is None:
            return "listen_only"
        if not 0 <= identifier < 1 << 32 or len(data) > FRAME_BYTES_MAX:
            return "kind"
        sent = lib.tbox_can_send(self._self, self._guard, t_us, identifier, data, len(data))
        if sent < 0:
            return "busy" if -sent in BUSY else "bus"
        return REASONS[sent]

    def counters(self) -> dict[str, int]:
        """Tell frames received, dropped, not understood, stamped here, stamped by the controller; sent, not taken.

        `dropped` is by the kernel; `overruns` are times the controller's own buffer ran over, by frames nobody counted.
        """
        names = ("frames", "dropped", "overruns", "errors", "unstamped", "hardware_stamped", "sent", "unsent")
        return {name: getattr(self._self, name) for name in names}

    def close(self) -> None:
        """Close the socket."""
        self._bus.shutdown()


def make_room(own: socket.socket) -> None:
    """Ask for RECEIVE_BYTES, which the kernel doubles; never for less than the socket has (net.core.rmem_default)."""
    room = 2 * min(RECEIVE_BYTES, int(RECEIVE_MOST.read_text()))
    if own.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < room:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
