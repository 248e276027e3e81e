"""A yard's list: which car gets which bundle. The row of this terminal's car is flashed, and what came of it noted.

The list is CSV with the columns plate, vin and bundle (a path, from the list's folder). The result stands beside it,
`<name>.result.csv`, one row for each terminal that was through, each synced: a list that is carried from car to car on
a stick is done when every row has a good one. A last line that a power cut tore is left where it is and not believed.
"""

import csv
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agent.doctor.checkup import is_vin
from agent.doctor.gathering import gather
from agent.errors import InputError
from agent.files import sync_folder
from agent.flash import flash, flash_verify
from agent.flash.flash import GOOD, Ask, Machine, Outcome, Step
from agent.maps import maps
from agent.run import has_source
from agent.settings import Settings
from agent.settings.difference import Change
from agent.settings.file import load

COLUMNS = ("plate", "vin", "bundle")
RESULTS = ("time_utc", "plate", "vin", "bundle", "state", "reason", "words", "end")
END = "."
"""In the last column: a line that a power cut tore has none, whatever is written behind it."""

LIST_BYTES_MAX = 1 << 22


@dataclass(frozen=True, slots=True)
class Row:
    """One car of the list, and the line it stands on."""

    line: int
    plate: str
    vin: str
    bundle: str


def run(
    machine: Machine, path: Path, ask: Ask, tell: Callable[[Step], None], agree: Callable[[list[Change]], bool]
) -> Outcome:
    """Flash this car's bundle; a row that is done already is left. InputError: the list, or no row is this car's."""
    rows = read(path)
    settings = load(machine.path, machine.sets)
    vin = flash_verify.known(ask.vin, Path(settings.device.state_dir)).vin or heard(settings, tell)
    row = of_car(rows, vin, path)
    results = path.with_name(f"{path.stem}.result.csv")
    if row.vin in done(results) and not ask.is_dry:
        return Outcome("unchanged", f"{path.name}:{row.line}: {row.plate} is done already, {results.name} says so")
    tell(Step("verify", words=f"{path.name}:{row.line}: {row.plate}, {row.vin}"))
    outcome = flash.install(machine, replace(ask, told=path.parent / row.bundle), tell, agree)
    if not ask.is_dry:
        note(results, row, outcome)
    return outcome


def read(path: Path) -> list[Row]:
    """The rows. InputError names the line that is wrong, or the column that is missing."""
    try:
        with path.open("rb") as file:
            raw = file.read(LIST_BYTES_MAX + 1)
        text = raw.decode("utf-8-sig")
    except OSError as why:
        raise InputError(f"{path}: cannot be read: {why.strerror}") from None
    except UnicodeDecodeError as why:
        line = raw.count(b"\n", 0, why.start) + 1
        raise InputError(f"{path}:{line}: not UTF-8 text; save the list as CSV UTF-8") from None
    if len(raw) > LIST_BYTES_MAX:
        raise InputError(f"{path}: over {LIST_BYTES_MAX >> 20} MiB: no worklist is so long")
    return list(_rows(path, text))


def of_car(rows: list[Row], vin: str, path: Path) -> Row:
    """The row of this car. InputError: it is not known, or not on the list."""
    if not vin:
        raise InputError(f"{path}: the car does not say its VIN; switch the ignition on, or give it with --vin")
    row = next((row for row in rows if row.vin == vin), None)
    if row is None:
        raise InputError(f"{path}: {vin} is on none of its {len(rows)} rows; is this the right yard's list?")
    return row


def heard(settings: Settings, tell: Callable[[Step], None]) -> str:
    """What the car says its VIN is, by the machine's own settings; empty: it does not."""
    if not has_source(settings):
        return ""
    table = maps.load(Path(settings.vehicle.map), in_child=True)
    gathered = gather(settings, table, settings.flash.check_s, lambda words: tell(Step("verify", words=words)))
    vins = {text.words for text in gathered.hearing.texts if text.what == "0902"}
    return vins.pop() if len(vins) == 1 else ""


def done(results: Path) -> set[str]:
    """The VINs whose flash ended well. A torn last line, and what else is no row, is not believed."""
    try:
        text = results.read_text("utf-8", errors="replace")
    except OSError:
        return set()
    whole = text[: text.rfind("\n") + 1]
    rows = [next(csv.reader([line]), []) for line in whole.splitlines()]  # each alone: a torn quote swallows no other
    found = [dict(zip(RESULTS, row, strict=True)) for row in rows if len(row) == len(RESULTS)]
    return {row["vin"] for row in found if row["state"] in GOOD and row["end"] == END}


def note(results: Path, row: Row, outcome: Outcome) -> None:
    """One line more, synced. InputError: it cannot be written."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = (now, row.plate, row.vin, row.bundle, outcome.state, outcome.reason, outcome.words, END)
    try:
        handle = os.open(results, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "ab") as file:
            size = os.fstat(handle).st_size
            is_torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            file.write((b"\n" if is_torn else b"") + (_line(RESULTS) if size == 0 else b"") + _line(told))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(results.parent)
    except OSError as why:
        raise InputError(f"{results}: cannot be written: {why.strerror}; the outcome was {outcome.state}") from None


def _rows(path: Path, text: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{path}:1: no column {', '.join(missing)}; a worklist has {', '.join(COLUMNS)}")
    seen: dict[str, int] = {}
    for told in reader:
        line = reader.line_num
        plate, vin, bundle = (str(told[name]).strip() for name in COLUMNS)
        if not is_vin(vin.upper()):
            raise InputError(f'{path}:{line}: "{vin}" is no VIN: 17 letters and digits without I, O and Q')
        if not bundle:
            raise InputError(f"{path}:{line}: no bundle is named for {plate or vin}")
        if vin.upper() in seen:
            raise InputError(f"{path}:{line}: {vin} stands on line {seen[vin.upper()]} already: which bundle is right?")
        seen[vin.upper()] = line
        yield Row(line, plate, vin.upper(), bundle)


def _line(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(" ".join(cell.split()) for cell in cells)
    return out.getvalue().encode()
