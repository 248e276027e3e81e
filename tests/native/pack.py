"""Writes what tests/native/runner.c reads: a setup, a table and inputs, and where the numbers of an output lie."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from agent.core import _setup, ffi
from agent.settings import Settings
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
        for _, field in ffi.typeof(name).fields:
            item = field.type.item if field.type.kind == "array" else field.type
            for index in range(field.type.length if field.type.kind == "array" else 1):
                yield output, field.offset + index * ffi.sizeof(item), TYPES[item.cname]


def pack(path: Path, settings: Settings, table: Table, inputs: bytes) -> None:
    """Write it. The machine that packs is little-endian, as every one that reads it."""
    assert sys.byteorder == "little"
    assert len(inputs) % INPUT_BYTES == 0
    keep: list = []
    setup = bytes(ffi.buffer(_setup(settings, table, None, keep)))[ffi.sizeof("tbox_table_t") :]
    told = [FIELD.pack(output, offset, ord(kind)) for output, offset, kind in fields()]
    messages, cuts = (bytes(ffi.buffer(part)) for part in (keep[0].messages, keep[0].cuts))
    sizes = ffi.sizeof("tbox_message_t"), ffi.sizeof("tbox_cut_t")
    counts = len(messages) // sizes[0], len(cuts) // sizes[1], len(inputs) // INPUT_BYTES, len(told)
    head = HEAD.pack(MAGIC, len(setup), *sizes, *counts)
    path.write_bytes(b"".join([head, *told, setup, messages, cuts, inputs]))
