"""The command `tbox key`: the keys of a terminal and of a fleet."""

import argparse
from pathlib import Path

from agent.cli.arguments import Commands, add, add_settings, machine
from agent.cli.token import add_token


def add_key(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox key show|rotate|accept|trust...` on a terminal, `fleet|certify|roster` where the fleet's key is kept."""
    parser = add(commands, "key", "the device's key, its successors, and the fleet's certificate", None)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    show = add(verbs, "show", "public keys and certificate of this terminal; never a secret", _show)
    show.add_argument("--json", action="store_true", help="for scripts")
    rotate = add(verbs, "rotate", "make a new key for this device; the old one signs the handover", _rotate)
    rotate.add_argument("--reason", default="asked for", metavar="TEXT", help="told in the record")
    accept = add(verbs, "accept", "put the fleet's certificate in place; the next start tells it", _accept)
    accept.add_argument("certificate", type=Path, metavar="FILE", help="as `tbox key certify` made it")
    for verb in (show, rotate, accept):
        add_settings(verb)
    fleet = add(verbs, "fleet", "make a fleet's key, or show the public half of the one that is there", _fleet)
    fleet.add_argument("file", type=Path, metavar="FILE", help="its secret; keep it where no terminal is")
    certify = add(verbs, "certify", "sign the fleet's certificate for a device", _certify)
    certify.add_argument("public", metavar="HEX", help="the device's public key, as its `tbox key show` prints it")
    certify.add_argument("--fleet", type=Path, required=True, metavar="FILE", help="the fleet's key")
    certify.add_argument("--name", required=True, metavar="TEXT", help="what the fleet calls it, e.g. its plate")
    certify.add_argument("--device", metavar="HEX", help="the device's id, where that key is not its first")
    certify.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    _add_roster(verbs)
    _add_trust(verbs)
    add_token(verbs)


def _add_roster(verbs: "Commands[argparse.ArgumentParser]") -> None:
    """Whose keys a fleet signs with."""
    roster = add(verbs, "roster", "write the trust document: whose keys sign for the fleet, and for what", _roster)
    roster.add_argument("output", type=Path, metavar="FILE", help="the document, e.g. acme.json; no secret is in it")
    roster.add_argument("--name", metavar="FLEET", help="of the fleet, for its first document, e.g. acme")
    roster.add_argument("--from", type=Path, metavar="FILE", dest="before", help="make the version after this one")
    roster.add_argument(
        "--add", action="append", default=[], metavar="NAME=KEY[:ROLE,...]",
        help="a public key and what it signs: root (such documents), bundle, command, binding; without roles all four. "
        "Without any --add, whoever signs the first document may do everything",
    )  # fmt: skip
    roster.add_argument(
        "--threshold", action="append", default=[], metavar="[ROLE=]N", help="how many must sign together (default: 1)"
    )
    roster.add_argument(
        "--revoke", action="append", default=[], metavar="NAME|KEY", help="this key counts for nothing from now on"
    )
    roster.add_argument(
        "--fleet", type=Path, action="append", required=True, metavar="KEY",
        help="file with a root key that signs it, of this version or the one before; may be repeated",
    )  # fmt: skip


def _add_trust(verbs: "Commands[argparse.ArgumentParser]") -> None:
    """Which fleets a terminal trusts."""
    trust = add(verbs, "trust", "take bundles and commands of a fleet, by its trust document", _trust)
    trust.add_argument("file", type=Path, metavar="FILE", help="as `tbox key roster` made it; check it came from them")
    untrust = add(verbs, "untrust", "take nothing from this fleet any more", _untrust)
    untrust.add_argument("name", metavar="FLEET")
    trusted = add(verbs, "trusted", "which fleets this terminal trusts, and whose keys", _trusted)
    trusted.add_argument("--json", action="store_true", help="for scripts")
    for verb in (trust, untrust, trusted):
        add_settings(verb)


def _roster(asked: argparse.Namespace) -> int:
    from agent.cli import trust_command

    return trust_command.roster(
        asked.output, asked.name, asked.before, asked.add, asked.threshold, asked.revoke, asked.fleet
    )


def _trust(asked: argparse.Namespace) -> int:
    from agent.cli import trust_command

    return trust_command.pin(machine(asked), asked.file)


def _untrust(asked: argparse.Namespace) -> int:
    from agent.cli import trust_command

    return trust_command.unpin(machine(asked), asked.name)


def _trusted(asked: argparse.Namespace) -> int:
    from agent.cli import trust_command

    return trust_command.trusted(machine(asked), json=asked.json)


def _show(asked: argparse.Namespace) -> int:
    from agent.cli import key_command

    return key_command.show(machine(asked), json=asked.json)


def _rotate(asked: argparse.Namespace) -> int:
    from agent.cli import key_command

    return key_command.rotate(machine(asked), asked.reason)


def _accept(asked: argparse.Namespace) -> int:
    from agent.cli import key_command

    return key_command.accept(machine(asked), asked.certificate)


def _fleet(asked: argparse.Namespace) -> int:
    from agent.cli import key_command

    return key_command.fleet(asked.file)


def _certify(asked: argparse.Namespace) -> int:
    from agent.cli import key_command

    return key_command.certify(asked.public, asked.fleet, asked.name, asked.device, asked.output)
