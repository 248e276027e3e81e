"""Builds the runner, for this processor or another."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"
FLAGS = ("-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno")
"""native/build.py's, which needs cffi; tests/test_native_runner.py holds them alike."""

DRIVERS = {
    "candump": ("candump",),
    "guard": ("guard", "guard_frame", "guard_line", "pick"),
    "socketcan": ("guard", "guard_frame", "guard_line", "socketcan"),
}
"""What is not the core: the C files of each extension of drivers/, as native/build.py has them."""

APART = {stem for stems in DRIVERS.values() for stem in stems}

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wvla", "-Werror")
COUNTED = tuple(f"-Wl,--wrap={name}" for name in ("malloc", "calloc", "realloc", "aligned_alloc"))


def core_sources() -> list[Path]:
    """The core's C files: all but those of the drivers."""
    return sorted(path for path in NATIVE.glob("*.c") if path.stem not in APART)


def driver_sources(name: str) -> list[Path]:
    """The C files of an extension of drivers/."""
    return [NATIVE / f"{stem}.c" for stem in DRIVERS[name]]


def program(name: str, out: Path, *more: str, compiler: str = "gcc") -> Path:
    """Compile this file of this folder with the core into `out`; `more` are options."""
    out.parent.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).parent
    sources = [here / f"{name}.c", here / "packed.c", *core_sources()]
    words = [compiler, *FLAGS, *WARNINGS, *more, "-I", NATIVE, "-o", out, *sources, "-lm"]
    subprocess.run(words, check=True)
    return out


def runner(out: Path, *more: str, compiler: str = "gcc") -> Path:
    """The runner, which counts allocations."""
    return program("runner", out, *COUNTED, *more, compiler=compiler)
