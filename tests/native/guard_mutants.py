"""`make guard-mutants`: the guard changed in one place at a time. Does a test notice? Every place of it, every time.

    guard_mutants.py [FILE.c ...]

A mutant that does not compile, or compiles to the same code, is none. Each other takes the place of the guard in a copy
of the tree, in both extensions, and meets the tests. Who survives is listed, and why the known ones may (guard_survivors.md).
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.native.build import FLAGS, ROOT
from tests.native.mutate import Mutant, mutants

OUT = ROOT / "out" / "guard_mutants"
WORKERS = 2
TEST_S = 60
GUARD = ["tests/test_guard.py", "tests/test_guard_rate.py", "tests/test_guard_line.py"]
TESTS = {
    "guard.c": GUARD,
    "guard_frame.c": GUARD,
    "guard_line.c": ["tests/test_guard_line.py", "tests/test_guard.py::test_memory_of_zeros_refuses_everything"],
    "pick.c": ["tests/test_pick.py"],
    "socketcan.c": ["tests/test_guard_send.py"],
}
"""Files and who is to notice; of socketcan.c only what sends, the rest is `make mutants`."""

EXTENSIONS = {
    "guard": ("guard.c", "guard_frame.c", "guard_line.c", "pick.c"),
    "socketcan": ("guard.c", "guard_frame.c", "guard_line.c", "socketcan.c"),
}


class Tree:
    """A copy of what the tests need, in which one file can be another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("native", "drivers", "tests"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "golden", "corpus")
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        for name in EXTENSIONS:
            code = f"import sys; sys.path.insert(0, 'native'); import build; build.{name}.emit_c_code(sys.argv[1])"
            subprocess.run(
                [sys.executable, "-c", code, f"glue_{name}.c"], cwd=folder, check=True, stdout=subprocess.DEVNULL
            )
        sources = sorted({source for sources in EXTENSIONS.values() for source in sources})
        self.objects = {name: self._compiled(f"native/{name}", f"{name}.o") for name in sources}
        for name in EXTENSIONS:
            self._compiled(f"glue_{name}.c", f"glue_{name}.o")
        self._link()

    def killer(self, mutant: Mutant) -> str:
        """Who kills it: stillborn, same, test; or "" when it survives."""
        source = self.folder / "native" / mutant.file
        whole = source.read_text()
        try:
            source.write_text(mutant.applied(whole))
            code = self._compiled(f"native/{mutant.file}", f"{mutant.file}.o")
            if code in (b"", self.objects[mutant.file]):
                return "same" if code else "stillborn"
            self._link()
            return "" if self.passes(TESTS[mutant.file]) else "test"
        finally:
            source.write_text(whole)
            (self.folder / f"{mutant.file}.o").write_bytes(self.objects[mutant.file])

    def passes(self, tests: list[str]) -> bool:
        """Whether the tests find nothing wrong in time."""
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            made = subprocess.run(words, cwd=self.folder, capture_output=True, timeout=TEST_S, check=False)
        except subprocess.TimeoutExpired:
            return False
        return made.returncode == 0

    def _compiled(self, source: str, out: str) -> bytes:
        """An object; empty when it does not compile."""
        include = ["-I", "native", "-I", sysconfig.get_paths()["include"]]
        words = ["gcc", *FLAGS, "-fPIC", "-w", *include, "-c", source, "-o", out]
        made = subprocess.run(words, cwd=self.folder, capture_output=True, check=False)
        return (self.folder / out).read_bytes() if made.returncode == 0 else b""

    def _link(self) -> None:
        for name, sources in EXTENSIONS.items():
            objects = [f"glue_{name}.o", *(f"{source}.o" for source in sources)]
            out = self.folder / "drivers" / f"_{name}.abi3.so"
            out.unlink(missing_ok=True)
            subprocess.run(["gcc", "-shared", "-o", out, *objects], cwd=self.folder, check=True)


def chosen(names: list[str]) -> list[Mutant]:
    """Every mutant of these files; of socketcan.c from where it sends."""
    found = []
    for name in names or TESTS:
        path = ROOT / "native" / name
        start = path.read_text().index("int tbox_can_send(") if name == "socketcan.c" else 0
        found += [mutant for mutant in mutants(path) if mutant.start >= start]
    return found


def known() -> dict[str, str]:
    """Survivors with their reasons."""
    text = (Path(__file__).parent / "guard_survivors.md").read_text()
    return {found[1]: found[2] for found in re.finditer(r"^- (.*?) \| (.*)$", text, re.MULTILINE)}


def main(names: list[str]) -> int:
    """Try all; 1 when one survives that has no reason."""
    start_s = time.monotonic()
    shutil.rmtree(OUT, ignore_errors=True)
    os.nice(10)
    idle: SimpleQueue[Tree] = SimpleQueue()
    for number in range(WORKERS):
        idle.put(Tree(OUT / str(number)))

    reasons = known()

    def judge(mutant: Mutant) -> tuple[Mutant, str]:
        tree = idle.get()
        by = tree.killer(mutant)
        idle.put(tree)
        if not by:
            print(f"{mutant.file}:{mutant.line}: {reasons.get(str(mutant), 'NO REASON GIVEN')}: {mutant}", flush=True)
        return mutant, by

    first = idle.get()
    assert all(first.passes(tests) for tests in TESTS.values()), "the tests fail on the guard as it is"
    idle.put(first)
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(judge, chosen(names)))
    counts = Counter(by or "survived" for _, by in found)
    alive = [mutant for mutant, by in found if not by]
    print(f"{dict(counts)} of {len(found)} ({time.monotonic() - start_s:.0f} s)")
    return 1 if any(str(mutant) not in reasons for mutant in alive) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
