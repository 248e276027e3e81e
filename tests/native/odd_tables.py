"""Tables that no car has, and frames for them: every width, sign, order, scale, kind of identifier and of message."""

from pathlib import Path
from random import Random

from agent.core import ffi, lib
from agent.settings.file import load
from agent.vehicle import (
    ALWAYS,
    ANY_CHANNEL,
    BIG_ENDIAN,
    BY_PGN,
    FLOAT,
    LIMITED,
    NO_SIGNAL,
    OBD,
    OBD_ID,
    PGN,
    PLAIN,
    SIGNED,
    Cut,
    Message,
    Table,
    pgn_id,
)
from drivers import batch
from tests.native.pack import pack


def some_cut(luck: Random, index: int, length: int) -> Cut:
    flags = luck.choice([0, SIGNED]) | luck.choice([0, BIG_ENDIAN]) | luck.choice([0, LIMITED])
    flags |= FLOAT if luck.random() < 0.03 else 0
    return Cut(
        name="", unit="", start_bit=luck.randrange(8 * length),
        bits=luck.choice([16, 32, 64]) if flags & FLOAT else luck.choice([luck.randint(1, 16), luck.randint(1, 64)]),
        flags=flags, scale=luck.choice([1.0, 0.01, -0.5, 1e9, 1e300, 0.0, 1e-300]), offset=luck.choice([0.0, -40.0, 1e308]),
        min=-100.0, max=1e6, signal=luck.choice([NO_SIGNAL, luck.randrange(len(batch.SIGNALS))]),
        mux_cut=luck.randrange(index) if index and luck.random() < 0.03 else ALWAYS, mux_to=luck.randrange(4),
        valid_cut=luck.randrange(index) if index and luck.random() < 0.1 else ALWAYS,
    )  # fmt: skip


def is_sound(cut: Cut, length: int) -> bool:
    """Whether it lies inside a frame of this length."""
    first = cut.start_bit ^ 7 if cut.flags & BIG_ENDIAN else cut.start_bit
    return first + cut.bits <= 8 * length


def some_message(luck: Random, identifier: int, channel: int, kind: int) -> Message:
    length = luck.choice([*range(1, 9), 8, 8, 12, 64])
    cuts: list[Cut] = []
    for _ in range(luck.choice([0, 3, 7, 20, 70])):
        cut = some_cut(luck, len(cuts), length)
        cuts += [cut] if is_sound(cut, length) else []
    return Message(name="", id=identifier, channel=channel, length=length, kind=kind, cuts=tuple(cuts))


def some_table(luck: Random) -> Table:
    """Two channels and any, identifiers of all kinds, parameter groups of both formats, OBD answers on one."""
    ids = [luck.randrange(0x800) for _ in range(30)] + [luck.randrange(1 << 29) | batch.EXTENDED for _ in range(10)]
    ids += [0, 0x7E8, 0x7EA, 0x18DAF101 | batch.EXTENDED]
    named = ids[30:40]  # some of the groups are those of identifiers that have a message of their own as well
    groups = [pgn_id(luck.choice([luck.randrange(1 << 29) | batch.EXTENDED, luck.choice(named)])) for _ in range(12)]
    kinds = dict.fromkeys(ids, PLAIN) | dict.fromkeys(groups, PGN)
    places = sorted({(luck.choice([0, 1, ANY_CHANNEL]), identifier) for identifier in [*kinds, *kinds]})
    messages = [some_message(luck, identifier, channel, kinds[identifier]) for channel, identifier in places]
    answer = Cut(name="", unit="", start_bit=7, bits=8, flags=BIG_ENDIAN, signal=0, mux_from=0x0D, mux_to=0x0D, bytes=1)
    messages.append(Message(name="", id=OBD_ID, channel=1, length=0, kind=OBD, cuts=(answer,)))
    messages.sort(key=lambda message: (message.channel, message.id))
    return Table(name="", powertrain="combustion", vehicle_class="car", messages=tuple(messages))


def on_the_bus(luck: Random, identifier: int) -> int:
    """An identifier of this message: of a parameter group with any priority, source and (PDU1) destination."""
    if not identifier & BY_PGN:
        return identifier
    destination = luck.randrange(256) << 8 if identifier & 0xFF0000 < 0xF00000 else 0
    return identifier & ~BY_PGN | luck.randrange(8) << 26 | destination | luck.randrange(256)


def some_frame(luck: Random, at: int, ids: list[int]) -> bytes:
    identifier = luck.choice([*(on_the_bus(luck, luck.choice(ids)) for _ in range(3)), luck.randrange(0x800)])
    identifier = luck.choice(
        [identifier] * 4 + [luck.randrange(0x7E0, 0x7F0), luck.randrange(1 << 29) | batch.EXTENDED]
    )
    length = luck.choice([8, 8, 8, luck.randrange(9), 64])
    return batch.frame(at, luck.randrange(3), identifier, luck.randbytes(length), batch.FD if length > 8 else 0)


def pack_odd(path: Path, luck: Random) -> None:
    """A table and 400 frames, for tests/native/alike.c."""
    table = some_table(luck)
    kept = table.as_c(ffi)
    assert lib.tbox_table_check(kept.table)
    ids = [message.id for message in table.messages if message.id != OBD_ID]
    pack(path, load(None, []), table, b"".join(some_frame(luck, at, ids) for at in range(400)))
