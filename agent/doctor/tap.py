"""A bus opened for a person at the command line: heard for a while, at one bit rate or another."""

import json
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from msgspec.structs import replace

from agent.asking.search import BITRATES, Action, Found, Heard, Listen, Search
from agent.errors import DeviceAbsentError, SettingsError
from agent.settings import Can, Settings
from agent.sources.hearing import Hearing
from agent.world import clock
from drivers.batch import EXTENDED
from drivers.bus.can import LISTEN_ONLY, open_can
from drivers.bus.can_asker import CanAsker
from drivers.bus.link import set_up
from drivers.errors import DeviceError, DriverError
from drivers.guard import Guard
from drivers.source import Source

WAIT_S = 0.1
TOLD_S = 1.0
STEP_S = 0.5
"""Somebody who watches needs no more."""


class Tap:
    """An open bus. `asker` stands where it may send."""

    def __init__(self, source: Source, asker: CanAsker | None) -> None:
        self.source, self.asker = source, asker

    def read(self, wait_s: float) -> bytes:
        """What came within this time. DeviceAbsentError when the device went."""
        if not select.select([self.source.fileno()], [], [], wait_s)[0]:
            return b""
        try:
            return self.source.read()
        except DeviceError as why:
            raise DeviceAbsentError(str(why)) from None


@contextmanager
def tapped(can: Can, bitrate: int, *, may_send: bool = False) -> Iterator[Tap]:
    """The bus, at this rate (0: as it is set up). DeviceAbsentError when it is not there, SettingsError."""
    guard, is_ours = Guard() if may_send else None, can.setup and can.interface == "socketcan"
    if bitrate and can.interface == "socketcan" and not is_ours:
        way = f"ip link set {can.channel} up type can bitrate {bitrate} listen-only on"
        raise SettingsError(f"--bitrate is not used by socketcan: leave it out and type: {way}")
    try:
        if is_ours and bitrate:
            set_up(can.channel, bitrate, listen_only=not may_send)
        source = open_can(
            can.interface, can.channel, number=can.number, bitrate=bitrate or None, fd=can.fd,
            listen_only=not may_send, options=can.options, guard=guard,
        )  # fmt: skip
    except DeviceError as why:
        raise DeviceAbsentError(str(why)) from None
    except DriverError as why:
        raise SettingsError(str(why)) from None
    try:
        yield Tap(source, CanAsker(source.send, channel=can.number) if guard else None)
    finally:
        source.close()
        if is_ours and bitrate and may_send:
            with suppress(DeviceError):  # it went; whoever opens it next sets it up
                set_up(can.channel, bitrate, listen_only=True)


def bus_of(
    settings: Settings, channel: str | None = None, interface: str | None = None, bitrate: int | None = None
) -> Can:
    """The bus that is meant: the one the settings have by this channel, else their first, else what was named here."""
    known = next((can for can in settings.can if channel in (None, can.channel)), None)
    if known is None and channel is None:
        raise SettingsError("no bus is named: say --channel can0, or add a [[can]] table (config/tbox.toml)")
    named = {"channel": channel, "interface": interface, "bitrate": bitrate}
    return replace(known or Can(), **{key: told for key, told in named.items() if told is not None})


def rates_of(can: Can) -> tuple[int, ...]:
    """The bit rates to listen at: the one that is set, else, where listening does no harm at a wrong one, all."""
    if can.bitrate or not (can.setup or can.interface in LISTEN_ONLY):
        return (can.bitrate,)
    return BITRATES


def find_rate(can: Can, tell: Callable[[str], None]) -> int:
    """The bit rate at which frames come; nothing is sent. Where none is heard at any rate, the first."""
    rates = rates_of(can)
    if len(rates) == 1:
        return rates[0]
    search = Search(rates)
    action = search.step(clock.boot_us(), Heard(), may_probe=False)
    for _ in rates:
        assert isinstance(action, Listen)
        tell(f"listening at {action.bitrate} bit/s")
        with tapped(can, action.bitrate) as tap:
            action = _outcome(search, tap)
        if isinstance(action, Found):
            return action.way.bitrate
    return rates[0]


def _outcome(search: Search, tap: Tap) -> Action:
    """What the search says once it knows whether this is the rate: it is, or listen at the next."""
    hearing = Hearing()
    while True:
        hearing.take(tap.read(WAIT_S))
        wide = sum(i.frames for bus in hearing.buses.values() for key, i in bus.ids.items() if key & EXTENDED)
        errors = sum(bus.errors for bus in hearing.buses.values()) + tap.source.counters().get("errors", 0)
        heard = Heard(hearing.frames - wide, wide, errors)
        action = search.step(clock.boot_us(), heard, may_probe=False)
        if action is not None:
            return action


def progress() -> Callable[[str], None]:
    """Says on a terminal's stderr what goes on, on one line that is overwritten; elsewhere nothing."""
    if not sys.stderr.isatty():
        return lambda _words: None
    return lambda words: print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def step_lines() -> Callable[[str], None]:
    """The same for a program that reads our stdout: {"step": words}, a line each, STEP_S apart at least."""
    told_s = -STEP_S

    def tell(words: str) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if words and now_s - told_s >= STEP_S:
            told_s = now_s
            print(json.dumps({"step": words}), flush=True)

    return tell
