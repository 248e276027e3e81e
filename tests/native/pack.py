"""Writes what tests/native/packed.h reads: a setup, a table and inputs, and where the numbers of an output lie."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.core import ffi
from agent.settings import Settings
from agent.setup import make_setup
from agent.vehicle import Table
from drivers.batch import INPUT_BYTES

MAGIC = b"tbx-run1"
HEAD = struct.Struct("<8s7Q")
FIELD = struct.Struct("<3Q")
OUTPUTS = ("tbox_event_t", "tbox_sample_t", "tbox_calibration_t")
"""In the order of TBOX_OUT_*."""

TYPES = {"double": "d", "int64_t": "q", "uint8_t": "B", "_Bool": "B"}


def fields() -> Iterator[tuple[int, int, str]]:
    """(output, offset, type) of every number of every output, as the headers have them."""
    for output, name in enumerate(OUTPUTS):
        for offset, kind in _numbers(ffi.typeof(name), 0):
            yield output, offset, kind


def _numbers(kind: Any, offset: int) -> Iterator[tuple[int, str]]:
    """(offset, type) of every number in this type."""
    if kind.kind == "struct":
        for _, field in kind.fields:
            yield from _numbers(field.type, offset + field.offset)
    elif kind.kind == "array":
        for index in range(kind.length):
            yield from _numbers(kind.item, offset + index * ffi.sizeof(kind.item))
    else:
        yield offset, TYPES[kind.cname]


def pack(
    path: Path, settings: Settings, table: Table, inputs: bytes, rotation: tuple[float, ...] | None = None
) -> None:
    """Write it. The machine that packs is little-endian, as every one that reads it."""
    assert sys.byteorder == "little"
    assert len(inputs) % INPUT_BYTES == 0
    keep: list = []
    setup = bytes(ffi.buffer(make_setup(settings, table, rotation, keep)))[ffi.sizeof("tbox_table_t") :]
    told = [FIELD.pack(output, offset, ord(kind)) for output, offset, kind in fields()]
    messages, cuts = (bytes(ffi.buffer(part)) for part in (keep[0].messages, keep[0].cuts))
    sizes = ffi.sizeof("tbox_message_t"), ffi.sizeof("tbox_cut_t")
    counts = len(messages) // sizes[0], len(cuts) // sizes[1], len(inputs) // INPUT_BYTES, len(told)
    head = HEAD.pack(MAGIC, len(setup), *sizes, *counts)
    path.write_bytes(b"".join([head, *told, setup, messages, cuts, inputs]))
