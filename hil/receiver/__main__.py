"""The reference receiver: stores every record once in SQLite and says so with receipts.

python -m hil.receiver --broker HOST[:PORT] --store FILE          until Ctrl-C; with --key FILE its receipts are signed
python -m hil.receiver --store FILE --export TERMINAL > records   what is stored of one, for `tbox verify`
"""

import argparse
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from agent.errors import TboxError
from agent.key import load_or_make
from hil.receiver.intake import arrival
from hil.receiver.mqtt import Door
from hil.receiver.store import PlatformStore

BATCH = 500
WAIT_S = 0.2
STORAGE = 74


class _Stop:
    """Set by SIGINT and SIGTERM: what is taken is stored, then it ends."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True


def serve(door: Door, store: PlatformStore, stop: _Stop) -> None:
    """Say what is stored; then take, store, acknowledge, say so, in this order."""
    for terminal in store.terminals():
        door.tell(terminal, store.receipt(terminal))
    while not stop.is_set:
        messages = door.take(BATCH, WAIT_S)
        arrived = [one for message in messages if (one := arrival(message.topic, bytes(message.payload)))]
        if not arrived:
            door.done(messages)
            continue
        with store.batch():
            for one in arrived:
                if reason := store.take(one):
                    print(f"refused: {one.terminal} {one.lane}: {reason}", file=sys.stderr, flush=True)
        door.done(messages)
        for terminal in dict.fromkeys(one.terminal for one in arrived):
            door.tell(terminal, store.receipt(terminal))


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m hil.receiver", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True, metavar="FILE", help="the SQLite file; made when missing")
    parser.add_argument("--broker", metavar="HOST[:PORT]", help="whose records are taken")
    parser.add_argument("--restored", action="store_true", help="the store is a backup: say so with a new epoch")
    parser.add_argument("--key", type=Path, metavar="FILE", help="sign receipts with the key in it; made when missing")
    parser.add_argument(
        "--export", metavar="TERMINAL", help="write this terminal's records to standard output, and end"
    )
    asked = parser.parse_args(words)
    if (asked.broker is None) == (asked.export is None):
        parser.error("give either --broker or --export")
    host, _, port = (asked.broker or "").partition(":")
    if port and not port.isdecimal():
        parser.error(f"--broker {asked.broker}: the port is a number, as in localhost:1883")
    try:
        key = load_or_make(asked.key) if asked.key else None
        with PlatformStore(asked.store, is_restored=asked.restored, key=key) as store:
            if asked.export is not None:
                sys.stdout.buffer.writelines(store.export(asked.export))
                return 0
            with Door(host, int(port or 1883)) as door:
                serve(door, store, _Stop())
            print(" ".join(f"{count} {name}" for name, count in store.counts().items()))
    except sqlite3.Error as why:
        print(f"{asked.store}: {why}; give a file in a folder that is there and can be written", file=sys.stderr)
        return STORAGE
    except TboxError as why:
        print(why, file=sys.stderr)
        return why.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
