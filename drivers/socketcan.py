"""SocketCAN: python-can opens and filters the socket, C reads it in batches and turns its stamps to boot time."""

import errno
import os

import can

from drivers._socketcan import ffi, lib
from drivers.batch import INPUT_BYTES
from drivers.errors import DeviceError

ROOM = 256
"""Inputs taken at once; more wait in the kernel, whose counter tells when it ran full."""


class SocketCan:
    """One bus of the kernel. `bus` is python-can's, and is shut down with this."""

    def __init__(self, bus: can.BusABC, name: str, number: int) -> None:
        self.name = name
        self._bus = bus
        self._fd = bus.fileno()
        self._self = ffi.new("tbox_can_t *")
        self._room = bytearray(ROOM * INPUT_BYTES)
        self._inputs = ffi.from_buffer("uint8_t[]", self._room, require_writable=True)
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

    def counters(self) -> dict[str, int]:
        """Tell frames received, dropped by the kernel, not understood, stamped only here, stamped by the controller."""
        names = ("frames", "dropped", "errors", "unstamped", "hardware_stamped")
        return {name: getattr(self._self, name) for name in names}

    def close(self) -> None:
        """Close the socket."""
        self._bus.shutdown()
