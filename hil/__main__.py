"""The bench: python -m hil list, python -m hil run SCENARIO...

Exit 0: every expectation holds; 1: one does not; 2: usage, a place that cannot be, or a file that cannot be written.
"""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hil import scenario_file
from hil.junit import Result, junit
from hil.outcome import Outcome
from hil.page import page
from hil.places import PLACES, PlaceError, Task, plan, run
from hil.scenario_file import ROOT, ScenarioError
from hil.verdict import judge


class OutputError(Exception):
    """What comes of a run cannot be written where it was wanted; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """One command of the bench."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _list() if options.command == "list" else _run(options)
    except (ScenarioError, PlaceError, OutputError) as why:
        print(f"hil: {why}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("hil: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hil", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the scenarios that are shipped, and where each can run")
    told = commands.add_parser("run", help="run scenarios and judge what comes of them")
    told.add_argument("scenario", nargs="+", help="a name from the list, or a path; `all`: every one shipped")
    told.add_argument("--place", choices=PLACES, help="where (default: the first of its places that is here)")
    told.add_argument("--seed", type=int, metavar="N", help="of noise and strays (default: the scenario's own)")
    told.add_argument("--out", type=Path, default=ROOT / "out" / "hil", metavar="DIR", help="for NAME.html and .json")
    told.add_argument("--junit", type=Path, metavar="FILE", help="write the verdicts as JUnit XML too")
    return parser


def _list() -> int:
    """Name, places, title."""
    names = scenario_file.names()
    width = max(map(len, names))
    for name in names:
        scenario = scenario_file.read(scenario_file.find(name))
        faults = ", ".join(dict.fromkeys(fault.name for fault in scenario.fault))
        print(f"{name:{width}}  {scenario.title}{f' [{faults}]' if faults else ''}  ({', '.join(scenario.places)})")
    return 0


def _run(options: argparse.Namespace) -> int:
    """Run, judge, write."""
    wanted = [name for word in options.scenario for name in (scenario_file.names() if word == "all" else [word])]
    is_all = "all" in options.scenario
    with _writing():
        options.out.mkdir(parents=True, exist_ok=True)
    tasks, results = [], []
    for name in wanted:
        try:
            task = plan(scenario_file.find(name), options.place, options.seed)
        except PlaceError as why:
            if not is_all:
                raise
            task = f"skipped: {why}"
        if isinstance(task, Task):
            tasks.append(task)
        else:
            print(f"SKIP {name}: {task.removeprefix('skipped: ')}")
            results.append(Result(name, options.place or "", skipped=task))
    for task, outcome in run(tasks, options.out, lambda words: print(f"  {words}", flush=True)):
        results.append(_judged(task, outcome, options.out))
    if options.junit:
        with _writing():
            options.junit.write_text(junit(results), encoding="utf-8")
    return _told(results)


@contextmanager
def _writing() -> Iterator[None]:
    """What is done to files in here is an OutputError when it fails."""
    try:
        yield
    except OSError as why:
        raise OutputError(f"{why.filename}: cannot be written: {why.strerror}") from None


def _judged(task: Task, outcome: Outcome, folder: Path) -> Result:
    """Say it, write its page."""
    findings = judge(task.scenario, outcome)
    name = str(task.path) if task.path.parent != scenario_file.FOLDER else task.name
    again = f"python -m hil run {name} --place {task.place} --seed {task.seed}"
    result = Result(task.name, task.place, outcome.took_s, findings, again)
    print(f"{'PASS' if result.is_good else 'FAIL'} {task.name} in {task.place}, {outcome.took_s:.1f} s")
    for finding in findings:
        if not finding.holds or result.is_good:
            print(f"  {'✓' if finding.holds else '✗'} {finding.name}: {finding.words}")
    outcome.write(folder / f"{task.name}.json")
    path = folder / f"{task.name}.html"
    path.write_text(page(task.scenario, outcome, findings, again), encoding="utf-8")
    if not result.is_good:
        print(f"  again: {again}\n  page: {path}", flush=True)
    return result


def _told(results: Sequence[Result]) -> int:
    """The last line; the exit code."""
    bad = [result.name for result in results if not result.is_good]
    skipped = sum(bool(result.skipped) for result in results)
    good = len(results) - len(bad) - skipped
    print(f"{good} passed, {len(bad)} failed, {skipped} skipped{': ' + ', '.join(bad) if bad else ''}")
    return 1 if bad or good == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
