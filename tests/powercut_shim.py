"""A process that ends at its n-th call that changes a file (tests/native/cut_shim.c): built, preloaded, and forked.

Why not strace's fault injection: it needs ptrace, which many places refuse; it counts calls of all files; it cannot let
half of a write through; and it must start a Python for each cut. Forked from one that has everything loaded, a process
is there in milliseconds.
"""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.native.build import WARNINGS

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests" / "native" / "cut_shim.c"
VARIABLE = "TBOX_CUT_SHIM"
FAILED = 70
"""Exit code of a process whose work raised."""


@dataclass(frozen=True, slots=True)
class Call:
    """A counted call: its name, the file's, and how many bytes it writes."""

    name: str
    file: str
    size: int

    @property
    def is_divisible(self) -> bool:
        """Whether half of it can be done."""
        return self.size > 1


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and the calls that were counted: all, or the one it ended at as the last."""

    is_cut: bool
    calls: list[Call]
    trouble: str
    """Why it ended otherwise, in words; empty: it did its work."""


def build(folder: Path) -> Path:
    """Compile it."""
    library = folder / "cut_shim.so"
    words = ["gcc", "-std=c11", "-O2", "-shared", "-fPIC", *WARNINGS, "-o", str(library), str(SOURCE)]
    subprocess.run(words, check=True)
    return library


def environment(library: Path) -> dict[str, str]:
    """Of a Python with the library preloaded."""
    told = {"LD_PRELOAD": str(library), VARIABLE: str(library), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **told}


def rerun(module: str, words: Sequence[str]) -> int:
    """This module once more, with the library preloaded; its exit code."""
    with tempfile.TemporaryDirectory(prefix="powercut-") as name:
        command = [sys.executable, "-m", module, *words]
        return subprocess.run(command, env=environment(build(Path(name))), check=False).returncode


def fast_folder() -> str | None:
    """Where many small files go: in memory, if there is such a place. To kill -9 all file systems are alike."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def arm(folder: Path, at: int, *, is_torn: bool, log: int) -> None:
    """In a process with the library preloaded: end at the `at`-th call in this folder; 0: count only."""
    library = ctypes.CDLL(os.environ[VARIABLE])
    library.cut_arm(bytes(folder.resolve()), ctypes.c_long(at), int(is_torn), log)


def run(work: Callable[[], None], folder: Path, at: int, *, is_torn: bool = False) -> Ended:
    """Do the work in a process of its own, up to that call. There must be one thread only."""
    log, words = os.memfd_create("calls"), os.memfd_create("words")
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            arm(folder, at, is_torn=is_torn, log=log)
            work()
            code = 0
        except BaseException:  # noqa: BLE001  (the top of a process: it tells the one that waits)
            os.write(words, traceback.format_exc().encode())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    calls = calls_in(log)
    told = read_all(words).decode()
    is_cut = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    trouble = "" if is_cut or status == 0 else f"ended with {os.waitstatus_to_exitcode(status)}: {told[-600:]}"
    return Ended(is_cut, calls, trouble)


def calls_in(log: int) -> list[Call]:
    """What was counted; the file is closed."""
    return [_call(line) for line in read_all(log).decode().splitlines()]


def read_all(file: int) -> bytes:
    """All of an open file, which is closed."""
    size = os.lseek(file, 0, os.SEEK_END)
    content = os.pread(file, size, 0)
    os.close(file)
    return content


def _call(line: str) -> Call:
    name, rest = line.split(" ", 1)
    file, size = rest.rsplit(" ", 1)
    return Call(name, file, int(size))
