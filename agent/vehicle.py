"""A vehicle map, compiled: which bits of which frame are which signal, as the core takes it (native/table.h)."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agent.errors import SettingsError, StorageError
from drivers.batch import EXTENDED

NO_SIGNAL = 0xFFFF
ALWAYS = 0xFFFF
ANY_CHANNEL = 255
OBD_ID = 0xFFFFFFFF
SIGNED, FLOAT, BIG_ENDIAN, LIMITED = 1, 2, 4, 8
PLAIN, OBD, PGN = 0, 1, 2
BY_PGN = 0x40000000
CHECKS = ("", "counter", "toyota", "honda", "hyundai", "hyundai_fd", "e2e_p1", "e2e_p2", "e2e_p5")
"""How a frame proves itself, in the order of TBOX_CHECK_*; "": not at all."""

COUNTERS_MAX = 64

VERSION = 3
HEAD = b"\x93\xaatbox-table"
"""How a compiled table begins: a msgpack array of "tbox-table", version, table. No TOML text begins so."""

FILE_BYTES_MAX = 1 << 24
SHIPPED = Path(__file__).resolve().parent.parent / "config" / "vehicles"
"""Maps that come with the program; a bare name means one of these."""


U8 = Annotated[int, Meta(ge=0, le=0xFF)]
U16 = Annotated[int, Meta(ge=0, le=0xFFFF)]
U32 = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
Powertrain = Literal["combustion", "hybrid", "electric"]
VehicleClass = Literal["car", "van", "truck", "bus", "motorcycle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One signal's place in a frame; the fields are those of tbox_cut_t, `name` and `unit` the DBC's or the PID's."""

    name: str
    unit: str
    start_bit: U16
    bits: U8
    flags: U8 = 0
    scale: float = 1.0
    offset: float = 0.0
    min: float = 0.0
    max: float = 0.0
    signal: U16 = NO_SIGNAL
    mux_cut: U16 = ALWAYS
    mux_from: U32 = 0
    mux_to: U32 = 0
    valid_cut: U16 = ALWAYS
    bytes: U8 = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A frame that means something. `id` carries EXTENDED; `length` is the fewest bytes it comes with.

    With a `check` the last two of its `cuts` are those of its checksum and of its counter (bits 0: it has none).
    """

    name: str
    id: U32
    channel: U8
    length: U8
    kind: U8
    cuts: tuple[Cut, ...]
    check: Annotated[int, Meta(ge=0, lt=len(CHECKS))] = 0
    slot: Annotated[int, Meta(ge=0, lt=COUNTERS_MAX)] = 0
    data_ids: Annotated[tuple[U8, ...], Meta(max_length=16)] = ()

    @property
    def told(self) -> tuple[Cut, ...]:
        """The cuts that are signals."""
        return self.cuts[:-2] if self.check else self.cuts


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A data identifier to be asked for (ISO 14229-1, service 22). `to` and `answer`: identifiers, with EXTENDED."""

    channel: U8
    to: U32
    answer: U32
    did: U16
    period_s: float


@dataclass(frozen=True, slots=True)
class CTable:
    """A table in C: `table` (tbox_table_t *) points into both arrays. Keep this, not only `table`, while it is used."""

    table: Any
    messages: Any
    cuts: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything the terminal knows about a vehicle; messages are sorted by channel and id."""

    name: str
    powertrain: Powertrain
    vehicle_class: VehicleClass
    messages: tuple[Message, ...]
    limit_rpm: float = 0.0
    tank_l: float | None = None
    data: tuple[Data, ...] = ()

    def asked(self, channel: int) -> tuple[Data, ...]:
        """What is asked for on this channel beside OBD-II."""
        return tuple(item for item in self.data if item.channel in (channel, ANY_CHANNEL))

    def as_c(self, ffi: Any) -> CTable:
        """The same as C arrays of this CFFI door."""
        cuts = ffi.new("tbox_cut_t[]", sum(len(message.cuts) for message in self.messages))
        messages = ffi.new("tbox_message_t[]", len(self.messages))
        first = 0
        for message, c_message in zip(self.messages, messages, strict=True):
            c_message.id, c_message.channel, c_message.length = message.id, message.channel, message.length
            c_message.kind, c_message.first, c_message.count = message.kind, first, len(message.told)
            c_message.check, c_message.slot, c_message.data_ids = message.check, message.slot, message.data_ids
            for index, cut in enumerate(message.cuts, start=first):
                _fill(cuts[index], cut)
            first += len(message.cuts)
        table = ffi.new("tbox_table_t *", (messages, cuts, len(messages), len(cuts)))
        return CTable(table, messages, cuts)

    def filters(self, channel: int) -> list[dict[str, Any]]:
        """What of this channel is worth reading, as python-can's filters: identifier, mask, width."""
        return [
            told
            for message in self.messages
            if message.channel in (channel, ANY_CHANNEL)
            for told in (OBD_FILTERS if message.kind == OBD else (_filter(message),))
        ]


def pgn_id(identifier: int) -> int:
    """The id of the message that stands for this identifier's parameter group, as tbox_table_pgn."""
    return EXTENDED | BY_PGN | identifier & _pgn_mask(identifier)


def _pgn_mask(identifier: int) -> int:
    """The bits of a 29-bit identifier that are its parameter group (SAE J1939-21)."""
    is_addressed = identifier >> 16 & 0xFF < 0xF0
    return 0x03FF0000 if is_addressed else 0x03FFFF00


def _filter(message: Message) -> dict[str, Any]:
    is_extended = bool(message.id & EXTENDED)
    plain = 0x1FFFFFFF if is_extended else 0x7FF
    return {
        "can_id": message.id & ~(EXTENDED | BY_PGN),
        "can_mask": _pgn_mask(message.id) if message.kind == PGN else plain,
        "extended": is_extended,
    }


OBD_FILTERS = (
    {"can_id": 0x7E8, "can_mask": 0x7F8, "extended": False},
    {"can_id": 0x18DAF100, "can_mask": 0x1FFFFF00, "extended": True},
)


def _fill(c_cut: Any, cut: Cut) -> None:
    """Copy the numbers of a cut."""
    c_cut.scale, c_cut.offset, c_cut.min, c_cut.max = cut.scale, cut.offset, cut.min, cut.max
    c_cut.mux_from, c_cut.mux_to, c_cut.mux_cut = cut.mux_from, cut.mux_to, cut.mux_cut
    c_cut.valid_cut, c_cut.signal, c_cut.start_bit = cut.valid_cut, cut.signal, cut.start_bit
    c_cut.bits, c_cut.flags, c_cut.bytes = cut.bits, cut.flags, cut.bytes


# ---- files ----------------------------------------------------------------------------------------------------------


def pack(table: Table) -> bytes:
    """A compiled table as its file holds it."""
    return msgspec.msgpack.encode(("tbox-table", VERSION, table))


def read_map(path: Path) -> bytes:
    """The bytes of a map, compiled or not; SettingsError when there is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as why:
        shipped = ", ".join(sorted(known.name for known in SHIPPED.glob("*.toml")))
        raise SettingsError(f"{path}: vehicle map cannot be read: {why.strerror}; shipped are {shipped}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise SettingsError(f"{path}: too big for a vehicle map (over {FILE_BYTES_MAX >> 20} MiB)")
    return raw


def unpack(raw: bytes, name: str) -> Table:
    """The table of such bytes; `name` is for the error."""
    again = "compile the map again (tbox vehicle compile)"
    try:
        version = msgspec.msgpack.decode(raw, type=tuple[str, int, msgspec.Raw])[1]
        if version != VERSION:
            raise SettingsError(f"{name}: a compiled table of version {version}, this tbox reads {VERSION}; {again}")
        return msgspec.msgpack.decode(raw, type=tuple[str, int, Table])[2]
    except msgspec.MsgspecError as why:
        raise SettingsError(f"{name}: a damaged compiled table ({why}); {again}") from None


def save(table: Table, path: Path) -> None:
    """Write a compiled table, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(pack(table))
        beside.replace(path)
    except OSError as why:
        with suppress(OSError):
            beside.unlink()
        raise StorageError(f"{path}: cannot be written: {why.strerror}") from None
