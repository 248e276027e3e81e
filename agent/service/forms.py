"""What technicians type into the page's forms, checked and turned into words for our own commands. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from agent.doctor.checkup import is_vin

TECHNICIAN_MAX, PLATE_MAX = 64, 16
ODOMETER_KM_MAX = 3_000_000
HASH = re.compile(r"[0-9a-f]{64}")
NUMBER = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")


def install(asked: Mapping[str, Any]) -> list[str] | str:
    """`tbox install record ...` for a filled-in certificate; or what is wrong: "bad_" and the name of the field.

    A VIN goes along only where it was typed: what the car tells the terminal knows itself.
    """
    told = {name: str(asked.get(name, "")) for name in ("technician", "plate", "vin", "odometer_km", "photo")}
    is_typed = asked.get("by_hand") is True
    judged = {name: words for name, words in told.items() if name != "vin" or is_typed}
    wrong = next((name for name, words in judged.items() if not _is_good(name, words)), None)
    if wrong is not None:
        return f"bad_{wrong}"
    words = ["install", "record", f"--technician={told['technician']}", f"--plate={told['plate']}"]
    if is_typed:
        words.append(f"--vin={told['vin']}")
    if told["odometer_km"]:
        words.append(f"--odometer-km={told['odometer_km']}")
    if told["photo"]:
        words.append(f"--photo-sha256={told['photo']}")
    return words


def _is_good(name: str, words: str) -> bool:
    """Whether a field may be as it is; technician, plate and a VIN by hand must be given."""
    match name:
        case "technician":
            return words.isprintable() and len(words.strip()) > 0 and len(words) <= TECHNICIAN_MAX
        case "plate":
            return words.isprintable() and len(words.strip()) > 0 and len(words) <= PLATE_MAX
        case "vin":
            return is_vin(words)
        case "odometer_km":
            return not words or (NUMBER.fullmatch(words) is not None and float(words) <= ODOMETER_KM_MAX)
        case _:
            return not words or HASH.fullmatch(words) is not None
