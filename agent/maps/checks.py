"""[check.MESSAGE] of a vehicle map: which signals prove a frame, and whether the core can check them."""

from collections.abc import Mapping
from itertools import count

from agent.errors import SettingsError
from agent.maps import dbc
from agent.maps.cuts import Heard, Place, Proof
from agent.maps.vehicle_map import Check, VehicleMap, nearest
from agent.vehicle import ANY_CHANNEL, COUNTERS_MAX

WIDTHS = {"toyota": 8, "honda": 4, "hyundai": 4, "hyundai_fd": 16, "e2e_p1": 8, "e2e_p2": 8, "e2e_p5": 16}
"""Bits of a checksum."""

ALIASES = {"vw_mqb": "e2e_p2"}
ONE_ID = ("e2e_p1", "e2e_p5")
ID_PER_COUNTER = ("e2e_p2",)
E2E_P1_COUNTER_MAX = 14
COUNTER_BITS_MAX = 16


def proofs(made: VehicleMap, heard: Mapping[Place, Heard], places: Mapping[str, Place]) -> dict[Place, Proof]:
    """The checks of a map by the place of their message; each counter has a slot of its own."""
    slots = count()
    found = {}
    for name, place in places.items():
        check = made.content.check[name]
        slot = next(slots) if check.counter else 0
        if slot >= COUNTERS_MAX:
            raise _error(made, name, "counter", f"more than {COUNTERS_MAX} counters")
        found[place] = _proof(made, name, heard[place], slot)
    return found


def _proof(made: VehicleMap, name: str, heard: Heard, slot: int) -> Proof:
    check, message = made.content.check[name], heard.message
    kind = ALIASES.get(check.kind, check.kind)
    if bool(check.checksum) == (kind == "counter"):
        raise _error(made, name, "checksum", f'kind = "{check.kind}" ' + _needs(kind))
    if check.checksum:
        _check_checksum(made, name, _signal(made, name, "checksum", message), WIDTHS[kind])
    if check.counter:
        _check_counter(made, name, heard, _signal(made, name, "counter", message))
    elif kind == "counter" or kind in ID_PER_COUNTER:
        raise _error(made, name, "counter", f'kind = "{check.kind}" needs a counter')
    return Proof(kind, check.checksum, check.counter, _counter_max(made, name, message), _data_ids(made, name), slot)


def _needs(kind: str) -> str:
    return "has none; name the maker's checksum as kind" if kind == "counter" else "needs a checksum"


def _error(made: VehicleMap, name: str, key: str, sentence: str) -> SettingsError:
    """What is wrong at a key of a check, or at the check where the key is left out."""
    said = bool(getattr(made.content.check[name], key))
    return made.error(("check", name, key) if said else ("check", name), sentence)


def _signal(made: VehicleMap, name: str, key: str, message: dbc.Message) -> dbc.Signal:
    """A whole number that is in every frame of the message."""
    wanted = getattr(made.content.check[name], key)
    signal = message.signals.get(wanted)
    if signal is None:
        raise _error(made, name, key, f"{wanted} is not in {name}{nearest(wanted, list(message.signals))}")
    if signal.selector is not None or signal.is_signed or signal.is_float:
        raise _error(made, name, key, f"{wanted} is multiplexed, signed or a float; a {key} is none of that")
    return signal


def _check_checksum(made: VehicleMap, name: str, signal: dbc.Signal, bits: int) -> None:
    edge = signal.start_bit + signal.is_big_endian
    if signal.bits != bits or edge % min(bits, 8):
        where = "half a byte" if bits == 4 else f"{bits // 8} whole byte" + "s" * (bits > 8)
        raise _error(
            made, name, "checksum", f"{signal.name} must be {where}, as {made.content.check[name].kind} has it"
        )


def _check_counter(made: VehicleMap, name: str, heard: Heard, signal: dbc.Signal) -> None:
    """A counter is one sender's on one bus: of several, each would contradict the others."""
    if signal.bits > COUNTER_BITS_MAX:
        raise _error(made, name, "counter", f"{signal.name} has {signal.bits} bits, more than {COUNTER_BITS_MAX}")
    if heard.channel == ANY_CHANNEL or heard.message.is_j1939:
        raise _error(made, name, "counter", "the message may have several senders; add channel to its source")


def _counter_max(made: VehicleMap, name: str, message: dbc.Message) -> int:
    check = made.content.check[name]
    if not check.counter:
        return 0
    most = (1 << message.signals[check.counter].bits) - 1
    if check.counter_max is None:
        return E2E_P1_COUNTER_MAX if check.kind == "e2e_p1" and most > E2E_P1_COUNTER_MAX else most
    if check.counter_max > most:
        raise _error(made, name, "counter_max", f"{check.counter_max} is more than {check.counter} can be: {most}")
    return check.counter_max


def _data_ids(made: VehicleMap, name: str) -> tuple[int, ...]:
    """As native/table.h has them: one number in two bytes, or one byte per counter."""
    check = made.content.check[name]
    kind = ALIASES.get(check.kind, check.kind)
    if check.data_id is None:
        if kind in ONE_ID + ID_PER_COUNTER:
            raise _error(made, name, "data_id", f'kind = "{check.kind}" needs data_id')
        return ()
    if kind in ONE_ID and isinstance(check.data_id, int):
        return check.data_id & 0xFF, check.data_id >> 8
    each = (check.data_id,) * 16 if isinstance(check.data_id, int) else check.data_id
    if kind not in ID_PER_COUNTER or max(each) > 0xFF:
        raise _error(made, name, "data_id", f"{_wanted_id(check, kind)}")
    return each


def _wanted_id(check: Check, kind: str) -> str:
    if kind in ONE_ID:
        return f'kind = "{check.kind}" has one data_id'
    if kind in ID_PER_COUNTER:
        return "numbers of one byte: 0 to 255"
    return f'kind = "{check.kind}" has no data_id'
