"""`make mutants`: is there a test for every line of the core? Changes native/*.c in one place at a time and asks the tests.

    mutants.py [--all | --sample N | --again] [--seed N] [--choose FOLDER] [FILE.c ...]

--again tries those that survived the last time, and no other: after a test was written for them.
--choose takes from a folder of the fuzzer's (out/fuzz/corpus) the fewest files into the corpus that kill who survives all else.

A mutant that does not compile, or compiles to the same code, is none. The others meet, the quickest killer first:
  golden   the golden drives, fed to the runner (relay.c): any bit that differs kills, as it does in tests/test_golden.py
  alike    the plan of odd tables against the tables themselves (alike.c), as in tests/test_native_runner.py
  corpus   the fuzzer's corpus: a broken promise kills, and another hash of what is heard, as in tests/test_native_fuzz.py
  told     a test that tests/golden/told.txt names, of whose drive a bit differs: it is run, and fails (told.py)
  sane     corpus and golden drives under gcc's sanitizers, as in tests/test_native_fuzz.py
  test     the tests that see a difference, with the mutant as agent._core: which they are is told by tapes (tape.py)
Who survives is listed, against survivors.md, which says of the known ones why no test can or need tell them apart.
"""

import argparse
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from tests.native.build import APART, DRIVERS
from tests.native.fuzz import CORPUS
from tests.native.mutant_bench import OUT, SANE, TREE, Bench, Links, answer, answers, pytest
from tests.native.mutate import Mutant, mutants
from tests.native.told import wanted

HERE = Path(__file__).resolve().parent
SURVIVORS = OUT / "survivors.txt"
SAMPLE = 400
DRIVER_TESTS = {
    "socketcan": "test_drivers_socketcan*.py",
    "candump": "test_drivers_candump*.py",
    "guard": "test_*guard*.py",
    "guard_frame": "test_*guard*.py",
    "guard_line": "test_*guard*.py",
    "pick": "test_pick.py",
}
"""C files that are in extensions of their own, and their tests."""

OF_TABLES = {"table.c", "table_check.c", "bits.c", "plan.c", "checks.c"}
"""Files that tests ask directly, without a core."""

DIRECT = ("full_queue", "until_the_queue", "memory_that", "not_sound", "the_alarm", "just_fits")
"""Words in the names of tests that feed a core by another way than Core.feed."""

CHUNK = 120
"""Tapes that are run at once, the shortest first."""


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
    if changed.stem in APART:
        name = next(name for name, stems in DRIVERS.items() if changed.stem in stems)
        files = [str(path) for path in sorted((TREE / "tests").glob(DRIVER_TESTS[changed.stem]))]
        return "test" if pytest(files, {f"TBOX_{name.upper()}": str(links.driver(name, changed))}, 60) else ""
    return by_core(bench, mutant, links, where)


def by_core(bench: Bench, mutant: Mutant, links: Links, where: Path) -> str:
    """Who kills a mutant of the core."""
    runner, corpus, keep = links.runner, links.corpus, where / "said"
    drives = sorted((OUT / "golden").iterdir())

    @cache
    def seen() -> Candidates:
        return candidates(bench, mutant, runner, where)

    kills = {
        "golden": lambda: differing(bench, runner, drives, where, "golden"),
        "corpus": lambda: answer(corpus, *bench.corpus, keep=keep, what="corpus") != bench.heard,
        "alike": lambda: (
            mutant.file in OF_TABLES and answer(links.alike, *bench.odd, keep=keep, what="alike") != bench.alike
        ),
        "pool": lambda: bench.pool and is_killed_by_pool(bench, mutant, corpus, where),
        "told": lambda: seen().is_sure and pytest(seen().tests, {"TBOX_CORE": str(links.extension)}, 60),
        "sane": lambda: is_insane(bench, mutant, links, where),
        "test": lambda: seen().tests and pytest(seen().tests, {"TBOX_CORE": str(links.extension)}, 300),
    }
    return next((name for name, does_kill in kills.items() if does_kill()), "")


def is_insane(bench: Bench, mutant: Mutant, links: Links, where: Path) -> bool:
    """Whether sanitizers find it out over what is kept."""
    (where / "sane_obj").mkdir()
    changed = where / "sane_obj" / f"{Path(mutant.file).stem}.o"
    return not bench.compiled(where / mutant.file, changed, *SANE) or (
        answer(links.sane(changed), *bench.kept, keep=where / "said", what="sane") != bench.sane
    )


def is_killed_by_pool(bench: Bench, mutant: Mutant, corpus: Path, where: Path) -> bool:
    """Whether a file that could go into the corpus kills it; which ones is noted."""
    said = answer(corpus, *bench.pool, keep=where / "said", what="pool")[1]
    said += [b""] * (len(bench.pool) > len(said))  # it broke a promise here
    heard = zip(bench.pool, said, bench.pool_heard, strict=False)
    bench.killers[mutant] = {path for path, now, then in heard if now != then}
    return bool(bench.killers[mutant])


def differing(bench: Bench, runner: Path, drives: Sequence[Path], where: Path, what: str) -> set[str]:
    """The drives to which it says something else."""
    said = zip(drives, answers(runner, drives, where / "said", what), strict=True)
    return {path.name for path, words in said if words != bench.said[path]}


@dataclass(frozen=True)
class Candidates:
    """The tests that could see a difference; `is_sure`: it is one whose drives are told to the last bit (told.py)."""

    tests: list[str]
    is_sure: bool = False


def candidates(bench: Bench, mutant: Mutant, runner: Path, where: Path) -> Candidates:
    """Those of which a tape comes out otherwise, and those that ask without feeding a core."""
    tapes = sorted((OUT / "tapes").glob("*.run"), key=lambda path: path.stat().st_size)
    other: set[str] = set()
    for at in range(0, len(tapes), CHUNK):
        other |= differing(bench, runner, tapes[at : at + CHUNK], where, "tapes")
        sure = [test for test, own in bench.tapes.items() if other.intersection(own) and test in wanted()]
        if sure:
            return Candidates(sure[:1], is_sure=True)
    fed = [test for test, own in bench.tapes.items() if other.intersection(own)]
    asked = [test for test, own in bench.tapes.items() if not own or any(name in test for name in DIRECT)]
    is_table = mutant.file in OF_TABLES
    rows = {test.partition("[")[0]: test for test in reversed(fed)}  # of a table's rows one, of every test
    return Candidates([*rows.values(), *(test for test in asked if is_table or "test_native" in test)])


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
    return {found[1]: found[2] for found in re.finditer(r"^- (.* -> `.*?`) \| (.*)$", text, re.MULTILINE)}


def report(found: list[tuple[Mutant, str]], lasted_s: float) -> int:
    """The table, the survivors, the share; 1 when it is under 95 %."""
    by_file: dict[str, Counter[str]] = {}
    for mutant, by in found:
        by_file.setdefault(mutant.file, Counter())[by or "survived"] += 1
    heads = ("golden", "alike", "corpus", "pool", "told", "sane", "test", "survived", "same", "stillborn")
    total: Counter[str] = sum(by_file.values(), Counter())
    print(f"{'file':24}" + "".join(f"{head:>10}" for head in heads))
    for name, counts in [*sorted(by_file.items()), ("all", total)]:
        print(f"{name:24}" + "".join(f"{counts[head]:10}" for head in heads))
    reasons = known()
    survivors = sorted({str(mutant): mutant for mutant, by in found if not by}.values(), key=lambda m: (m.file, m.line))
    for mutant in survivors:
        print(f"{mutant.file}:{mutant.line}: survived{' (known)' if str(mutant) in reasons else ''}: {mutant}")
    SURVIVORS.write_text("".join(f"{mutant}\n" for mutant in survivors))
    killed = sum(total[head] for head in heads[:7])
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
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--choose", type=Path)
    parser.add_argument("files", nargs="*")
    told = parser.parse_args()
    last = SURVIVORS.read_text().splitlines() if told.again else []
    begin, bench = time.monotonic(), Bench(pool=sorted(told.choose.iterdir()) if told.choose else [])
    bench.prepare()
    print(f"prepared in {time.monotonic() - begin:.0f} s", flush=True)
    files = told.files or [path.name for path in sorted(bench.native.glob("*.c"))]
    every = [mutant for name in files for mutant in mutants(bench.native / name)]
    if told.again:
        every = [mutant for mutant in every if str(mutant) in last]
    chosen = every if told.all or len(every) <= told.sample else Random(told.seed).sample(every, told.sample)
    os.nice(10)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda pair: judged(bench, *pair), enumerate(chosen)))
    print(f"{len(chosen)} of {len(every)} mutants tried")
    choose(bench)
    return report(found, time.monotonic() - begin)


if __name__ == "__main__":
    sys.exit(main())
