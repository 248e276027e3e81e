"""The command `tbox bundle`: what a fleet gives its terminals, made and signed away from them."""

import argparse
from pathlib import Path

from agent.cli.arguments import Commands, add, add_settings, machine, number

DAYS_MAX = 3660
"""Nobody permits anything for more than ten years."""


def add_bundle(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox bundle new|sign|inspect|verify|permit`."""
    parser = add(commands, "bundle", "settings, vehicle maps and certificates in one signed file (.tbx)", None)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    _add_new(verbs)
    sign = add(verbs, "sign", "add a fleet key's signature to a bundle, a trust document or a permission", _sign)
    sign.add_argument("file", type=Path, metavar="FILE")
    _add_fleet(sign)
    sign.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: the file itself")
    inspect = add(verbs, "inspect", "what a bundle says of itself and holds", _inspect)
    verify = add(verbs, "verify", "is it whole, signed by whom we trust, valid, and would it work?", _verify)
    for verb in (inspect, verify):
        verb.add_argument("file", type=Path, metavar="FILE.tbx")
        verb.add_argument("--json", action="store_true", help="for scripts")
    verify.add_argument(
        "--trust",
        type=Path,
        metavar="DIR",
        help="trust the documents in this folder; default: whom this terminal trusts",
    )
    add_settings(verify)
    permit = add(verbs, "permit", "allow one terminal to go back to an older version of a bundle", _permit)
    permit.add_argument("--device", required=True, metavar="HEX", help="its id, as its `tbox key show` prints it")
    permit.add_argument("--id", required=True, metavar="ID", help="of the bundle")
    permit.add_argument("--version", required=True, type=int, metavar="N", help="the older one it may take")
    permit.add_argument("--days", type=_days, default=7.0, metavar="N", help="how long it holds (default: 7)")
    _add_fleet(permit)
    permit.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")


def _add_new(verbs: "Commands[argparse.ArgumentParser]") -> None:
    new = add(verbs, "new", "make a bundle of a folder: tbox.toml, maps/, certs/, trust/, rules/", _new)
    new.add_argument("folder", type=Path, metavar="FOLDER", help="what follows may stand in its manifest.toml as well")
    new.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.tbx")
    new.add_argument("--id", metavar="ID", help="names the bundle over all its versions, e.g. acme-vans")
    new.add_argument("--version", type=int, metavar="N", help="1 and up; terminals refuse an older one than they had")
    for name, words in (
        ("--hardware", "for this hardware only (device.hardware of a terminal)"),
        ("--class", "for vehicles of this class only, e.g. car"),
        ("--vin", "for VINs like this only, e.g. 'WDB9066*'"),
    ):
        dest = "vehicle_class" if name == "--class" else name[2:]
        new.add_argument(name, action="append", default=[], metavar="NAME", dest=dest, help=f"{words}; may be repeated")
    new.add_argument("--agent", metavar="RANGE", help="for these versions of tbox only, e.g. '>=1.0,<2'")
    new.add_argument("--not-before", metavar="TIME", help="valid from, e.g. 2027-01-31 or 2027-01-31T12:00:00Z")
    new.add_argument("--not-after", metavar="TIME", help="valid until")


def _add_fleet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fleet", type=Path, action="append", required=True, metavar="KEY",
        help="file with a fleet's key, as `tbox key fleet` makes it; may be repeated",
    )  # fmt: skip


def _days(word: str) -> float:
    """How long a permission may hold."""
    return number(word, DAYS_MAX)


def _new(asked: argparse.Namespace) -> int:
    from agent.cli import bundle_command

    names = ("id", "version", "hardware", "vehicle_class", "vin", "agent", "not_before", "not_after")
    return bundle_command.new(asked.folder, asked.output, {name: getattr(asked, name) for name in names})


def _sign(asked: argparse.Namespace) -> int:
    from agent.cli import bundle_command

    return bundle_command.sign(asked.file, asked.fleet, asked.output)


def _inspect(asked: argparse.Namespace) -> int:
    from agent.cli import bundle_command

    return bundle_command.inspect(asked.file, json=asked.json)


def _verify(asked: argparse.Namespace) -> int:
    from agent.cli import bundle_command

    trusted = lambda: bundle_command.machine_trust(lambda: machine(asked), asked.trust)  # noqa: E731  (asked when needed)
    return bundle_command.verify(asked.file, trusted, json=asked.json)


def _permit(asked: argparse.Namespace) -> int:
    from agent.cli import bundle_command

    return bundle_command.permit(asked.device, asked.id, asked.version, asked.days, asked.fleet, asked.output)
