"""The commands that put a bundle into force, and undo it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.arguments import Commands, add, add_settings
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.flash.flash import Machine


def add_flash(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox flash` and `tbox rollback`."""
    text = "put a bundle into force: verify, show what changes, try it on this car, commit, or take it back"
    flash = add(commands, "flash", text, _flash)
    flash.add_argument("what", nargs="?", type=Path, metavar="BUNDLE|WORKLIST.csv", help="a .tbx, or a yard's list")
    flash.add_argument("--from", type=Path, dest="folder", metavar="FOLDER", help="a stick: what is in FOLDER/tbox/")
    flash.add_argument("--dry-run", action="store_true", help="all of it but the commit")
    flash.add_argument("--yes", action="store_true", help="agree to the changes; every check is made all the same")
    flash.add_argument(
        "--vin", default="", metavar="VIN", help="where the car does not tell its own; marked as by hand"
    )
    flash.add_argument("--permit", type=Path, metavar="FILE", help="the fleet's permission to take an older version")
    flash.add_argument(
        "--how",
        choices=("local", "usb", "service", "mqtt"),
        default="local",
        help="told in the record (default: local)",
    )
    flash.add_argument("--document", default="", metavar="TEXT", help="what the platform calls this order")
    rollback = add(commands, "rollback", "undo the last bundle: what was in force before it runs again", _rollback)
    rollback.add_argument("--reason", default="asked for", metavar="TEXT", help="told in the record")
    for parser in (flash, rollback):
        parser.add_argument("--json", action="store_true", help="JSON Lines, one for each step, for scripts and pages")
        add_settings(parser)


def _flash(asked: argparse.Namespace) -> int:
    from agent.flash import flash_command as command

    if (asked.what is None) == (asked.folder is None):
        raise UsageError("tbox flash: name a bundle, a worklist, or --from FOLDER")
    machine = _machine(asked)
    if asked.folder is not None:
        return command.from_folder(machine, asked.folder, as_json=asked.json)
    ask = command.ask_of(
        asked.what, how=asked.how, document=asked.document, vin=asked.vin, permit=asked.permit, is_dry=asked.dry_run
    )  # fmt: skip
    if asked.what.suffix.lower() == ".csv":
        return command.batch(machine, asked.what, ask, yes=asked.yes, as_json=asked.json)
    return command.run(machine, ask, yes=asked.yes, as_json=asked.json)


def _rollback(asked: argparse.Namespace) -> int:
    from agent.flash import flash_command as command

    return command.rollback(_machine(asked), reason=asked.reason, as_json=asked.json)


def _machine(asked: argparse.Namespace) -> "Machine":
    from agent.flash.flash import Machine

    return Machine(asked.config, tuple(asked.sets))
