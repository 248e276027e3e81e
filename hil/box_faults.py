"""Faults of the box: too little memory, too little processor time. Each changes the kernel it runs in.

low_memory  the agent and a program that takes ever more share `size` MiB (8): the kernel ends the larger one, the agent
starved     the agent gets `size` percent (5) of a processor's time, in one go each second
"""

import subprocess
import sys
from pathlib import Path

from hil.scenario_table import FaultTable
from hil.switch import Stage, Switch, call
from hil.terminal import Terminal

GROUPS = Path("/sys/fs/cgroup")
GROUP = GROUPS / "agent"
PERIOD_US = 1_000_000
SHARED_MIB, SHARE_PCT = 8.0, 5.0
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
        "starved": Switch(box.starve, box.free, make_group, unmount_groups),
    }


class Box:
    """What the agent has of it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._glutton: subprocess.Popen[bytes] | None = None

    def crowd(self, fault: FaultTable) -> None:
        """Let it run out of memory: first the agent goes, then the one who took it."""
        (GROUP / "memory.max").write_text(str(int((fault.size or SHARED_MIB) * 1024 * 1024)))
        self._join(GROUP)
        self._glutton = subprocess.Popen([sys.executable, "-S", "-c", GLUTTON])  # noqa: S603 # our own words

    def starve(self, fault: FaultTable) -> None:
        """Let it have so much of each second, in one go."""
        share_us = int((fault.size or SHARE_PCT) / 100 * PERIOD_US)
        (GROUP / "cpu.max").write_text(f"{share_us} {PERIOD_US}")
        self._join(GROUP)

    def free(self, _: FaultTable) -> None:
        """Let it have everything again."""
        if self._glutton is not None:
            self._glutton.kill()
            self._glutton.wait()
        self._join(GROUPS)

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
