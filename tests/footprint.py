"""What the agent takes on each processor: size, instructions, memory; a table of x86-64, aarch64 and armhf.

Instructions are those that the program itself executed, as QEMU's user mode counts them (tests/native/instructions.c): the
kernel's are not in them, and they say nothing of how long one takes. Per frame is what a frame more costs: twice the
drive less once the drive. Memory is what the kernel of a machine with that processor counts (VmHWM): emulated for ARM
(tests/arm_system.py), this one for x86-64, whose programs run without QEMU.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent.maps import compile  # noqa: A004 - the room's name
from agent.settings import defaults
from agent.vehicle import save
from tests import foreign
from tests.foreign import AARCH64, ARMHF, OUT, ROOT, X86, MakeError, Processor
from tests.native import bus
from tests.native.build import runner
from tests.native.pack import pack

FRAMES_S = 10.0
"""So much of the bench's bus (tests/native/bus.py: 2,400 frames/s) is one drive."""
START_S = 600.0
TURN_S = 0.2
READ = "all of it was read"
DRIVE = ROOT / "tests" / "golden" / "emergency-stop.csv"
PLUGIN = OUT / "libinstructions.so"
_COUNTED = re.compile(rb"instructions: (\d+)")
_CORE = re.compile(r"core (\d+)")
Told = dict[str, Any]


def counted(processor: Processor, words: Sequence[str | Path], until: str = "") -> int:
    """Instructions of a command there; with `until`, it is told to end once it has said that. MakeError."""
    root = processor.root
    command = [f"qemu-{processor.emulator}", "-plugin", PLUGIN, "-L", root, *words]
    path = {"PYTHONPATH": f"{root}/site:{processor.tree}", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
    with tempfile.NamedTemporaryFile() as said:
        process = subprocess.Popen(command, env=os.environ | path, stdout=said, stderr=said, cwd=processor.tree)
        until_s = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < until_s:
            if until and until.encode() in Path(said.name).read_bytes():
                process.send_signal(signal.SIGTERM)
                until = ""
            time.sleep(TURN_S)
        process.kill()
        code, text = process.wait(), Path(said.name).read_bytes()
    found = _COUNTED.search(text)
    if code or found is None:
        raise MakeError(f"{processor.name}: {' '.join(map(str, words[-3:]))} exits {code}: {text.decode()[-600:]}")
    return int(found[1])


def tbox(processor: Processor) -> list[str | Path]:
    """The command line there."""
    return [processor.root / "usr" / "bin" / "python3", "-m", "agent.cli"]


def start(processor: Processor, folder: Path) -> int:
    """`tbox run` from its begin over a recording of 20 s to its end, all of it: nearly all is import."""
    config = folder / f"{processor.name}.toml"
    config.write_text(f'[device]\nstate_dir = "{folder}/{processor.name}"\n')
    return counted(processor, [*tbox(processor), "run", "--config", config, "--recorded", DRIVE], until=READ)


def replay(processor: Processor, folder: Path) -> float:
    """`tbox replay` of a frame more of a candump log."""
    once, twice = (
        counted(processor, [*tbox(processor), "replay", folder / f"{times}.log", "--vehicle", folder / "bus.table"])
        for times in (1, 2)
    )
    return (twice - once) / len(_rows())


def core(processor: Processor, folder: Path) -> tuple[float, int]:
    """The core's instructions for a frame more of the same bus, and its bytes without the ring."""
    program = runner(folder / f"runner-{processor.name}", "-static", compiler=f"{processor.triple}-gcc")
    half, whole = (counted(processor, [program, folder / f"{name}.run", "4096", "quiet"]) for name in ("half", "whole"))
    words = [f"qemu-{processor.emulator}", str(program), str(folder / "half.run"), "4096", "quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (found,) = _CORE.findall(done.stderr)
    return (whole - half) / (len(_rows()) - len(_rows()) // 2), int(found)


def sizes(processor: Processor) -> dict[str, float]:
    """Of what the wheel installs, without hil/: extensions without debug information, all else, KiB."""
    other, native = 0, 0
    with zipfile.ZipFile(processor.wheel) as wheel, tempfile.TemporaryDirectory() as name:
        for entry in wheel.infolist():
            if entry.filename.partition("/")[0] not in ("agent", "drivers", "config"):
                continue
            if entry.filename.endswith(".so"):
                path = Path(wheel.extract(entry, name))
                subprocess.run([f"{processor.triple}-strip", path], check=True)
                native += path.stat().st_size
            else:
                other += entry.file_size
    return {"extensions, KiB": native / 1024, "Python, maps, settings, KiB": other / 1024}


def memory(processor: Processor, told: Told) -> dict[str, float]:
    """VmHWM of replay and of a run, MiB: here, or what the emulated machine said."""
    if not processor.elf:
        path = processor.tree / "resident.json"
        if foreign.inside(processor, ["python3", "-m", "tests.resident", f"/tbox/{path.name}"]):
            raise MakeError(f"{processor.name}: its memory could not be measured")
        told.setdefault("memory", {})[processor.name] = json.loads(path.read_text())
    kib = told.get("memory", {}).get(processor.name, {})
    return {f"{name}: memory, MiB": size / 1024 for name, size in kib.items()}


def _rows() -> list[bus.Timed]:
    return bus.traffic(FRAMES_S)


def prepare(folder: Path) -> None:
    """The drive as logs and as what the runner reads; the plugin."""
    rows = _rows()
    for times in (1, 2):
        (folder / f"{times}.log").write_text("".join(bus.candump(rows, times)))
    table = compile.compile_map(bus.write_map(folder))
    save(table, folder / "bus.table")
    for name, some in (("half", rows[: len(rows) // 2]), ("whole", rows)):
        pack(folder / f"{name}.run", defaults(), table, bus.packed(some))
    options = ["-std=c11", "-O2", "-fPIC", "-shared", "-o", str(PLUGIN)]
    subprocess.run(["gcc", *options, str(ROOT / "tests" / "native" / "instructions.c")], check=True)


def figures(processor: Processor, folder: Path, told: Told) -> dict[str, float]:
    """A column of the table."""
    instructions, size = core(processor, folder)
    return {
        **sizes(processor),
        "core: memory without ring, bytes": size,
        "core: instructions a frame": instructions,
        "tbox replay: instructions a frame": replay(processor, folder),
        "tbox run: start, 20 s of drive, end, M instructions": start(processor, folder) / 1e6,
        **memory(processor, told),
    }


def run(told: Told) -> bool:
    """All of it, printed and kept."""
    folder = OUT / "footprint"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prepare(folder)
    columns = {it.name: figures(it, folder, told) for it in (X86, AARCH64, ARMHF)}
    told["footprint"] = columns
    show(columns)
    return True


def show(columns: dict[str, dict[str, float]], say: Callable[[str], None] = print) -> None:
    """A line a figure, a column a processor; what was not measured is a dash."""
    say(f"{'':54}" + "".join(f"{name:>12}" for name in columns))
    for row in dict.fromkeys(name for column in columns.values() for name in column):
        cells = (f"{column[row]:12,.1f}" if row in column else f"{'-':>12}" for column in columns.values())
        say(f"{row:54}" + "".join(cells))
