"""`make guard`: the guard asked for every frame there is, as far as that can be counted; nothing but the list passes.

    all 2^11 identifiers * all 2^24 combinations of the first three bytes, padded with zeros to 8 bytes
    to each identifier on the list, all 2^24 again: every length from 1 to 8, other padding, and what is none
    all 2^29 identifiers of 29 bits * each service that is allowed, flow control, and each that writes or resets

What may pass is written down by guard_words.py, not judged; guard_all.c asks. Two processes share the work.
"""

import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.native.build import FLAGS, NATIVE, ROOT, WARNINGS
from tests.native.guard_words import EXTENDED, OBD, heads, is_allowed, messages

UDS = (0x6F1, 0x7E4, EXTENDED | 0x17FC0076, EXTENDED | 0x18DA44F1)
UDS_IDS = frozenset(UDS)
TARGETS = sorted({*OBD, *UDS})
STANDARD_END, EXTENDED_END = 0x800, EXTENDED + (1 << 29)
PROCESSES = 2

FRAMES = tuple(
    bytes.fromhex(text.replace(" ", "").ljust(16, "0"))
    for text in (
        "02 01 0C", "03 02 0C", "01 03", "01 07", "02 09 02", "01 0A", "03 22 F1 90", "30 00 00",
        "01 04", "01 14", "02 10 03", "02 11 01", "02 27 01", "03 2E F1 90", "04 31 01 FF", "01 3E", "00", "10 14 09 02",
    )
)  # fmt: skip
"""What all identifiers of 29 bits are asked: the list, then what clears, resets, unlocks, writes or is no request."""

RESTS = tuple(
    bytes.fromhex(text)
    for text in ("0000000000", "5555555555", "AAAAAAAAAA", "CCCCCCCCCC", "FFFFFFFFFF", "0000000001", "CCCC55CCCC")
)
"""Last five bytes: each padding that is allowed, one that is not, and mixtures."""

Words = Iterable[str]


def program(out: Path, *objects: Path) -> Path:
    """guard_all.c with the guard, or with other objects in its place."""
    guards = objects or [NATIVE / f"{name}.c" for name in ("guard", "guard_frame", "guard_line")]
    here = Path(__file__).parent
    words: list[str | Path] = ["gcc", *FLAGS, *WARNINGS, "-I", NATIVE, "-o", out, here / "guard_all.c", *guards]
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(words, check=True)
    return out


def hexed(numbers: Iterable[int]) -> str:
    """Numbers as the program reads them."""
    return " ".join(f"{number:X}" for number in numbers)


def begin() -> str:
    """The list's first words."""
    return f"uds {len(UDS):X} {hexed(UDS)}"


def every_head(first: int, end: int, length: int, rest: bytes) -> str:
    """A range of identifiers, all heads: who may be sent what, alike ones together."""
    alike: dict[frozenset[int], list[int]] = {}
    for identifier in TARGETS:
        if first <= identifier < end:
            alike.setdefault(heads(messages(identifier, UDS_IDS), length, rest), []).append(identifier)
    classes = " ".join(
        f"{len(found):X} {hexed(sorted(found))} {len(ids):X} {hexed(ids)}" for found, ids in alike.items()
    )
    return f"heads {first:X} {end:X} {length:X} {hexed(rest)} {len(alike):X} {classes}"


def every_id(first: int, end: int, data: bytes) -> str:
    """A range of identifiers, one frame."""
    may = [identifier for identifier in TARGETS if is_allowed(identifier, data, UDS_IDS)]
    return f"ids {first:X} {end:X} {hexed(data)} {len(may):X} {hexed(may)}"


def whole() -> Iterator[tuple[str, Words]]:
    """Each part of the proof: its name and its list."""
    yield "2^11 identifiers * 2^24 heads", [every_head(0, STANDARD_END, 8, bytes(5))]
    some = [
        *range(0x7DE, 0x7F1),
        0x6F0,
        0x6F1,
        *(EXTENDED | wide for wide in (0x18DB33F1, 0x18DA44F1, 0x18DA10F1, 0x17FC0076)),
    ]
    shapes = [(length, rest) for length in range(1, 9) for rest in (RESTS if length > 3 else RESTS[:1])]
    yield (
        "who is on the list * 2^24 heads * lengths and padding",
        [every_head(identifier, identifier + 1, length, rest) for identifier in some for length, rest in shapes],
    )
    yield "2^29 identifiers * frames", [every_id(EXTENDED, EXTENDED_END, data) for data in FRAMES]


def sample(seed: int) -> list[str]:
    """A second's worth of it: all heads to a few identifiers, all frames to a few thousand."""
    luck = random.Random(seed)
    some = [
        0x7DF,
        0x7E0,
        0x7E4,
        0x7E7,
        0x6F1,
        EXTENDED | 0x18DB33F1,
        EXTENDED | 0x18DA44F1,
        *luck.sample(range(0x800), 3),
    ]
    rest, length = luck.choice(RESTS), luck.randrange(1, 8)
    words = [every_head(identifier, identifier + 1, 8, bytes(5)) for identifier in some]
    words += [every_head(0x7E0, 0x7E1, 8, rest) for rest in RESTS[1:]] + [every_head(0x7E1, 0x7E2, length, rest)]
    for data in FRAMES:
        for near in (0x18DA0000, 0x18DB3000, luck.randrange(0x1FFF0000)):
            words.append(every_id(EXTENDED | near, (EXTENDED | near) + 0x10000, data))
        words.append(every_id(0, STANDARD_END, data))
    return words


def asked(program: Path, words: Words, step: int = 0, of: int = 1) -> tuple[int, int]:
    """How many were asked, and how many passed; AssertionError with the first that is wrong."""
    text = " ".join([begin(), *words])
    made = subprocess.run([program, str(step), str(of)], input=text, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    count, passed = made.stdout.split()
    return int(count), int(passed)


def main() -> int:
    """All of it, with its times."""
    made = program(ROOT / "out" / "guard" / "guard_all")
    for name, told in whole():
        start_s, words = time.monotonic(), list(told)
        with ThreadPoolExecutor(PROCESSES) as pool:
            found = list(pool.map(lambda step, words=words: asked(made, words, step, PROCESSES), range(PROCESSES)))
        count, passed = (sum(column) for column in zip(*found, strict=True))
        print(f"{name}: {count} asked, {passed} passed, as listed ({time.monotonic() - start_s:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
