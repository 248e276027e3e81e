"""`make fuzz`: bytes read as a drive, with clang's libFuzzer; `make fuzz-awake`: bugs that are planted are found.

fuzz.py run [SECONDS [SEED]]      fuzz on from the corpus; what breaks a promise stays in out/fuzz
fuzz.py awake [SECONDS [SEED [BUG ...]]]  each bug of planted.py, or these, alone, in a copy of native/: found in time, or missed
fuzz.py keep                      make the corpus anew: the fewest files that reach all that is known to be reachable
fuzz.py hear                      write down what is heard from the core over the corpus (make golden)
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.native.build import core_sources, driver_sources
from tests.native.planted import PLANTED, Planted

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
HEARD = HERE / "corpus.heard"
OUT = ROOT / "out" / "fuzz"
HARNESS = ("heard", "novel", "wild", "wild_setup", "promises", "fuzz", "fuzz_table", "fuzz_can")
FLAGS = (
    "-std=c11", "-O2", "-g", "-ffp-contract=off", "-fno-sanitize-recover=all",
    "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wvla", "-Werror",
)  # fmt: skip
SANITIZERS = "address,undefined,float-divide-by-zero"
LONGEST_BYTES = 1024
TOLD = ("DONE", "number_of_executed", "core_inputs_fed")
ROOMS = {"can": (2, 0.05), "table": (1, 0.15), "drive": (0, 0.8)}
"""Each room's number in tests/native/room.h, and its share of the time: drives take a hundred times as long as the others."""
FOUND = ("crash-", "timeout-", "oom-")
"""How libFuzzer's files begin that hold what broke something."""


def sources(native: Path) -> list[Path]:
    """The core in `native`, and what the reader of datagrams needs: fuzz_can.c has that one inside."""
    beside = [path for path in driver_sources("socketcan") if path.stem != "socketcan"]
    return [native / path.name for path in (*core_sources(), *beside)]


def harness(*names: str) -> list[Path]:
    """What runs it."""
    return [HERE / f"{name}.c" for name in names]


def fuzzer(out: Path, native: Path) -> Path:
    """The core in `native` and the harness, with libFuzzer.

    Only what is fuzzed is counted as reached. Comparisons are not traced: the bytes choose what a drive is made of and are
    compared with nothing, and tracing costs two thirds of the speed.
    """
    objects = out.parent / f"{out.name}.objects"
    shutil.rmtree(objects, ignore_errors=True)
    objects.mkdir(parents=True)
    words: list[str | Path] = ["clang", *FLAGS, "-I", native]
    beside = harness(*(name for name in HARNESS if name != "fuzz_can"), "fuzz_mutate")
    subprocess.run([*words, f"-fsanitize={SANITIZERS}", "-c", *beside], check=True, cwd=objects)
    counted = [f"-fsanitize=fuzzer,{SANITIZERS}", "-fno-sanitize-coverage=trace-cmp"]
    fuzzed = [*harness("fuzz_can"), *sources(native)]
    subprocess.run([*words, *counted, "-o", out, *objects.iterdir(), *fuzzed, "-lm"], check=True)
    return out


def replayer(out: Path) -> Path:
    """The harness without a fuzzer: runs over files, with gcc's sanitizers."""
    out.parent.mkdir(parents=True, exist_ok=True)
    native = ROOT / "native"
    files = [*harness(*HARNESS, "replay_corpus", "packed"), *sources(native)]
    subprocess.run(["gcc", *FLAGS, f"-fsanitize={SANITIZERS}", "-I", native, "-o", out, *files, "-lm"], check=True)
    return out


def heard(program: Path, files: Sequence[Path]) -> str:
    """A line per file: its name, and a hash of what the core told; raises when a promise is broken."""
    made = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    return "".join(f"{path.name} {told}\n" for path, told in zip(files, made.stdout.split(), strict=True))


def hear() -> int:
    """Write it down."""
    HEARD.write_text(heard(replayer(OUT / "replay"), sorted(CORPUS.iterdir())))
    return 0


def fuzz_room(program: Path, found: Path, room: str, seconds: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Fuzz one room for so long, or until something breaks; 0 when nothing did. What is new is kept in found/room."""
    number, share = ROOMS[room]
    limits = [
        f"--room={number}",
        f"-max_total_time={max(1, round(seconds * share))}",
        f"-max_len={LONGEST_BYTES}",
        "-timeout=10",
        f"-seed={seed}",
        "-print_final_stats=1",
    ]
    (found / room).mkdir(parents=True, exist_ok=True)
    words: list[str | Path] = ["nice", program, *limits, f"-artifact_prefix={found}/", found / room, CORPUS]
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)


def fuzz(program: Path, found: Path, seconds: int, seed: int) -> dict[str, subprocess.CompletedProcess[str]]:
    """Fuzz one room after the other, until something breaks; only the last can be broken."""
    made = {}
    for room in ROOMS:
        made[room] = fuzz_room(program, found, room, seconds, seed)
        if made[room].returncode:
            break
    return made


def broken(made: dict[str, subprocess.CompletedProcess[str]]) -> str | None:
    """What the fuzzer said when something broke."""
    return next((told.stderr for told in made.values() if told.returncode), None)


def run(seconds: int, seed: int) -> int:
    """Fuzz the core as it is."""
    made = fuzz(fuzzer(OUT / "fuzz", ROOT / "native"), OUT, seconds, seed)
    for room, told in made.items():
        done = [line for line in told.stderr.splitlines() if any(word in line for word in TOLD)]
        print(f"{room}:", *done, sep="\n  ")
    said = broken(made)
    if said is not None:
        print("\n".join([line for line in said.splitlines() if "NEW" not in line and "REDUCE" not in line][-60:]))
        print(f"broken; the bytes are in {OUT}: run {OUT / 'fuzz'} on them again")
    return 0 if said is None else 1


def plant(bug: Planted) -> Path:
    """A copy of native/ with the bug."""
    native = OUT / "planted" / bug.name / "native"
    shutil.rmtree(native.parent, ignore_errors=True)
    shutil.copytree(ROOT / "native", native, ignore=shutil.ignore_patterns("__pycache__"))
    path = native / bug.file
    text = path.read_text()
    if text.count(bug.good) != 1:
        sys.exit(f"planted.py: {bug.name}: {bug.file} does not hold its line exactly once")
    path.write_text(text.replace(bug.good, bug.bad))
    return native


def complaint(said: str) -> str:
    """The line that says what broke."""
    signs = ("broken promise: ", "runtime error: ", "Assertion ", "ERROR: ")
    return next((line.partition(sign)[2][:70] for sign in signs for line in said.splitlines() if sign in line), "?")


def is_innocent(sound: Path, found: Path) -> bool:
    """Whether the core without the bug takes the same bytes, so that it is the planted one that was found."""
    made = [path for path in found.iterdir() if path.name.startswith(FOUND)]
    return bool(made) and subprocess.run([sound, *made], capture_output=True, check=False).returncode == 0


def awake(seconds: int, seed: int, names: Sequence[str]) -> int:
    """Every planted bug is found, or every one of these, by fuzzing on from the corpus."""
    bugs = [bug for bug in PLANTED if not names or bug.name in names]
    if len(bugs) < len(names):
        sys.exit(f"planted.py has {', '.join(bug.name for bug in PLANTED)}")
    sound = fuzzer(OUT / "fuzz", ROOT / "native")
    good = 0
    for bug in bugs:
        native = plant(bug)
        program, begin = fuzzer(native.parent / "fuzz", native), time.monotonic()
        said = broken(fuzz(program, native.parent, seconds, seed))
        lasted_s = time.monotonic() - begin
        innocent = said is not None and is_innocent(sound, native.parent)
        good += innocent
        other = "MISSED" if said is None else f"ANOTHER BUG, not the planted one: {native.parent}"
        verdict = f"found in {lasted_s:4.1f} s" if innocent else other
        print(f"{bug.name:22} {verdict}  {complaint(said) if said else ''}", flush=True)
    print(f"{good} of {len(bugs)} planted bugs found")
    return 0 if good == len(bugs) else 1


def keep() -> int:
    """The corpus anew, out of itself and what fuzzing left: by reached edges, as few and as short as can be."""
    program, kept = fuzzer(OUT / "fuzz", ROOT / "native"), OUT / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    words: list[str | Path] = [
        program,
        "-set_cover_merge=1",
        "-use_counters=0",
        f"-max_len={LONGEST_BYTES}",
        kept,
        CORPUS,
    ]
    words += [OUT / room for room in ROOMS if (OUT / room).is_dir()]
    subprocess.run(words, check=True, capture_output=True)
    shutil.rmtree(CORPUS)
    CORPUS.mkdir()
    for path in sorted(kept.iterdir()):
        shutil.copy(path, CORPUS / path.name[:12])
    print(f"{len(list(CORPUS.iterdir()))} files, {sum(p.stat().st_size for p in CORPUS.iterdir())} bytes")
    return 0


def main() -> int:
    """The command line."""
    what, *rest = sys.argv[1:] or ["run"]
    if what != "hear" and not shutil.which("clang"):
        print("clang is not here: apt-get install clang", file=sys.stderr)
        return 1
    if what in ("keep", "hear"):
        return keep() if what == "keep" else hear()
    seconds, seed = (int(word) for word in (*rest[:2], *("60", "1")[len(rest) :]))
    return awake(seconds, seed, rest[2:]) if what == "awake" else run(seconds, seed)


if __name__ == "__main__":
    sys.exit(main())
