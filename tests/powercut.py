"""The power goes, ten thousand times: nothing that was confirmed is missing, and the next start needs no hand.

    python -m tests.powercut [--seed N] [--share X] [--jobs N] [--only PART]... [--json FILE]

Three parts: `store` ends outbox and writer at any call that changes a file (tests/powercut_store.py), `agent` the whole
agent (tests/powercut_agent.py), `block` takes the disk's power at any write (tests/power_cuts.py).
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARTS = ("store", "agent", "block")


@dataclass(frozen=True, slots=True)
class Job:
    """A share of a part, in a process of its own."""

    part: str
    module: str
    cuts: int
    words: tuple[str, ...] = ()


JOBS = (
    Job("agent", "tests.powercut_agent", 200),
    Job("block", "tests.power_cuts", 2000, ("--block=4096",)),
    Job("agent", "tests.powercut_agent", 200),
    Job("block", "tests.power_cuts", 1000, ("--block=1024",)),
    Job("store", "tests.powercut_store", 4000),
    Job("store", "tests.powercut_store", 4000),
)
"""Begun in this order; the longest first."""


def do(job: Job, seed: int, share: float) -> dict[str, Any]:
    """What came of it: cuts, bad ones, seconds. What it says is said on."""
    cuts = max(1, round(job.cuts * share))
    command = [sys.executable, "-m", job.module, f"--seed={seed}", f"--cuts={cuts}", *job.words]
    begin_s, last = time.monotonic(), ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = line
            if not line.startswith("{"):
                print(f"  {job.part} (seed {seed}): {line}", end="", flush=True)
    told = json.loads(last) if last.startswith("{") else {"cuts": 0, "bad": 0}
    failed = process.returncode != 0
    took_s = round(time.monotonic() - begin_s, 1)
    print(f"{job.part} (seed {seed}): {told['cuts']} cuts, {told['bad']} bad, {took_s} s", flush=True)
    return {"part": job.part, "seed": seed, **told, "took_s": took_s, "failed": failed}


def total(results: Sequence[dict[str, Any]], seed: int, took_s: float) -> dict[str, Any]:
    """All of them as one."""
    cuts, bad = (sum(result[name] for result in results) for name in ("cuts", "bad"))
    by_part = {part: sum(one["cuts"] for one in results if one["part"] == part) for part in PARTS}
    failed = [one["part"] for one in results if one["failed"]]
    return {"seed": seed, "cuts": cuts, "bad": bad, "failed": failed, "took_s": round(took_s, 1), **by_part}


def main(arguments: Sequence[str] | None = None) -> int:
    """All of it; 0 when every part came to its end and nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the cuts (1.0: 11400, about 15 min on two cores)")
    parser.add_argument("--jobs", type=int, default=2, help="so many at once")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, and others so named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the result, for scripts")
    options = parser.parse_args(arguments)
    begin_s = time.monotonic()
    jobs = [job for job in JOBS if not options.only or job.part in options.only]
    with ThreadPoolExecutor(options.jobs) as pool:
        asked = [pool.submit(do, job, options.seed + number, options.share) for number, job in enumerate(jobs)]
        results = [one.result() for one in asked]
    sum_ = total(results, options.seed, time.monotonic() - begin_s)
    parts = ", ".join(f"{sum_[part]} {part}" for part in PARTS)
    print(f"{sum_['cuts']} cuts ({parts}), {sum_['bad']} bad, {sum_['took_s']} s")
    if sum_["failed"]:
        print(f"RED: {', '.join(sum_['failed'])}")
    if options.json:
        options.json.write_text(json.dumps({**sum_, "parts": results}, indent=1) + "\n")
    return 1 if sum_["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
