"""The command `tbox verify`: says in plain words what of an account holds, and names the record that does not."""

import json as json_text
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from agent.errors import InputError, UsageError
from agent.finding import Report
from agent.key import KEY_BYTES
from agent.proof import check
from agent.recordfile import read_pile
from agent.store import STORE_NAME

PROBLEMS_SHOWN = 50


def run(files: Sequence[Path], *, json: bool, key: str | None) -> int:
    """Verify the files together, as one account; 0 it holds, 1 it does not. InputError: a file without records."""
    public = _public(key)
    report = check([read_pile(path) for given in files for path in _within(given)], public)
    if json:
        print(json_text.dumps({"good": report.is_good} | asdict(report)))
    else:
        print("\n".join(_lines(report, is_key_given=public is not None)))
    return 0 if report.is_good else 1


def _within(given: Path) -> list[Path]:
    """The file; of a folder the store in it, else all files that are not hidden, by name. InputError: it has none."""
    if not given.is_dir():
        return [given]
    store = given / STORE_NAME
    found = [store] if store.is_file() else sorted(path for path in given.glob("[!.]*") if path.is_file())
    if not found:
        raise InputError(f"{given}: there is no file in it; name a state folder, or one of exported or received files")
    return found


def _public(key: str | None) -> bytes | None:
    """The public key in hex; UsageError when it is none."""
    if key is None:
        return None
    try:
        public = bytes.fromhex(key)
    except ValueError:
        public = b""
    if len(public) != KEY_BYTES:
        raise UsageError(f"--key takes a public key of {2 * KEY_BYTES} hex digits, as `tbox verify --json` prints it")
    return public


def _lines(report: Report, *, is_key_given: bool) -> Iterator[str]:
    """The report for a person."""
    boots = ", ".join(map(str, report.boots))
    yield f"device {report.device}, {report.records} records, seq {report.first}..{report.last}, boots {boots}"
    if report.key:
        where = "as given" if is_key_given else "from the records, fits the device's id"
        yield f"key {report.key} ({where})"
    if report.seals:
        yield f"{report.seals} seals are the device's; the last vouches for everything up to seq {report.sealed_upto}"
    for entry in report.dropped:
        kind = entry["kind"] or "records"
        yield f"dropped, accounted: seq {entry['first']}..{entry['last']} {kind} ({entry['reason']})"
    for note in report.notes:
        yield f"note: {note}"
    for problem in report.problems[:PROBLEMS_SHOWN]:
        yield f"WRONG: {problem}"
    if len(report.problems) > PROBLEMS_SHOWN:
        yield f"WRONG: and {len(report.problems) - PROBLEMS_SHOWN} more"
    if report.is_good:
        yield "GOOD: nothing is missing, altered or exchanged; a cut-off end would not show"
    else:
        yield f"FAILED: {len(report.problems)} {'thing does' if len(report.problems) == 1 else 'things do'} not hold"
