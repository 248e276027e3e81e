"""The command `tbox key`: the keys of a terminal and of a fleet."""

import argparse
from pathlib import Path

from agent.arguments import Commands, add, add_settings, machine


def add_key(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox key show|rotate|accept` on a terminal, `tbox key fleet|certify` where the fleet's key is kept."""
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


def _show(asked: argparse.Namespace) -> int:
    from agent import key_command

    return key_command.show(machine(asked), json=asked.json)


def _rotate(asked: argparse.Namespace) -> int:
    from agent import key_command

    return key_command.rotate(machine(asked), asked.reason)


def _accept(asked: argparse.Namespace) -> int:
    from agent import key_command

    return key_command.accept(machine(asked), asked.certificate)


def _fleet(asked: argparse.Namespace) -> int:
    from agent import key_command

    return key_command.fleet(asked.file)


def _certify(asked: argparse.Namespace) -> int:
    from agent import key_command

    return key_command.certify(asked.public, asked.fleet, asked.name, asked.device, asked.output)
