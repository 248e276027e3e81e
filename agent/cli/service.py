"""`tbox service`: the technician's page."""

import argparse

from agent.cli.arguments import Commands, add, add_settings, machine, number

PAGE = """\
Nothing listens until this is called, and it ends by itself. The PIN is good for one login; who has lost the session
needs another: tbox service --new-pin. Over USB or by a button: config/tbox-service.service.
"""
EXTRA = ("tornado", "segno", "cryptography")


def add_service(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`tbox service`."""
    parser = add(commands, "service", "the technician's page in a browser: on one interface, for a while", _service)
    parser.epilog = f"{PAGE}\n{parser.epilog}"
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--interface", metavar="NAME", help="show it on this network interface (default: the settings')")
    where.add_argument("--address", metavar="A", help="show it on this address of this machine")
    parser.add_argument("--port", type=_port, metavar="N", help="TCP port; 0: any free one (default: the settings')")
    parser.add_argument(
        "--minutes", type=_minutes, metavar="N", help="it ends so long after the last touch (default: the settings')"
    )
    parser.add_argument("--name", action="append", default=[], metavar="HOST", help="a name it also answers to")
    parser.add_argument("--card", metavar="FILE", help="write address and PIN there (mode 600) instead of showing them")
    parser.add_argument("--new-pin", action="store_true", help="print a new PIN for the page that is shown, and end")
    parser.add_argument(
        "--open-to-all",
        default="",
        metavar="REASON",
        help="allow an address that others reach, and say why: it is logged",
    )
    parser.add_argument("--json", action="store_true", help="address, PIN and fingerprint as one line, for scripts")
    add_settings(parser)


def _service(asked: argparse.Namespace) -> int:
    from agent.errors import SettingsError

    try:
        from agent.service import command as service_command
    except ModuleNotFoundError as why:
        if why.name not in EXTRA:
            raise
        raise SettingsError(f"tbox service needs {why.name}: pip install 'tbox-agent[service]'") from None
    return service_command.run(asked, machine(asked))


def _port(word: str) -> int:
    if not word.isdecimal() or int(word) > 65535:
        raise argparse.ArgumentTypeError(f"{word}: a port is 0 to 65535")
    return int(word)


def _minutes(word: str) -> float:
    """One minute to a day."""
    return number(word, 1440, least=1)
