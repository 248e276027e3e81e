"""The bus between the car and the agent: vcan where the kernel has it, else a serial CAN adapter made of a pty.

Wired to a real terminal, the car's end is any interface that python-can knows.

The adapter speaks the ASCII protocol of the Lawicel CAN232 manual (python-can's `slcan`): commands end in CR and are
answered with CR or, when refused, BEL; a frame is `tiiildd..` (11 bits) or `Tiiiiiiiildd..` (29 bits).
"""

import os
import pty
import select
import time
import tty
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import can
from can.interfaces import BACKENDS

OK, REFUSED = b"\r", b"\a"
ANSWERS = {"V": b"V1013\r", "N": b"NTBOX\r", "F": b"F00\r", "C": OK, "O": OK, "L": OK, "S": OK, "s": OK, "Z": OK}
"""What the adapter says to each command, by its first letter."""
BACKLOG_BYTES = 4096
"""What the adapter keeps for a computer that does not read; then it drops frames, and counts them."""


class EndError(ValueError):
    """A text that names no interface; it says which are known."""


@dataclass(frozen=True, slots=True)
class End:
    """One interface: of SocketCAN by its channel, else as python-can calls it. Bit rate 0: as it is set up."""

    channel: str = "vcan0"
    interface: str = "socketcan"
    bitrate: int = 0

    @property
    def is_link(self) -> bool:
        """Whether `ip` knows it."""
        return self.interface == "socketcan"

    def __str__(self) -> str:
        head = "" if self.is_link else f"{self.interface}:"
        return f"{head}{self.channel}{f'@{self.bitrate}' if self.bitrate else ''}"


VCAN = End()


def parse_end(text: str) -> End:
    """`can1`, or `pcan:PCAN_USBBUS1@500000`: [INTERFACE:]CHANNEL[@BITRATE]. EndError."""
    rest, _, rate = text.partition("@")
    interface, colon, channel = rest.partition(":")
    if not colon:
        interface, channel = "socketcan", rest
    if interface not in BACKENDS:
        raise EndError(f"{text}: python-can has no interface {interface}; it has {' '.join(sorted(BACKENDS))}")
    if not channel or (rate and not rate.isdecimal()):
        raise EndError(f"{text}: wanted is [INTERFACE:]CHANNEL[@BITRATE], as can1 or pcan:PCAN_USBBUS1@500000")
    return End(channel, interface, int(rate or 0))


def open_end(end: End, *, hears_itself: bool = False) -> can.BusABC:
    """Its bus; `hears_itself`: what it sends comes back once it is on the wire. can.CanError, OSError, ValueError."""
    options: dict[str, Any] = {"receive_own_messages": True} if hears_itself else {}
    if end.bitrate and not end.is_link:
        options["bitrate"] = end.bitrate
    return can.Bus(interface=end.interface, channel=end.channel, ignore_config=True, **options)


def has_vcan(channel: str = "vcan0") -> bool:
    """Whether this kernel has a virtual CAN bus of this name that can be opened."""
    if not Path("/sys/class/net", channel).exists():
        return False
    try:
        can.Bus(interface="socketcan", channel=channel).shutdown()
    except (can.CanError, OSError):
        return False
    return True


def frame_line(message: can.Message) -> bytes:
    """The frame as an adapter reports it."""
    number = f"T{message.arbitration_id:08X}" if message.is_extended_id else f"t{message.arbitration_id:03X}"
    return f"{number}{message.dlc}{message.data.hex().upper()}\r".encode()


def parse_frame(line: str) -> can.Message | None:
    """The frame a computer wants sent; None when the line is none."""
    digits = {"t": 3, "T": 8}.get(line[:1])
    if digits is None:
        return None
    try:
        data = bytes.fromhex(line[2 + digits :])
        if int(line[1 + digits]) != len(data):
            return None
        return can.Message(
            arbitration_id=int(line[1 : 1 + digits], 16), is_extended_id=digits == 8, data=data, timestamp=time.time()
        )
    except (ValueError, IndexError):
        return None


class Adapter(can.BusABC):
    """The car's end of the pty. `link` is made to point at the other end, which `slcan` opens as its channel.

    Frames go out only while the computer has opened the channel (`O`, or `L`: listen only); what it does not read in
    time is dropped and counted in `dropped`.
    """

    def __init__(self, link: Path) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        link.symlink_to(os.ttyname(self._slave))
        self.link = link
        self._heard = bytearray()
        self._backlog = bytearray()
        self._frames: deque[can.Message] = deque()
        self._listen_only = False
        self.is_open = False
        self.dropped = 0
        super().__init__(channel=str(link))
        self.channel_info = f"slcan adapter at {link}"

    def send(self, msg: can.Message, timeout: float | None = None) -> None:  # noqa: ARG002 # never waits
        """Report the frame to the computer, when it has the channel open."""
        self._flush()
        if not self.is_open:
            return
        if len(self._backlog) > BACKLOG_BYTES:
            self.dropped += 1
            return
        self._say(frame_line(msg))

    def fileno(self) -> int:
        """Readable when the computer has said something."""
        return self._master

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        """Hear the computer's commands; the oldest frame it wants sent."""
        if not self._frames and select.select([self._master], [], [], timeout)[0]:
            self._heard += os.read(self._master, 4096)
            *lines, rest = self._heard.split(b"\r")
            self._heard = bytearray(rest)
            for line in lines:
                self._obey(line.decode("ascii", "replace"))
        self._flush()
        return (self._frames.popleft() if self._frames else None), False

    def _obey(self, line: str) -> None:
        """One command of the computer."""
        command = line[:1]
        if command in ("O", "L", "C"):
            self.is_open, self._listen_only = command != "C", command == "L"
        if command in ANSWERS:
            self._say(ANSWERS[command])
        elif line:
            self._transmit(line)

    def _transmit(self, line: str) -> None:
        """A frame for the bus; refused while closed or listening only."""
        message = parse_frame(line)
        if message is None or not self.is_open or self._listen_only:
            self._say(REFUSED)
            return
        self._frames.append(message)
        self._say(b"z\r" if line[0] == "t" else b"Z\r")

    def _say(self, line: bytes) -> None:
        """Queue a line; a line is never torn."""
        self._backlog += line
        self._flush()

    def _flush(self) -> None:
        """Write what the pty takes now."""
        while self._backlog:
            try:
                del self._backlog[: os.write(self._master, self._backlog)]
            except BlockingIOError:
                return

    def shutdown(self) -> None:
        """Close both ends and take the link away."""
        if not self._is_shutdown:
            self.link.unlink(missing_ok=True)
            os.close(self._slave)
            os.close(self._master)
        super().shutdown()


def open_car_end(*, link: Path | None = None, channel: str = "vcan0") -> can.BusABC:
    """The bus as the car sees it: the adapter behind `link`, or the interface that `channel` names. EndError."""
    return Adapter(link) if link is not None else open_end(parse_end(channel))
