"""The reference receiver: stores every record once and says so with receipts. Any number of them share the work.

python -m hil.receiver --broker HOST[:PORT] --store FILE                     one machine, SQLite
python -m hil.receiver --broker HOST[:PORT] --store postgresql://HOST/NAME   several, each with its own --name
python -m hil.receiver --queue amqp://HOST/ --broker HOST[:PORT] --user NAME --store postgresql://HOST/NAME
                                                                             in through RabbitMQ's queue
python -m hil.receiver --store ... --export TERMINAL > records               for `tbox verify`
"""

import argparse
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from agent.errors import InputError, StorageError, TboxError
from agent.ledger.key import KEY_BYTES, Signer, load_or_make
from hil.receiver import access, figures
from hil.receiver.access import Access, hidden
from hil.receiver.door import Door
from hil.receiver.rounds import Rounds
from hil.receiver.store import PlatformStore, Store

POSTGRES = ("postgresql:", "postgres:")


class _Stop:
    """Set by SIGINT and SIGTERM: what is taken is stored, then it ends."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = _parser()
    asked = parser.parse_args(words)
    if (asked.broker is None) == (asked.export is None):
        parser.error("give either --broker or --export")
    brokers = [one.partition(":") for one in (asked.broker or "").split(",")]
    if any(port and not port.isdecimal() for _, _, port in brokers):
        parser.error(f"--broker {asked.broker}: the port is a number, as in localhost:1883")
    try:
        open_store, faults = _store(asked)
        if asked.export is not None:
            return _export(open_store(), asked.export)
        told = Access.read(asked)
        usual = 1883 if told.context is None else 8883
        door = _door(asked, [(host, int(port or usual)) for host, _, port in brokers], told)
        _serve(asked, open_store, faults, door)
    except TboxError as why:
        print(why, file=sys.stderr)
        return why.exit_code
    except OSError as why:
        print(f"--metrics {asked.metrics}: {why.strerror}; name a port that is free", file=sys.stderr)
        return 2
    return 0


def _export(store: Store, terminal: str) -> int:
    """All that is stored of a terminal. InputError: nothing is."""
    frames = store.export(terminal)
    first = next(frames, None)
    if first is None:
        raise InputError(f"--export {terminal}: nothing of it is stored there")
    sys.stdout.buffer.write(first)
    sys.stdout.buffer.writelines(frames)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hil.receiver", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--store", required=True, metavar="FILE|URL", help="an SQLite file, made when missing, or a PostgreSQL database"
    )
    parser.add_argument("--broker", metavar="HOST[:PORT],...", help="whose records are taken, and where receipts go")
    parser.add_argument(
        "--queue",
        metavar="URL",
        help="take records from this RabbitMQ's quorum queue instead; several nodes with commas",
    )
    parser.add_argument(
        "--name", default="1", help="of this receiver, its own among those that share the work (default: 1)"
    )
    parser.add_argument("--group", default="tbox", help="receivers of one group share the work (default: tbox)")
    parser.add_argument("--restored", action="store_true", help="the store is a backup: say so with a new epoch")
    parser.add_argument("--key", type=Path, metavar="FILE", help="sign receipts with the key in it; made when missing")
    parser.add_argument("--fleet", type=_key, metavar="HEX", help="take only devices that this fleet's key vouches for")
    parser.add_argument("--metrics", type=int, metavar="PORT", help="OpenMetrics on http://127.0.0.1:PORT/metrics")
    parser.add_argument(
        "--export", metavar="TERMINAL", help="write this terminal's records to standard output, and end"
    )
    access.add_to(parser)
    return parser


def _key(text: str) -> bytes:
    try:
        public = bytes.fromhex(text)
    except ValueError:
        public = b""
    if len(public) != KEY_BYTES:
        raise argparse.ArgumentTypeError(f"a public key is {2 * KEY_BYTES} hex digits, as `tbox key fleet` prints it")
    return public


def _store(asked: argparse.Namespace) -> tuple[Callable[[], Store], tuple[type[Exception], ...]]:
    """How the store is opened, and after which errors it is opened again. `--restored` holds for the first time."""
    key: Signer | None = load_or_make(asked.key) if asked.key else None
    restored = [asked.restored, False]

    def is_restored() -> bool:
        return bool(restored.pop(0) if len(restored) > 1 else False)

    if not asked.store.startswith(POSTGRES):
        return lambda: _sqlite(asked.store, is_restored=is_restored(), key=key, fleet=asked.fleet), (sqlite3.Error,)
    import psycopg  # noqa: PLC0415  (one machine needs none)

    from hil.receiver.postgres import PostgresStore  # noqa: PLC0415

    def opened() -> Store:
        return PostgresStore(asked.store, is_restored=is_restored(), key=key, fleet=asked.fleet)

    try:
        opened().close()
    except psycopg.Error as why:
        told = hidden(f"{asked.store}: {' '.join(str(why).split())}")
        raise StorageError(f"{told}; is it running, and may this user make tables in it?") from None
    return opened, (psycopg.Error,)


def _sqlite(path: str, *, is_restored: bool, key: Signer | None, fleet: bytes | None) -> Store:
    try:
        return PlatformStore(Path(path), is_restored=is_restored, key=key, fleet=fleet)
    except sqlite3.Error as why:
        raise StorageError(f"{path}: {why}; give a file in a folder that is there and can be written") from None


def _door(asked: argparse.Namespace, brokers: list[tuple[str, int]], told: Access) -> Door:
    if asked.queue:
        from hil.receiver.amqp import AmqpDoor  # noqa: PLC0415  (only RabbitMQ needs it)

        return AmqpDoor(asked.queue.split(","), brokers, told)
    from hil.receiver.mqtt import MqttDoor  # noqa: PLC0415

    return MqttDoor(brokers[0], told, asked.name, asked.group)


def _serve(
    asked: argparse.Namespace,
    open_store: Callable[[], Store],
    faults: tuple[type[Exception], ...],
    door: Door,
) -> None:
    """Until Ctrl-C. RefusedError."""
    stop = _Stop()
    if asked.metrics is not None:
        figures.serve(asked.metrics)
    rounds = Rounds(open_store, door, faults)
    try:
        rounds.run(lambda: stop.is_set)
        print(" ".join(f"{count} {name}" for name, count in rounds.counts().items()))
    finally:
        rounds.close()


if __name__ == "__main__":
    sys.exit(main())
