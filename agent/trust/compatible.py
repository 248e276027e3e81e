"""Which terminals and cars a bundle is for, and every reason why this one is not. Pure.

An empty list, or an empty range, means any. `agent` is a range of versions such as ">=1.0,<2", each part one of
>= > <= < == != and numbers with dots; missing parts count as 0. `vin` are patterns of 17 characters in which ? stands
for one and * for any.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import zip_longest
from operator import eq, ge, gt, le, lt, ne
from typing import Annotated

from msgspec import Meta, Struct

HardwareName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._,-]{0,63}\Z")]
VinPattern = Annotated[str, Meta(pattern=r"^[A-HJ-NPR-Z0-9?*]{1,17}\Z")]
_LIST = Meta(max_length=64)

_PART = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})\s*")
_ORDERS: dict[str, Callable[[int, int], bool]] = {">=": ge, "<=": le, "==": eq, "!=": ne, ">": gt, "<": lt}


class Compatible(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a manifest demands."""

    hardware: Annotated[tuple[HardwareName, ...], _LIST] = ()
    agent: Annotated[str, Meta(max_length=64)] = ""
    vehicle_class: Annotated[tuple[Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\Z")], ...], _LIST] = ()
    vin: Annotated[tuple[VinPattern, ...], _LIST] = ()


ANYTHING = Compatible()
"""A bundle for every terminal and car."""


@dataclass(frozen=True, slots=True)
class Box:
    """This terminal and its car; `vin` None: not known, `vehicle_class` empty: not known."""

    hardware: str
    version: str
    vehicle_class: str = ""
    vin: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why it does not fit: a short word, and a sentence with the way out."""

    reason: str
    words: str


def faults(wanted: Compatible, box: Box) -> list[Fault]:
    """Every reason why this bundle is not for this terminal; none: it is."""
    return list(_faults(wanted, box))


def _faults(wanted: Compatible, box: Box) -> Iterator[Fault]:
    if wanted.hardware and box.hardware not in wanted.hardware:
        told = f"is for the hardware {_words(wanted.hardware)}, this is {box.hardware or 'unknown'}"
        yield Fault("hardware", f"{told}; take the bundle for this hardware")
    if not is_in_range(box.version, wanted.agent):
        yield Fault("agent", f"needs tbox {wanted.agent}, this is {box.version}; update tbox, or take another bundle")
    if wanted.vehicle_class and box.vehicle_class not in wanted.vehicle_class:
        told = (
            f"is for the class {_words(wanted.vehicle_class)}, this car is {box.vehicle_class or 'of an unknown one'}"
        )
        yield Fault("class", f"{told}; take the bundle for this car")
    if wanted.vin and not any(fnmatchcase(box.vin or "", pattern) for pattern in wanted.vin):
        yield Fault("vin", _vin_words(wanted.vin, box.vin))


def is_in_range(version: str, wanted: str) -> bool:
    """Whether a version lies in a range; a part behind the numbers (0.1.0rc1) is left out."""
    numbers = _numbers(re.match(r"[0-9.]*", version)[0])  # type: ignore[index]  # * matches always
    for order, bound in parts_of(wanted):
        pairs = list(zip_longest(numbers, bound, fillvalue=0))
        here, there = next((pair for pair in pairs if pair[0] != pair[1]), (0, 0))
        if not _ORDERS[order](here, there):
            return False
    return True


def parts_of(wanted: str) -> list[tuple[str, list[int]]]:
    """The parts of a range: order and numbers. ValueError: it is none."""
    found = [_PART.fullmatch(part) for part in wanted.split(",")] if wanted else []
    if not all(found):
        raise ValueError(f'"{wanted}" is no range of versions such as ">=1.0,<2"')
    return [(part[1], _numbers(part[2])) for part in found if part]


def _numbers(told: str) -> list[int]:
    return [int(part) for part in told.split(".") if part]


def _vin_words(patterns: tuple[str, ...], vin: str | None) -> str:
    wanted = f"is for the VIN {_words(patterns)}"
    if vin is None:
        return f"{wanted}, this car's is not known yet; switch the ignition on, or give it with --vin"
    return f"{wanted}, this car's is {vin}; take the bundle for this car"


def _words(names: Iterable[str]) -> str:
    told = list(names)
    more = f" and {len(told) - 3} more" if len(told) > 3 else ""
    return f"{', '.join(told[:3])}{more}"
