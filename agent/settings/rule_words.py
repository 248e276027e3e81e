"""The settings of a rule as sentences, in the words of the settings themselves (__init__.py). Pure."""

from collections.abc import Iterator

from msgspec import Struct, inspect

G_MPS2 = 9.80665
KMH = 3.6


def sentences(rule: Struct) -> Iterator[str]:
    """One for each number of the rule: what it means, its value, its unit."""
    kind = inspect.type_info(type(rule))
    for field in kind.fields if isinstance(kind, inspect.StructType) else ():
        number, meta = getattr(rule, field.name), field.type
        if isinstance(meta, inspect.Metadata) and isinstance(number, int | float) and not isinstance(number, bool):
            unit = (meta.extra or {}).get("unit", "")
            meaning = (meta.extra_json_schema or {}).get("description", field.name).removesuffix(f" [{unit}]")
            yield f"{meaning}: {in_unit(number, unit)}"


def in_unit(number: float, unit: str) -> str:
    """A number for people: speeds in km/h, accelerations in g too."""
    if unit == "m/s":
        return f"{number * KMH:.0f} km/h"
    beside = f" ({number / G_MPS2:.2f} g)" if unit == "m/s²" else ""
    return f"{number:g} {unit}".rstrip() + beside
