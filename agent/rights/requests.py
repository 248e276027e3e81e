"""What may be asked of the daemon's account, and what it answers. Pure; spool.py carries it.

A driver has a contest noted, or a trip erased; a technician has an installation certified. A request and an answer are
JSON objects: `{"command": "contest", "event": 41, "text": "..."}`, `{"command": "erase", "trip": 12}`,
`{"command": "install", "technician": "...", ...}` (agent/yard/install.py) and `{"is_done": true, "text": "..."}`.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from agent.yard import install
from agent.yard.install import Install

TEXT_MAX = 500
"""Characters of a note."""

REQUEST_BYTES_MAX = 32 * 1024
NUMBER_MAX = 2**63 - 1


class RequestError(ValueError):
    """This is no request; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Contest:
    """A note of contest on the event with this number."""

    event: int
    text: str


@dataclass(frozen=True, slots=True)
class Erase:
    """The bytes of this trip's records go."""

    trip: int


Request = Contest | Erase | Install


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    is_done: bool
    text: str


def compose(request: Request) -> bytes:
    """The request as a file holds it. RequestError: it is none that would be taken."""
    told = {"command": type(request).__name__.lower()} | _fields(request)
    try:
        payload = json.dumps(told, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RequestError("the text is not UTF-8") from None
    parse(payload)
    return payload


def parse(payload: bytes) -> Request:
    """The request in a file. RequestError, and nothing else, for what is none."""
    told = _object(payload, REQUEST_BYTES_MAX)
    match told:
        case {"command": "contest", "event": event, "text": text} if len(told) == 3:
            return Contest(_number("event", event), _text(text))
        case {"command": "erase", "trip": trip} if len(told) == 2:
            return Erase(_number("trip", trip))
        case {"command": "install"}:
            return _install({name: one for name, one in told.items() if name != "command"})
    raise RequestError("it is neither contest with event and text, nor erase with trip, nor install")


def compose_answer(answer: Answer) -> bytes:
    """The answer as a file holds it."""
    return json.dumps(asdict(answer)).encode()


def parse_answer(payload: bytes) -> Answer:
    """The answer in a file. RequestError: it is none."""
    match _object(payload, REQUEST_BYTES_MAX):
        case {"is_done": bool(is_done), "text": str(text)}:
            return Answer(is_done, text)
    raise RequestError("it is no answer")


def _fields(request: Request) -> dict[str, Any]:
    """What a request says beside its name."""
    return dict(msgspec.to_builtins(request)) if isinstance(request, Install) else asdict(request)


def _install(told: dict[str, Any]) -> Install:
    try:
        said = install.read(told)
    except ValueError as why:
        raise RequestError(str(why)) from None
    rows = (*said.checks, *said.photos)
    for words in (said.technician, said.plate, said.note, *(one for row in rows for one in row)):
        _text(words or "-")
    return said


def _object(payload: bytes, most: int) -> dict[str, Any]:
    if len(payload) > most:
        raise RequestError(f"it has {len(payload)} bytes, more than {most}")
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        raise RequestError("it is not JSON") from None
    if not isinstance(told, dict):
        raise RequestError("it is not a JSON object")
    return told


def _number(name: str, told: object) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told <= NUMBER_MAX:
        raise RequestError(f"{name} is {told!r:.40}, not the number of a record")
    return told


def _text(told: object) -> str:
    if not isinstance(told, str) or not told.strip() or len(told) > TEXT_MAX:
        raise RequestError(f"the text must have 1 to {TEXT_MAX} characters")
    if any((ord(char) < 0x20 and char != "\n") or 0xD800 <= ord(char) < 0xE000 for char in told):
        raise RequestError("the text has characters that are no text")
    return told
