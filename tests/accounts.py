"""Accounts to try things on: a device with a fixed key, and a few days of its records."""

from functools import cache

from agent.codec import Record
from agent.ledger.key import DeviceKey
from agent.ledger.key_chain import told_of
from agent.ledger.ledger import Identity, Ledger, Tail
from agent.outbox.recordfile import frame

KEY = DeviceKey(bytes(range(32)))
OTHER_KEY = DeviceKey(bytes(32))
IDENTITY = Identity("tbox 0.1.0", "5e77195")


def ledger(boot: int = 1, tail: Tail | None = None, key: DeviceKey = KEY) -> Ledger:
    return Ledger(key, boot, tail or Tail(), IDENTITY)


def drive(book: Ledger, t_us: int) -> list[Record]:
    """One trip of two minutes: start, samples, an event, health, samples, end, and the seal that follows it."""
    start = book.number("trip_start", t_us, {"start_us": t_us - 5_000_000})
    trip = start[0].seq
    body = {"trip": trip, "columns": bytes(20)}
    records = start + book.number("samples", t_us + 60_000_000, body)
    records += book.number("event", t_us + 70_000_000, {"event": "harsh_braking", "trip": trip, "start_us": t_us + 1})
    records += book.number("health", t_us + 71_000_000, {"turns": 3})
    records += book.number("samples", t_us + 120_000_000, body)
    book.count({"in": 100, "decoded": 90, "unmapped": 10}, {})
    end = {"trip": trip, "start_us": t_us - 5_000_000, "end_us": t_us + 120_000_000, "distance_m": 1234.5}
    return records + book.number("trip_end", t_us + 420_000_000, end | {"end_reason": "stopped"})


@cache
def two_boots() -> tuple[Record, ...]:
    """18 records: key, boot, a drive and its seal (8), then boot 2 with a clock record and another drive."""
    first = ledger()
    records = first.start(1, {"software": "tbox 0.1.0"}) + drive(first, 10_000_000)
    second = ledger(2, first.tail)
    records += second.start(5, {"software": "tbox 0.1.0"})
    clock = {"boot": 2, "boot_us": 0, "utc_us": 1_760_000_000_000_000, "u_us": 1000, "source": "ntp"}
    records += second.number("clock", 6, clock)
    return tuple(records + drive(second, 20_000_000))


@cache
def rotated() -> tuple[Record, ...]:
    """28 records under three keys, the second from seq 11 on, the third from 20 on, which is boot 2; a drive each."""
    second, third = (DeviceKey(bytes([number]) * 32, KEY.device) for number in (2, 3))
    first = ledger()
    records = first.start(1, {"software": "tbox 0.1.0"}) + drive(first, 10_000_000)
    records += first.rotate(3, second, "a drill") + drive(first, 20_000_000) + first.rotate(4, third, "another")
    told = Identity(
        IDENTITY.software, IDENTITY.settings, {"chain": told_of(r for r in records if "previous" in r.body)}
    )
    book = Ledger(third, 2, first.tail, told)
    return tuple(records + book.start(5, {"software": "tbox 0.1.0"}) + drive(book, 30_000_000))


def framed(records: list[Record] | tuple[Record, ...]) -> bytes:
    """The records as a receiver writes them."""
    return b"".join(frame(record.raw) for record in records)
