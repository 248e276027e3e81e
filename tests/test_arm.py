"""`make arm` as far as it is pure: whose programs are given to QEMU, what it lists, the table that it prints."""

import re

import pytest

from tests.arm import LISTED
from tests.footprint import show
from tests.foreign import AARCH64, ARMHF, ROOT, X86, Processor

X86_64, ARM, AARCH64_MACHINE = 62, 40, 183
"""e_machine of the ELF specification's supplements."""


def head(bits: int, kind: int, machine: int, system: int = 0) -> bytes:
    """The first 20 bytes of a little-endian ELF file; `kind` 2: at a fixed place, 3: anywhere."""
    start = b"\x7fELF" + bytes([bits // 32, 1, 1, system]) + bytes(8)
    return start + kind.to_bytes(2, "little") + machine.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("processor", "first", "is_its_own"),
    [
        pytest.param(AARCH64, head(64, 3, AARCH64_MACHINE), True, id="64-bit ARM"),
        pytest.param(AARCH64, head(64, 2, AARCH64_MACHINE, system=3), True, id="64-bit ARM, static, for Linux"),
        pytest.param(AARCH64, head(64, 1, AARCH64_MACHINE), False, id="an object file is no program"),
        pytest.param(AARCH64, head(32, 3, ARM), False, id="32-bit ARM is not 64-bit"),
        pytest.param(AARCH64, head(64, 3, X86_64), False, id="this machine's own"),
        pytest.param(ARMHF, head(32, 3, ARM), True, id="32-bit ARM"),
        pytest.param(ARMHF, head(64, 3, AARCH64_MACHINE), False, id="64-bit ARM is not 32-bit"),
    ],
)
def test_a_program_is_given_to_the_emulator_of_its_processor(
    processor: Processor, first: bytes, is_its_own: bool
) -> None:
    _, name, kind, offset, magic, mask, emulator, flags = processor.format.split(":")
    wanted, counts = (
        re.sub(r"\\x(..)", lambda it: chr(int(it[1], 16)), text).encode("latin-1") for text in (magic, mask)
    )
    assert (name, kind, offset, flags) == ("tbox", "M", "", "F")
    assert emulator == f"/usr/bin/qemu-{processor.emulator}-static"
    assert len(wanted) == len(counts) == len(first)
    assert all(not (a ^ b) & m for a, b, m in zip(first, wanted, counts, strict=True)) == is_its_own


def test_this_machines_own_programs_need_no_emulator() -> None:
    assert X86.format == ""


def test_what_is_listed_is_there_once_and_in_order() -> None:
    files = [line for line in LISTED.read_text().splitlines() if not line.startswith("#")]
    assert files == sorted(set(files))
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_what_was_not_measured_is_a_dash() -> None:
    said: list[str] = []
    show({"x86-64": {"size": 1234.56}, "armhf": {"size": 2.0, "memory": 3.0}}, said.append)
    assert [line.split() for line in said] == [["x86-64", "armhf"], ["size", "1,234.6", "2.0"], ["memory", "-", "3.0"]]
