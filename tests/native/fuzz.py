"""`make fuzz`: bytes read as a drive, with clang's libFuzzer; `make fuzz-awake`: bugs that are planted are found.

fuzz.py run [SECONDS]      fuzz on from the corpus; what breaks a promise stays in out/fuzz
fuzz.py awake [SECONDS]    each bug of planted.py, alone, in a copy of native/: the fuzzer must find it in so many seconds
fuzz.py keep               make the corpus anew: the fewest files that reach all that is known to be reachable
fuzz.py hear               write down what is heard from the core over the corpus (make golden)
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
HARNESS = ("heard", "wild", "wild_setup", "promises", "fuzz", "fuzz_table", "fuzz_can")
FLAGS = (
    "-std=c11", "-O1", "-g", "-ffp-contract=off", "-fno-sanitize-recover=all",
    "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wvla", "-Werror",
)  # fmt: skip
FUZZER = ("clang", "-fsanitize=fuzzer,address,undefined")
PLAIN = ("gcc", "-fsanitize=address,undefined")
LONGEST_BYTES = 1024


def build(out: Path, native: Path, compiler: tuple[str, ...], *more: str) -> Path:
    """The harness and the core in `native`, linked into `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = [
        path for path in driver_sources("socketcan") if path.stem != "socketcan"
    ]  # fuzz_can.c has that one inside
    core = [native / path.name for path in (*core_sources(), *beside)]
    harness = [HERE / f"{name}.c" for name in (*HARNESS, *more)]
    subprocess.run([*compiler, *FLAGS, "-I", native, "-o", out, *harness, *core, "-lm"], check=True)
    return out


def replayer(out: Path) -> Path:
    """The harness without a fuzzer: runs over files, with gcc's sanitizers."""
    return build(out, ROOT / "native", PLAIN, "replay_corpus", "packed")


def heard(program: Path, files: Sequence[Path]) -> str:
    """A line per file: its name, and a hash of what the core told; raises when a promise is broken."""
    made = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    return "".join(f"{path.name} {told}\n" for path, told in zip(files, made.stdout.split(), strict=True))


def hear() -> int:
    """Write it down."""
    HEARD.write_text(heard(replayer(OUT / "replay"), sorted(CORPUS.iterdir())))
    return 0


def fuzz(program: Path, found: Path, seconds: int, *corpora: Path) -> subprocess.CompletedProcess[str]:
    """Fuzz for so long, or until something breaks; 0 when nothing did."""
    found.mkdir(parents=True, exist_ok=True)
    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_BYTES}",
        "-timeout=10",
        "-seed=1",
        "-print_final_stats=1",
        "-use_value_profile=1",
    ]
    words = ["nice", program, *limits, f"-artifact_prefix={found}/", found / "corpus", *corpora]
    (found / "corpus").mkdir(exist_ok=True)
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)


def run(seconds: int) -> int:
    """Fuzz the core as it is."""
    made = fuzz(build(OUT / "fuzz", ROOT / "native", FUZZER), OUT, seconds, CORPUS)
    lines = made.stderr.splitlines()
    print("\n".join(line for line in lines if line.startswith("stat::") or "DONE" in line))
    if made.returncode:
        print("\n".join([line for line in lines if "NEW" not in line and "REDUCE" not in line][-60:]))
        print(f"broken; the bytes are in {OUT}: run {OUT / 'fuzz'} on them again")
    return made.returncode


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
    made = [path for path in found.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-"))]
    return bool(made) and subprocess.run([sound, *made], capture_output=True, check=False).returncode == 0


def awake(seconds: int) -> int:
    """Every planted bug is found, by fuzzing on from the corpus."""
    sound = build(OUT / "fuzz", ROOT / "native", FUZZER)
    good = 0
    for bug in PLANTED:
        native = plant(bug)
        program, begin = build(native.parent / "fuzz", native, FUZZER), time.monotonic()
        made = fuzz(program, native.parent, seconds, CORPUS)
        lasted_s = time.monotonic() - begin
        innocent = made.returncode != 0 and is_innocent(sound, native.parent)
        good += innocent
        other = "MISSED" if not made.returncode else f"ANOTHER BUG, not the planted one: {native.parent}"
        verdict = f"found in {lasted_s:4.1f} s" if innocent else other
        print(f"{bug.name:22} {verdict}  {complaint(made.stderr) if made.returncode else ''}", flush=True)
    print(f"{good} of {len(PLANTED)} planted bugs found")
    return 0 if good == len(PLANTED) else 1


def keep() -> int:
    """The corpus anew, out of itself and what fuzzing left: by reached edges, as few and as short as can be."""
    program, kept = build(OUT / "fuzz", ROOT / "native", FUZZER), OUT / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    words = [program, "-set_cover_merge=1", "-use_counters=0", "-max_len=1024", kept, OUT / "corpus", CORPUS]
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
    return (awake if what == "awake" else run)(int(rest[0]) if rest else 60)


if __name__ == "__main__":
    sys.exit(main())
