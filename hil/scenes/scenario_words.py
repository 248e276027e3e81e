"""What is wrong with a file, in a person's words."""

import re
from difflib import get_close_matches
from typing import Any

from msgspec import Struct, inspect

_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_PATH = re.compile(r"at `\$(.*)`$")


def told(message: str, table: type[Struct]) -> str:
    """What msgspec says of a file that is to be this table: the key, then what is wrong, then what was meant."""
    path, unknown = _PATH.search(message), _UNKNOWN.search(message)
    key = path[1].lstrip(".") if path else ""
    if unknown is None:
        return f"{key or 'the scenario'}: {message.partition(' - at ')[0]}"
    beside = _fields(key, table)
    near = get_close_matches(unknown[1], beside, n=1)
    meant = f"the nearest known is {near[0]}" if near else f"known here: {' '.join(beside)}"
    return f"{f'{key}.' if key else ''}{unknown[1]}: unknown key; {meant}"


def _fields(key: str, table: type[Struct]) -> list[str]:
    """Names of the fields of the table at this key."""
    kind: Any = inspect.type_info(table)
    for part in [name for name in re.split(r"[.\[\]]", key) if name and not name.isdigit()]:
        kind = _bare(next(field.type for field in kind.fields if field.name == part))
    return [field.name for field in kind.fields]


def _bare(kind: Any) -> Any:
    """A type without what wraps it: the table itself, or the one a list is made of."""
    while not isinstance(kind, inspect.StructType):
        if isinstance(kind, inspect.UnionType):
            kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
        else:
            kind = kind.item_type if isinstance(kind, inspect.VarTupleType) else kind.type
    return kind
