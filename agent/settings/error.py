"""Words for a setting that is wrong: which key, what is allowed there, which known key was meant."""

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

from msgspec import inspect

from agent.settings import Settings

Key = tuple[str | int, ...]
SHOWN_MAX = 60
_UNKNOWN = re.compile(r"unknown field `(.*?)`(?: - at `|$)", re.DOTALL)
_PATH = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_PART = re.compile(r"\.(\w+)|\[(\d+)\]")
_KINDS: tuple[tuple[type, str], ...] = (
    (inspect.BoolType, "true or false"),
    (inspect.StructType, "a table"),
    (inspect.DictType, "a table of texts, numbers or true and false"),
)


def parsed(message: str) -> tuple[Key, bool]:
    """The key msgspec complains about, and whether it is unknown."""
    path, unknown = _PATH.search(message), _UNKNOWN.search(message)
    parts = _PART.findall(path[1].partition("[...]")[0]) if path else []
    key: Key = tuple(name or int(index) for name, index in parts)
    return ((*key, unknown[1]), True) if unknown else (key, False)


def dotted(key: Key) -> str:
    """As a person writes it: can[0].channel."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".") or "the settings"


def shown(value: Any) -> str:
    """A value as in TOML, cut when it is long."""
    words = json.dumps(value, default=str, ensure_ascii=False)
    return words if len(words) <= SHOWN_MAX else words[: SHOWN_MAX - 1] + "…"


def allowed(key: Key) -> str:
    """What may stand at this key, with range and unit: "a number from 0 to 60 s"."""
    kind, extra = type_at(key)
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        word = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
        return f"{word} from {kind.ge} to {kind.le} {extra['unit']}".rstrip()
    if isinstance(kind, inspect.LiteralType):
        return "one of " + " ".join(f'"{word}"' for word in kind.values)
    if isinstance(kind, inspect.VarTupleType):
        return "a list of tables" if isinstance(kind.item_type, inspect.StructType) else "a list of texts in quotes"
    if isinstance(kind, inspect.StrType):
        return f"a text in quotes: {extra['allowed']}" if extra.get("allowed") else "a text in quotes"
    return next(words for shape, words in _KINDS if isinstance(kind, shape))


def type_at(key: Key) -> tuple[inspect.Type, dict[str, Any]]:
    """The type at a known key, and what its Meta adds."""
    kind, extra = bare(_whole())
    for part in key:
        if isinstance(kind, inspect.StructType):
            kind, extra = bare(next(field.type for field in kind.fields if field.name == part))
        elif isinstance(kind, inspect.VarTupleType):
            kind, extra = bare(kind.item_type)
    return kind, extra


@cache
def _whole() -> inspect.Type:
    """The settings as a type: milliseconds to make, and a difference asks for every key."""
    return inspect.type_info(Settings)


def bare(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any]]:
    """A type without its wrapping, and what the wrapping said."""
    return (kind.type, kind.extra or {}) if isinstance(kind, inspect.Metadata) else (kind, {})


def nearest(key: Key) -> str:
    """The known key that was most likely meant: first beside this one, then anywhere, else all beside it."""
    above, name = key[:-1], str(key[-1])
    beside = names_at(above)
    close = get_close_matches(name, beside, n=1)
    if close:
        return f"the nearest known is {dotted((*above, close[0]))}"
    everywhere = {dotted(known): str(known[-1]) for known in known_keys() if known != key[: len(known)]}
    close = get_close_matches(dotted(key), everywhere, n=1, cutoff=0.75) or [
        known
        for known, last in everywhere.items()
        if last in get_close_matches(name, everywhere.values(), n=1, cutoff=0.75)
    ]
    if close:
        return f"the nearest known is {close[0]}"
    return f"known here: {' '.join(beside)}"


def names_at(key: Key) -> list[str]:
    """Known names directly under a table."""
    kind, _ = type_at(key)
    return [field.name for field in kind.fields] if isinstance(kind, inspect.StructType) else []


def known_keys(above: Key = ()) -> Iterator[Key]:
    """Every known key and table; a list of tables shows its first."""
    kind, _ = type_at(above)
    if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
        yield from known_keys((*above, 0))
    for name in names_at(above):
        yield (*above, name)
        yield from known_keys((*above, name))
