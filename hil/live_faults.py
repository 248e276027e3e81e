"""Faults around a running terminal, by name. Each really does what it says; what needs a kernel of its own says so.

kill_agent      SIGKILL, as a power cut; started anew at its end
freeze_agent    it gets no processor time at all (SIGSTOP) until its end
broker_restart  the broker ends; at its end another begins on the same port, with no memory of anybody
link_cut        every connection to the broker is reset, new ones are refused
half_open       the network forgets the connections there are: they stand, pass nothing on; new ones work
slow_network    all of the loopback has 150 ms more each way and loses 3 % (netem; needs a kernel of its own)
clock_step      the wall clock jumps by `size` seconds, and back at its end (needs a kernel of its own)
disk_full       the terminal's flash is a small file system, and something else fills it (needs one, too)
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hil.kernel import MODULE_ROOT
from hil.scenario_file import LIVE_FAULTS, FaultTable

if TYPE_CHECKING:
    from hil.live import Live

DISK_BYTES = 6_000_000
BLOCK_BYTES = 65_536
NETEM = "net/sched/sch_netem.ko"
ALONE = ("slow_network", "clock_step", "disk_full")
"""These change the machine they run on: only in a kernel that comes along."""


def refusal(faults: Sequence[FaultTable], place: str) -> str:
    """Why a scenario with these faults cannot run there; empty: it can."""
    names = sorted({fault.name for fault in faults if fault.name in ALONE})
    if names and place != "kernel":
        return f"{' and '.join(names)} would change this machine: run it with --place kernel"
    return ""


class LiveFaults:
    """Begins and ends each when the drive is there."""

    def __init__(self, faults: Sequence[FaultTable], live: "Live") -> None:
        self._planned = [fault for fault in faults if fault.name in LIVE_FAULTS]
        self._active: list[FaultTable] = []
        self._live = live
        self._is_small = False
        self._begin: Mapping[str, Callable[[FaultTable], None]] = {
            "kill_agent": self._kill,
            "broker_restart": self._end_broker,
            "link_cut": lambda _: live.relay.cut(),
            "half_open": lambda _: live.relay.forget(),
            "freeze_agent": lambda _: live.terminal.send_signal(signal.SIGSTOP),
            "slow_network": lambda _: slow_down(),
            "clock_step": lambda fault: step_clock(fault.size),
            "disk_full": lambda _: fill(live.terminal.state),
        }
        self._end: Mapping[str, Callable[[FaultTable], None]] = {
            "kill_agent": self._start_again,
            "broker_restart": self._begin_broker,
            "link_cut": lambda _: live.relay.mend(),
            "half_open": lambda _: None,
            "freeze_agent": lambda _: live.terminal.send_signal(signal.SIGCONT),
            "slow_network": lambda _: call("tc", "qdisc", "del", "dev", "lo", "root"),
            "clock_step": lambda fault: step_clock(-fault.size),
            "disk_full": lambda _: empty(live.terminal.state),
        }

    def prepare(self) -> None:
        """What must be so before the terminal starts."""
        self._is_small = any(fault.name == "disk_full" for fault in self._planned)
        if self._is_small:
            mount_small(self._live.terminal.state)

    def close(self) -> None:
        """Take away what `prepare` made, once nobody uses it."""
        if self._is_small:
            unmount(self._live.terminal.state)

    def step(self, now_s: float) -> None:
        """Begin what is due, end what is over."""
        for fault in [fault for fault in self._planned if fault.from_s <= now_s]:
            self._planned.remove(fault)
            self._begin[fault.name](fault)
            self._active.append(fault)
        for fault in [fault for fault in self._active if fault.until_s <= now_s]:
            self._active.remove(fault)
            self._end[fault.name](fault)

    def end(self) -> None:
        """End what still is."""
        for fault in self._active:
            self._end[fault.name](fault)
        self._active = []

    def _kill(self, _: FaultTable) -> None:
        self._live.terminal.kill()

    def _start_again(self, _: FaultTable) -> None:
        self._live.terminal.start()

    def _end_broker(self, _: FaultTable) -> None:
        self._live.subscriber.close()
        self._live.broker.stop()

    def _begin_broker(self, _: FaultTable) -> None:
        """A new one; the terminal is let in when the subscriber is there again, as a platform's session would be."""
        live = self._live
        live.relay.cut()
        live.broker = live.broker.again()
        live.subscribe()
        live.relay.mend()


def step_clock(seconds: float) -> None:
    """Move the wall clock."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)


def call(*words: str) -> None:
    """One of the system's own commands."""
    subprocess.run(words, check=True)  # noqa: S603 # our own words


def slow_down() -> None:
    """A mobile network: 300 ms there and back, 3 % lost."""
    for module in MODULE_ROOT.glob(f"*/kernel/{NETEM}"):
        call("insmod", str(module))
    call("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "150ms", "20ms", "loss", "3%")


def mount_small(folder: Path) -> None:
    """A file system of its own, of a few megabytes."""
    folder.mkdir(parents=True)
    call("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", str(folder))


def unmount(folder: Path) -> None:
    """Take it away again."""
    call("umount", str(folder))


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with (folder / "filler").open("wb", buffering=0) as file:
        size = BLOCK_BYTES
        while size:
            try:
                if file.write(os.urandom(size)) < size:
                    size //= 2
            except OSError:
                size //= 2


def empty(folder: Path) -> None:
    """Give it back."""
    (folder / "filler").unlink(missing_ok=True)
