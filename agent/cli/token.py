"""The command `tbox key token`: signed commands for terminals that are somewhere else."""

import argparse
from pathlib import Path

from agent.cli.arguments import Commands, add, number

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
NOTE = (
    'The token is JSON. Send {"token": <it>, "request": "any text"} on tbox/v1/<id>/command/<COMMAND>, not retained. '
    "The answer comes on tbox/v1/<id>/response, or below that where MQTT 5's response topic says so. A terminal takes "
    "it once."
)


def add_token(verbs: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox key token`."""
    token = add(verbs, "token", "sign a command for terminals, to be sent over MQTT", _token)
    token.description = f"{token.description} {NOTE}"
    token.add_argument(
        "commands", nargs="+", metavar="COMMAND", help="ping, read, diag, trips, send, indicator, stay_awake, reprobe"
    )
    token.add_argument(
        "--number", action="append", default=[], metavar="NAME=N", help="of the command, e.g. seconds=10"
    )
    token.add_argument("--device", action="append", default=[], metavar="ID", help="for this terminal; may be repeated")
    token.add_argument("--all", action="store_true", help="for every terminal that trusts the fleet")
    token.add_argument(
        "--seconds", type=_hold_s, default=DAY_S, metavar="N", help="how long it holds (default: a day; a week at most)"
    )
    token.add_argument(
        "--challenge", metavar="HEX", help="of the terminal's state: for one whose clock nobody vouches for"
    )
    token.add_argument(
        "--fleet",
        type=Path,
        action="append",
        required=True,
        metavar="KEY",
        help="a `command` key of the fleet; may be repeated",
    )
    token.add_argument("-o", "--output", type=Path, metavar="FILE", help="without it: stdout")  # fmt: skip


def _hold_s(word: str) -> float:
    """How long a token may hold."""
    return number(word, WEEK_S)


def _token(asked: argparse.Namespace) -> int:
    from agent.cli import token_command
    from agent.errors import UsageError

    if bool(asked.device) == asked.all:
        raise UsageError("for whom? name each --device, or --all of the fleet")
    wanted = token_command.Wanted(asked.commands, asked.number, asked.device, asked.seconds, asked.challenge)
    return token_command.token(wanted, asked.fleet, asked.output)
