"""The commands `tbox read` and `tbox ask`: what the running daemon knows, and what it is asked to do."""

import argparse
from pathlib import Path

from agent.cli.arguments import Commands, add, add_settings, machine

NAMES = ("ping", "read", "diag", "trips", "send", "indicator", "stay_awake", "reprobe")


def add_ask(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox read`, `tbox ask`."""
    reading = add(commands, "read", "live values of the running daemon: signals, receiver, buses, link", _read)
    asking = add(commands, "ask", "ask the running daemon: e.g. tbox ask indicator seconds=10", _ask)
    asking.add_argument("name", choices=NAMES, metavar="NAME", help=" ".join(NAMES))
    asking.add_argument(
        "words", nargs="*", metavar="KEY=NUMBER",
        help="send: trip=N or event=N; indicator, stay_awake: seconds=N",
    )  # fmt: skip
    for verb in (reading, asking):
        verb.add_argument("--json", action="store_true", help="for scripts")
        add_settings(verb)


def _read(asked: argparse.Namespace) -> int:
    from agent.desk import asking_desk

    return asking_desk.read(Path(machine(asked).device.state_dir), json=asked.json)


def _ask(asked: argparse.Namespace) -> int:
    from agent.desk import asking_desk

    return asking_desk.run(Path(machine(asked).device.state_dir), asked.name, asked.words, json=asked.json)
