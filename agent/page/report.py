"""`tbox report`: a trip of this terminal, a file of records or a recording, as one HTML page."""

import argparse
from pathlib import Path

from agent import __version__
from agent.errors import InputError, StorageError, UsageError
from agent.evidence import claim, exhibits
from agent.files import apart
from agent.maps import maps
from agent.outbox.recordfile import SQLITE_MAGIC, Pile, read_pile
from agent.outbox.store import STORE_NAME
from agent.page import evidence as page_evidence
from agent.page.page import page
from agent.proof import proof
from agent.replay import drives, inputs, replay
from agent.replay.drives import Drives
from agent.settings import Settings
from agent.settings import file as settings_file

GLANCE_US = 20_000
"""How close a report looks at the seconds around an event: 50 Hz, as dense as most acceleration sensors tell."""

RECORD_HEADS = (0xC4, 0xC5, 0xC6)
"""How a record file begins: a msgpack bin. No text and no recording begins so."""


def run(asked: argparse.Namespace) -> int:
    """Write the page to asked.output. InputError: nothing there to report; StorageError: the page cannot be written."""
    if asked.clips is not None and asked.event is None:
        raise UsageError("--clips holds the clip of a crash against its hash: name the crash with --event")
    source = Path(asked.what)
    if not _is_file(source) and not asked.what.isdecimal():
        raise InputError(f"{asked.what}: no such file, and no number of a trip; `tbox trips list` says which there are")
    if asked.event is not None:
        _write(asked.output, _of_event(source, asked))
        return 0
    if source.is_file():
        apart(asked.output, [source])
        is_pile = _holds_records(source)
        gathered = _of_records(read_pile(source), _settings(asked)) if is_pile else _of_recording(source, asked)
        title = f"Driving report, {source.name}"
    else:
        gathered, title = _of_terminal(int(asked.what), asked), f"Driving report, trip {asked.what}"
    told = (gathered.trips, gathered.events, gathered.samples, gathered.counters)
    _write(asked.output, page(title, *told, notes=gathered.notes))
    return 0


def _of_event(source: Path, asked: argparse.Namespace) -> str:
    """The page of one crash, from a file of records or, for a trip's number, this terminal's store."""
    is_file = source.is_file()
    settings = (
        _settings(asked) if is_file else settings_file.load(asked.config or settings_file.MACHINE_FILE, asked.sets)
    )
    pile = read_pile(source if is_file else Path(settings.device.state_dir) / STORE_NAME)
    table = maps.load(asked.vehicle or Path(settings.vehicle.map))
    at_hand = None if asked.clips is None else exhibits.hashes_of(asked.clips, exhibits.names_of(pile.records))
    told = claim.gather(pile.records, asked.event, settings, table, proof.check([pile]), at_hand)
    return page_evidence.page(told, pile.name, settings.device.timezone, f"tbox {__version__}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")  # a name may be no UTF-8
    except OSError as why:
        raise StorageError(f"{path}: cannot be written: {why.strerror}") from None


def _is_file(path: Path) -> bool:
    """Whether there is one. InputError: nobody may look."""
    try:
        return path.is_file()
    except OSError as why:
        raise InputError(f"{path}: cannot be read: {why.strerror}") from None


def _holds_records(path: Path) -> bool:
    """Whether the file is one of records or a store, not a recording."""
    try:
        with path.open("rb") as file:
            head = file.read(len(SQLITE_MAGIC))
    except OSError as why:
        raise InputError(f"{path}: cannot be read: {why.strerror}") from None
    return head == SQLITE_MAGIC or head[:1] in [bytes([first]) for first in RECORD_HEADS]


def _of_recording(path: Path, asked: argparse.Namespace) -> Drives:
    """The recording, through the same core and trip logic as `tbox replay`."""
    settings = _settings(asked)
    table = maps.load(asked.vehicle or Path(settings.vehicle.map))
    recording = inputs.opened([path], asked.format)
    gathered = drives.from_replay(replay.replay(settings, table, recording, glance_us=GLANCE_US), settings)
    inputs.warn(recording)
    gathered.notes += [f"Partly read: {warning}." for warning in recording.warnings]
    return gathered


def _settings(asked: argparse.Namespace) -> Settings:
    """The settings somebody named, not this machine's."""
    return settings_file.load(asked.config, asked.sets)


def _of_terminal(number: int, asked: argparse.Namespace) -> Drives:
    """A closed trip of this terminal by the number of its first record, as `tbox trips list` prints it."""
    settings = settings_file.load(asked.config or settings_file.MACHINE_FILE, asked.sets)
    gathered = _of_records(read_pile(Path(settings.device.state_dir) / STORE_NAME), settings)
    index = next((index for index, trip in enumerate(gathered.trips) if trip["trip"] == number), None)
    if index is None:
        raise InputError(f"there is no closed trip {number} on this terminal; `tbox trips list` says which there are")
    start_s, end_s = gathered.trips[index]["start_s"], gathered.trips[index]["end_s"]
    if not any(start_s <= row["time_s"] <= end_s for row in gathered.samples):
        gathered.notes.append("Its samples are no longer on this terminal: delivered ones make room.")
    return gathered.only(index)


def _of_records(pile: Pile, settings: Settings) -> Drives:
    """The records, judged by these settings if they were, and what `tbox verify` says of them."""
    gathered, found = drives.from_records(pile.records, settings.detect), proof.check([pile])
    gathered.notes.append(
        f"{found.records} records of device {found.device}, numbers {found.first} to {found.last}; "
        f"{found.seals} seals are the device's and vouch for everything up to number {found.sealed_upto}."
    )
    if found.is_good:
        gathered.notes.append("Nothing is missing, altered or exchanged (tbox verify).")
    gathered.notes += [f"Does not hold: {problem}." for problem in found.problems]
    return gathered
