"""A description of a bus's frames (DBC, KCD, SYM, ARXML), read by cantools: the one file that imports it.

What it hands on is plain numbers.
"""

import logging
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.errors import SettingsError
from agent.vehicle import pgn_id
from drivers.batch import EXTENDED

FRAME_BYTES_MAX = 64
ID_MAX = 0x1FFFFFFF
NUMBER_MAX = 0xFFFFFFFF
FILE_BYTES_MAX = 1 << 26
SPAN_MAX = 1 << 16
"""Values in one range of a multiplexer (DBC) or of identifiers (SYM): cantools writes each of them out."""

ENCODINGS = {"dbc": "cp1252", "sym": "cp1252", "kcd": "utf-8", "arxml": "utf-8"}
_MARKS = (
    ("arxml", re.compile(rb"<(\w+:)?AUTOSAR\b")),
    ("kcd", re.compile(rb"<(\w+:)?NetworkDefinition\b")),
    ("sym", re.compile(rb"^\s*FormatVersion\s*=", re.MULTILINE)),
)
_LINE = re.compile(r"line (\d+)")
_SPANS = {
    "dbc": (re.compile(r"\bSG_MUL_VAL_\s+\d[^;]*"), re.compile(r"(\d+)\s*-\s*(\d+)"), 10),
    "sym": (re.compile(r"^\s*ID\s*=.*$", re.MULTILINE), re.compile(r"([0-9A-Fa-f]+)h\s*-\s*([0-9A-Fa-f]+)h"), 16),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal as the file says it. `start_bit` in DBC numbering; physical = raw * scale + offset.

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
    """A frame of the file. `id` carries EXTENDED; `length` in bytes, at least as long as its signals.

    With `is_j1939` it is told by its parameter group, whatever the priority and the addresses.
    """

    name: str
    id: int
    length: int
    is_j1939: bool
    signals: dict[str, Signal]

    @property
    def table_id(self) -> int:
        """Its id in the decode table."""
        return pgn_id(self.id) if self.is_j1939 else self.id


def read(path: Path, *, j1939: bool | None = None) -> list[Message]:
    """All messages that fit one frame; of two with one identifier the later, as cantools has it.

    `j1939` says whether extended identifiers are matched by parameter group; None: as the file says. Messages that
    share one keep their whole identifiers, which tell their senders apart. SettingsError names the file and, where the
    parser knows it, the line.
    """
    kind, text = _text(path)
    try:
        found = {message.id: message for message in _messages(_load(kind, text), j1939)}
    except Exception as why:  # noqa: BLE001  (a parser fed with anything at all: KeyError, ValueError, its own ...)
        said = _one_line(getattr(why, f"e_{kind}", None) or why)
        line = _LINE.search(said)
        raise SettingsError(f"{path}{':' + line[1] if line else ''}: not a sound {kind.upper()}: {said}") from None
    for message in found.values():
        _check(path, message)
    if not found:
        raise SettingsError(f"{path}: holds no message; is it a {kind.upper()}?")
    return _apart([message for message in found.values() if message.length <= FRAME_BYTES_MAX])


def _apart(messages: list[Message]) -> list[Message]:
    """Messages of one parameter group are told by their whole identifiers."""
    groups = Counter(message.table_id for message in messages)
    return [replace(message, is_j1939=message.is_j1939 and groups[message.table_id] == 1) for message in messages]


# ---- the file -------------------------------------------------------------------------------------------------------


def _text(path: Path) -> tuple[str, str]:
    """What kind of file it is, by its content, and its text."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as why:
        raise SettingsError(f"{path}: cannot be read: {why.strerror}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise SettingsError(f"{path}: too big for a DBC (over {FILE_BYTES_MAX >> 20} MiB)")
    bare = raw.removeprefix(b"\xef\xbb\xbf")
    kind = next((kind for kind, mark in _MARKS if mark.search(bare)), "dbc")
    text = bare.decode(ENCODINGS[kind] if bare is raw else "utf-8", errors="replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _check_spans(path, kind, text)
    return kind, text


def _check_spans(path: Path, kind: str, text: str) -> None:
    """Refuse ranges that would fill the memory."""
    if kind not in _SPANS:
        return
    lines, span, base = _SPANS[kind]
    for line in lines.finditer(text):
        for low, high in span.findall(line[0]):
            if int(high, base) - int(low, base) > SPAN_MAX:
                at = text.count("\n", 0, line.start()) + 1
                raise SettingsError(f"{path}:{at}: the range {low}-{high} is too long")


def _load(kind: str, text: str) -> Any:
    """The database as cantools reads it, forgiving overlaps."""
    import cantools.database  # noqa: PLC0415  (heavy: only who reads a DBC pays for it)

    logging.getLogger("cantools").setLevel(logging.CRITICAL)  # its doubts about attributes are no news for a driver
    return cantools.database.load_string(text, database_format=kind, strict=False)


def _one_line(why: Exception) -> str:
    """What the parser says; where it stumbled without a word of its own, that it did."""
    said = " ".join(str(why).split())[:200]
    if isinstance(why, LookupError | TypeError | AttributeError | AssertionError) or not said:
        return f"something is missing or does not belong there ({type(why).__name__}: {said})"
    return said


# ---- what it says ---------------------------------------------------------------------------------------------------


def _messages(database: Any, j1939: bool | None) -> Iterator[Message]:
    """Each that is a frame. Above ID_MAX lies VECTOR__INDEPENDENT_SIG_MSG, which is none."""
    attributes = getattr(database.dbc, "attributes", None) or {}
    is_j1939 = "ProtocolType" in attributes and str(attributes["ProtocolType"].value).upper() == "J1939"
    for message in database.messages:
        if message.frame_id <= ID_MAX:
            yield _message(message, _is_j1939(message, is_j1939) if j1939 is None else j1939)


def _is_j1939(message: Any, is_usual: bool) -> bool:
    """As its VFrameFormat says, else as the whole file's ProtocolType."""
    attributes = getattr(message.dbc, "attributes", None) or {}
    return message.protocol == "j1939" or (is_usual and "VFrameFormat" not in attributes)


def _message(message: Any, is_j1939: bool) -> Message:
    identifier = message.frame_id | (EXTENDED if message.is_extended_frame else 0)
    signals = {signal.name: _signal(signal) for signal in message.signals}
    length = max([message.length, *(signal.end for signal in signals.values())])
    is_j1939 &= message.is_extended_frame
    return Message(name=message.name, id=identifier, length=length, is_j1939=is_j1939, signals=signals)


def _check(path: Path, message: Message) -> None:
    """Numbers fit, and every multiplexed signal hangs, over however many selectors, on one that is always there."""
    if message.length < 0 or not 0 <= message.id <= EXTENDED | ID_MAX:
        raise SettingsError(f"{path}: {message.name} has an identifier or a length that no frame has")
    for signal in message.signals.values():
        name = f"{message.name}.{signal.name}"
        numbers = (signal.start_bit, *(number for span in signal.selected for number in span))
        if not all(0 <= number <= NUMBER_MAX for number in numbers):
            raise SettingsError(f"{path}: {name} has a bit or a multiplexer value below 0 or too big")
        if not (math.isfinite(signal.scale) and math.isfinite(signal.offset)):
            raise SettingsError(f"{path}: {name} has a factor or an offset that is no number")
        _check_selectors(path, message, signal)


def _check_selectors(path: Path, message: Message, signal: Signal) -> None:
    """Up the chain, and never round in a circle."""
    name, below = signal.name, [signal.name]
    while signal.selector is not None:
        selector = message.signals.get(signal.selector)
        if selector is None or selector.name in below or not selector.is_number or not signal.selected:
            raise SettingsError(f"{path}: {message.name}.{name} hangs on no sound multiplexer")
        below.append(selector.name)
        signal = selector


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
