"""The commands of the yard: `tbox pair` and `tbox install`."""

import argparse
from pathlib import Path

from agent.cli.arguments import Commands, add, add_settings, machine, number, seconds

KM_MAX = 10_000_000
"""No car has driven farther."""


def add_pair(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox pair code|accept|show|remove` at the box, `sign` where the platform's key is kept."""
    parser = add(commands, "pair", "bring box, car and owner together, and part them", None)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    code = add(verbs, "code", "show the one-time code and its QR code, for the platform", _code)
    code.add_argument("--new", action="store_true", help="make another one; the one before is good for nothing")
    code.add_argument("-o", "--output", type=Path, metavar="FILE.svg", help="write the QR code as a picture")
    accept = add(verbs, "accept", "take the platform's signed binding", _accept)
    accept.add_argument("file", type=Path, metavar="FILE")
    show = add(verbs, "show", "what this box is bound to", _show)
    remove = add(verbs, "remove", "part the box from car and owner; the account says so", _remove)
    remove.add_argument("--yes", action="store_true", help="do not ask")
    for verb in (code, show):
        verb.add_argument("--json", action="store_true", help="for scripts")
    for verb in (code, accept, show, remove):
        add_settings(verb)
    _add_sign(verbs)


def _add_sign(verbs: "Commands[argparse.ArgumentParser]") -> None:
    sign = add(verbs, "sign", "write the signed binding of a box, where the platform's key is kept", _sign)
    sign.add_argument("--device", required=True, metavar="HEX", help="the box's id, as `tbox pair code` shows it")
    sign.add_argument("--code", default="", metavar="CODE", help="the one-time code it shows")
    sign.add_argument("--binding", required=True, metavar="ID", help="the platform's name of it; each its own")
    sign.add_argument("--vin", default="", metavar="VIN", help="of the car; without it any car will do")
    sign.add_argument("--owner", default="", metavar="TEXT", help="stays on the box, goes into no record")
    sign.add_argument("--remove", action="store_true", help="end this binding instead")
    sign.add_argument(
        "--fleet", type=Path, action="append", required=True, metavar="KEY",
        help='file with a key of the role "binding"; may be repeated',
    )  # fmt: skip
    sign.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")


def add_install(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox install record|certificate`."""
    parser = add(commands, "install", "certify an installation, and print the certificate", None)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    record = add(verbs, "record", "run the checks and write a sealed record of this installation", _record)
    record.add_argument("--technician", required=True, metavar="NAME")
    record.add_argument("--plate", default="", metavar="TEXT", help="number plate")
    record.add_argument("--vin", default="", metavar="VIN", help="where the car does not tell it; marked as typed")
    record.add_argument("--odometer-km", type=_km, metavar="KM", help="where the car does not tell it; marked so")
    record.add_argument("--photo", type=Path, action="append", default=[], metavar="FILE", help="its SHA-256 is told")
    record.add_argument(
        "--photo-sha256", action="append", default=[], metavar="HEX", help="of a photo that stays elsewhere"
    )
    record.add_argument("--note", default="", metavar="TEXT", help="up to 500 characters")
    record.add_argument(
        "--checks", type=Path, metavar="FILE", help="what `tbox doctor --json` printed; default: look now"
    )
    record.add_argument("--seconds", type=seconds, default=10.0, metavar="N", help="how long to listen (default: 10)")
    printed = add(verbs, "certificate", "print a certificate as a page, for paper or PDF", _certificate)
    printed.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html")
    printed.add_argument("--seq", type=int, metavar="N", help="of this record; default: the newest")
    printed.add_argument("--records", type=Path, metavar="FILE", help="from a record file, not from this terminal")
    for verb in (record, printed):
        add_settings(verb)


def _km(word: str) -> float:
    """What an odometer may show."""
    return number(word, KM_MAX, least=0)


def _code(asked: argparse.Namespace) -> int:
    from agent.cli import pair_command

    return pair_command.code(machine(asked), asked.output, is_new=asked.new, json=asked.json)


def _accept(asked: argparse.Namespace) -> int:
    from agent.cli import pair_command

    return pair_command.accept(machine(asked), asked.file)


def _show(asked: argparse.Namespace) -> int:
    from agent.cli import pair_command

    return pair_command.show(machine(asked), json=asked.json)


def _remove(asked: argparse.Namespace) -> int:
    from agent.cli import pair_command

    return pair_command.remove(machine(asked), is_sure=asked.yes)


def _sign(asked: argparse.Namespace) -> int:
    from agent.cli import pair_command

    names = ("device", "code", "binding", "vin", "owner")
    told = {name: getattr(asked, name) for name in names} | {"state": "removed" if asked.remove else "bound"}
    return pair_command.sign(told, asked.fleet, asked.output)


def _record(asked: argparse.Namespace) -> int:
    from agent.cli import install_command

    metres = None if asked.odometer_km is None else round(asked.odometer_km * 1000)
    said = {"technician": asked.technician, "plate": asked.plate, "vin": asked.vin, "odometer_m": metres}
    said |= {"note": asked.note, "photos": asked.photo, "hashes": asked.photo_sha256}
    return install_command.record(machine(asked), said, asked.checks, asked.seconds)


def _certificate(asked: argparse.Namespace) -> int:
    from agent.cli import install_command

    return install_command.certificate(lambda: machine(asked), asked.records, asked.seq, asked.output)
