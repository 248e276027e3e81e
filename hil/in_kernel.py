"""Place `kernel`: scenarios live on vcan0 of a kernel that comes along, one after the other in one boot.

python -m hil.in_kernel --limit S --out FOLDER SCENARIO.toml:SEED...     (what `Boot` starts; it ends on SIGTERM)
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from hil import ROOT, kernel

STOP_S = 10.0

Say = Callable[[str], None]


class Boot:
    """One boot, as a process of its own. What it leaves is in `folder`: NAME.json for each scenario."""

    def __init__(self, scenarios: Sequence[str], folder: Path, limit_s: float, module: str = "hil.in_kernel") -> None:
        self._said, self._told = folder / "said", 0
        self._process = subprocess.Popen(  # noqa: S603 # our own words
            [sys.executable, "-m", module, "--limit", str(limit_s), "--out", str(folder), *scenarios],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(STOP_S)

    def is_over(self) -> bool:
        """Whether it has powered off."""
        return self._process.poll() is not None

    def lines(self) -> Iterator[str]:
        """What it has said since the last call, line by line."""
        *lines, _ = self.said()[self._told :].split("\n")
        self._told += sum(len(line) + 1 for line in lines)
        yield from lines

    def said(self) -> str:
        """All of it."""
        return self._said.read_text(errors="replace") if self._said.exists() else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot and run them."""
    parser = argparse.ArgumentParser(prog="python -m hil.in_kernel", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenario", nargs="+", help="FILE.toml:SEED")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, required=True, help="seconds until it is ended")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = [sys.executable, "-m", "hil.live", *options.scenario, "--out", "/run/out", "--place", "kernel"]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    try:
        done = kernel.run(words, options.out, environment=environment, limit_s=options.limit)
    except KeyboardInterrupt:
        return 130
    return 0 if done.code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
