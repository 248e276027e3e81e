"""Builds the C core into agent/_core, and small extensions for drivers: _candump, _guard, _socketcan (CFFI API, abi3).

The headers are the one place where shapes stand: what lies between the marks of each is the cdef.
"""

import re
import sys
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno"]
BOTH = re.compile(r"/\* cdef: begin \*/(.*?)/\* cdef: end \*/", re.DOTALL)


def cdef(*headers: str) -> str:
    """What Python sees of these headers."""
    return "".join(part for name in headers for part in BOTH.findall((HERE / name).read_text()))


def builder(module: str, headers: list[str], sources: list[str]) -> FFI:
    """One extension: its public headers, its C files. Every header is a dependency."""
    ffi = FFI()
    ffi.cdef(cdef(*headers))
    ffi.set_source(
        module,
        "".join(f'#include "{name}"\n' for name in headers),
        sources=[f"native/{name}" for name in sources],
        include_dirs=["native"],
        depends=[f"native/{path.name}" for path in sorted(HERE.glob("*.h"))],
        extra_compile_args=FLAGS,
        libraries=[] if sys.platform == "win32" else ["m"],
        py_limited_api=True,
    )
    return ffi


DRIVERS = {
    "candump": (["candump.h"], ["candump.c"]),
    "guard": (["guard.h", "pick.h"], ["guard.c", "guard_frame.c", "guard_line.c", "pick.c"]),
    "socketcan": (["guard.h", "socketcan.h"], ["guard.c", "guard_frame.c", "guard_line.c", "socketcan.c"]),
}
"""What is not the core: headers and C files of the extensions of drivers/. What writes to a bus has the guard in it."""

APART = {source for _, sources in DRIVERS.values() for source in sources}
CORE_SOURCES = sorted(path.name for path in HERE.glob("*.c") if path.name not in APART)
core = builder("agent._core", ["table.h", "tbox.h"], CORE_SOURCES)
candump, guard, socketcan = (builder(f"drivers._{name}", *DRIVERS[name]) for name in ("candump", "guard", "socketcan"))
