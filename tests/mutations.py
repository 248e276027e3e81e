"""Descriptions of a bus, spoilt at random: `python -m tests.mutations 2000` tries so many and reports what broke.

Each must load into a table the core trusts, or be refused in one line that names the file.
"""

import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from agent._core import ffi, lib
from agent.errors import SettingsError
from agent.maps.compile import compile_dbc
from tests.descriptions import ALL

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
BYTES_MAX = 20_000
MEMORY_BYTES_MAX = 2 << 30
NUMBERS = ("0", "1", "-1", "8", "64", "65", "255", "65536", "4294967295", "4294967296", "99999999999999999999", "1e400",
           "nan", "0x10", "-0.5", "")  # fmt: skip
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9-]*")
SEED = 20


def samples() -> list[tuple[str, str]]:
    """(file name, text): our own, and those of the data folder that are not too big."""
    own = [(f"own.{kind}", text) for kind, text in ALL.items()]
    paths = [path for path in sorted(DATA.rglob("*.dbc")) if path.stat().st_size < BYTES_MAX]
    return own * 4 + [(path.name, path.read_text(encoding="cp1252")) for path in paths]


def spoilt(dice: random.Random, text: str) -> str:
    """One change, or a few."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        text = dice.choice((_cut, _twice, _replaced, _torn, _number, _word))(dice, text) or text
    return text


def _span(dice: random.Random, text: str) -> tuple[int, int]:
    start = dice.randrange(len(text))
    return start, min(len(text), start + dice.choice((1, 2, 10, 100)))


def _cut(dice: random.Random, text: str) -> str:
    start, end = _span(dice, text)
    return text[:start] + text[end:]


def _twice(dice: random.Random, text: str) -> str:
    start, end = _span(dice, text)
    at = dice.randrange(len(text))
    return text[:at] + text[start:end] + text[at:]


def _replaced(dice: random.Random, text: str) -> str:
    start, _ = _span(dice, text)
    return text[:start] + dice.choice("\x00\n\"';:|@()[]<>&/ \xff-0Mm") + text[start + 1 :]


def _torn(dice: random.Random, text: str) -> str:
    return text[: dice.randrange(1, len(text))] if dice.random() < 0.2 else text


def _number(dice: random.Random, text: str) -> str:
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    which = dice.choice(found)
    return text[: which.start()] + dice.choice(NUMBERS) + text[which.end() :]


def _word(dice: random.Random, text: str) -> str:
    found = list(_WORD.finditer(text))
    if not found:
        return text
    which, other = dice.choice(found), dice.choice(found)
    return text[: which.start()] + other[0] + text[which.end() :]


def judged(path: Path) -> str:
    """What became of a file: "loaded" or "refused"; AssertionError says what is wrong, anything else is a traceback."""
    try:
        table = compile_dbc(path)
    except SettingsError as why:
        said = str(why)
        assert said.startswith(str(path)), said
        assert "\n" not in said
        return "refused"
    c_table = table.as_c(ffi)  # kept: it owns what is checked
    assert lib.tbox_table_check(c_table.table), "a table the core does not trust"
    return "loaded"


def tried(count: int, *, seed: int) -> Counter[str]:
    """How many loaded, were refused, or broke; what broke is printed and its file kept."""
    known, results = samples(), Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="tbox-mutations-"))
    for index in range(count):
        dice = random.Random(f"{seed}.{index}")
        name, text = dice.choice(known)
        path = folder / f"{index}.{name}"
        path.write_text(spoilt(dice, text), encoding="utf-8")
        try:
            results[judged(path)] += 1
            path.unlink()
        except Exception as why:  # noqa: BLE001  (whatever it is, it is what we look for)
            results["broke"] += 1
            print(f"{path}: {type(why).__name__}: {why}")
    if not results["broke"]:
        folder.rmdir()
    return results


def main(words: list[str]) -> int:
    """So many mutations from a seed; 1 when one broke."""
    count, seed = int(words[0]), int(words[1]) if len(words) > 1 else SEED
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    begin_s = time.monotonic()
    results = tried(count, seed=seed)
    print(f"seed {seed}: {count} spoilt descriptions in {time.monotonic() - begin_s:.1f} s: {dict(results)}")
    return 1 if results["broke"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
