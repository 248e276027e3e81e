"""Two buses, full to the brim: a car that drives evenly, its engine revved once a second, and traffic between others.

    python -m hil.soak.flood --classic vcan0 --fd vcan1 [--rate 4000] [--batch 64]

A bus is a SocketCAN interface, or a port: then datagrams that carry struct can_frame go to 127.0.0.1. Frames go in
batches, one system call each (sendmmsg), which a kernel with dear calls needs. Speaks as hil/car/car.py does: `ready`,
then after `go` a JSON line ten times a second with what was sent so far; it ends, with a last line, when its input
does.

The frame that ends an over-revving is known: `closed` tells the last of them and when their batches were handed over.
A machine that is late makes the flood longer, never denser: the rate is a most.
"""

import argparse
import ctypes
import errno
import json
import math
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cantools.database
from cantools.database.can import Database

CLASSIC_DBC = Path(__file__).parent.with_name("soak.dbc")
FD_DBC = Path(__file__).parent.with_name("soak_fd.dbc")
TICK_S = 0.01
LOOP_TICKS = 1000
"""After 10 s it begins anew."""
REV_TICKS, HIGH_TICKS = 100, 40
"""Once a second the engine turns too fast for 0.4 s."""
HIGH_RPM, LOW_RPM = 5000.0, 2000.0
LATE_S = 0.02
"""So much is caught up."""
REPORT_S = 0.1
CLOSED_TOLD = 8
SOL_CAN_RAW, CAN_RAW_FILTER, CAN_RAW_FD_FRAMES = 101, 1, 5
CLASSIC, FD = struct.Struct("=IB3x8s"), struct.Struct("=IBB2x64s")
"""struct can_frame and struct canfd_frame of <linux/can.h>."""
STRANGERS = range(0x200, 0x600)

Content = list[tuple[bytes, bool]]
"""Frames in order as the kernel takes them, and of each whether it ends an over-revving."""


class Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """struct mmsghdr, flattened: msghdr and the count."""

    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("parts", ctypes.c_void_p),
        ("parts_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("pad", ctypes.c_int), ("sent", ctypes.c_uint), ("pad_end", ctypes.c_int),
    )  # fmt: skip


class Wire:
    """One bus and its loop of frames. Counts what was sent, and what the kernel refused."""

    def __init__(self, name: str, content: Content, size: int) -> None:
        self.name, self.sent, self.refused = name, 0, 0
        self.closed: list[tuple[int, int]] = []
        self._socket = opened(name)
        self._count = len(content)
        self._ends = [is_end for _, is_end in content]
        self._bytes = ctypes.create_string_buffer(b"".join(frame for frame, _ in content), size * self._count)
        begin = ctypes.addressof(self._bytes)
        self._parts = (Part * self._count)(*(Part(begin + size * at, size) for at in range(self._count)))
        first = ctypes.addressof(self._parts)
        parts = (first + ctypes.sizeof(Part) * at for at in range(self._count))
        self._messages = (Message * self._count)(*(Message(parts=part, parts_count=1) for part in parts))
        self._send = ctypes.CDLL(None, use_errno=True).sendmmsg

    def send(self, count: int) -> None:
        """The next frames of the loop, in one call where the loop does not end in between."""
        while count > 0:
            at = self.sent % self._count
            wanted = min(count, self._count - at)
            at_us = boot_us()
            went = self._send(self._socket.fileno(), ctypes.byref(self._messages[at]), wanted, 0)
            if went < 0:
                self._refuse()
                return
            if any(self._ends[at : at + went]):
                self.closed = [*self.closed[1 - CLOSED_TOLD :], (self.sent, at_us)]
            self.sent += went
            count -= went

    def close(self) -> None:
        """Leave the bus."""
        self._socket.close()

    def _refuse(self) -> None:
        """A full queue or a reader that is gone: tried again with the next batch."""
        why = ctypes.get_errno()
        if why not in (errno.ENOBUFS, errno.EAGAIN, errno.ECONNREFUSED, errno.EINTR):
            raise OSError(why, os.strerror(why), self.name)
        self.refused += 1


def opened(name: str) -> socket.socket:
    """A socket that only sends: on this interface, or to this port."""
    if name.isdecimal():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.connect(("127.0.0.1", int(name)))
        return made
    made = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    made.setsockopt(SOL_CAN_RAW, CAN_RAW_FILTER, b"")
    made.setsockopt(SOL_CAN_RAW, CAN_RAW_FD_FRAMES, 1)
    made.bind((name,))
    return made


def values(tick: int) -> dict[str, float]:
    """What the car tells at this hundredth of a second: 72 km/h, a little up and down, and the engine."""
    swing = 2 * math.pi * tick / LOOP_TICKS
    is_high = tick % REV_TICKS < HIGH_TICKS
    return {
        "SPEED": 72.0 + 3.6 * math.sin(swing), "YAW_RATE": 0.0, "BRAKE": 0, "BATTERY": 14.1, "FUEL": 61.0,
        "IGNITION": 1, "ACCEL_X": 0.2 * math.pi * math.cos(swing), "ACCEL_Y": 0.0, "ACCEL_Z": 9.81,
        "RPM": HIGH_RPM if is_high else LOW_RPM, "THROTTLE": 40.0, "LOAD": 50.0, "COOLANT": 88.0,
    }  # fmt: skip


def content(dbc: Path, shape: struct.Struct, rate: int) -> Content:
    """A loop of a bus at this many frames a second: the car's own of this DBC every 10 ms, strangers in between."""
    database = cantools.database.load_file(dbc, strict=False)
    assert isinstance(database, Database)
    luck, made = random.Random(dbc.name), Content()  # noqa: S311 # filling, and it must repeat
    size = shape.size - 8
    per_tick = round(rate * TICK_S)
    for tick in range(LOOP_TICKS):
        told = values(tick)
        for message in database.messages:
            is_end = message.name == "POWERTRAIN" and tick % REV_TICKS == HIGH_TICKS
            data = message.encode({one.name: told[one.name] for one in message.signals})
            made.append((_frame(shape, message.frame_id, data), is_end))
        made += [
            (_frame(shape, luck.choice(STRANGERS), luck.randbytes(size)), False)
            for _ in range(per_tick - len(database.messages))
        ]
    return made


def _frame(shape: struct.Struct, identifier: int, data: bytes) -> bytes:
    return shape.pack(identifier, len(data), data) if shape is CLASSIC else shape.pack(identifier, len(data), 0, data)


def boot_us() -> int:
    """Now, on the clock the records run on."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Pace:
    """When the next batch is due, until the input ends."""

    def __init__(self, rate: int, batch: int) -> None:
        self._step_s = batch / rate
        self.late_s = 0.0
        """So long the flood stood still because the machine was late."""

    def beats(self) -> Iterator[None]:
        """One a batch."""
        due_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if now_s - due_s > LATE_S:
                self.late_s += now_s - due_s
                due_s = now_s
            if select.select([sys.stdin], [], [], max(0.0, due_s - now_s))[0]:
                return
            yield
            due_s += self._step_s


def flood(wires: Sequence[Wire], rate: int, batch: int) -> None:
    """Until the input ends."""
    pace, told_s = Pace(rate, batch), 0.0
    for _ in pace.beats():
        for wire in wires:
            wire.send(batch)
        now_s = time.monotonic()
        if now_s - told_s >= REPORT_S:
            told_s = now_s
            tell(wires, pace, is_over=False)
    tell(wires, pace, is_over=True)


def tell(wires: Sequence[Wire], pace: Pace, *, is_over: bool) -> None:
    """One line."""
    line = {
        "sent": {wire.name: wire.sent for wire in wires},
        "refused": sum(wire.refused for wire in wires),
        "late_s": round(pace.late_s, 3),
        "closed": [pair for wire in wires for pair in wire.closed],
        "at_us": boot_us(),
        "is_over": is_over,
    }
    print(json.dumps(line), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the buses, wait for the word, send."""
    parser = argparse.ArgumentParser(prog="python -m hil.soak.flood", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--classic", required=True, metavar="BUS", help="an interface, or a port of 127.0.0.1")
    parser.add_argument("--fd", required=True, metavar="BUS", help="the same, for frames of 64 bytes")
    parser.add_argument("--rate", type=int, default=4000, help="frames a second on each (default: 4000)")
    parser.add_argument("--batch", type=int, default=64, help="frames a system call (default: 64)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wires = [
        Wire(options.classic, content(CLASSIC_DBC, CLASSIC, options.rate), CLASSIC.size),
        Wire(options.fd, content(FD_DBC, FD, options.rate), FD.size),
    ]
    print("ready", flush=True)
    if sys.stdin.readline().strip() == "go":
        flood(wires, options.rate, options.batch)
    for wire in wires:
        wire.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
