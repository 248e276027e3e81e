"""The command `tbox verify`: says in plain words what of an account holds, and names the record that does not."""

import json as json_text
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.errors import InputError, UsageError
from agent.ledger.key import KEY_BYTES
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.finding import Report
from agent.proof.proof import check
from agent.proof.vouching import Known

PROBLEMS_SHOWN = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(
    files: Sequence[Path], *, json: bool, key: str | None, fleet: str | None = None, platform: str | None = None
) -> int:
    """Verify the files together, as one account; 0 it holds, 1 it does not. InputError: a file without records."""
    known = Known(_public("key", key), _public("fleet", fleet), _public("platform", platform))
    report = check([read_pile(path) for given in files for path in _within(given)], known)
    if json:
        print(json_text.dumps({"good": report.is_good} | asdict(report)))
    else:
        print("\n".join(_lines(report, is_key_given=known.device is not None)))
    return 0 if report.is_good else 1


def _within(given: Path) -> list[Path]:
    """The file; of a folder the store in it, else all files that are not hidden, by name. InputError: it has none."""
    try:
        if not given.is_dir():
            return [given]
        store = given / STORE_NAME
        found = [store] if store.is_file() else sorted(path for path in given.iterdir() if _is_told(path))
    except OSError as error:
        raise InputError(f"{given}: cannot be read: {error.strerror}") from error
    if not found:
        raise InputError(f"{given}: there is no file in it; name a state folder, or one of exported or received files")
    return found


def _is_told(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _public(name: str, key: str | None) -> bytes | None:
    """The public key in hex; UsageError when it is none."""
    if key is None:
        return None
    try:
        public = bytes.fromhex(key)
    except ValueError:
        public = b""
    if len(public) != KEY_BYTES:
        raise UsageError(f"--{name} takes a public key of {2 * KEY_BYTES} hex digits, as `tbox key show` prints it")
    return public


def _lines(report: Report, *, is_key_given: bool) -> Iterator[str]:
    """The report for a person."""
    boots = ", ".join(map(str, report.boots))
    yield f"device {report.device}, {report.records} records, seq {report.first}..{report.last}, boots {boots}"
    if report.key:
        where = "as given" if is_key_given else "from the records, fits the device's id"
        yield f"key {report.key} ({where})"
    yield from _vouched(report)
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


def _vouched(report: Report) -> Iterator[str]:
    """Who vouches for it: later keys, the fleet, the platform."""
    for entry in report.keys[1:]:
        yield f"key {entry['key']} from seq {entry['from']} on (signed by the one before)"
    if fleet := report.fleet:
        since = _time(fleet["not_before_us"]).partition("T")[0]
        yield f"of a device the fleet vouches for: {fleet['name']}, since {since}, fleet key {fleet['key']}"
    if told := report.confirmed:
        who = "as given" if told["is_known"] else "compare it: --platform"
        yield f"the platform confirmed all up to seq {told['upto']} at {_time(told['time_us'])}"
        yield f"platform key {told['key']} ({who})"


def _time(utc_us: int) -> str:
    """A moment as a person reads it; one beyond the calendar as its number."""
    try:
        return (EPOCH + timedelta(microseconds=utc_us)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"{utc_us} us"
