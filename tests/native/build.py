"""Builds the runner, for this processor or another."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"
FLAGS = ("-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno")
"""native/build.py's, which needs cffi; tests/test_native_runner.py holds them alike."""

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wvla", "-Werror")
COUNTED = tuple(f"-Wl,--wrap={name}" for name in ("malloc", "calloc", "realloc", "aligned_alloc"))


def core_sources() -> list[Path]:
    """The core's C files: all but those that do I/O."""
    return sorted(path for path in NATIVE.glob("*.c") if path.name != "socketcan.c")


def runner(out: Path, *more: str, compiler: str = "gcc") -> Path:
    """Compile runner and core into `out`; `more` are options."""
    out.parent.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).parent / "runner.c"
    words = [compiler, *FLAGS, *WARNINGS, *COUNTED, *more, "-I", NATIVE, "-o", out, here, *core_sources(), "-lm"]
    subprocess.run(words, check=True)
    return out
