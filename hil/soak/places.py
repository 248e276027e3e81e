"""Where a soak runs, what it says meanwhile, what is left of it: a verdict, a page, the figures as JSON.

    python -m hil soak [--minutes N] [--rate 4000] [--place kernel|pair|vcan] [--json FILE]
    python -m hil.soak.places boot ...      (what it starts for a kernel that comes along; it ends on SIGTERM)

Ctrl-C ends it in order, with the figures so far; a second one ends it at once.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path

from hil import ROOT, kernel
from hil.places.places import PlaceError
from hil.soak import outcome as soak_outcome
from hil.soak.outcome import Plan, SoakOutcome
from hil.soak.page import page
from hil.soak.soak import STOP
from hil.soak.verdict import judge
from hil.wires.wire import has_vcan

PLACES = ("kernel", "pair", "vcan")
BATCHES = {"kernel": 64, "vcan": 8, "pair": 4}
"""Frames a system call: the fewest that the place carries with ease."""
LINKS = ("vcan0", "vcan1")
RATES = range(500, 20_001)
SPARE_S = 300.0
TURN_S = 0.2
ENDING = "ending with the figures so far; once more: at once"

Say = Callable[[str], None]


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", out: Path) -> None:
    """The command line of `soak`."""
    told = commands.add_parser("soak", help="two full buses for a while: frames lost, memory, latency")
    told.add_argument("--minutes", type=float, default=60.0, metavar="N", help="how long (default: 60)")
    told.add_argument("--rate", type=int, default=4000, metavar="N", help="frames/s on each bus (default: 4000)")
    told.add_argument("--place", choices=PLACES, help="where (default: the first of them that is here)")
    told.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    told.add_argument("--out", type=Path, default=out, metavar="DIR", help="for soak.html and soak.json")


def command(options: argparse.Namespace) -> int:
    """Soak, judge, write; 0 when everything holds. PlaceError; OSError when it cannot be written."""
    place = options.place or next(one for one in PLACES if not refusal(one))
    why = refusal(place)
    if why:
        raise PlaceError(why)
    if options.rate not in RATES or not 0 < options.minutes < inf:
        raise PlaceError(f"--rate is {RATES[0]} to {RATES[-1]:,} frames/s, --minutes more than 0")
    plan = Plan(place=place, lasts_s=options.minutes * 60, rate=options.rate, batch=BATCHES[place])
    options.out.mkdir(parents=True, exist_ok=True)
    outcome = run(plan, options.out, lambda words: print(f"  {words}", flush=True))
    again = f"python -m hil soak --minutes {options.minutes:g} --rate {options.rate} --place {place}"
    is_good = report(outcome, options.out, again)
    if options.json:
        outcome.write(options.json)
    return 0 if is_good else 1


def refusal(place: str) -> str:
    """Why this place is not on this machine; empty: it is."""
    if place == "kernel" and not kernel.is_here():
        return "no kernel to bring along: install user-mode-linux, kmod and iproute2 (Debian's packages)"
    if place == "vcan" and not all(map(has_vcan, LINKS)):
        made = "; ".join(f"ip link add dev {link} type vcan; ip link set {link} mtu 72 up" for link in LINKS)
        return f"this kernel has no vcan0 and vcan1: `{made}`, or --place kernel"
    return ""


def report(outcome: SoakOutcome, folder: Path, again: str) -> bool:
    """Say the verdict, write the page; whether everything holds."""
    findings = judge(outcome)
    is_good = all(finding.holds for finding in findings)
    print(f"{'PASS' if is_good else 'FAIL'} soak in {outcome.plan.place}, {outcome.took_s:.1f} s")
    for finding in findings:
        print(f"  {'✓' if finding.holds else '✗'} {finding.name}: {finding.words}")
    outcome.write(folder / "soak.json")
    path = folder / "soak.html"
    path.write_text(page(outcome, findings, again), encoding="utf-8")
    print(f"  page: {path}" if is_good else f"  again: {again}\n  page: {path}", flush=True)
    return is_good


def run(plan: Plan, folder: Path, say: Say) -> SoakOutcome:
    """One soak, in a process of its own; Ctrl-C lets it end in order."""
    with tempfile.TemporaryDirectory(prefix=".soak-", dir=folder.resolve()) as name:
        scratch = Path(name)
        with _started(plan, scratch) as process:
            try:
                _follow(process, scratch / "said", say)
            except KeyboardInterrupt:
                say(ENDING)
                (scratch / STOP).touch()
                _follow(process, scratch / "said", lambda _: None)
        left, said = scratch / "soak.json", scratch / "said"
        if left.exists():
            return soak_outcome.read(left)
        words = said.read_text(errors="replace")[-2000:] if said.exists() else "nothing"
        return SoakOutcome(plan=plan, took_s=0.0, trouble=f"it ended before it was done; it said:\n{words}")


@contextmanager
def _started(plan: Plan, scratch: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Its process: the soak, or the kernel with the soak in it. It hears no Ctrl-C, and is gone at the end."""
    words = [
        "--place",
        plan.place,
        "--seconds",
        str(plan.lasts_s),
        "--rate",
        str(plan.rate),
        "--batch",
        str(plan.batch),
    ]
    if plan.place == "kernel":
        command = [sys.executable, "-m", "hil.soak.places", str(scratch), str(plan.lasts_s + SPARE_S), *words]
    else:
        command = [sys.executable, "-m", "hil.soak.soak", "--out", str(scratch), *words]
    with (scratch / "said").open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 # our own words
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


def _follow(process: "subprocess.Popen[bytes]", path: Path, say: Say) -> None:
    """Say what it says, line by line, until it ends."""
    told = 0
    while True:
        is_over = process.poll() is not None
        *lines, _ = path.read_text(errors="replace")[told:].split("\n") if path.exists() else [""]
        for line in lines:
            say(line)
        told += sum(len(line) + 1 for line in lines)
        if is_over:
            return
        time.sleep(TURN_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot a kernel with two vcan links, soak in it: FOLDER LIMIT_S, then the words of hil.soak.soak."""
    folder, limit_s, *words = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    inside = [sys.executable, "-m", "hil.soak.soak", "--out", "/run/out", *words]
    try:
        done = kernel.run(inside, Path(folder), links=LINKS, environment=environment, limit_s=float(limit_s))
    except KeyboardInterrupt:
        return 130
    return 0 if done.code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
