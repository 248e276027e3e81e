"""CAN through python-can: any interface by its name and options; SocketCAN by the batch reader in C on its socket.

A bus begins listen-only: nothing is sent, and where an interface can be told to keep even its acknowledge bit to
itself, it is. SocketCAN is told so, and its bit rate, by whoever sets the link up:
`ip link set can0 up type can bitrate 500000 listen-only on`.

Opened otherwise, with a guard, it can be sent on: ThreadedCan.send is the one place that writes through python-can, and
asks the guard right before; SocketCAN's asks it in C.
"""

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, cast

import can
from can.interfaces import BACKENDS

from drivers.batch import EXTENDED
from drivers.bus.message import pack
from drivers.errors import DeviceError, DriverError
from drivers.guard import Guard
from drivers.inbox import Inbox
from drivers.port import hold, release
from drivers.source import boot_us

if TYPE_CHECKING:
    from drivers.bus.socketcan import SocketCan

POLL_S = 0.1
SEND_S = 0.05
"""So long a send may wait for an adapter's buffer: a frame of slcan takes 3 ms at 115,200 baud."""

HELD_INPUTS = 16_384
"""Four seconds of a full bus; what does not fit is dropped and counted."""

NONSENSE_MAX = 100
"""So many messages in a row that make no sense: the adapter does not speak this protocol, or not at this speed."""

FILTERS_MAX = 512
"""What the kernel takes (CAN_RAW_FILTER_MAX); more identifiers than that are not filtered."""

LISTEN_ONLY: Mapping[str, Mapping[str, Any]] = {
    "cantact": {"monitor": True},
    "kvaser": {"driver_mode": False},
    "nixnet": {"listen_only": True},
    "pcan": {"state": can.BusState.PASSIVE},
    "seeedstudio": {"operation_mode": "silent"},
    "slcan": {"listen_only": True},
    "systec": {"state": can.BusState.PASSIVE},
    "vector": {"listen_only": True},
}
"""How each interface of python-can 4.6 that knows the mode is asked for it."""

SLCAN = {"sleep_after_open": 0.1}
"""python-can waits 2 s for boards that start when their port is opened; we try again instead, so nothing waits."""

FIXES = {
    errno.ENODEV: ": is it plugged in, and is that its name? See `ip link`",
    errno.EAFNOSUPPORT: ": this kernel has no CAN: modprobe can_raw",
    errno.EACCES: ": may this user open it? Serial ports belong to the group dialout",
}

NONSENSE = (ValueError, IndexError, KeyError, TypeError)
"""What python-can's readers raise, some of it wrapped, when an adapter's bytes are no message."""


def open_can(  # noqa: PLR0913 - a bus has that many settings, each by name
    interface: str,
    channel: str,
    *,
    number: int,
    bitrate: int | None = None,
    fd: bool = False,
    listen_only: bool = True,
    options: Mapping[str, Any] | None = None,
    filters: Sequence[Mapping[str, Any]] = (),
    guard: Guard | None = None,
) -> "SocketCan | ThreadedCan":
    """Open a bus; its frames carry the channel `number`. `filters`: what is wanted, as python-can says it; none: all.

    `guard` is what lets frames pass that are sent; listen-only, or without one, none is.
    Raises DriverError when there is no such interface or option, DeviceError when the device is not there.
    """
    if interface not in BACKENDS:
        raise DriverError(f"no CAN interface {interface!r}: known are {' '.join(sorted(BACKENDS))}")
    wanted: dict[str, Any] = dict(SLCAN) if interface == "slcan" else {}
    if fd:
        wanted["fd"] = True
    if bitrate and interface != "socketcan":
        wanted["bitrate"] = bitrate
    if listen_only:
        wanted |= LISTEN_ONLY.get(interface, {})
    port = hold(channel) if interface == "slcan" else -1
    try:
        bus = _open(interface, channel, wanted | dict(options or {}))
    except DriverError:
        release(port)
        raise
    if filters and len(filters) <= FILTERS_MAX:
        bus.set_filters(cast("list[can.typechecking.CanFilter]", filters))
    if listen_only:
        guard = None
    if interface == "socketcan":
        from drivers.bus.socketcan import SocketCan  # noqa: PLC0415 - only Linux with its extension built has it

        return SocketCan(bus, channel, number, guard)
    return ThreadedCan(bus, channel, number, guard, port)


def _open(interface: str, channel: str, wanted: Mapping[str, Any]) -> can.BusABC:
    """Open python-can's bus; its many ways to fail told apart: the settings' fault, or a device that may come back."""
    where = f"CAN {interface} {channel!r}"
    try:
        return can.Bus(interface=interface, channel=channel, ignore_config=True, **wanted)
    except can.CanInterfaceNotImplementedError as error:
        raise DriverError(f"{where}: its library is not installed: {error}") from error
    except (TypeError, ValueError) as error:
        raise DriverError(f"{where}: an option is wrong ({_listed(wanted)}): {error}") from error
    except (can.CanError, OSError) as error:
        if isinstance(error.__cause__, (TypeError, ValueError)):  # python-can wraps some of these
            raise DriverError(f"{where}: an option is wrong ({_listed(wanted)}): {error}") from error
        fix = FIXES.get(getattr(error, "errno", None) or 0, "")
        raise DeviceError(f"{where}: cannot be opened: {error}{fix}") from error


def _listed(wanted: Mapping[str, Any]) -> str:
    """Options as they were given."""
    return ", ".join(f"{name} = {option!r}" for name, option in wanted.items()) or "none given"


class ThreadedCan:
    """Any bus that can only be waited on by blocking: a thread waits, stamps at receive and fills a bounded queue."""

    def __init__(self, bus: can.BusABC, name: str, number: int, guard: Guard | None = None, port: int = -1) -> None:
        """`port`: what `hold` gave."""
        self.name = name
        self._port = port
        self._bus = bus
        self._number = number
        self._guard = guard
        self._inbox = Inbox(HELD_INPUTS)
        self._counters = {"frames": 0, "dropped": 0, "errors": 0, "sent": 0, "unsent": 0}
        self._stopping = Event()
        self._thread = Thread(target=self._listen, name=f"tbox-{name}", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when a frame has come."""
        return self._inbox.fileno()

    def read(self) -> bytes:
        """Give the frames that have come; DeviceError when the device went."""
        return self._inbox.take()

    def send(self, t_us: int, identifier: int, data: bytes) -> str:
        """Put a frame on the bus now, at `t_us` of boot time; waits at most SEND_S. Empty: it went; else why not.

        A reason of the guard's, "listen_only", or "bus" where the adapter did not take it: it is full, or gone, as
        `read` says next.
        """
        if self._guard is None:
            return "listen_only"
        if reason := self._guard.frame(t_us, identifier, data):
            return reason
        message = can.Message(
            arbitration_id=identifier & ~EXTENDED, is_extended_id=bool(identifier & EXTENDED), data=data
        )
        try:
            self._bus.send(message, timeout=SEND_S)
        except (*NONSENSE, can.CanError, OSError):
            self._counters["unsent"] += 1
            return "bus"
        self._counters["sent"] += 1
        return ""

    def counters(self) -> dict[str, int]:
        """Tell frames received, dropped because nobody read them, messages that made no sense; sent, not taken."""
        return dict(self._counters)

    def close(self) -> None:
        """Stop listening and let the device go."""
        self._stopping.set()
        self._thread.join()
        with suppress(can.CanError, OSError):
            self._bus.shutdown()
        release(self._port)
        self._port = -1
        self._inbox.close()

    def _listen(self) -> None:
        """Receive until stopped or the device is gone."""
        nonsense = 0
        while not self._stopping.is_set() and nonsense < NONSENSE_MAX:
            try:
                message = self._bus.recv(POLL_S)
                if message is not None:
                    self._take(pack(message, boot_us(), self._number))
                nonsense = 0
            except (*NONSENSE, can.CanError, OSError) as error:
                if not isinstance(error, NONSENSE) and not isinstance(error.__cause__, ValueError):
                    self._inbox.fail(DeviceError(f"{self.name}: went while it was read: {error}"))
                    return
                nonsense += 1
                self._counters["errors"] += 1
                self._flush()
        if nonsense:
            why = "only nonsense comes from it: check interface, options and speed"
            self._inbox.fail(DeviceError(f"{self.name}: {why}"))

    def _take(self, packed: bytes) -> None:
        """Keep a frame, or count it as dropped."""
        self._counters["frames"] += 1
        if not self._inbox.put(packed):
            self._counters["dropped"] += 1

    def _flush(self) -> None:
        """Empty the adapter's buffer: python-can's slcan keeps a byte that is no ASCII, and stumbles over it again."""
        flush = getattr(self._bus, "flush", None)
        if flush is not None:
            with suppress(can.CanError, OSError):
                flush()
