"""A SocketCAN link as `ip` shows and sets it: bit rate, mode, error state, counters."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IP_S = 10.0
QUEUE = 100
"""Frames that wait for the controller: the car says several at once."""
MODES = ("listen-only", "loopback", "one-shot", "berr-reporting", "presume-ack")
"""Modes outlive a link that is set down: each is said anew."""


class LinkError(Exception):
    """The link is not there, or cannot be set; the text says what `ip` said, and the fix."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link at one moment. Bit rate 0 and no state: it is no controller (vcan)."""

    channel: str
    kind: str
    is_up: bool
    bitrate: int = 0
    state: str = ""
    modes: tuple[str, ...] = ()
    tx_errors: int = 0
    rx_errors: int = 0
    """The controller's two error counters (ISO 11898-1): 96 warns, 128 is error-passive, 256 bus-off."""
    bus_off: int = 0
    """How often it took itself off the bus since it was made."""
    overruns: int = 0
    """Frames lost in the controller because nobody took them in time."""

    @property
    def listens_only(self) -> bool:
        """Whether it sends nothing, not even an acknowledge bit."""
        return "listen-only" in self.modes

    @property
    def words(self) -> str:
        """In short."""
        if not self.is_up:
            return "down"
        parts = [f"{self.bitrate} bit/s" if self.bitrate else self.kind, *self.modes, self.state]
        return ", ".join(part for part in parts if part)


def look(channel: str) -> Link:
    """As it is now. LinkError: there is none of this name."""
    (told, *_) = json.loads(_ip("-json", "-details", "-statistics", "link", "show", "dev", channel)) or [{}]
    return parse(channel, told)


def parse(channel: str, told: Mapping[str, Any]) -> Link:
    """What `ip -json -details -statistics link show` says of one link."""
    info = told.get("linkinfo", {})
    data, happened = info.get("info_data", {}), info.get("info_xstats", {})
    counter = data.get("berr_counter", {})
    return Link(
        channel=channel,
        kind=info.get("info_kind", ""),
        is_up="UP" in told.get("flags", ()),
        bitrate=data.get("bittiming", {}).get("bitrate", 0),
        state=data.get("state", ""),
        modes=tuple(mode.lower() for mode in data.get("ctrlmode", ())),
        tx_errors=counter.get("tx", 0),
        rx_errors=counter.get("rx", 0),
        bus_off=happened.get("bus_off", 0),
        overruns=told.get("stats64", {}).get("rx", {}).get("over_errors", 0),
    )


def set_up(channel: str, bitrate: int, *, listen_only: bool = False) -> None:
    """Bring a controller up at this bit rate. LinkError."""
    set_down(channel)
    modes = [word for mode in MODES for word in (mode, "on" if mode == "listen-only" and listen_only else "off")]
    _ip("link", "set", channel, "up", "txqueuelen", str(QUEUE), "type", "can", "bitrate", str(bitrate), *modes)


def set_down(channel: str) -> None:
    """Take it off the bus. LinkError."""
    _ip("link", "set", channel, "down")


def _ip(*words: str) -> str:
    """What `ip` says. LinkError."""
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=IP_S, check=False)  # noqa: S603, S607 # as PATH has it
    except (OSError, subprocess.TimeoutExpired) as why:
        raise LinkError(f"ip: {why}: is iproute2 installed?") from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["ip says nothing"])[-1]
        raise LinkError(said if "show" in words else f"ip {' '.join(words)}: {said}")
    return done.stdout
