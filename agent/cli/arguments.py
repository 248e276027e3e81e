"""What the commands' arguments share: how a verb is made, which settings and inputs it takes."""

import argparse
import os
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.settings import Settings

EPILOG = (
    """exit codes: 0 good, 1 a check failed, 2 usage, 66 input, 69 device or broker, 74 storage, 78 configuration"""
)

SECONDS_MAX = 86_400
"""Nobody waits at a command line for longer than a day."""

Command = Callable[[argparse.Namespace], int]


Commands = argparse._SubParsersAction  # noqa: SLF001  (argparse has no public name for what add_subparsers returns)


def add(
    commands: "Commands[argparse.ArgumentParser]", name: str, text: str, do: Command | None
) -> argparse.ArgumentParser:
    """A command and what it does."""
    parser = commands.add_parser(name, help=text, description=_sentence(text), epilog=EPILOG)
    if do is not None:
        parser.set_defaults(command=do)
    return parser


def _sentence(text: str) -> str:
    """A command's few words as a sentence."""
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")


def number(word: str, most: float, least: float | None = None) -> float:
    """A number from `least`, else over 0, to `most`."""
    try:
        told = float(word)
    except ValueError:
        told = nan
    if not (told > 0 if least is None else told >= least) or told > most:
        range_ = f"over 0, at most {most:.0f}" if least is None else f"from {least:g} to {most:.0f}"
        raise argparse.ArgumentTypeError(f"{word}: must be a number {range_}")
    return told


def seconds(word: str) -> float:
    """How long to listen: more than nothing, a day at most."""
    return number(word, SECONDS_MAX)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """--config and --set."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings (TOML); `tbox config show` prints all keys"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets",
        help="one setting by its dotted key, e.g. detect.harsh_braking.threshold_mps2=3.0; beats --config",
    )  # fmt: skip


def add_inputs(parser: argparse.ArgumentParser, *, vehicle: bool = True) -> None:
    """--format, and --vehicle."""
    parser.add_argument(
        "--format", choices=("candump", "asc", "blf", "trc", "mf4", "nmea", "csv"),
        help="what the inputs are; without it their content tells",
    )  # fmt: skip
    if vehicle:
        parser.add_argument(
            "--vehicle", type=Path, metavar="FILE",
            help="vehicle map or compiled table; without it CAN logs are read as OBD-II answers",
        )  # fmt: skip


def map_of(named: Path | None, chosen: "Settings") -> Path:
    """The vehicle map that was named: a file here before one that is shipped; else that of the settings."""
    if named is None:
        return Path(chosen.vehicle.map)
    return named.absolute() if os.access(named, os.F_OK) else named


def machine(asked: argparse.Namespace) -> "Settings":
    """This terminal's settings: --config, else the machine's file; the bundle in force; --set."""
    from agent.slots import slot_settings

    return slot_settings.machine(asked.config, asked.sets).settings
