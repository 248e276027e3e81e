"""python -m hil fleet: so many terminals for so long, against a database, a broker and receivers started here.

Halfway all links fall for a while and come back at once, as in the morning; single links fall all the time. Each record
must be in the database once, and nothing else. What is killed with --kill is started again 2 s later.
"""

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any, out: Path) -> None:
    """The command's words."""
    parser = commands.add_parser(
        "fleet", help="thousands of terminals against receivers, broker and database", description=__doc__
    )
    parser.add_argument("--terminals", type=int, default=2000, metavar="N", help="default: 2000")
    parser.add_argument("--minutes", type=float, default=5.0, metavar="M", help="default: 5")
    parser.add_argument(
        "--rate",
        type=float,
        default=1000.0,
        metavar="N",
        help="records/s of all together (default: 1000); 0: as fast as it goes",
    )
    parser.add_argument("--receivers", type=int, default=2, metavar="N", help="default: 2")
    parser.add_argument(
        "--flaps", type=float, default=0.2, metavar="N", help="falls of a link a terminal and minute (default: 0.2)"
    )
    parser.add_argument(
        "--outage", type=float, default=10.0, metavar="S", help="halfway, all links at once (default: 10; 0: none)"
    )
    parser.add_argument(
        "--kill",
        action="append",
        default=[],
        metavar="WHO@S",
        help="broker (or node1 to node3) or a receiver's number, after S seconds, as broker@20",
    )
    parser.add_argument(
        "--forge", type=int, default=0, metavar="N", help="altered copies of true records that must be refused"
    )
    parser.add_argument(
        "--engine",
        choices=("mosquitto", "rabbitmq"),
        default="mosquitto",
        help="one mosquitto, or RabbitMQ's three nodes",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--json", type=Path, default=out / "fleet.json", metavar="FILE", help="the figures")


def command(options: argparse.Namespace) -> int:
    """Run it; the rooms behind need a database's client, which not every bench has."""
    from hil.fleet import command as room  # noqa: PLC0415

    return room.command(options)
