"""The install certificate: what the technician says, what the terminal knows, in one `install` record. Pure.

The technician's word comes as a request (agent/rights/requests.py); the daemon adds what it itself knows and numbers
the record, so nobody can certify what does not run. Body of the record:

    technician, plate, note      as they were typed
    vin, vin_source              "read" from the car, "by_hand" where it tells none, "unknown"
    odometer_m, odometer_source  the same
    software, settings, vehicle  version, identity of the effective settings, name of the vehicle map
    bundle                       {document, bundle, version, content, state ...} as `config/reported` tells it
    calibrated                   it is known how the motion sensor sits
    binding                      the binding; None: the box is not bound
    checks                       [[name, "PASS" | "FAIL" | "SKIP", words with the value], ...] of `tbox doctor`
    photos                       [[file name, SHA-256], ...]
    request                      name of the request
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from agent.codec import LANES, CodecError, Record, decode, kind_number, lane_of
from agent.yard.binding import VIN

FREE, NOTED = "free", "noted"
CHECKS_MAX, PHOTOS_MAX = 48, 16
LOOKED_AT_MAX = 16

Words = Annotated[str, Meta(max_length=240)]
Source = Literal["read", "by_hand", "unknown"]

_NEWEST = """SELECT raw FROM records WHERE state IN (0, 1, 2) AND lane=? AND kind=? AND raw IS NOT NULL
    ORDER BY seq DESC LIMIT ?"""
_WHERE = (LANES.index(lane_of("install")), kind_number("install"))


class Install(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the technician says. `vin` empty, `odometer_m` None: as the car tells them."""

    technician: Annotated[str, Meta(min_length=1, max_length=80)]
    plate: Annotated[str, Meta(max_length=20)] = ""
    vin: Annotated[str, Meta(pattern=rf"^(?:{VIN})?\Z")] = ""
    odometer_m: Annotated[int, Meta(ge=0, le=10_000_000_000)] | None = None
    note: Annotated[str, Meta(max_length=500)] = ""
    checks: Annotated[
        tuple[tuple[Words, Literal["PASS", "FAIL", "SKIP"], Words], ...], Meta(max_length=CHECKS_MAX)
    ] = ()
    photos: Annotated[
        tuple[tuple[Words, Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]], ...], Meta(max_length=PHOTOS_MAX)
    ] = ()


class RefusedError(ValueError):
    """This cannot be certified; says why, and the way out."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the terminal knows itself. `vins` are those its units told; `odometer_m` None: the car tells none."""

    software: str
    settings: str
    vehicle: str
    bundle: Mapping[str, Any] = field(default_factory=dict)
    calibrated: bool = False
    binding: str | None = None
    vins: tuple[str, ...] = ()
    odometer_m: float | None = None


def read(told: Mapping[str, Any]) -> Install:
    """The technician's word in a request. ValueError: it is none."""
    try:
        return msgspec.convert(told, Install)
    except msgspec.ValidationError as why:
        raise ValueError(str(why)) from None


def body_of(said: Install, facts: Facts, request: str) -> dict[str, Any]:
    """The body of the record. RefusedError: the technician and the car do not agree, or two cars answer."""
    vin, vin_source = _vin(said.vin, facts.vins)
    odometer_m, odometer_source = _odometer(said.odometer_m, facts.odometer_m)
    return {
        "technician": said.technician,
        "plate": said.plate,
        "note": said.note,
        "vin": vin,
        "vin_source": vin_source,
        "odometer_m": odometer_m,
        "odometer_source": odometer_source,
        "software": facts.software,
        "settings": facts.settings,
        "vehicle": facts.vehicle,
        "bundle": dict(facts.bundle),
        "calibrated": facts.calibrated,
        "binding": facts.binding,
        "checks": [list(check) for check in said.checks],
        "photos": [list(photo) for photo in said.photos],
        "request": request,
    }


def asked(store: sqlite3.Connection, request: str) -> str:
    """NOTED: this very request became a record before; FREE: it did not."""
    return NOTED if any(one.body.get("request") == request for one in _newest(store, LOOKED_AT_MAX)) else FREE


def newest(store: sqlite3.Connection) -> Record | None:
    """The certificate that was made last and is still here; None: none is."""
    return next(_newest(store, 1), None)


def is_for(body: Mapping[str, Any], vin: str | None) -> bool:
    """Whether a certificate may be this car's: `vin` is what the car tells now, None: it tells none."""
    return vin is None or body.get("vin") in ("", vin)


def _newest(store: sqlite3.Connection, most: int) -> Iterator[Record]:
    for (raw,) in store.execute(_NEWEST, (*_WHERE, most)):
        with suppress(CodecError):
            yield decode(raw)


def _vin(typed: str, told: tuple[str, ...]) -> tuple[str, Source]:
    """The car's word counts; a typed one only where it has none."""
    if len(told) > 1:
        raise RefusedError(f"units of two cars answer ({' and '.join(told)}): find out which belongs here")
    if told and typed and typed != told[0]:
        raise RefusedError(f"the car says that its VIN is {told[0]}, you typed {typed}: is this the right car?")
    if told:
        return told[0], "read"
    return (typed, "by_hand") if typed else ("", "unknown")


def _odometer(typed_m: int | None, told_m: float | None) -> tuple[int | None, Source]:
    """The same."""
    if told_m is not None:
        return round(told_m), "read"
    return (typed_m, "by_hand") if typed_m is not None else (None, "unknown")
