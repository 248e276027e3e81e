"""`python -m tests.fuzz_codec N [SEED]`: N bodies and records that somebody damaged; nothing but a CodecError may come.

Half are samples: random bytes, or real chunks with bytes and bits changed, cut out, doubled, or two of them crossed. The
others are whole records of every kind, damaged alike. Each decoding is held to TIME_S_MAX, and what comes back to the
cells that are allowed. The same seed gives the same inputs.
"""

import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from random import Random

from agent.codec import CodecError, decode
from agent.columns import CELLS_MAX, FORM, decode_columns, encode_columns
from agent.columns.bounds import bounds_of
from agent.settings.samples import Bounds
from agent.trip.account import RESOLUTION
from tests import walks
from tests.accounts import two_boots

TIME_S_MAX = 5.0
"""Of the processor. The slowest that is allowed, 2^16 cells reckoned from two others, takes 0.1 s."""
BYTES_MAX = 64 * 2**20
SIZE_MAX = 4096
HOLES = 0.1

Room = Callable[[bytes], str]
Cells = list[float | None]


def chunks(luck: Random) -> list[bytes]:
    """Real chunks: exact and bounded, long and short, with holes, in every way of telling."""
    made = []
    for seed, told in enumerate(walks.TOLD):
        rows = walks.walk(seed, 120, told)
        for first, last in ((0, 120), (30, 90), (50, 51)):
            columns: dict[str, Cells] = {
                name: [None if luck.random() < HOLES * (seed == 1) else row[name] for row in rows[first:last]]
                for name in walks.SIGNALS
            }
            more: dict[str, Cells] = {"other": [float(n) for n in range(last - first)]}
            for bounds in ({}, bounds_of(Bounds(), columns)):
                body = encode_columns(first * 10**6, 10**6, columns | more, {**RESOLUTION, "other": 0.3}, bounds)
                made.append(body["columns"])
    return made


def damaged(luck: Random, raw: bytes, other: bytes) -> bytes:
    """One to four changes."""
    out = bytearray(raw)
    for _ in range(luck.randint(1, 4)):
        at = luck.randrange(len(out) + 1)
        match luck.randrange(6):
            case 0 if at < len(out):
                out[at] ^= 1 << luck.randrange(8)
            case 1 if at < len(out):
                out[at] = luck.randrange(256)
            case 2:
                del out[at : at + luck.randint(1, 8)]
            case 3:
                out[at:at] = luck.randbytes(luck.randint(1, 8))
            case 4:
                out[at:] = other[at:]
            case _:
                out[at : at + 4] = luck.choice((b"\x00", b"\xff")) * 4
    return bytes(out[:SIZE_MAX])


def samples(data: bytes) -> str:
    """How a body of samples ends; AssertionError when it promises more than is allowed."""
    try:
        back = decode_columns({"columns": data})
    except CodecError:
        return "samples refused"
    assert sum(map(len, back.columns.values())) <= CELLS_MAX
    assert all(cell is None or cell == cell for cells in back.columns.values() for cell in cells)  # noqa: PLR0124  NaN
    return "samples read"


def record(data: bytes) -> str:
    """How a record ends."""
    try:
        back = decode(data)
    except CodecError:
        return "records refused"
    assert back.raw == data
    return "records read"


def inputs(seed: int) -> Callable[[], tuple[Room, bytes]]:
    """What gives the next input, and whose it is."""
    luck = Random(seed)
    bodies, records = chunks(luck), [one.raw for one in two_boots()]

    def draw() -> tuple[Room, bytes]:
        if luck.random() < 0.5:
            return record, damaged(luck, luck.choice(records), luck.choice(records))
        if luck.random() < 0.2:
            return samples, bytes([FORM]) + luck.randbytes(luck.randint(0, 80))
        return samples, damaged(luck, luck.choice(bodies), luck.choice(bodies))

    return draw


def fuzz(count: int, seed: int) -> Counter[str]:
    """How they ended; AssertionError with the input in hex where one did not end as it should."""
    draw, ends = inputs(seed), Counter[str]()
    for _ in range(count):
        room, data = draw()
        begin = time.process_time()
        try:
            ends[room(data)] += 1
        except Exception as error:
            raise AssertionError(f"{room.__name__} of {data.hex()}: {error!r}") from error
        took_s = time.process_time() - begin
        assert took_s < TIME_S_MAX, f"{took_s:.1f} s for {data.hex()}"
    return ends


def memory(count: int, seed: int) -> int:
    """The most bytes of memory while so many are decoded."""
    draw = inputs(seed)
    tracemalloc.start()
    for _ in range(count):
        room, data = draw()
        room(data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def main() -> None:
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    begin = time.process_time()
    ends = fuzz(count, seed)
    rate = count / (time.process_time() - begin)
    most = memory(max(1, count // 50), seed)
    print(
        f"{count} inputs, seed {seed}, {rate:.0f} a second of processor time, at most {most / 2**20:.1f} MiB: {dict(sorted(ends.items()))}"
    )
    assert most < BYTES_MAX


if __name__ == "__main__":
    main()
