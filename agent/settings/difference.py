"""What a change of settings changes: each value with its unit, old and new, and who says so. Pure."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.settings import Settings
from agent.settings.error import dotted, type_at
from agent.settings.file import Key, Loaded

NOTHING = "-"
HASH_DIGITS = 8
TABLES = ("can", "elm")
"""Lists of tables; an empty one is nothing to be told."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, or one file: its name, unit ("" for none), both values as TOML, both origins."""

    name: str
    unit: str
    old: str
    new: str
    old_origin: str
    new_origin: str

    def line(self) -> str:
        """As a person reads it: "trip.end_s: 300.0 -> 240.0 s (default -> bundle acme-vans 12 (tbox.toml:7))"."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name}: {self.old} -> {self.new}{unit} ({self.old_origin} -> {self.new_origin})"


def changes(old: Loaded, new: Loaded, old_files: Mapping[str, bytes], new_files: Mapping[str, bytes]) -> list[Change]:
    """What differs, in the order of the shipped file, then files that no setting names.

    `old_files` and `new_files`: what stands at a path that a setting names, and, by its name in the bundle, anything
    else that comes along. Of two files with the same bytes the path may differ: nothing changes then.
    """
    before, after = (
        {key: value for key, value in leaves(one.settings) if value or key[-1] not in TABLES} for one in (old, new)
    )
    found = [
        Change(
            dotted(key), _unit(key), shown(before.get(key), old_files), shown(after.get(key), new_files),
            old.origin(key) if key in before else NOTHING, new.origin(key) if key in after else NOTHING,
        )
        for key in sorted({**before, **after}, key=lambda key: Settings.__struct_fields__.index(str(key[0])))
    ]  # fmt: skip
    return [change for change in found if change.old != change.new] + list(_files(old_files, new_files))


def leaves(settings: Any) -> Iterator[tuple[Key, Any]]:
    """Every key and its value, in the order of the shipped file; a list of tables that is empty is one leaf."""
    yield from _below((), msgspec.to_builtins(settings))


def toml(value: Any) -> str:
    """A value in TOML: as in JSON, but for inline tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def shown(value: Any, files: Mapping[str, bytes]) -> str:
    """A value in TOML; a file that comes along by its last name and the head of its hash."""
    if value is None:
        return NOTHING
    if isinstance(value, str) and value in files:
        return f"{Path(value).name} [{_digest(files[value])}]"
    return toml(value)


def _files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[Change]:
    """Files that no setting names, which the bundle brings or takes along."""
    for name in sorted({name for name in (*old, *new) if not Path(name).is_absolute()}):
        before, after = (_digest(files[name]) if name in files else NOTHING for files in (old, new))
        if before != after:
            yield Change(name, "", before, after, "file", "file")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def _unit(key: Key) -> str:
    """The unit of a number."""
    return str(type_at(key)[1].get("unit", ""))


def _below(above: Key, data: Any) -> Iterator[tuple[Key, Any]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    for name, value in inner:
        key = (*above, name)
        if (isinstance(value, dict) and name != "options") or (name in TABLES and value):
            yield from _below(key, value)
        else:
            yield key, value
