"""Out of whole batches of a bus the few frames that matter to diagnostics, picked in C (native/pick.h)."""

import struct
from functools import lru_cache
from typing import Any

from drivers._guard import ffi, lib
from drivers.batch import INPUT_BYTES

Picked = tuple[int, int, int, int, bytes]
"""Time (µs), channel, identifier (with EXTENDED), flags, data."""

_FRAME = struct.Struct("=qIBBBB64s")


def picked(batch: bytes, also: tuple[int, ...] = ()) -> list[Picked]:
    """Give requests and answers of OBD-II, whoever sent them, error frames, and frames with the identifiers of `also`.

    `batch` is packed inputs (drivers.batch) of any kind. 7DF, 7E0..7EF, 18DB33F1, 18DAxxF1 and 18DAF1xx are picked.
    """
    count = len(batch) // INPUT_BYTES
    room = bytearray(count * INPUT_BYTES)
    found = lib.tbox_pick(
        ffi.from_buffer("uint8_t[]", batch), count, _ids(also), len(also), ffi.from_buffer("uint8_t[]", room)
    )
    return [_frame(one) for one in _FRAME.iter_unpack(memoryview(room)[: found * INPUT_BYTES])]


def _frame(one: tuple[int, int, int, int, int, int, bytes]) -> Picked:
    """The fields that a frame has, in order."""
    t_us, identifier, _, channel, length, flags, data = one
    return t_us, channel, identifier, flags, data[:length]


@lru_cache(maxsize=16)
def _ids(also: tuple[int, ...]) -> Any:
    """Identifiers as C takes them."""
    return ffi.new("uint32_t[]", list(also))
