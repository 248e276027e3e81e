"""`make mutants`: is there a test for every line of the core? Changes native/*.c in one place at a time and asks the tests.

    mutants.py [--all | --sample N] [--seed N] [--choose FOLDER] [FILE.c ...]

--choose takes from a folder of the fuzzer's (out/fuzz/corpus) the fewest files into the corpus that kill who survives all else.

A mutant that does not compile, or compiles to the same code, is none. The others meet, the quickest killer first:
  golden   the golden drives, fed to the runner (relay.c): any bit that differs kills, as it does in tests/test_golden.py
  corpus   the fuzzer's corpus: a broken promise kills, and another hash of what is heard, as in tests/test_native_fuzz.py
  test     the tests that see a difference, with the mutant as agent._core: which they are is told by tapes (tape.py)
Who survives is listed, against survivors.md, which says of the known ones why no test can or need tell them apart.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.golden_drives import all_drives
from tests.native.build import COUNTED, FLAGS
from tests.native.fuzz import CORPUS, HARNESS
from tests.native.mutate import Mutant, mutants
from tests.native.pack import pack

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
OUT = ROOT / "out" / "mutants"
TREE = OUT / "tree"
"""A copy of all that the tests need, so that editing on does not matter."""

SAMPLE = 400
TESTS = ("tests/test_native_*.py", "tests/test_table*.py", "tests/test_compile.py")
DRIVERS = {"socketcan": ["tests/test_drivers_socketcan.py"], "candump": ["tests/test_drivers_candump.py"]}
"""C files that are extensions of their own, and their tests."""

NO_KILLERS = ("test_native_fuzz", "test_native_runner")
OF_TABLES = {"table.c", "table_check.c", "bits.c", "plan.c", "checks.c", "car.c"}
"""Files that tests ask directly, without a core."""

DIRECT = ("full_queue", "until_the_queue", "memory_that", "not_sound")
"""Words in the names of tests that feed a core by another way than Core.feed."""

TESTS_MOST = 24
RUN_S = {"golden": 2, "corpus": 3, "tapes": 12, "pool": 12}
"""Time of a processor that a run may take before it counts as endless; each takes a tenth to a third of it."""


def answer(program: Path, *words: Path, keep: Path, what: str) -> tuple[int, list[bytes]]:
    """How a program ends, and the words it says. A mutant may run for ever, or print for ever."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (RUN_S[what], RUN_S[what]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))

    with keep.open("wb") as out:
        made = subprocess.run([program, *words], stdout=out, stderr=subprocess.DEVNULL, preexec_fn=limit, check=False)
    return made.returncode, keep.read_bytes().split()


def answers(program: Path, tapes: Sequence[Path], keep: Path, what: str) -> Iterator[bytes]:
    """A hash of what the runner says to each drive; empty once it has crashed, or will not end."""
    _, said = answer(program, *tapes, keep=keep, what=what)
    yield from said
    yield from (b"" for _ in range(len(tapes) - len(said)))


@dataclass
class Bench:
    """The core as it is: its objects, what it says to every drive, and which test feeds what."""

    native: Path = TREE / "native"
    objects: dict[str, bytes] = field(default_factory=dict)
    corpus: list[Path] = field(default_factory=lambda: sorted(CORPUS.iterdir()))
    heard: tuple[int, list[bytes]] = (0, [])
    tapes: dict[str, list[str]] = field(default_factory=dict)
    pool: list[Path] = field(default_factory=list)
    pool_heard: list[bytes] = field(default_factory=list)
    killers: dict[Mutant, set[Path]] = field(default_factory=dict)
    said: dict[Path, bytes] = field(default_factory=dict)

    def prepare(self) -> None:
        """Copy and build everything once."""
        shutil.rmtree(OUT, ignore_errors=True)
        for name in ("native", "agent", "drivers", "hil", "config", "tests"):
            shutil.copytree(ROOT / name, TREE / name)
        shutil.copy(ROOT / "pyproject.toml", TREE)
        if (ROOT.parent / "shared").exists():
            (OUT / "shared").symlink_to(ROOT.parent / "shared")
        for folder in ("obj", "golden", "tapes"):
            (OUT / folder).mkdir()
        for path in sorted(self.native.glob("*.c")):
            self.objects[path.name] = self.compiled(path, OUT / "obj" / f"{path.stem}.o")
        self._harnesses()
        for name in ("core", *DRIVERS):
            self._extension(name)
        for drive in all_drives():
            path = OUT / "golden" / f"{drive.name}.run"
            pack(path, drive.settings, drive.table, drive.inputs)
        self._tape()
        links = self.link(OUT, None)
        self.heard = answer(links.corpus, *self.corpus, keep=OUT / "said", what="corpus")
        self.pool_heard = answer(links.corpus, *self.pool, keep=OUT / "said", what="pool")[1]
        assert len(self.pool_heard) == len(self.pool), f"{self.pool[len(self.pool_heard)]} breaks a promise"
        drives = [path for what in ("golden", "tapes") for path in sorted((OUT / what).glob("*.run"))]
        self.said = dict(zip(drives, answers(links.runner, drives, OUT / "said", "tapes"), strict=True))
        assert all(self.said.values()), "a drive does not run"

    def compiled(self, source: Path, out: Path, *more: str) -> bytes:
        """A C file's object; empty when it does not compile."""
        words = ["gcc", *FLAGS, "-fPIC", "-w", *more, "-I", self.native, "-c", source, "-o", out]
        made = subprocess.run(words, capture_output=True, check=False)
        return out.read_bytes() if made.returncode == 0 else b""

    def link(self, where: Path, changed: Path | None) -> "Links":
        """Programs and extension of a core in which one object is another."""
        core = {path.name: path for path in (OUT / "obj").glob("*.o") if path.stem not in DRIVERS}
        if changed and changed.stem not in DRIVERS:
            core[changed.name] = changed
        return Links(where, [path for _, path in sorted(core.items())])

    def _harnesses(self) -> None:
        (OUT / "harness").mkdir()
        for name in (*HARNESS, "replay_corpus", "packed", "relay"):
            path = TREE / "tests" / "native" / f"{name}.c"
            assert self.compiled(path, OUT / "harness" / f"{name}.o"), name

    def _extension(self, name: str) -> None:
        """The glue that cffi makes."""
        code = f"import sys; sys.path.insert(0, 'native'); import build; build.{name}.emit_c_code(sys.argv[1])"
        glue = OUT / f"glue_{name}.c"
        subprocess.run([sys.executable, "-c", code, glue], cwd=TREE, check=True, stdout=subprocess.DEVNULL)
        assert self.compiled(glue, glue.with_suffix(".o"), "-I", sysconfig.get_paths()["include"]), name

    def _tape(self) -> None:
        """Run the tests once and keep what every core in them is given."""
        files = [str(path) for pattern in TESTS for path in sorted(TREE.glob(pattern)) if path.stem not in NO_KILLERS]
        links = self.link(OUT, None)
        told = {"TBOX_TAPES": OUT / "tapes", "TBOX_CORE": links.extension}
        made = pytest(files, {name: str(path) for name, path in told.items()}, limit_s=600)
        if made:
            sys.exit(f"the tests fail on the core as it is, in {TREE}: nothing to learn from its mutants")
        self.tapes = json.loads((OUT / "tapes" / "tests.json").read_text())


@dataclass(frozen=True)
class Links:
    """What is linked when it is needed."""

    where: Path
    core: list[Path]

    def _linked(self, name: str, *words: str | Path) -> Path:
        out = self.where / name
        subprocess.run(["gcc", "-o", out, *words, "-lm"], check=True, capture_output=True)
        return out

    @property
    def runner(self) -> Path:
        """tests/native/relay.c."""
        return self._linked("relay", *COUNTED, OUT / "harness" / "relay.o", OUT / "harness" / "packed.o", *self.core)

    @property
    def corpus(self) -> Path:
        """The fuzzer's harness over files."""
        return self._linked(
            "corpus", *(OUT / "harness" / f"{name}.o" for name in (*HARNESS, "replay_corpus")), *self.core
        )

    @property
    def extension(self) -> Path:
        """agent._core."""
        return self._linked("_core.abi3.so", "-shared", OUT / "glue_core.o", *self.core)

    def driver(self, changed: Path) -> Path:
        """drivers._socketcan or drivers._candump, of this object."""
        return self._linked(f"_{changed.stem}.abi3.so", "-shared", OUT / f"glue_{changed.stem}.o", changed)


def pytest(what: Sequence[str], environment: dict[str, str], limit_s: int) -> int:
    """Run tests, stopping at the first that fails; 0 when none does."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.native.tape", "-p", "no:cacheprovider", *what]
    told = {**os.environ, **environment, "HYPOTHESIS_DATABASE_FILE": "none"}
    try:
        return subprocess.run(words, cwd=TREE, env=told, capture_output=True, timeout=limit_s, check=False).returncode
    except subprocess.TimeoutExpired:
        return 1


def killer(bench: Bench, mutant: Mutant, where: Path) -> str:
    """Who kills it: stillborn, same, golden, corpus, test; or "" when it survives."""
    source = where / mutant.file
    source.write_text(mutant.applied((bench.native / mutant.file).read_text()))
    changed = where / f"{source.stem}.o"
    code = bench.compiled(source, changed)
    if not code:
        return "stillborn"
    if code == bench.objects[mutant.file]:
        return "same"
    links = bench.link(where, changed)
    if changed.stem in DRIVERS:
        told = {f"TBOX_{changed.stem.upper()}": str(links.driver(changed))}
        return "test" if pytest(DRIVERS[changed.stem], told, 60) else ""
    return by_core(bench, mutant, links, where)


def by_core(bench: Bench, mutant: Mutant, links: Links, where: Path) -> str:
    """Who kills a mutant of the core."""
    runner, corpus = links.runner, links.corpus
    if differing(bench, runner, "golden", where):
        return "golden"
    if answer(corpus, *bench.corpus, keep=where / "said", what="corpus") != bench.heard:
        return "corpus"
    if bench.pool and is_killed_by_pool(bench, mutant, corpus, where):
        return "pool"
    tests = candidates(bench, mutant, runner, where)
    return "test" if tests and pytest(tests, {"TBOX_CORE": str(links.extension)}, 300) else ""


def is_killed_by_pool(bench: Bench, mutant: Mutant, corpus: Path, where: Path) -> bool:
    """Whether a file that could go into the corpus kills it; which ones is noted."""
    said = answer(corpus, *bench.pool, keep=where / "said", what="pool")[1]
    said += [b""] * (len(bench.pool) > len(said))  # it broke a promise here
    heard = zip(bench.pool, said, bench.pool_heard, strict=False)
    bench.killers[mutant] = {path for path, now, then in heard if now != then}
    return bool(bench.killers[mutant])


def differing(bench: Bench, runner: Path, what: str, where: Path) -> set[str]:
    """The drives to which it says something else."""
    drives = sorted((OUT / what).glob("*.run"))
    said = zip(drives, answers(runner, drives, where / "said", what), strict=True)
    return {path.name for path, words in said if words != bench.said[path]}


def candidates(bench: Bench, mutant: Mutant, runner: Path, where: Path) -> list[str]:
    """The tests that could see a difference: a tape of theirs comes out otherwise, or they ask without feeding a core."""
    other = differing(bench, runner, "tapes", where)
    fed = [test for test, tapes in bench.tapes.items() if other.intersection(tapes)]
    asked = [test for test, tapes in bench.tapes.items() if not tapes or any(name in test for name in DIRECT)]
    is_table = mutant.file in OF_TABLES
    return [
        *fed[:: max(1, len(fed) // TESTS_MOST)],
        *(t for t in asked if is_table or "test_native" in t),
    ]


def judged(bench: Bench, number: int, mutant: Mutant) -> tuple[Mutant, str]:
    """A mutant and its killer."""
    where = OUT / "work" / str(number)
    where.mkdir(parents=True)
    try:
        return mutant, killer(bench, mutant, where)
    finally:
        shutil.rmtree(where)


def choose(bench: Bench) -> None:
    """Into the corpus go the files that kill most of those still alive, until no file kills any more."""
    alive = {mutant: set(paths) for mutant, paths in bench.killers.items() if paths}
    while alive:
        votes = Counter(path for paths in alive.values() for path in paths)
        best = max(votes, key=lambda path: (votes[path] / (40 + path.stat().st_size), path.name))
        shutil.copy(best, CORPUS / best.name[:12])
        alive = {mutant: paths for mutant, paths in alive.items() if best not in paths}


def known() -> dict[str, str]:
    """The survivors that survivors.md names, with their reasons."""
    text = (HERE / "survivors.md").read_text()
    return {found[1]: found[2] for found in re.finditer(r"^- (.*?) \| (.*)$", text, re.MULTILINE)}


def report(found: list[tuple[Mutant, str]], lasted_s: float) -> int:
    """The table, the survivors, the share; 1 when it is under 95 %."""
    by_file: dict[str, Counter[str]] = {}
    for mutant, by in found:
        by_file.setdefault(mutant.file, Counter())[by or "survived"] += 1
    heads = ("golden", "corpus", "pool", "test", "survived", "same", "stillborn")
    total: Counter[str] = sum(by_file.values(), Counter())
    print(f"{'file':24}" + "".join(f"{head:>10}" for head in heads))
    for name, counts in [*sorted(by_file.items()), ("all", total)]:
        print(f"{name:24}" + "".join(f"{counts[head]:10}" for head in heads))
    reasons = known()
    survivors = sorted({str(mutant): mutant for mutant, by in found if not by}.values(), key=lambda m: (m.file, m.line))
    for mutant in survivors:
        print(f"{mutant.file}:{mutant.line}: survived{' (known)' if str(mutant) in reasons else ''}: {mutant}")
    (OUT / "survivors.txt").write_text("".join(f"{mutant}\n" for mutant in survivors))
    killed = sum(total[head] for head in heads[:4])
    alive = [mutant for mutant, by in found if not by]
    equal = sum(str(mutant) in reasons for mutant in alive)
    raw, share = (100 * killed / max(killed + len(alive) - less, 1) for less in (0, equal))
    print(
        f"{killed} of {killed + len(alive)} killed: {raw:.1f} %; {equal} of the survivors explained: {share:.1f} % ({lasted_s:.0f} s)"
    )
    return 0 if share >= 95 else 1


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int, default=SAMPLE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--choose", type=Path)
    parser.add_argument("files", nargs="*")
    told = parser.parse_args()
    begin, bench = time.monotonic(), Bench(pool=sorted(told.choose.iterdir()) if told.choose else [])
    bench.prepare()
    print(f"prepared in {time.monotonic() - begin:.0f} s", flush=True)
    files = told.files or [path.name for path in sorted(bench.native.glob("*.c"))]
    every = [mutant for name in files for mutant in mutants(bench.native / name)]
    chosen = every if told.all or len(every) <= told.sample else random.Random(told.seed).sample(every, told.sample)
    os.nice(10)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda pair: judged(bench, *pair), enumerate(chosen)))
    print(f"{len(chosen)} of {len(every)} mutants tried")
    choose(bench)
    return report(found, time.monotonic() - begin)


if __name__ == "__main__":
    sys.exit(main())
