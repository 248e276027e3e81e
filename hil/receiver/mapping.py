"""From our columns to somebody else's, as a table of a TOML file says; iac27.toml is one, and explains the words."""

import tomllib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from agent.errors import InputError
from hil.receiver.library import Row

Make = Callable[[Row], Any]


def mapped(rows: Iterable[Row], name: str) -> list[Row]:
    """The rows as `FILE#TABLE` says. InputError: there is none like this, or a column is not understood."""
    file, _, table = name.partition("#")
    path = Path(file)
    try:
        text = path.read_text() if path.exists() else files("hil.receiver").joinpath(path.name).read_text()
        makers: list[tuple[str, Make]] = [
            (column["name"], _maker(column)) for column in tomllib.loads(text)[table]["column"]
        ]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as why:
        raise InputError(f"--map {name}: {type(why).__name__}: {why}; see iac27.toml for how it is written") from None
    return [{column: make(row) for column, make in makers} for row in rows]


def _maker(column: dict[str, Any]) -> Make:
    """How a column comes of a row. KeyError, ValueError: it is none."""
    if "value" in column:
        return lambda _: column["value"]
    path = str(column["from"]).split(".")
    shape = _shape(column)

    def make(row: Row) -> Any:
        value: Any = row
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return column.get("missing") if value is None else shape(value)

    return make


def _shape(column: dict[str, Any]) -> Callable[[Any], Any]:
    """What becomes of a value that is there."""
    codes, scale, digits, form = (
        column.get("codes"),
        float(column.get("scale", 1)),
        column.get("digits"),
        column.get("time"),
    )

    def shape(value: Any) -> Any:
        if codes is not None:
            return codes.get(str(value), codes.get("else"))
        if isinstance(value, datetime):
            return value.astimezone(UTC).strftime(form or "%Y-%m-%dT%H:%M:%SZ")
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value * scale if digits is None else round(value * scale, digits)
        return value

    return shape
