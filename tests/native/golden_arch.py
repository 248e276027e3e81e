"""`make golden-arch`: the golden drives on x86-64, aarch64 and armhf, whole and frame by frame: the same bytes."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.maps.compile import compile_map
from agent.maps.maps import SHIPPED
from agent.settings import Settings, defaults
from agent.settings.file import load
from agent.vehicle import Table
from tests.golden_drives import all_drives
from tests.native import bus
from tests.native.build import ROOT, runner
from tests.native.pack import pack
from tests.packed import read
from tests.road import Road, half_sine, packed, steady
from tests.test_native_feed import lively

OUT = ROOT / "out" / "golden-arch"
DATA = ROOT.parent / "shared" / "data"
SIZES = (1, 37, 0)
"""Inputs fed at a time; 0: all at once."""


@dataclass(frozen=True)
class Machine:
    """A processor, how to compile for it and how to run what comes out."""

    name: str
    compiler: str
    run: tuple[str, ...] = ()
    options: tuple[str, ...] = ("-static",)


MACHINES = (
    Machine("x86-64", "gcc", options=()),
    Machine("aarch64", "aarch64-linux-gnu-gcc", ("qemu-aarch64",)),
    Machine("armhf", "arm-linux-gnueabihf-gcc", ("qemu-arm",)),
)


@dataclass(frozen=True)
class Drive:
    """Inputs, and what they are read with."""

    name: str
    inputs: bytes
    table: Table
    settings: Settings = field(default_factory=defaults)


def golden() -> Iterator[Drive]:
    """Those of tests/golden."""
    for drive in all_drives():
        yield Drive(drive.name, drive.inputs, drive.table, drive.settings)


def made() -> Iterator[Drive]:
    """Drives of the tests' own: one with everything, a crash felt by a tilted sensor, a modern bus."""
    empty = Table(name="", powertrain="combustion", vehicle_class="car", messages=())
    quick = ("detect.idling.hold_s=5", "detect.speeding.hold_s=2")
    blow = half_sine(40, 0.1, 12, (-1, 0.2, 0))
    road = Road([*bus.DRIVE.legs, (20, 0, 0)], blow=blow)
    tilted = ((0.0, -0.8, -0.6), (1.0, 0.0, 0.0), (0.0, -0.6, 0.8))
    hit = packed(road.speed(20, quantum=0.01), road.imu(100, tilted), steady(road.seconds, 5, "rpm", 1500))
    yield Drive("lively", lively(), empty, load(None, quick))
    yield Drive("lively-mounted", lively(), empty, load(None, (*quick, "imu.mounting=vehicle")))
    yield Drive("crash", hit, empty)
    yield Drive("obd-staircase", packed(road.speed(2, quantum=1 / 3.6)), empty)
    OUT.mkdir(parents=True, exist_ok=True)
    every, mapped = bus.tables(OUT)
    frames = bus.packed(bus.traffic(bus.DRIVE.seconds))
    yield Drive("modern-every", frames, every)
    yield Drive("modern-mapped", frames, mapped)


def recorded() -> Iterator[Drive]:
    """Recordings of others, where they lie beside the project."""
    obd, rav4 = compile_map(SHIPPED / "obd2.toml"), compile_map(SHIPPED / "rav4.toml")
    for name, table, path in (
        ("rav4", rav4, "comma2k19/rav4_60s_bus0.log.gz"),
        ("canedge", obd, "css_canedge/matlab_3BA199E2_165_00000005-60FEBFEB.log.gz"),
        ("canedge-short", obd, "css_canedge/matlab_3BA199E2_165_00000001-60FEB68B.log.gz"),
    ):
        if (DATA / path).exists():
            yield Drive(name, read(DATA / path), table)
    for path in sorted((DATA / "gpsd").glob("b*.log"))[:4]:
        yield Drive(f"gpsd-{path.stem}", read(path, format="nmea"), obd)


def check(drive: Drive, machines: list[tuple[Machine, Path]]) -> bool:
    """Whether all machines and all splits tell the same; the differing outputs are kept."""
    path = OUT / f"{drive.name}.run"
    pack(path, drive.settings, drive.table, drive.inputs)
    told = {
        f"{machine.name}, {f'{size} at a time' if size else 'whole'}": tell(machine, program, path, size)
        for machine, program in machines
        for size in SIZES
    }
    wanted = next(iter(told.values()))
    wrong = [name for name, text in told.items() if text != wanted]
    for name in wrong:
        (OUT / f"{drive.name} {name}.txt").write_bytes(told[name])
    lines = wanted.count(b"\n") - 1
    verdict = f"DIFFERS: {'; '.join(wrong)}" if wrong else "same"
    print(f"{drive.name:28} {len(drive.inputs) // 80:8} inputs {lines:6} outputs  {verdict}")
    return not wrong


def tell(machine: Machine, program: Path, path: Path, size: int = 0) -> bytes:
    """Every output, as text."""
    return subprocess.run([*machine.run, program, path, str(size)], check=True, capture_output=True).stdout


def differs(path: Path, one: tuple[Machine, Path], other: tuple[Machine, Path]) -> bool:
    """Whether two machines tell a drive differently."""
    return tell(*one, path) != tell(*other, path)


def main() -> int:
    """Compile for all, run all; 1 when anything differs."""
    missing = [word for machine in MACHINES for word in (machine.compiler, *machine.run) if not shutil.which(word)]
    if missing:
        print(f"not installed: {' '.join(missing)}", file=sys.stderr)
        return 1
    machines = [(it, runner(OUT / f"runner-{it.name}", *it.options, compiler=it.compiler)) for it in MACHINES]
    contracted = Machine("aarch64 with contraction", "aarch64-linux-gnu-gcc", ("qemu-aarch64",))
    control = runner(OUT / "runner-contracted", "-static", "-ffp-contract=fast", compiler=contracted.compiler)
    good = [check(drive, machines) for drives in (golden(), made(), recorded()) for drive in drives]
    print(f"{sum(good)} of {len(good)} drives: the same bytes on {', '.join(machine.name for machine in MACHINES)}")
    awake = any(differs(path, machines[0], (contracted, control)) for path in sorted(OUT.glob("*.run")))
    print(
        f"and {'different' if awake else 'THE SAME'} bytes with contraction, so these drives {'' if awake else 'do not '}show it"
    )
    return not (all(good) and awake)


if __name__ == "__main__":
    sys.exit(main())
