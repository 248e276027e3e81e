"""`make arm`: the agent on 64-bit and 32-bit ARM, emulated: a part of the suite, the bench on real controllers, footprint.

    python -m tests.arm [tests] [system] [footprint]      (all of it: some 15 minutes; the first time 5 more)

tests: what tests/arm-files.txt lists, under qemu-user. system: the bench in a machine of its own (tests/arm_system.py).
footprint: a table (tests/footprint.py). What was counted is kept in out/arm.json.
"""

import json
import os
import platform
import re
import signal
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from tests import arm_system, footprint, foreign
from tests.foreign import ARMS, ROOT, MakeError, Processor

FIGURES = ROOT / "out" / "arm.json"
LISTED = ROOT / "tests" / "arm-files.txt"
UNLISTED = "not (make_guard or week or platform_that_loses)"
"""Of those files: what compiles C, and what takes minutes there."""
PYTEST = (
    *("python3", "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q", "-p", "no:cacheprovider"),
    *("-k", UNLISTED, "--hypothesis-profile", "ci"),
)
Told = dict[str, Any]


def tests(told: Told) -> bool:
    """The listed part of the suite on each; whether all of it passes."""
    for processor in ARMS:
        told.setdefault("tests", {})[processor.name] = counts = _tested(processor)
        print(f"{processor.name}: {', '.join(f'{count} {name}' for name, count in counts.items())}", flush=True)
    return all(it["passed"] and not it["failed"] for it in told["tests"].values())


def _tested(processor: Processor) -> dict[str, int]:
    """How many passed, failed, were skipped."""
    lines = LISTED.read_text().splitlines()
    files = [line for line in lines if line and not line.startswith("#")]
    report = processor.tree / "tests.xml"
    foreign.inside(processor, [*PYTEST, "--junitxml", f"/tbox/{report.name}", *files])
    if not report.exists():
        return {"passed": 0, "failed": 1, "skipped": 0}
    (suite,) = ET.parse(report).getroot()
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    return {"passed": count["tests"] - failed - count["skipped"], "failed": failed, "skipped": count["skipped"]}


PARTS: dict[str, Callable[[Told], bool]] = {"tests": tests, "system": arm_system.run, "footprint": footprint.run}


def why_not() -> str:
    """Why it cannot be done here; empty: it can."""
    if os.geteuid() != 0:
        return "a root of Debian is unpacked here, which only root may do: sudo make arm"
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "what is compared is a Linux on x86-64"
    if sys.version_info[:2] != (3, 11):
        return f"{foreign.RELEASE} has Python {foreign.PYTHON}, and what is compiled here is for it: make PYTHON=python3.11"
    release = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    return "" if release >= (6, 7) else "user namespaces have formats of their own from Linux 6.7 on"


def main(words: list[str]) -> int:
    """All parts, or those named; 1 when something does not hold."""
    if why := why_not():
        print(f"arm: {why}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    told: Told = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    try:
        for processor in (*ARMS, foreign.X86):
            foreign.make(processor)
        holds = [part(told) for name, part in PARTS.items() if not words or name in words]
    except MakeError as why:
        print(f"arm: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    FIGURES.write_text(json.dumps(told, indent=1) + "\n")
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
