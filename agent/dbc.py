"""A DBC, read by cantools: the one file that imports it. What it hands on is plain numbers."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import SettingsError
from drivers.batch import EXTENDED

FRAME_BYTES_MAX = 64
ID_MAX = 0x1FFFFFFF
NUMBER_MAX = 0xFFFFFFFF
_LINE = re.compile(r"line (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal as the DBC says it. `start_bit` in DBC numbering; physical = raw * scale + offset.

    `selector` names the multiplexer it hangs on (None: always there), `selected` its values, as ranges.
    """

    name: str
    unit: str
    start_bit: int
    bits: int
    is_signed: bool
    is_float: bool
    is_big_endian: bool
    scale: float
    offset: float
    selector: str | None
    selected: tuple[tuple[int, int], ...]

    @property
    def end(self) -> int:
        """Bytes a frame must have so that the signal lies inside."""
        if not self.is_big_endian:
            return (self.start_bit + self.bits + 7) // 8
        return self.start_bit // 8 + (7 - self.start_bit % 8 + self.bits + 7) // 8

    @property
    def is_number(self) -> bool:
        """Whether it fits a number of the core; longer ones are texts, in frames that take several to send."""
        return self.bits in (16, 32, 64) if self.is_float else 1 <= self.bits <= 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A frame of the DBC. `id` carries EXTENDED; `length` in bytes, at least as long as its signals."""

    name: str
    id: int
    length: int
    signals: dict[str, Signal]


def read(path: Path) -> list[Message]:
    """All messages that fit one frame; of two with one identifier the later, as cantools has it.

    SettingsError names the file and, where the parser knows it, the line.
    """
    found = {}
    for message in _load(path).messages:
        identifier = message.frame_id | (EXTENDED if message.is_extended_frame else 0)
        if message.frame_id <= ID_MAX:  # above lies VECTOR__INDEPENDENT_SIG_MSG, which is no frame
            found[identifier] = _message(message, identifier)
            _check(path, found[identifier])
    if not found:
        raise SettingsError(f"{path}: holds no message (BO_); is it a DBC?")
    return [message for message in found.values() if message.length <= FRAME_BYTES_MAX]


def _load(path: Path) -> Any:
    """The database as cantools reads it, forgiving overlaps."""
    import cantools.database  # noqa: PLC0415  (heavy: only who reads a DBC pays for it)

    logging.getLogger("cantools").setLevel(logging.ERROR)  # its doubts about attributes are no news for a driver
    try:
        return cantools.database.load_file(path, database_format="dbc", strict=False)
    except OSError as why:
        raise SettingsError(f"{path}: DBC cannot be read: {why.strerror}") from None
    except Exception as why:  # noqa: BLE001  (a parser fed with anything at all: KeyError, ValueError, its own ...)
        line = _LINE.search(str(why))
        raise SettingsError(f"{path}{':' + line[1] if line else ''}: not a sound DBC: {_one_line(why)}") from None


def _one_line(why: Exception) -> str:
    return " ".join(f"{str(why) or type(why).__name__}".split())[:200]


def _message(message: Any, identifier: int) -> Message:
    signals = {signal.name: _signal(signal) for signal in message.signals}
    length = max([message.length, *(signal.end for signal in signals.values())])
    return Message(name=message.name, id=identifier, length=length, signals=signals)


def _check(path: Path, message: Message) -> None:
    """Numbers fit, and every multiplexed signal hangs, over however many selectors, on one that is always there."""
    if message.length < 0 or not 0 <= message.id <= EXTENDED | ID_MAX:
        raise SettingsError(f"{path}: {message.name} has an identifier or a length that no frame has")
    for signal in message.signals.values():
        numbers = (signal.start_bit, *(number for span in signal.selected for number in span))
        if not all(0 <= number <= NUMBER_MAX for number in numbers):
            raise SettingsError(
                f"{path}: {message.name}.{signal.name} has a bit or a multiplexer value below 0 or too big"
            )
        below = [signal.name]
        while signal.selector is not None:
            selector = message.signals.get(signal.selector)
            if selector is None or selector.name in below or not selector.is_number or not signal.selected:
                raise SettingsError(f"{path}: {message.name}.{signal.name} hangs on no sound multiplexer")
            below.append(selector.name)
            signal = selector  # noqa: PLW2901  (up the chain)


def _signal(signal: Any) -> Signal:
    return Signal(
        name=signal.name,
        unit=signal.unit or "",
        start_bit=signal.start,
        bits=signal.length,
        is_signed=signal.is_signed,
        is_float=signal.conversion.is_float,
        is_big_endian=signal.byte_order == "big_endian",
        scale=float(signal.conversion.scale),
        offset=float(signal.conversion.offset),
        selector=signal.multiplexer_signal,
        selected=tuple(_ranges(sorted(signal.multiplexer_ids or ()))),
    )


def _ranges(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as spans without holes."""
    start = 0
    for index, number in enumerate(numbers):
        if index + 1 == len(numbers) or numbers[index + 1] > number + 1:
            yield numbers[start], number
            start = index + 1
