"""`make coverage`: which lines and branches of native/ the tests reach, by gcov; the fuzzer's corpus is not counted."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.native.build import DRIVERS, FLAGS, core_sources, driver_sources

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"
OUT = ROOT / "out" / "coverage"
PATTERNS = (
    "test_native_*.py", "test_table*.py", "test_compile.py", "test_checks*.py", "test_j1939.py", "test_decode.py",
    "test_golden.py", "test_drivers_socketcan*.py", "test_drivers_candump*.py", "test_*guard*.py", "test_*pick*.py",
)  # fmt: skip
NO_PART = ("test_native_fuzz", "test_native_runner", "test_native_told")
MODULES = {name: f"TBOX_{name.upper()}" for name in ("core", *DRIVERS)}


@dataclass(frozen=True)
class Reached:
    """One file: lines that have code, branches that have a condition, and those that are never taken."""

    file: str
    lines: int
    lines_missed: list[int]
    branches: int
    branches_missed: list[int]

    def row(self) -> str:
        """A line of the table."""
        return (
            f"{self.file:24}{share(self.lines, self.lines_missed):>16}{share(self.branches, self.branches_missed):>16}"
        )


def share(whole: int, missed: list[int]) -> str:
    """Of how many how much."""
    return f"{whole - len(missed)}/{whole} {100 * (whole - len(missed)) / max(whole, 1):5.1f} %"


def build(name: str) -> Path:
    """An extension that counts; its objects lie in OUT/name, where gcov finds what they counted."""
    folder = OUT / name
    folder.mkdir()
    glue = OUT / f"glue_{name}.c"
    code = f"import sys; sys.path.insert(0, 'native'); import build; build.{name}.emit_c_code(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, glue], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    include = ["-I", NATIVE, "-I", sysconfig.get_paths()["include"]]
    sources = core_sources() if name == "core" else driver_sources(name)
    flags = [flag for flag in FLAGS if not flag.startswith("-O")]
    for source in sources:
        words = [
            "gcc",
            *flags,
            "-O0",
            "-DNDEBUG",
            "--coverage",
            "-fPIC",
            *include,
            "-c",
            source,
            "-o",
            f"{source.stem}.o",
        ]
        subprocess.run(words, cwd=folder, check=True)
    out = OUT / f"_{name}.abi3.so"
    objects = [folder / f"{source.stem}.o" for source in sources]
    subprocess.run(
        ["gcc", "-shared", "--coverage", "-fPIC", "-w", *flags, *include, "-o", out, glue, *objects, "-lm"], check=True
    )
    return out


def gcov(source: Path, name: str) -> Reached:
    """What was counted of one file in an extension."""
    folder = OUT / name
    subprocess.run(["gcov", "-b", "-j", f"{source.stem}.o"], cwd=folder, check=True, capture_output=True)
    with gzip.open(next(iter(folder.glob(f"{source.stem}.*gcov.json.gz"))), "rt") as text:
        told = json.load(text)
    own = next(file for file in told["files"] if Path(file["file"]).name == source.name)["lines"]
    counted = [(line["line_number"], branch["count"]) for line in own for branch in line["branches"]]
    return Reached(
        source.name,
        len(own),
        [line["line_number"] for line in own if not line["count"]],
        len(counted),
        [number for number, count in counted if not count],
    )


def known() -> dict[str, str]:
    """The lines uncovered.md names, with their reasons."""
    text = (Path(__file__).parent / "uncovered.md").read_text()
    return {found[1]: found[2] for found in re.finditer(r"^- (\w+\.c: `.*?`) \| (.*)$", text, re.MULTILINE)}


def explain(reached: Reached) -> Iterator[tuple[str, bool]]:
    """Every line with a branch that is never taken, and why not; whether there is a reason."""
    reasons, text = known(), (NATIVE / reached.file).read_text().split("\n")
    for number in sorted({*reached.branches_missed, *reached.lines_missed}):
        reason = reasons.get(f"{reached.file}: `{text[number - 1].strip()}`")
        yield f"{reached.file}:{number}: {text[number - 1].strip()}: {reason or 'NO REASON GIVEN'}", bool(reason)


def homes() -> dict[Path, str]:
    """Of every C file, the extension in which it is counted."""
    made = dict.fromkeys(core_sources(), "core")
    for name in DRIVERS:
        made |= {path: name for path in driver_sources(name) if path not in made}
    return made


def main() -> int:
    """Build, test, count, print; 1 when there is a line that is not reached in all ways and has no reason."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    told = {**os.environ, **{variable: str(build(name)) for name, variable in MODULES.items()}}
    files = [
        path for pattern in PATTERNS for path in sorted((ROOT / "tests").glob(pattern)) if path.stem not in NO_PART
    ]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.native.tape", *files]
    if subprocess.run(words, cwd=ROOT, env=told, check=False).returncode:
        return 1
    found = [gcov(path, name) for path, name in sorted(homes().items())]
    print(f"{'file':24}{'lines':>16}{'branches':>16}")
    for reached in found:
        print(reached.row())
    lines, branches = sum(r.lines for r in found), sum(r.branches for r in found)
    missed = [n for r in found for n in r.lines_missed], [n for r in found for n in r.branches_missed]
    print(f"{'all':24}{share(lines, missed[0]):>16}{share(branches, missed[1]):>16}\n")
    explained = [row for reached in found for row in explain(reached)]
    print("\n".join(line for line, _ in explained))
    return 0 if all(has_reason for _, has_reason in explained) else 1


if __name__ == "__main__":
    sys.exit(main())
