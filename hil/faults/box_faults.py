"""Faults of the box: too little memory, too little processor time.

low_memory  the agent and a program that takes ever more share `size` MiB (8) until the kernel has ended the larger one,
            the agent; changes the kernel it runs in
starved     the agent runs for `size` percent (5) of each second, in one go, and stands still for the rest of it

Starved is done by stopping and going on, and not by a limit of its group (cpu.max): a limit holds up only who wants
more, and is reckoned by whole ticks of 10 ms in User-Mode Linux. With 3,000 frames/s the agent took 33 ms of each
second there, so a limit of 50 ms held it up in one second of six, and not at all on a quicker machine.
"""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from hil.faults.switch import Stage, Switch, call
from hil.scenes.scenario_table import FaultTable
from hil.terminal import Terminal

GROUPS = Path("/sys/fs/cgroup")
GROUP = GROUPS / "agent"
PERIOD_S = 1.0
SHARED_MIB, SHARE_PCT = 8.0, 5.0
END_S, TURN_S = 30.0, 0.05
GLUTTON = f"""
from pathlib import Path
Path("/proc/self/oom_score_adj").write_text("-999")
Path("{GROUP}/cgroup.procs").write_text("0")
taken = []
while True:
    taken.append(bytearray(65536))
"""


def switches(live: Stage) -> dict[str, Switch]:
    """Each by its name."""
    box = Box(live.terminal)
    return {
        "low_memory": Switch(box.crowd, box.free, make_group, unmount_groups),
        "starved": Switch(box.starve, box.feed),
    }


class Box:
    """What the agent has of it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._glutton: subprocess.Popen[bytes] | None = None
        self._ends = 0
        self._is_fed = threading.Event()
        self._ration: threading.Thread | None = None

    def crowd(self, fault: FaultTable) -> None:
        """Let it run out of memory: first the agent goes, then the one who took it."""
        self._ends = len(self._terminal.exit_codes)
        (GROUP / "memory.max").write_text(str(int((fault.size or SHARED_MIB) * 1024 * 1024)))
        self._join(GROUP)
        self._glutton = subprocess.Popen([sys.executable, "-S", "-c", GLUTTON])  # noqa: S603 # our own words

    def starve(self, fault: FaultTable) -> None:
        """Let it have so much of each second, in one go."""
        self._is_fed.clear()
        share = (fault.size or SHARE_PCT) / 100
        self._ration = threading.Thread(target=self._dole_out, args=(share * PERIOD_S,), name="ration", daemon=True)
        self._ration.start()

    def feed(self, _: FaultTable) -> None:
        """Let it run again."""
        self._is_fed.set()
        if self._ration is not None:
            self._ration.join()

    def _dole_out(self, goes_s: float) -> None:
        """Stop and go, until it is fed."""
        while not self._is_fed.is_set():
            self._terminal.send_signal(signal.SIGSTOP)
            self._is_fed.wait(PERIOD_S - goes_s)
            self._terminal.send_signal(signal.SIGCONT)
            self._is_fed.wait(goes_s)

    def free(self, _: FaultTable) -> None:
        """Once the kernel has ended it, END_S at most, as the verdict will tell: let it have everything again."""
        give_up_s = time.monotonic() + END_S
        while self._is_crowded() and time.monotonic() < give_up_s:
            time.sleep(TURN_S)
        if self._glutton is not None:
            self._glutton.kill()
            self._glutton.wait()
        self._join(GROUPS)

    def _is_crowded(self) -> bool:
        """Whether it still is the one that was there before."""
        return self._terminal.is_running() and len(self._terminal.exit_codes) == self._ends

    def _join(self, group: Path) -> None:
        if self._terminal.is_running():
            (group / "cgroup.procs").write_text(str(self._terminal.pid))


def make_group() -> None:
    """Where what the agent gets can be limited."""
    call("mount", "-t", "cgroup2", "none", str(GROUPS))
    (GROUPS / "cgroup.subtree_control").write_text("+cpu +memory")
    GROUP.mkdir()


def unmount_groups() -> None:
    """Take it away; nobody is in it any more."""
    GROUP.rmdir()
    call("umount", str(GROUPS))
