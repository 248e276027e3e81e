"""Place `kernel`: scenarios live on vcan0 of a kernel that comes along.

python -m hil.places.in_kernel --limit S --out FOLDER SCENARIO.toml:SEED...     (what `Boot` starts; it ends on SIGTERM)
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hil import ROOT, kernel

STOP_S = 10.0
STILL_S = 60.0
"""A kernel whose heart did not beat for so long stands still: it beats every few seconds."""
SAID_CHARACTERS = 3000


@dataclass(frozen=True, slots=True)
class Stop:
    """Why there comes no more of a boot, in words, and whether it was the kernel's fault."""

    words: str
    is_kernel: bool


class Boot:
    """One boot, as a process of its own. What it leaves is in `folder`: NAME.json for each scenario.

    `patience`: so many times longer than others its kernel may be still.
    """

    def __init__(
        self,
        scenarios: Sequence[str],
        folder: Path,
        limit_s: float,
        module: str = "hil.places.in_kernel",
        patience: float = 1.0,
    ) -> None:
        self._folder, self._limit_s, self._still_s = folder, limit_s, STILL_S * patience
        self._said, self._told = folder / "said", 0
        self._beats, self._begun_s = 0, time.monotonic()
        self._beat_s = self._begun_s
        self._process = subprocess.Popen(  # noqa: S603 # our own words
            [sys.executable, "-m", module, "--limit", str(limit_s + STOP_S), "--out", str(folder), *scenarios],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(STOP_S)

    def stop(self) -> Stop | None:
        """Why no more will come; None: it goes on."""
        now_s = time.monotonic()
        if self._process.poll() is not None:
            return self._ended()
        beats = _size(self._folder / kernel.BEAT)
        if beats != self._beats:
            self._beats, self._beat_s = beats, now_s
        if now_s - self._beat_s > self._still_s:
            return self._told_why(f"its kernel has stood still for {self._still_s:.0f} s", is_kernel=True)
        if now_s - self._begun_s > self._limit_s:
            return self._told_why(
                f"its kernel lives, but it was not done within {self._limit_s:.0f} s", is_kernel=False
            )
        return None

    def _ended(self) -> Stop:
        """It has powered off, or fallen."""
        code = self._folder / "code"
        if code.exists():
            return self._told_why(f"what ran in there ended with {code.read_text().strip()}", is_kernel=False)
        return self._told_why("the kernel ended before it was done", is_kernel=True)

    def _told_why(self, words: str, *, is_kernel: bool) -> Stop:
        """With what it said last."""
        return Stop(f"{words}; it said:\n{self.said()[-SAID_CHARACTERS:]}", is_kernel)

    def lines(self) -> Iterator[str]:
        """What it has said since the last call, line by line."""
        *lines, _ = self.said()[self._told :].split("\n")
        self._told += sum(len(line) + 1 for line in lines)
        yield from lines

    def said(self) -> str:
        """All of it."""
        return self._said.read_text(errors="replace") if self._said.exists() else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot and run them."""
    parser = argparse.ArgumentParser(
        prog="python -m hil.places.in_kernel", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("scenario", nargs="+", help="FILE.toml:SEED")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, required=True, help="seconds until it is ended")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = [sys.executable, "-m", "hil.places.live", *options.scenario, "--out", "/run/out", "--place", "kernel"]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    try:
        done = kernel.run(words, options.out, environment=environment, limit_s=options.limit, is_urgent=True)
    except KeyboardInterrupt:
        return 130
    return 0 if done.code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
