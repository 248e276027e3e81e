"""The bench on a 64-bit ARM board, emulated: Debian's kernel and driver, two CAN controllers on one wire.

The same machine as hil/places/qemu.py boots, for another processor: tests/qemu runs on it, then scenarios between a car on can1
and the terminal on can0. It also says how much memory the agent has there; its kernel runs programs for 32-bit ARM too.
"""

import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hil import outcome
from hil.places import qemu, qemu_kernel
from hil.places.in_qemu import BITRATE
from hil.places.qemu import Guest
from hil.report import verdict
from hil.scenes import scenario_file
from tests.foreign import AARCH64, ARMS, OUT, ROOT, MakeError, Processor

KERNEL = OUT / "kernel"
BOARD = ("-M", "virt", "-cpu", "cortex-a72")
SCENARIOS = ("controller-drive", "controller-quiet")
PATIENCE = 16.0
LIMIT_S = 1200.0
ENVIRONMENT = {"PYTHONPATH": "/site:/tbox", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
UNSHOWN = "test_what_the_controllers_buffer_had_no_room_for_is_heard_as_error_frames"
"""Not to be had here: this board sends no faster than it reads, so that in a minute the buffer never runs over."""
PYTEST = ("python3", "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/qemu", "-k", f"not {UNSHOWN}")
Told = dict[str, Any]


def guest(processor: Processor) -> Guest:
    """The board, with the files of this processor's Debian."""
    return Guest(
        KERNEL,
        Path("/tbox"),
        "qemu-system-aarch64",
        board=BOARD,
        console="ttyAMA0",
        busybox=AARCH64.root / "bin" / "busybox",
        files=processor.root,
    )


def run(told: Told) -> bool:
    """Boots it three times; whether all holds."""
    if not qemu_kernel.is_here(KERNEL):
        KERNEL.mkdir(parents=True, exist_ok=True)
        qemu_kernel.keep(AARCH64.root, KERNEL)
    held = [_drivers(), *_scenarios()]
    told["system"] = {"holds": sum(held), "of": len(held)}
    told.setdefault("memory", {}).update({it.name: _memory(it) for it in ARMS})
    print(f"board: {sum(held)} of {len(held)} hold", flush=True)
    return all(held)


def _boot(processor: Processor, words: Sequence[str], folder: Path) -> int | None:
    """Run a command on it; its exit code."""
    done = qemu.run(words, folder, environment=ENVIRONMENT, limit_s=LIMIT_S, guest=guest(processor))
    print(done.said.rstrip(), flush=True)
    return done.code


def _drivers() -> bool:
    """tests/qemu on it."""
    with tempfile.TemporaryDirectory(prefix="tbox-arm-") as name:
        return _boot(AARCH64, PYTEST, Path(name)) == 0


def _scenarios() -> list[bool]:
    """Each scenario's verdict."""
    ends = ["--place", "qemu", "--car", "can1", "--terminal", "can0", "--bitrate", str(BITRATE)]
    paths = [ROOT / "hil" / "scenarios" / f"{name}.toml" for name in SCENARIOS]
    there = [f"hil/scenarios/{path.name}:{scenario_file.read(path).seed}" for path in paths]
    words = ["python3", "-m", "hil.places.live", *there, "--out", "/run/out", *ends, "--patience", str(PATIENCE)]
    with tempfile.TemporaryDirectory(prefix="tbox-arm-") as name:
        _boot(AARCH64, words, Path(name))
        return [_holds(path, Path(name) / f"{path.stem}.json") for path in paths]


def _holds(scenario: Path, left: Path) -> bool:
    """Whether everything that it expects is so; a line for each that is not."""
    if not left.exists():
        print(f"FAIL {scenario.stem}: it left nothing")
        return False
    findings = verdict.judge(scenario_file.read(scenario), outcome.read(left))
    wrong = [finding for finding in findings if not finding.holds]
    print(f"{'FAIL' if wrong else 'PASS'} {scenario.stem}: {len(findings)} expectations, {len(wrong)} not met")
    for finding in wrong:
        print(f"     {finding.name}: {finding.words}")
    return not wrong


def _memory(processor: Processor) -> dict[str, int]:
    """What tests/resident.py measures there. MakeError."""
    words = ["python3", "-m", "tests.resident", "/run/out/resident.json"]
    with tempfile.TemporaryDirectory(prefix="tbox-arm-") as name:
        code = _boot(processor, words, Path(name))
        if code:
            raise MakeError(f"{processor.name}: {shlex.join(words)} exits {code} on the board")
        told: dict[str, int] = json.loads((Path(name) / "resident.json").read_text())
    return told
