"""The bench's two readers of one socket, each a process of its own: `tbox run`, and python-can's bare receive loop.

    python -m tests.native.terminal agent FD CONFIG TOLD     the daemon, its one CAN bus being the socket FD
    python -m tests.native.terminal bare FD                  SocketcanBus.recv, again and again

The daemon is the product's own; only `open_can` is replaced, since this kernel may have no CAN. TOLD gets, as JSON, when
the first frame was read, and for each record the newest frame's time and the time it was on flash (microseconds of
CLOCK_BOOTTIME).
"""

import json
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drivers.source import boot_us

SO_TIMESTAMPNS = 35


class Wire:
    """What python-can's bus is to our reader: a descriptor, and something to close."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def shutdown(self) -> None:
        """Close it."""
        self._socket.close()


class Notes:
    """When things happened to records, seen from around the writer."""

    def __init__(self) -> None:
        self.first_us = self.newest_us = 0
        self.records: dict[int, list[int]] = {}

    def watch(self) -> None:
        """Put ourselves around the rack, the writer and the outbox."""
        from agent.outbox.outbox import Outbox  # noqa: PLC0415 - the other reader does without
        from agent.outbox.writer import Writer  # noqa: PLC0415
        from drivers.rack import Rack  # noqa: PLC0415

        read, put, append = Rack.read, Writer.put, Outbox.append

        def reading(rack: Any, wait_s: float) -> bytes:
            batch = read(rack, wait_s)
            if batch:
                self.newest_us = int.from_bytes(batch[-80:-72], sys.byteorder)
                self.first_us = self.first_us or boot_us()
            return batch

        def putting(writer: Any, records: Sequence[Any], *rest: Any) -> bool:
            self.records.update({record.seq: [self.newest_us, 0] for record in records})
            return put(writer, records, *rest)

        def appending(outbox: Any, records: Sequence[Any], *rest: Any) -> Any:
            losses = append(outbox, records, *rest)
            for record in records:
                self.records.setdefault(record.seq, [0, 0])[1] = boot_us()
            return losses

        Rack.read, Writer.put, Outbox.append = reading, putting, appending  # type: ignore[method-assign]


def agent(fd: int, config: Path, told: Path) -> int:
    """The daemon, until SIGTERM."""
    from agent import run  # noqa: PLC0415
    from agent.settings.file import load  # noqa: PLC0415
    from agent.sources import openers  # noqa: PLC0415
    from drivers.bus.socketcan import SocketCan  # noqa: PLC0415

    notes = Notes()
    notes.watch()
    openers.open_can = lambda _interface, channel, *, number, **_: SocketCan(Wire(fd), channel, number)  # type: ignore[assignment, arg-type]
    code = run.run(load(config, []))
    told.write_text(json.dumps({"first_us": notes.first_us, "records": notes.records}))
    return code


def bare(fd: int) -> int:
    """What a program on python-can does at the least, until killed."""
    from can.interfaces.socketcan import SocketcanBus  # noqa: PLC0415

    bus = SocketcanBus.__new__(SocketcanBus)  # its constructor wants a kernel with CAN; recv() uses no more than this
    bus.socket = socket.socket(fileno=fd)
    bus.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    bus.channel, bus._filters, bus._is_filtered, bus._is_shutdown = "can0", None, False, True
    while bus.recv(1.0) is not None or select.select([fd], [], [], 60)[0]:
        pass
    return 0


def main(words: Sequence[str]) -> int:
    """One of the two."""
    if words[0] == "bare":
        return bare(int(words[1]))
    return agent(int(words[1]), Path(words[2]), Path(words[3]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
