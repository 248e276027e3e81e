"""The bench: python -m hil list, run SCENARIO..., soak, fleet. What each takes: --help.

Exit 0: every expectation holds; 1: one does not; 2: usage, a place that cannot be, or a file that cannot be written.
"""

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hil import ROOT
from hil.fleet import options as fleet
from hil.outcome import Outcome
from hil.places.places import PLACES, PlaceError, is_here, plan, run
from hil.places.replaying import laid_beside
from hil.places.task import Task
from hil.report import golden
from hil.report.junit import Result, junit
from hil.report.page import page
from hil.report.verdict import Finding, judge
from hil.scenes import scenario_file
from hil.scenes.scenario_file import ScenarioError
from hil.soak import places as soak_places
from hil.wired import wired


class OutputError(Exception):
    """What comes of a run cannot be written where it was wanted; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """One command of the bench."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return COMMANDS[options.command](options)
    except (ScenarioError, PlaceError, OutputError, wired.WiringError) as why:
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
    told.add_argument(
        "--write", action="store_true", help="keep what comes of it in place process: NAME.expected.jsonl"
    )
    told.add_argument("--junit", type=Path, metavar="FILE", help="write the verdicts as JUnit XML too")
    wired.add_options(told)
    wired.add_to(commands)
    soak_places.add_to(commands, ROOT / "out" / "hil")
    fleet.add_to(commands, ROOT / "out")
    return parser


def _list(_: argparse.Namespace) -> int:
    """Name, places, title; then which places are here, and why others are not."""
    names = scenario_file.names()
    width = max(map(len, names))
    for name in names:
        scenario = scenario_file.read(scenario_file.find(name))
        faults = ", ".join(dict.fromkeys(fault.name for fault in scenario.fault))
        print(f"{name:{width}}  {scenario.title}{f' [{faults}]' if faults else ''}  ({', '.join(scenario.places)})")
    for place in PLACES:
        print(f"place {place}: {is_here(place) or 'here'}")
    return 0


def _run(options: argparse.Namespace) -> int:
    """Run, judge, write."""
    wanted = [name for word in options.scenario for name in (scenario_file.names() if word == "all" else [word])]
    is_all = "all" in options.scenario
    with _writing():
        options.out.mkdir(parents=True, exist_ok=True)
    tasks, results, site = [], [], wired.site_of(options)
    for name in wanted:
        try:
            task = plan(scenario_file.find(name), options.place, options.seed, site)
        except PlaceError as why:
            if not is_all:
                raise
            task = f"skipped: {why}"
        if isinstance(task, Task):
            tasks.append(task)
        else:
            print(f"SKIP {name}: {task.removeprefix('skipped: ')}")
            results.append(Result(name, options.place or "", skipped=task))
    on_wires = [task.scenario.settings for task in tasks if task.place == "wired"]
    if site and on_wires:
        wired.ready(site, options.supply, on_wires, _say)
    for task, outcome in run(tasks, options.out, _say, site):
        results.append(_judged(task, laid_beside(task.scenario, outcome), options.out, writes=options.write))
    if options.junit:
        with _writing():
            options.junit.write_text(junit(results), encoding="utf-8")
    return _told(results)


def _say(words: str) -> None:
    print(f"  {words}", flush=True)


def _soak(options: argparse.Namespace) -> int:
    """Two full buses for a while."""
    with _writing():
        return soak_places.command(options)


@contextmanager
def _writing() -> Iterator[None]:
    """What is done to files in here is an OutputError when it fails."""
    try:
        yield
    except OSError as why:
        raise OutputError(f"{why.filename}: cannot be written: {why.strerror}") from None


def _judged(task: Task, outcome: Outcome, folder: Path, *, writes: bool) -> Result:
    """Say it, write its page."""
    findings = judge(task.scenario, outcome)
    findings += _as_kept(task, outcome, writes=writes and all(finding.holds for finding in findings))
    name = str(task.path) if task.path.parent != scenario_file.FOLDER else task.name
    again = f"python -m hil run {name} --place {task.place} --seed {task.seed} {task.wires}".rstrip()
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


def _as_kept(task: Task, outcome: Outcome, *, writes: bool) -> list[Finding]:
    """Whether it came out as it did before, in the one place where that is the same every time."""
    if task.place != "process" or task.seed != task.scenario.seed or outcome.trouble:
        return []
    if writes and golden.write(task.path, outcome):
        print(f"{golden.beside(task.path).name}: changed")
    return list(golden.compare(task.path, outcome))


def _told(results: Sequence[Result]) -> int:
    """The last line; the exit code."""
    bad = [result.name for result in results if not result.is_good]
    skipped = sum(bool(result.skipped) for result in results)
    good = len(results) - len(bad) - skipped
    print(f"{good} passed, {len(bad)} failed, {skipped} skipped{': ' + ', '.join(bad) if bad else ''}")
    return 1 if bad or good == 0 else 0


COMMANDS = {"list": _list, "run": _run, "soak": _soak, "wired": wired.command, "fleet": fleet.command}


if __name__ == "__main__":
    sys.exit(main())
