"""How the terminal is: counters gathered into a health record, and a word to systemd where there is one."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
ALONE_US, SELDOM_US = 3_600_000_000, 600_000_000
"""After so long without a link a health record comes this seldom: it would take the room of what is priced on."""


@dataclass(frozen=True, slots=True)
class Process:
    """What this process uses: memory now, processor time since its start."""

    resident_bytes: int
    anonymous_bytes: int
    cpu_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What every room counted. `core` as Core.counters tells it, `sources` by name, `queued` records by lane."""

    core: Mapping[str, Any]
    sources: Mapping[str, Mapping[str, int]]
    queued: Mapping[str, int]
    store_bytes: int
    flash: Mapping[str, int]
    """Bytes written to the store since the start, and the time that was driven meanwhile."""
    link: str
    uplink: Mapping[str, int]
    process: Process
    asking: Mapping[str, Any] = field(default_factory=dict)
    """Of each bus or adapter that may be asked: why it is silent, who answers."""
    upkeep: Mapping[str, Any] = field(default_factory=dict)
    """Power's state and reason, what the driver was told."""
    evidence: Mapping[str, int] = field(default_factory=dict)
    """Blows that may have been a crash, those that were none, those that flash was spared."""


class Health:
    """When a health record is due, and what stands in it. Pure: time is an argument."""

    def __init__(self, period_s: float, now_us: int) -> None:
        self._period_us = round(period_s * 1e6)
        self._start_us = self._last_us = self._turned_us = self._heard_us = now_us
        self._turns = 0
        self._turn_us_max = 0

    def turned(self, now_us: int) -> None:
        """The loop went round once."""
        self._turns += 1
        self._turn_us_max = max(self._turn_us_max, now_us - self._turned_us)
        self._turned_us = now_us

    def is_due(self, now_us: int, *, is_heard: bool) -> bool:
        """Whether a period has gone by since the record before, a longer one where nobody has heard us for long."""
        self._heard_us = now_us if is_heard else self._heard_us
        is_alone = now_us - self._heard_us >= ALONE_US
        return now_us - self._last_us >= (max(self._period_us, SELDOM_US) if is_alone else self._period_us)

    def body(self, now_us: int, vitals: Vitals) -> dict[str, Any]:
        """The body of a health record; the loop's figures begin anew.

        Frames are conserved: in = decoded + unmapped + all of rejected + dropped (lost before the core, as the kernel
        or the device counted). All counters grow from the start of the agent; a source's from when it was opened.
        """
        core = dict(vitals.core)
        dropped = sum(counters.get("dropped", 0) for counters in vitals.sources.values())
        told = {
            "up_us": now_us - self._start_us,
            "frames": {
                "in": core.pop("frames_in") + dropped,
                "decoded": core.pop("decoded"),
                "unmapped": core.pop("unmapped"),
                "rejected": dict(core.pop("rejected")),
                "dropped": dropped,
            },
            **core,
            "sources": {name: dict(counters) for name, counters in vitals.sources.items()},
            "queued": dict(vitals.queued),
            "store_bytes": vitals.store_bytes,
            "flash": dict(vitals.flash),
            "link": vitals.link,
            "uplink": dict(vitals.uplink),
            "memory": {
                "resident_bytes": vitals.process.resident_bytes,
                "anonymous_bytes": vitals.process.anonymous_bytes,
            },
            "asking": dict(vitals.asking),
            **vitals.upkeep,
            "evidence": dict(vitals.evidence),
            "cpu_us": vitals.process.cpu_us,
            "loop": {"turns": self._turns, "turn_us_max": self._turn_us_max},
        }
        self._last_us, self._turns, self._turn_us_max = now_us, 0, 0
        return told


def process() -> Process:
    """What this process uses, as the kernel tells it (proc(5), VmRSS and RssAnon)."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    resident, anonymous = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))
    return Process(resident, anonymous, time.process_time_ns() // 1000)


class Systemd:
    """The service manager's ear (sd_notify(3)); without NOTIFY_SOCKET nobody listens and nothing is sent.

    A message that cannot be sent is counted in `failures`: the manager is never waited for.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.failures = 0
        self._beaten_us: int | None = None
        self._beat_us = _beat_us(environment)
        self._said = ""
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def ready(self) -> None:
        """Settings hold, the store is open, the loop turns."""
        self._send("READY=1")

    def status(self, words: str) -> None:
        """One line for `systemctl status`; sent when it changed."""
        if words != self._said:
            self._said = words
            self._send("STATUS=" + words.replace("\n", " "))

    def stopping(self, *, is_for_good: bool = True) -> None:
        """An orderly end has begun; not for good: this process starts anew, and says again when it is ready."""
        self._send("STOPPING=1" if is_for_good else f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def beat(self, now_us: int) -> None:
        """Called by the loop each turn: feeds the watchdog twice in its interval, so a loop that hangs is restarted."""
        if self._beat_us and (self._beaten_us is None or now_us - self._beaten_us >= self._beat_us):
            self._beaten_us = now_us
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Let the socket go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, words: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(words.encode(), self._address)
        except OSError:
            self.failures += 1


def _beat_us(environment: Mapping[str, str]) -> int:
    """Half of the watchdog's interval; 0: no watchdog, or it is another process's (sd_watchdog_enabled(3))."""
    with suppress(KeyError, ValueError):
        if environment.get("WATCHDOG_PID") in (None, "", str(os.getpid())):
            return max(0, int(environment["WATCHDOG_USEC"]) // 2)
    return 0
