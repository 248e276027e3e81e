"""Place `qemu`: scenarios live between two real controllers, emulated: the car on can1, the terminal on can0.

python -m hil.places.in_qemu --limit S --out FOLDER SCENARIO.toml:SEED...     (what places.py starts; it ends on
SIGTERM)
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hil import ROOT
from hil.places import qemu

BITRATE = 500_000
PATIENCE = 8.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot and run them, one after the other."""
    parser = argparse.ArgumentParser(
        prog="python -m hil.places.in_qemu", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("scenario", nargs="+", help="FILE.toml:SEED")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, required=True, help="seconds until it is ended")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    live = [sys.executable, "-m", "hil.places.live", *options.scenario, "--out", "/run/out", "--place", "qemu"]
    ends = ["--car", "can1", "--terminal", "can0", "--bitrate", str(BITRATE), "--patience", str(PATIENCE)]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    try:
        done = qemu.run([*live, *ends], options.out, environment=environment, limit_s=options.limit)
    except KeyboardInterrupt:
        return 130
    return 0 if done.code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
