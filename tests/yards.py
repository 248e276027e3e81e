"""A car on a candump log, a terminal in a folder, a fleet that signs: what it takes to flash."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from agent.flash import flash
from agent.flash.flash import Ask, Machine, Outcome, Step
from agent.settings.file import load
from agent.slots import slot_files, slot_settings
from agent.slots.slots import State
from agent.trust import trust
from agent.trust.bundle import Bundle
from tests.fleets import bundle_of, roster_form, signed_roster

WAIT_S = 90.0
VIN = "WVWZZZ1KZAW000001"
OTHER_VIN = "WVWZZZ1KZAW000002"
HZ = 200
DBC = """VERSION ""
BU_: CAR BOX
BO_ 256 MOTION: 8 CAR
 SG_ SPEED : 0|16@1+ (0.01,0) [0|300] "km/h" BOX
 SG_ ODOMETER : 16|32@1+ (0.1,0) [0|400000000] "km" BOX
BO_ 257 ENGINE: 8 CAR
 SG_ RPM : 0|16@1+ (0.25,0) [0|16000] "1/min" BOX
"""
MAP = """[vehicle]
name = "Van"
[[source]]
dbc = "van.dbc"
[signal.speed]
message = "MOTION"
signal = "SPEED"
[signal.odometer]
message = "MOTION"
signal = "ODOMETER"
[signal.rpm]
message = "ENGINE"
signal = "RPM"
"""
FILES = {"maps/van.toml": MAP.encode(), "maps/van.dbc": DBC.encode()}


@cache
def drive(seconds: int, vin: str, first_id: int) -> str:
    """A candump log: motion and engine at HZ, the VIN (ISO-TP, as when a tester asks) once a second."""
    lines = list[str]()
    for tick in range(seconds * HZ):
        at = f"(1700000000.{0:06d})" if tick == 0 else f"({1700000000 + tick / HZ:.6f})"
        speed, rpm = min(5000, tick * 5), 8000
        km10 = 1_234_567 + tick // 4000
        lines.append(
            f"{at} can0 {first_id:03X}#{speed.to_bytes(2, 'little').hex()}{km10.to_bytes(4, 'little').hex()}0000"
        )
        lines.append(f"{at} can0 {first_id + 1:03X}#{rpm.to_bytes(2, 'little').hex()}000000000000")
        if vin and tick % HZ == 0:
            told = vin.encode().hex()
            lines += [
                f"{at} can0 7E8#1014490201{told[:6]}",
                f"{at} can0 7E8#21{told[6:20]}",
                f"{at} can0 7E8#22{told[20:34]}",
            ]
    return "\n".join(lines).upper().replace("CAN0", "can0") + "\n"


class Yard:
    """A folder with the machine's file, a car, and a state."""

    def __init__(
        self,
        folder: Path,
        *,
        seconds: int = 120,
        vin: str = VIN,
        first_id: int = 0x100,
        boots: int = 1,
        is_trusting: bool = True,
    ) -> None:
        self.folder, self.state_dir = folder, folder / "state"
        self.config = folder / "machine.toml"
        (folder / "car.log").write_text(drive(seconds, vin, first_id) if seconds else "")
        paths = '["car.log"]' if seconds else "[]"
        self.config.write_text(
            f'[device]\nstate_dir = "state"\nhardware = "test-box"\n[recording]\npaths = {paths}\n'
            '[mqtt]\nhost = "127.0.0.1"\nport = 1\ntls = false\n'
            f"[flash]\ncheck_s = 1.0\nhealthy_s = 2.5\nwindow_s = 60.0\nboots = {boots}\n"
        )
        self.state_dir.mkdir(mode=0o700)
        if is_trusting:
            trust.pin(load(self.config), signed_roster(roster_form()))

    @property
    def state(self) -> State:
        """What is in force."""
        return slot_files.read(self.state_dir)

    def bundle(self, name: str, bundle: Bundle) -> Path:
        """Put a bundle into the folder."""
        path = self.folder / name
        path.write_bytes(bundle.raw())
        return path

    def install(self, told: Bundle | Path | bytes, **said: Any) -> tuple[Outcome, list[Step]]:
        """In this process, agreed to."""
        steps = list[Step]()
        raw = told.raw() if isinstance(told, Bundle) else told
        return flash.install(Machine(self.config), Ask(raw, **said), steps.append), steps

    def end_s(self) -> float:
        """A setting that is in force, which bundles here set."""
        return slot_settings.machine(self.config).settings.trip.end_s

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """One command of tbox on this terminal."""
        return self.run_plain(*words, "--config", self.config)

    def run_plain(self, *words: object) -> subprocess.CompletedProcess[str]:
        """One command that takes no settings."""
        line = [sys.executable, "-m", "agent.cli", *map(str, words)]
        return subprocess.run(
            line, capture_output=True, text=True, check=False, timeout=WAIT_S * 4, stdin=subprocess.DEVNULL
        )

    def flash(self, path: Path, *words: object) -> "Flashed":
        """`tbox flash --yes --json`."""
        return Flashed(self.run("flash", path, "--yes", "--json", *words))


class Flashed:
    """What a flash told."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.err = done.returncode, done.stderr
        self.steps = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
        last = self.steps[-1] if self.steps else {}
        self.outcome = last.get("outcome", {})
        self.verdicts = {step["check"]["name"]: step["check"]["verdict"] for step in self.steps if "check" in step}
        self.changes = {step["change"]["name"]: step["change"] for step in self.steps if "change" in step}

    @property
    def words(self) -> str:
        """For a failed assertion."""
        return f"{self.code} {self.outcome} {self.err}"


def van(
    version: int = 12, settings: str = "[trip]\nend_s = 200\n", map_name: str = "maps/van.toml", **said: Any
) -> Bundle:
    """A bundle with the van's map."""
    toml = f'{settings}[vehicle]\nmap = "{map_name}"\n'
    return bundle_of({"tbox.toml": toml.encode(), **FILES}, version=version, **said)


def until(condition: Callable[[], bool], what: str, seconds: float = WAIT_S) -> None:
    """Wait for it."""
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.02)


def daemon(yard: Yard, module: str = "agent.cli") -> Sequence[str]:
    """The words that start it."""
    return ["-m", module, "run", "--config", str(yard.config)]
