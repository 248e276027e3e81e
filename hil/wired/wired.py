"""Place `wired`: the car on one interface, a real terminal on the other end of the wire. hil/WIRING.md draws it.

    python -m hil wired --check --car can1 --terminal can0                       the terminal's program runs here
    python -m hil wired --check --car can1 --broker 192.168.7.1:1883 [--device ID]   a box, which reports to us there
    python -m hil run NAME --place wired --car can1 --terminal can0              the same list first, then the drive

An interface is [INTERFACE:]CHANNEL[@BITRATE]: can1 of SocketCAN, or what python-can knows, as pcan:PCAN_USBBUS1@500000.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hil.terminal import Setting, toml
from hil.wired.checks import Check, check_supply, check_wire, skipped
from hil.wired.report import REPORTS, check_report
from hil.wires.site import UNWIRED, Site
from hil.wires.wire import End, EndError, parse_end

BOX_PATIENCE = 4.0
"""A box that was just turned away waits before it comes again."""


class WiringError(Exception):
    """The bench is not wired so that anything could be tried; the text says which line of the checklist fails."""


def add_to(commands: Any) -> None:
    """The command `wired`."""
    told = commands.add_parser("wired", help="a real terminal on a wire: how it is wired, and whether it is well")
    told.add_argument("--check", action="store_true", help="walk through the checklist (without: show the wiring)")
    told.add_argument("--json", action="store_true", help="the checklist for scripts")
    add_options(told)


def add_options(parser: argparse.ArgumentParser) -> None:
    """How it is wired."""
    group = parser.add_argument_group("place wired")
    group.add_argument("--car", type=_end, metavar="END", help="the car's interface: can1, or pcan:PCAN_USBBUS1@500000")
    group.add_argument("--terminal", type=_end, metavar="END", help="run the terminal here, on this interface")
    group.add_argument("--broker", type=_address, metavar="HOST:PORT", help="listen here for a box elsewhere")
    group.add_argument("--device", default="", metavar="ID", help="the box's id (default: the one that reports)")
    group.add_argument("--supply", type=float, metavar="VOLTS", help="pin 16 against pin 4, as measured")


def site_of(options: argparse.Namespace) -> Site | None:
    """The wiring that was said; None: not enough of it."""
    if options.car is None or (options.terminal is None) == (options.broker is None):
        return None
    if options.terminal is not None:
        return Site("wired", car=options.car, terminal=options.terminal)
    device, patience = options.device, BOX_PATIENCE
    return Site("wired", car=options.car, listen=options.broker, is_box=True, device=device, patience=patience)


def command(options: argparse.Namespace) -> int:
    """`python -m hil wired`; 0: nothing fails."""
    if not options.check:
        print(Path(__file__).parent.with_name("WIRING.md").read_text(encoding="utf-8"), end="")
        return 0
    site = site_of(options)
    if site is None:
        raise WiringError(UNWIRED)
    checks = []
    for check in walk(site, options.supply):
        checks.append(check)
        if not options.json:
            print(line(check), flush=True)
    if options.json:
        print(json.dumps({"good": is_good(checks), "checks": [asdict(check) for check in checks]}))
    return 0 if is_good(checks) else 1


def walk(site: Site, supply_v: float | None) -> Iterator[Check]:
    """The checklist, each line as soon as it is known."""
    wire = []
    for check in check_wire(site):
        wire.append(check)
        yield check
    yield check_supply(supply_v)
    if is_good(wire) or site.is_box:
        yield from check_report(site)
    else:
        yield skipped(REPORTS, "not started before the lines above pass")


def ready(
    site: Site, supply_v: float | None, settings: Sequence[Mapping[str, Setting]], say: Callable[[str], None]
) -> None:
    """Walk through it before a drive. WiringError on the first line that fails.

    `settings`: what the drives want of a terminal; a box has its own, so it is said what they must be.
    """
    for check in walk(site, supply_v):
        say(line(check))
        if check.verdict == "FAIL":
            raise WiringError(f"{check.name}: {check.words}; {check.fix}")
    wanted = {f"{key} = {toml(setting)}" for table in settings for key, setting in table.items()}
    if site.is_box and wanted:
        say(f"the box must have these settings: {', '.join(sorted(wanted))}")


def line(check: Check) -> str:
    """As a person reads it."""
    return f"{check.verdict} {check.name}: {check.words}" + (f"; {check.fix}" if check.fix else "")


def is_good(checks: Sequence[Check]) -> bool:
    """Whether nothing fails."""
    return all(check.verdict != "FAIL" for check in checks)


def _end(text: str) -> End:
    try:
        return parse_end(text)
    except EndError as why:
        raise argparse.ArgumentTypeError(str(why)) from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: wanted is HOST:PORT, an address of this machine")
    return host, int(port)
