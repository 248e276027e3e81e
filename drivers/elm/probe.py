"""Who is at the port: its speed, its name, and which commands it knows, for many adapters are not what they say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.elm.line import find, say
from drivers.elm.serial import GuardedPort

BAUDRATES = (38_400, 115_200, 9_600, 57_600, 230_400, 500_000)
"""As adapters leave their makers, likeliest first. Behind Bluetooth and on a pty any will do."""

KNOCKS = 2
"""Tries at each speed: the first may only end what was begun at another."""

SET_UP = ("ATE0", "ATL0", "ATH1", "ATS0", "ATCAF1", "ATAT1")
"""How answers are wanted: no echo, no line feeds, headers, no spaces, ISO-TP by the chip, adaptive timing."""

TRIED = ("ATE0", "ATL0", "ATH1", "ATS0", "ATCAF1", "ATAT1", "ATAT2", "ATST32", "ATCP18", "ATCRA", "ATSH7E0", "ATSH7DF")
"""Commands that talk to nobody but the chip, each known to every ELM327 from v1.4 on."""

VERSION = re.compile(r"v(\d+)\.(\d+)")
GENUINE_FROM = (1, 4)
VOLTS_MIN, VOLTS_MAX = 5.0, 40.0


@dataclass(slots=True)
class Adapter:
    """What answered, what it says it is, and what it can."""

    banner: str
    baudrate: int
    description: str = ""
    stn: str = ""
    """What it answers to STI; empty: no STN."""
    missing: list[str] = field(default_factory=list)
    """Commands of TRIED it does not know."""
    has_stpx: bool = False
    counts_refused: int = 0
    """How often it did not take a number of answers behind a request."""

    def can(self, command: str) -> bool:
        """Whether no command that begins like this was found missing."""
        return not any(name.startswith(command) for name in self.missing)

    @property
    def is_clone(self) -> bool:
        """Whether it says a version whose commands it does not know."""
        version = VERSION.search(self.banner)
        return bool(self.missing) and version is not None and tuple(map(int, version.groups())) >= GENUINE_FROM


def meet(port: GuardedPort, baudrates: Sequence[int]) -> Adapter | None:
    """Find the adapter's speed, and ask it out; None when nobody answers as one. Asks the car nothing."""
    for baudrate in baudrates:
        port.baudrate = baudrate
        banner = find(port, KNOCKS)
        if banner:
            return _ask_out(port, Adapter(banner, baudrate))
    return None


def set_up(port: GuardedPort, adapter: Adapter) -> None:
    """Settings as this driver wants them, as far as the adapter knows them."""
    for command in SET_UP:
        if adapter.can(command):
            say(port, command)


def read_volts(port: GuardedPort) -> float | None:
    """The supply at the adapter's socket; None when it does not say, or nothing that can be."""
    said = say(port, "ATRV").text.upper().removesuffix("V")
    try:
        volts = float(said)
    except ValueError:
        return None
    return volts if VOLTS_MIN <= volts <= VOLTS_MAX else None


def _ask_out(port: GuardedPort, adapter: Adapter) -> Adapter:
    """Its names, and a trial of each command. Reset first: whoever was here before may have left anything."""
    say(port, "ATZ")
    adapter.missing = [command for command in TRIED if not _is_known(port, command)]
    adapter.description = _name(port, "AT@1")
    adapter.stn = _name(port, "STI")
    return adapter


def _is_known(port: GuardedPort, command: str) -> bool:
    """Whether the chip confirms it; asked again once, for a reply may be torn."""
    return any("OK" in say(port, command).text for _ in range(2))


def _name(port: GuardedPort, command: str) -> str:
    reply = say(port, command)
    return "" if "unknown" in reply.kinds or not reply.has_prompt else reply.text
