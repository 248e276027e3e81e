"""Units a DBC may say, and how each becomes the catalogue's."""

from typing import NamedTuple


class Conversion(NamedTuple):
    """wanted = told * factor + offset."""

    factor: float
    offset: float = 0.0


SAME = Conversion(1.0)

_UNITS: dict[str, dict[str, Conversion]] = {
    "m/s": {
        "m/s mps meter/s metre/s": SAME,
        "km/h kmh kph kmph km/hr kilometer/h": Conversion(1 / 3.6),
        "mph mi/h mile/h miles/h": Conversion(0.44704),
        "knots knot kn kt kts": Conversion(1852 / 3600),
        "ft/s": Conversion(0.3048),
    },
    "1/min": {
        "1/min rpm r/min rev/min u/min min-1 /min": SAME,
        "1/s rps hz r/s rev/s": Conversion(60.0),
        "rad/s": Conversion(9.549296585513721),  # 30 / pi
    },
    "%": {"% percent pct": SAME},
    "degC": {
        "degc °c c celsius degreec degreesc degcelsius": SAME,
        "degf °f f fahrenheit": Conversion(5 / 9, -160 / 9),
        "k degk °k kelvin": Conversion(1.0, -273.15),
    },
    "V": {"v volt volts": SAME, "mv": Conversion(0.001)},
    "m": {
        "m meter metre meters metres": SAME,
        "km": Conversion(1000.0),
        "mi mile miles": Conversion(1609.344),
        "ft": Conversion(0.3048),
        "cm": Conversion(0.01),
        "mm": Conversion(0.001),
    },
    "m/s2": {
        "m/s2 m/s^2 m/s² m/s/s m/s**2 m/sec2 m/sec^2": SAME,
        "g": Conversion(9.80665),
        "mg": Conversion(0.00980665),
        "ft/s2 ft/s^2 ft/s²": Conversion(0.3048),
    },
    "rad/s": {
        "rad/s rad/sec": SAME,
        "deg/s deg/sec °/s degree/s degrees/s degrees/sec dps": Conversion(0.017453292519943295),  # pi / 180
    },
    "degrees": {
        "degrees degree deg °": SAME,
        "rad radian radians": Conversion(57.29577951308232),
    },
}
"""Catalogue unit → spellings (lower case, no spaces) → conversion. A catalogue signal without a unit takes any."""

_TABLE = {
    unit: {spelling: conversion for words, conversion in rows.items() for spelling in words.split()}
    for unit, rows in _UNITS.items()
}


def conversion(told: str, wanted: str) -> Conversion | None:
    """From the unit a DBC tells to the catalogue's; None: not known."""
    if not wanted:
        return SAME
    spelling = told.replace("Â", "").replace(" ", "").lower()  # UTF-8 read as Windows-1252 writes "Â°C"
    return _TABLE[wanted].get(spelling)


def spellings(wanted: str) -> list[str]:
    """What a DBC may say where this unit is wanted."""
    return list(_TABLE.get(wanted, ()))
