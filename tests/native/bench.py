"""`make bench`: what core, reader, daemon, `replay` and the flash cost, against what else does the same, in one run.

Figures go to out/bench.json, with their targets, and to stdout as a table. Instructions are counted by callgrind in the C
runner, so they do not depend on the machine's load; ratios are taken within this run.
"""

import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from agent.core import Core
from agent.settings.file import load
from drivers.batch import INPUT_BYTES
from tests.native import bus
from tests.native.build import FLAGS, ROOT, runner
from tests.native.figure import Figure
from tests.native.pack import pack

OUT = ROOT / "out" / "bench"
BATCH = 4096
HOUR_FRAMES = 14_000_000
RUNS = 3
PASSES = 20
CANTOOLS_FRAMES = 20_000
PYTHON_CAN_LINES = 100_000


def counted(program: Path, packed: Path, inputs: int) -> float:
    """Instructions a frame, all of tbox_feed."""
    out = packed.with_suffix(".callgrind")
    words = [
        "valgrind",
        "--tool=callgrind",
        "--toggle-collect=tbox_feed",
        f"--callgrind-out-file={out}",
        program,
        packed,
    ]
    done = subprocess.run([*words, str(BATCH), "quiet"], capture_output=True, text=True, check=True)
    collected = next(line for line in done.stderr.splitlines() if "Collected" in line)
    return int(collected.split()[-1]) / inputs


def core() -> Iterator[Figure]:
    """The core in C: instructions, allocations, stack, the slowest input."""
    rows = bus.traffic(bus.DRIVE.seconds)
    every, mapped = bus.tables(OUT)
    program = runner(OUT / "runner")
    for name, table in (("every", every), ("mapped", mapped)):
        pack(OUT / f"{name}.run", load(None, []), table, bus.packed(rows))
    rate = len(rows) / bus.DRIVE.seconds
    signals = sum(len(message.cuts) for message in every.messages) / len(every.messages)
    yield Figure("bus: frames a second", rate, "1/s")
    yield Figure("bus: signals a frame", signals, "")
    if shutil.which("valgrind"):
        yield Figure(
            "core: every signal and all rules", counted(program, OUT / "every.run", len(rows)), "instr/frame", 350
        )
        yield Figure(
            "core: a terminal's signals and all rules", counted(program, OUT / "mapped.run", len(rows)), "instr/frame"
        )
    told = run_core(program)
    slowest = subprocess.run(
        [program, OUT / "every.run", "slowest", str(PASSES)], capture_output=True, check=True
    ).stdout
    yield Figure("core: allocations while fed", told["allocations"], "", 0)
    yield Figure("core: stack of a feed", told["stack"], "bytes")
    yield Figure("core: memory without ring, table of 420 signals", told["core"], "bytes")
    yield Figure("core: slowest input, each at its best of some passes", int(slowest) / 1000, "us")


def run_core(program: Path) -> dict[str, int]:
    """What the runner says about this machine: name and number in turn."""
    done = subprocess.run([program, OUT / "every.run", str(BATCH), "quiet"], capture_output=True, text=True, check=True)
    words = done.stderr.replace(" of ", " counted ").split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def spent_s(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of some runs."""
    best = float("inf")
    for _ in range(RUNS):
        start_s = time.process_time()
        work()
        best = min(best, time.process_time() - start_s)
    return best


def from_python() -> Iterator[Figure]:
    """Batch by batch from Python, against cantools' decode_message on the same frames."""
    import cantools.database  # noqa: PLC0415 - only here

    rows = bus.traffic(bus.DRIVE.seconds)
    every, mapped = bus.tables(OUT)
    inputs = bus.packed(rows)
    batches = [inputs[at : at + BATCH * INPUT_BYTES] for at in range(0, len(inputs), BATCH * INPUT_BYTES)]

    def feed(table: object) -> None:
        made = Core(load(None, []), table)  # type: ignore[arg-type]
        for batch in batches:
            made.feed(batch)

    database = cantools.database.load_string(bus.dbc(), "dbc")
    some = [(identifier, data) for _, identifier, data in rows[:CANTOOLS_FRAMES]]
    ours, terminal = len(rows) / spent_s(lambda: feed(every)), len(rows) / spent_s(lambda: feed(mapped))
    theirs = len(some) / spent_s(lambda: [database.decode_message(*frame) for frame in some])
    yield Figure("Python: every signal and all rules", ours / 1e6, "M frames/s", 2, is_floor=True)
    yield Figure("Python: a terminal's signals and all rules", terminal / 1e6, "M frames/s")
    yield Figure("Python: cantools decode_message", theirs / 1e6, "M frames/s")
    yield Figure("Python: ours / cantools", ours / theirs, "x", 30, is_floor=True)


def process_s(words: Sequence[str | Path]) -> tuple[float, float]:
    """Seconds by the clock and of CPU that a command takes."""
    start_s, before = time.monotonic(), getrusage(RUSAGE_CHILDREN)
    subprocess.run(words, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return time.monotonic() - start_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def replay() -> Iterator[Figure]:
    """`tbox replay` of a candump log, as a process, from start to end; a busy hour by the frames measured."""
    from can.io import CanutilsLogReader  # noqa: PLC0415 - only here

    log, turns = OUT / "hour.log", 9
    rows = bus.traffic(bus.DRIVE.seconds)
    with log.open("w") as file:
        file.writelines(bus.candump(rows, turns))
    frames = len(rows) * turns
    words = [
        Path(sys.executable).with_name("tbox"),
        "replay",
        log,
        "--vehicle",
        OUT / "bus.toml",
        "--json",
        OUT / "hour.json",
    ]
    took = [process_s(words) for _ in range(RUNS)]
    hour = HOUR_FRAMES / frames
    yield Figure("replay: frames measured", frames, "")
    yield Figure("replay: candump, start to end", min(wall_s for wall_s, _ in took), "s")
    yield Figure("replay: CPU of it", min(cpu_s for _, cpu_s in took), "s")
    yield Figure("replay: CPU of 14 million frames, in proportion", min(cpu_s for _, cpu_s in took) * hour, "s", 15)
    yield Figure("replay: time of 14 million frames, in proportion", min(wall_s for wall_s, _ in took) * hour, "s")
    start_s = time.process_time()
    with log.open() as file:
        reader = iter(CanutilsLogReader(file))
        for _ in range(PYTHON_CAN_LINES):
            next(reader)
    per_s = PYTHON_CAN_LINES / (time.process_time() - start_s)
    yield Figure("replay: python-can's reader alone, 14 million frames", HOUR_FRAMES / per_s, "s")
    log.unlink()


def daemon() -> Iterator[Figure]:
    """The daemon: see tests/native/bench_daemon.py."""
    from tests.native.bench_daemon import figures  # noqa: PLC0415 - the broker's tools are not needed before

    yield from figures(OUT)


def flash() -> Iterator[Figure]:
    """What wears the flash: see tests/native/bench_flash.py."""
    from tests.native.bench_flash import figures  # noqa: PLC0415 - only here

    yield from figures(OUT)


PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "core": core,
    "python": from_python,
    "replay": replay,
    "daemon": daemon,
    "flash": flash,
}


def show(figure: Figure) -> Figure:
    """A line of the table."""
    print(f"{figure.name:56} {figure.value:14,.2f} {figure.unit:12} {figure.verdict()}".rstrip(), flush=True)
    return figure


def main(words: list[str]) -> int:
    """All parts, or those named."""
    OUT.mkdir(parents=True, exist_ok=True)
    figures = [show(figure) for name, part in PARTS.items() if not words or name in words for figure in part()]
    machine = {"machine": platform.machine(), "python": platform.python_version(), "flags": FLAGS}
    rows = [figure._asdict() | {"verdict": figure.verdict()} for figure in figures]
    (OUT.parent / "bench.json").write_text(json.dumps(machine | {"figures": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
