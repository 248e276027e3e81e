"""How an ELM327's answer goes wrong: each way seen in the field, as the bytes that come out of the adapter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

LATE_S = 3.0
"""At most: some answers come just in time, some when nobody waits for them any more."""

BABBLE_LINES = 4_000

PROMPT = "\r>"


@dataclass(frozen=True, slots=True)
class Torn:
    """What is said in the end, how late, and whether the chip has lost its settings."""

    text: str
    delay_s: float = 0.0
    resets: bool = False


def _plain(lines: Sequence[str]) -> str:
    return "".join(f"{line}\r" for line in lines)


def _word(word: str) -> Callable[[Sequence[str], Random], Torn]:
    """The adapter says this instead."""
    return lambda _lines, _random: Torn(f"{word}\r{PROMPT}")


def _after(word: str) -> Callable[[Sequence[str], Random], Torn]:
    """Half of the answer comes, then this."""
    return lambda lines, _random: Torn(_plain([*lines[:-1], lines[-1][: len(lines[-1]) // 2] + word]) + PROMPT)


def _sprinkled(lines: Sequence[str], random: Random) -> Torn:
    """Null bytes in between, as the data sheet warns of."""
    return Torn("".join(letter + "\0" * (random.random() < 0.2) for letter in "\0" + _plain(lines)) + PROMPT)


def _garbage(_lines: Sequence[str], random: Random) -> Torn:
    """A line at the wrong speed, or with a bad contact: bytes that mean nothing, no prompt among them."""
    noise = (chr(random.randrange(0x80, 0x100)) for _ in range(random.randrange(5, 40)))
    return Torn("".join(noise))


_WAYS: Mapping[str, Callable[[Sequence[str], Random], Torn]] = {
    "no prompt": lambda lines, _: Torn(_plain(lines)),
    "truncated": lambda lines, random: Torn(
        _plain([line[: random.randrange(1, len(line))] for line in lines]) + PROMPT
    ),
    "buffer full": _after("\rBUFFER FULL"),
    "can error": _word("CAN ERROR"),
    "stopped": _word("STOPPED"),
    "unable to connect": _word("UNABLE TO CONNECT"),
    "no data": _word("NO DATA"),
    "bus init": _word("BUS INIT: ...ERROR"),
    "data error": _after("<DATA ERROR"),
    "unknown": _word("?"),
    "late": lambda lines, random: Torn(_plain(lines) + PROMPT, delay_s=random.uniform(0, LATE_S)),
    "echo": lambda lines, _: Torn(_plain(["0111", *lines]) + PROMPT),
    "nulls": _sprinkled,
    "garbage": _garbage,
    "reset": lambda _lines, _random: Torn(f"\r\rELM327 v1.5\r{PROMPT}", resets=True),
    "babble": lambda lines, _: Torn(f"{lines[0][:8]}\r" * BABBLE_LINES),
    "silent": lambda _lines, _random: Torn(""),
}

FAULTS = tuple(_WAYS)


def spoil(fault: str, lines: Sequence[str], random: Random) -> Torn:
    """The answer `lines`, gone wrong this way."""
    return _WAYS[fault](lines, random)
