"""The commands of whoever installs a terminal: vehicle maps, probing, and `tbox doctor`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.arguments import Commands, add, add_inputs, add_settings, machine, map_of, seconds

if TYPE_CHECKING:
    from agent.settings import Settings


def add_vehicle(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox vehicle compile|probe|check`."""
    parser = add(commands, "vehicle", "vehicle maps: make the table, find the map that fits, try a map on a log", None)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    compiling = add(verbs, "compile", "a map or DBC to the table the terminal reads", _compile)
    compiling.add_argument("map", type=Path, metavar="MAP|DBC")
    compiling.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    probing = add(verbs, "probe", "listen to a bus: identifiers, which shipped map fits, VIN, supported PIDs", _probe)
    probing.add_argument("--channel", metavar="NAME", help="interface or port; without it the settings' first bus")
    probing.add_argument("--interface", metavar="NAME", help="python-can's driver, e.g. socketcan, slcan")
    probing.add_argument("--bitrate", type=int, metavar="N", help="bit/s of an adapter; without it searched for")
    probing.add_argument("--ask", action="store_true", help="the ignition is on: also ask for VIN and PIDs")
    _add_listening(probing)
    checking = add(verbs, "check", "try a map on a log: is each signal seen, in range, and speed plausible?", _check)
    checking.add_argument("map", type=Path, metavar="MAP")
    checking.add_argument("log", type=Path, metavar="LOG")
    checking.add_argument("--json", action="store_true", help="for scripts")
    add_inputs(checking, vehicle=False)


def add_doctor(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox doctor`."""
    parser = add(commands, "doctor", "is this box well installed? one PASS, FAIL or SKIP line each", _doctor)
    parser.add_argument("--steps", action="store_true", help="for a program that shows it: JSON Lines while it goes on")
    _add_listening(parser)


def add_awake(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox awake`."""
    parser = add(commands, "awake", "keep the terminal of a parked car awake for a while, for service", _awake)
    parser.add_argument("seconds", type=_seconds_or_none, metavar="SECONDS", help="how long; 0: it may sleep again")
    add_settings(parser)


def _seconds_or_none(text: str) -> float:
    """0, or seconds as `seconds` takes them."""
    return 0.0 if text == "0" else seconds(text)


def _add_listening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=seconds, default=10.0, metavar="N", help="how long to listen (default: 10)")
    parser.add_argument("--json", action="store_true", help="for scripts")
    add_settings(parser)


def _compile(asked: argparse.Namespace) -> int:
    from agent.maps import compile  # noqa: A004  (the room's name; the builtin is not used here)

    return compile.run(asked.map, asked.output)


def _probe(asked: argparse.Namespace) -> int:
    from agent.doctor import probe, tap

    can = tap.bus_of(_settings(asked), asked.channel, asked.interface, asked.bitrate)
    return probe.probe(can, asked.seconds, ask=asked.ask, as_json=asked.json)


def _settings(asked: argparse.Namespace) -> "Settings":
    """This terminal's settings; where it has none yet and the bus is named, the defaults do."""
    from agent.settings import file as settings_file

    if asked.channel and not asked.config and not settings_file.MACHINE_FILE.exists():
        return settings_file.load(None, asked.sets)
    return machine(asked)


def _check(asked: argparse.Namespace) -> int:
    from agent.doctor import probe
    from agent.settings import file as settings_file

    found = map_of(asked.map, settings_file.load(None))
    return probe.check(found, asked.log, form=asked.format, as_json=asked.json)


def _awake(asked: argparse.Namespace) -> int:
    from agent.power import awake

    return awake.run(machine(asked), asked.seconds)


def _doctor(asked: argparse.Namespace) -> int:
    from agent.doctor import doctor

    return doctor.doctor(machine(asked), asked.seconds, as_json=asked.json, as_steps=asked.steps)
