"""Processor seconds of processes (proc(5))."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int, *, of_children: bool = False) -> float:
    """User and system time of a process, and of its children that ended; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(one) for one in fields[11 : 15 if of_children else 13]) / TICKS


def tree_cpu_s(pid: int) -> float:
    """Of a process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return cpu_s(pid, of_children=True) + sum(tree_cpu_s(int(child)) for child in children)
