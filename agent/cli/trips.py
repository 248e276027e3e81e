"""`tbox trips`: what is on this terminal, and what a driver may ask of it."""

import argparse
from pathlib import Path

from agent.cli.arguments import Commands, add, add_settings, machine


def add_trips(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox trips list|show|export|contest|erase`."""
    parser = add(commands, "trips", "what is on this terminal, and the driver's say in it", None)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    listing = add(verbs, "list", "one line a trip", _list)
    show = add(verbs, "show", "one trip with its events", _show)
    export = add(verbs, "export", "the records as they were sealed, for `tbox verify`; or one trip as JSON", _export)
    contest = add(verbs, "contest", "put a note beside an event, sealed like the event itself", _contest)
    erase = add(verbs, "erase", "erase a trip from this terminal; the account says that it was erased", _erase)
    for verb in (show, erase):
        verb.add_argument("trip", type=int, help="its number in `tbox trips list`")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    export.add_argument("--trip", type=int, metavar="N", help="only this one; its number in `tbox trips list`")
    export.add_argument(
        "--frames", type=int, metavar="SEQ", help="instead, the raw frames around this crash, as a candump log"
    )
    export.add_argument(
        "--records", type=Path, metavar="FILE", help="with --frames: of a record file, not this terminal"
    )
    contest.add_argument("event", type=int, metavar="SEQ", help="the event's number in `tbox trips show`")
    contest.add_argument("text", metavar="TEXT", help="what is wrong with it, up to 500 characters")
    erase.add_argument("--yes", action="store_true", help="do not ask")
    for verb in (listing, show, export, contest, erase):
        add_settings(verb)
    for verb in (listing, show):
        verb.add_argument("--json", action="store_true", help="for scripts")
    export.add_argument(
        "--json", action="store_true", help="one trip (--trip) for other programs, named by its trip_id"
    )


def _state(asked: argparse.Namespace) -> Path:
    """Where this terminal keeps its records."""
    return Path(machine(asked).device.state_dir)


def _list(asked: argparse.Namespace) -> int:
    from agent.rights import trips

    return trips.list_trips(_state(asked), json=asked.json)


def _show(asked: argparse.Namespace) -> int:
    from agent.rights import trips

    return trips.show_trip(_state(asked), asked.trip, json=asked.json)


def _export(asked: argparse.Namespace) -> int:
    from agent.errors import UsageError
    from agent.evidence import frames
    from agent.files import apart
    from agent.outbox.store import STORE_NAME
    from agent.rights import portable, trips

    if asked.records is not None and asked.frames is None:
        raise UsageError("--records is for the frames of a crash: name the crash with --frames")
    records = asked.records or _state(asked) / STORE_NAME
    apart(asked.output, [records])
    if asked.frames is not None:
        return frames.export(records, asked.frames, asked.output)
    if asked.json:
        return portable.export(_state(asked), asked.output, asked.trip)
    return trips.export(_state(asked), asked.output, asked.trip)


def _contest(asked: argparse.Namespace) -> int:
    from agent.rights import asking_daemon

    return asking_daemon.contest(_state(asked), asked.event, asked.text)


def _erase(asked: argparse.Namespace) -> int:
    from agent.rights import asking_daemon

    return asking_daemon.erase(_state(asked), asked.trip, is_sure=asked.yes)
