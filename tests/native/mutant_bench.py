"""What a mutant is tried on: the core as it is, its objects, what it says to every drive, and which test feeds what."""

import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.golden_drives import all_drives
from tests.native.build import APART, COUNTED, DRIVERS, FLAGS
from tests.native.fuzz import CORPUS, HARNESS
from tests.native.grid_drives import BUS, grid_drives
from tests.native.mutate import Mutant
from tests.native.odd_tables import pack_odd
from tests.native.pack import pack

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "mutants"
TREE = OUT / "tree"
"""A copy of all that the tests need, so that editing on does not matter."""

ODD_TABLES = 60
TESTS = (
    "test_native_*.py", "test_table*.py", "test_compile.py", "test_checks*.py", "test_j1939.py", "test_decode.py",
)  # fmt: skip
NO_KILLERS = ("test_native_fuzz", "test_native_runner")
REPLAYER = (*HARNESS, "replay_corpus", "packed")
SANE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1")
WAIT_SHARE = 20
"""A test that waits for something instead of computing is given up after so many times its limit."""

RUN_S = {"golden": 2, "corpus": 3, "alike": 3, "tapes": 12, "pool": 12, "sane": 20}
"""Time of a processor that a run may take before it counts as endless; each takes a tenth to a third of it."""


def answer(program: Path, *words: Path, keep: Path, what: str) -> tuple[int, list[bytes]]:
    """How a program ends, and the words it says. A mutant may run for ever, or print for ever."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (RUN_S[what], RUN_S[what]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if what != "sane":  # the sanitizers map terabytes
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
    alike: tuple[int, list[bytes]] = (0, [])
    sane: tuple[int, list[bytes]] = (0, [])
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
        for folder in ("obj", "obj_sane", "golden", "tapes", "odd"):
            (OUT / folder).mkdir()
        for path in sorted(self.native.glob("*.c")):
            self.objects[path.name] = self.compiled(path, OUT / "obj" / f"{path.stem}.o")
            self.compiled(path, OUT / "obj_sane" / f"{path.stem}.o", *SANE)
        self._harnesses()
        for name in ("core", *DRIVERS):
            self._extension(name)
        for drive in all_drives():
            path = OUT / "golden" / f"{drive.name}.run"
            pack(path, drive.settings, drive.table, drive.inputs)
        for name, settings, inputs in grid_drives():
            pack(OUT / "golden" / f"{name}.run", settings, BUS, inputs)
        for seed in range(ODD_TABLES):
            pack_odd(OUT / "odd" / f"{seed}.run", Random(seed))
        self._tape()
        links = self.link(OUT, None)
        self.sane = answer(links.sane(None), *self.kept, keep=OUT / "said", what="sane")
        assert self.sane[0] == 0, "corpus or golden drives are not sane"
        self.alike = answer(links.alike, *self.odd, keep=OUT / "said", what="alike")
        self.heard = answer(links.corpus, *self.corpus, keep=OUT / "said", what="corpus")
        self.pool_heard = answer(links.corpus, *self.pool, keep=OUT / "said", what="pool")[1]
        assert len(self.pool_heard) == len(self.pool), f"{self.pool[len(self.pool_heard)]} breaks a promise"
        drives = [path for what in ("golden", "tapes") for path in sorted((OUT / what).glob("*.run"))]
        self.said = dict(zip(drives, answers(links.runner, drives, OUT / "said", "tapes"), strict=True))
        silent = next((path for path, words in self.said.items() if not words), None)
        assert silent is None, f"the runner ends at {silent}"

    @property
    def kept(self) -> list[Path]:
        """The corpus and the golden drives."""
        return [*self.corpus, *sorted((OUT / "golden").iterdir())]

    @property
    def odd(self) -> list[Path]:
        """The odd tables."""
        return sorted((OUT / "odd").iterdir())

    def compiled(self, source: Path, out: Path, *more: str) -> bytes:
        """A C file's object; empty when it does not compile."""
        words = ["gcc", *FLAGS, "-fPIC", "-w", *more, "-I", self.native, "-c", source, "-o", out]
        made = subprocess.run(words, capture_output=True, check=False)
        return out.read_bytes() if made.returncode == 0 else b""

    def link(self, where: Path, changed: Path | None) -> "Links":
        """Programs and extension of a core in which one object is another."""
        core = {path.name: path for path in (OUT / "obj").glob("*.o") if path.stem not in APART}
        if changed and changed.stem not in APART:
            core[changed.name] = changed
        return Links(where, [path for _, path in sorted(core.items())])

    def _harnesses(self) -> None:
        (OUT / "harness").mkdir()
        for name in (*HARNESS, "replay_corpus", "packed", "relay", "alike"):
            path = TREE / "tests" / "native" / f"{name}.c"
            assert self.compiled(path, OUT / "harness" / f"{name}.o"), name
            self.compiled(path, OUT / "harness" / f"{name}_sane.o", *SANE)

    def _extension(self, name: str) -> None:
        """The glue that cffi makes."""
        code = f"import sys; sys.path.insert(0, 'native'); import build; build.{name}.emit_c_code(sys.argv[1])"
        glue = OUT / f"glue_{name}.c"
        subprocess.run([sys.executable, "-c", code, glue], cwd=TREE, check=True, stdout=subprocess.DEVNULL)
        assert self.compiled(glue, glue.with_suffix(".o"), "-I", sysconfig.get_paths()["include"]), name

    def _tape(self) -> None:
        """Run the tests once and keep what every core in them is given."""
        files = [
            str(p) for pattern in TESTS for p in sorted((TREE / "tests").glob(pattern)) if p.stem not in NO_KILLERS
        ]
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
        harness = [OUT / "harness" / f"{name}.o" for name in REPLAYER]
        beside = [OUT / "obj" / f"{stem}.o" for stem in DRIVERS["socketcan"] if stem != "socketcan"]
        return self._linked("corpus", *harness, *beside, *self.core)

    def sane(self, changed: Path | None) -> Path:
        """The same under sanitizers; `changed` is an object made for them."""
        harness = [OUT / "harness" / f"{name}_sane.o" for name in REPLAYER]
        own = [OUT / "obj_sane" / path.name for path in self.core if not changed or path.name != changed.name]
        beside = [OUT / "obj_sane" / f"{stem}.o" for stem in DRIVERS["socketcan"] if stem != "socketcan"]
        return self._linked("sane", *SANE, *harness, *beside, *own, *([changed] if changed else []))

    @property
    def alike(self) -> Path:
        """tests/native/alike.c."""
        return self._linked("alike", OUT / "harness" / "alike.o", OUT / "harness" / "packed.o", *self.core)

    @property
    def extension(self) -> Path:
        """agent._core."""
        return self._linked("_core.abi3.so", "-shared", OUT / "glue_core.o", *self.core)

    def driver(self, name: str, changed: Path) -> Path:
        """An extension of drivers/, with this object."""
        objects = [changed if stem == changed.stem else OUT / "obj" / f"{stem}.o" for stem in DRIVERS[name]]
        return self._linked(f"_{name}.abi3.so", "-shared", OUT / f"glue_{name}.o", *objects)


def pytest(what: Sequence[str], environment: dict[str, str], limit_s: int) -> int:
    """Run tests, stopping at the first that fails; 0 when none does. `limit_s`: of a processor, whoever else is busy."""
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.native.tape", "-p", "no:cacheprovider", *what]
    told = {**os.environ, **environment, "HYPOTHESIS_DATABASE_FILE": "none"}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))

    try:
        made = subprocess.run(
            words,
            cwd=TREE,
            env=told,
            capture_output=True,
            preexec_fn=limit,
            timeout=WAIT_SHARE * limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1
    return made.returncode
