"""The command line: which words there are, and which room answers them. Rooms are imported when they are asked."""

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from agent import __version__
from agent.cli import ask as cli_ask
from agent.cli import bundle as cli_bundle
from agent.cli import flash as cli_flash
from agent.cli import install as cli_install
from agent.cli import key as cli_key
from agent.cli import service as cli_service
from agent.cli import yard as cli_yard
from agent.cli.arguments import EPILOG, Commands, add, add_inputs, add_settings, map_of
from agent.cli.trips import add_trips
from agent.errors import StorageError, TboxError, UsageError


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. An error a person can mend is one line on stderr."""
    asked = argparse.Namespace(command=None)
    try:
        _open_streams()
        asked = _parser().parse_args(words)
        code = asked.command(asked)
        sys.stdout.flush()
    except TboxError as why:
        return _said(str(why), why.exit_code)
    except (OSError, UnicodeEncodeError) as why:
        if asked.command is _run and not isinstance(why, BrokenPipeError):
            raise  # a fault of ours: the daemon's log shall have all of it
        return _failed(why)
    except KeyboardInterrupt:
        return 130
    return int(code)


def _said(words: str, exit_code: int) -> int:
    """One line, whatever is in the name of a file."""
    print("tbox:", " ".join(words.splitlines()), file=sys.stderr)
    return exit_code


def _open_streams() -> None:
    """What the caller closed takes everything, or a file of ours would get its number; a name may be no UTF-8."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  (to the end of the process)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _failed(why: OSError | UnicodeEncodeError) -> int:
    """What no room has words for: mostly a stdout that nobody reads any more, or on a full disk."""
    if isinstance(why, UnicodeEncodeError):
        return _said(f"{why.object!a}: is not UTF-8 text", UsageError.exit_code)
    try:
        sys.stdout.flush()
    except OSError:  # what is left goes nowhere, or the interpreter would try once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(why, BrokenPipeError):
        return 0
    return _said(f"{why.filename or 'the output'}: {why.strerror}", StorageError.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tbox", description="The agent inside a vehicle's OBD terminal.", epilog=EPILOG
    )
    parser.add_argument("--version", action="version", version=f"tbox {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for make in (_add_run, _add_replay, _add_decode, _add_report, add_trips, _add_verify, _add_config):
        make(commands)
    cli_install.add_vehicle(commands)
    cli_install.add_doctor(commands)
    cli_install.add_awake(commands)
    cli_ask.add_ask(commands)
    cli_service.add_service(commands)
    cli_key.add_key(commands)
    cli_bundle.add_bundle(commands)
    cli_yard.add_pair(commands)
    cli_yard.add_install(commands)
    cli_flash.add_flash(commands)
    return parser


def _add_run(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add(commands, "run", "the daemon: read the car, keep its trips, deliver them", _run)
    add_settings(parser)
    parser.add_argument(
        "--recorded", action="append", default=[], type=Path, metavar="FILE",
        help="for the bench: a recording in place of every device, with its own stamps, as fast as it goes",
    )  # fmt: skip


def _run(asked: argparse.Namespace) -> int:
    from agent import start

    return start.start(asked.config, asked.sets, asked.recorded)


def _add_replay(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add(commands, "replay", "run recordings through the same core and trip logic, as fast as it goes", _replay)
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="candump, ASC, BLF, TRC, MF4, NMEA or CSV; gzip too"
    )
    add_inputs(parser)
    add_settings(parser)
    parser.add_argument("--fixes", action="store_true", help="also tell every GNSS epoch")
    parser.add_argument(
        "--candidate",
        type=Path,
        metavar="FILE",
        help="rules ([detect.*] tables) to run beside: what they would have told otherwise",
    )
    parser.add_argument("--json", metavar="-|FILE", help="JSON Lines to stdout or a file; without it a summary")


def _replay(asked: argparse.Namespace) -> int:
    from msgspec import structs

    from agent.maps import maps
    from agent.replay import replay
    from agent.settings import Shadow
    from agent.settings import file as settings_file

    chosen = settings_file.load(asked.config, asked.sets)
    if asked.candidate is not None:
        chosen = structs.replace(chosen, shadow=Shadow(rules=str(asked.candidate)))
    table = maps.load(map_of(asked.vehicle, chosen))
    return replay.run(asked.inputs, chosen, table, form=asked.format, fixes=asked.fixes, json_to=asked.json)


def _add_decode(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add(commands, "decode", "every signal of every frame of a CAN log, as CSV", _decode)
    parser.add_argument("log", type=Path, metavar="LOG", help="candump, ASC, BLF, TRC or MF4; gzip too")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--dbc", type=Path, metavar="FILE", help="decode with this DBC, KCD, SYM or ARXML")
    how.add_argument("--obd", action="store_true", help="decode OBD-II answers in SAE J1979's units")
    parser.add_argument("--csv", default="-", metavar="-|FILE", help="where to write (default: stdout)")


def _decode(asked: argparse.Namespace) -> int:
    from agent.replay import decode

    return decode.run(asked.log, dbc=asked.dbc, csv=asked.csv)


def _add_report(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add(commands, "report", "a page with plots: speed, events, track", _report)
    parser.add_argument(
        "what",
        metavar="TRIP|INPUT",
        help="a trip of this terminal (its number in `tbox trips list`), an exported record file, or a recording",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    parser.add_argument(
        "--event", type=int, metavar="SEQ", help="instead, the page of this crash, from the evidence among the records"
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="PATH",
        help="with --event: the camera's clip, or its folder, held against its hash",
    )
    add_inputs(parser)
    add_settings(parser)


def _report(asked: argparse.Namespace) -> int:
    from agent.page import report

    return report.run(asked)


def _add_verify(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add(commands, "verify", "chain, seals, completeness: what holds and what does not", _verify)
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="exported or received records, a terminal's store, or a folder",
    )
    parser.add_argument("--key", metavar="HEX", help="the device's public key, when it is known from elsewhere")
    parser.add_argument("--fleet", metavar="HEX", help="the fleet's public key: does it vouch for this device?")
    parser.add_argument("--platform", metavar="HEX", help="the platform's public key, which signs its receipts")
    parser.add_argument("--json", action="store_true", help="for scripts")


def _verify(asked: argparse.Namespace) -> int:
    from agent.proof import verify

    return verify.run(asked.files, json=asked.json, key=asked.key, fleet=asked.fleet, platform=asked.platform)


def _add_config(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = add(commands, "config", "check, print and describe settings", None)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    check = add(verbs, "check", "is this file good?", _config_check)
    show = add(verbs, "show", "every effective value and where it comes from", _config_show)
    diff = add(verbs, "diff", "what a bundle, or another settings file, would change here", _config_diff)
    diff.add_argument("what", type=Path, metavar="BUNDLE|FILE")
    diff.add_argument("--json", action="store_true", help="for scripts")
    add_settings(diff)
    add(verbs, "schema", "JSON Schema of the settings", _config_schema)
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: the machine's file")
    add_settings(show)
    show.add_argument("--json", action="store_true", help="for scripts")


def _config_check(asked: argparse.Namespace) -> int:
    from agent.cli import config_command

    return config_command.check(asked.file)


def _config_show(asked: argparse.Namespace) -> int:
    from agent.cli import config_command

    return config_command.show(asked.config, asked.sets, json=asked.json)


def _config_diff(asked: argparse.Namespace) -> int:
    from agent.flash import config_diff

    return config_diff.diff(asked.what, asked.config, asked.sets, json=asked.json)


def _config_schema(asked: argparse.Namespace) -> int:  # noqa: ARG001  (every command is called alike)
    from agent.cli import config_command

    return config_command.schema()
