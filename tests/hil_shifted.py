"""Any fault at any time? Each fault around a running terminal, at times that a seed throws.

    python -m tests.hil_shifted [--seed N] [--place kernel] [SCENARIO...]

Scenarios that ship are run with their faults elsewhere in the drive, as long as they were, now and then beyond its end.
What must hold at any time is asked of them: every frame and every record accounted for, all of it delivered in order and
verified, so many starts, ended as it should.
"""

import argparse
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hil.__main__ import main as bench
from hil.car.road import lasts_s
from hil.scenes.scenario_file import find, names, read
from hil.scenes.scenario_table import LIVE_FAULTS, Scenario

FOLDER = Path("out/hil-shifted")
TIMES = re.compile(r"from_s = ([0-9.]+)(?:, to_s = ([0-9.]+))?")
AFTER = re.compile(r', after = "[a-z_]*"')
KEPT = re.compile(r"^(?:silence|restarts|exit_codes|dropped_max) = .*$", re.MULTILINE)
EARLY = 0.6
"""A full disk shows at the next write only: of the drive there must be so much left."""
SEED = 20261122


def shifted(text: str, drive_s: float, dice: random.Random) -> str:
    """The scenario with all its faults moved by the same time, and what must hold whenever they come."""
    head, _, expect = text.partition("\n[expect]\n")
    faults = head.index("fault = [")
    first_s = min(float(found[1]) for found in TIMES.finditer(head, faults))
    late_s = drive_s * (EARLY if "disk_full" in head else 1.0)
    move_s = round(dice.uniform(0.0, late_s) - first_s, 1)

    def moved(found: re.Match[str]) -> str:
        times = [f"{max(0.0, float(told) + move_s):g}" for told in found.groups() if told is not None]
        return ", ".join(f"{name} = {told}" for name, told in zip(("from_s", "to_s"), times, strict=False))

    kept = KEPT.findall(expect)
    if "rtc_1970" in head and first_s + move_s > 0:
        kept += ["restarts = 1", "exit_codes = [-9, 0]"]  # that is how a battery shows that it is not there
    return f"{head[:faults]}{TIMES.sub(moved, AFTER.sub('', head[faults:]))}\n[expect]\n" + "\n".join(kept) + "\n"


def is_live(scenario: Scenario) -> bool:
    """Whether it has a fault around the terminal, and is short enough to be tried often."""
    return any(fault.name in LIVE_FAULTS for fault in scenario.fault) and lasts_s(scenario) < 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Write them, run them; 0 when all hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.hil_shifted")
    parser.add_argument("scenario", nargs="*", default=[name for name in names() if is_live(read(find(name)))])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--place", default="kernel")
    options = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in options.scenario:
        dice = random.Random(f"{options.seed} {name}")
        path = FOLDER / f"{name}-{options.seed}.toml"
        path.write_text(shifted(find(name).read_text(), lasts_s(read(find(name))), dice))
        paths.append(str(path))
    return bench(["run", *paths, "--place", options.place, "--out", str(FOLDER)])


if __name__ == "__main__":
    sys.exit(main())
