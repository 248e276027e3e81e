"""The container of a bundle: a ZIP of which there is one spelling only for the same files. Pure; nothing is unpacked.

Entries are stored, never compressed, in the order of their names, all with the same stamp, each behind

    local header   30 bytes: signature, version 10, flags 0, method 0, 1980-01-01 00:00, CRC-32, size twice, lengths

and the central directory stands at the end, without a comment. Sizes, names and kinds are judged from the directory
before an entry is looked at; then the same files are composed again and must give the same bytes. So nothing can hide
between entries, a directory cannot say another thing than the headers, and one changed byte shows.
"""

import re
import stat
import struct
import zlib
from collections.abc import Mapping

from agent.errors import BundleError

ARCHIVE_BYTES_MAX = 4 << 20
ENTRIES_MAX = 64
NAME_MAX = 64

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _UNIX, _DATE = 10, 3 << 8, 1 << 5 | 1
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)?[A-Za-z0-9_][A-Za-z0-9._-]*")
_ZIP64 = 0xFFFFFFFF


def compose(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files; the same files give the same bytes. BundleError: too many, too big, a bad name."""
    local, central = bytearray(), bytearray()
    for name in sorted(files):
        _check_name(name)
        content, packed = files[name], name.encode("ascii")
        fields = (_VERSION, 0, 0, 0, _DATE, zlib.crc32(content), len(content), len(content), len(packed), 0)
        central += _CENTRAL.pack(b"PK\1\2", _UNIX | _VERSION, *fields, 0, 0, 0, _PLAIN_FILE, len(local)) + packed
        local += _LOCAL.pack(b"PK\3\4", *fields) + packed + content
    end = _END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(central), len(local), 0)
    raw = bytes(local + central + end)
    check_size(len(raw))
    _check_count(len(files))
    return raw


def read(raw: bytes) -> dict[str, bytes]:
    """The files of an archive. BundleError: it is not whole, or holds what a bundle may not hold."""
    check_size(len(raw))
    files: dict[str, bytes] = {}
    for name, at, size in _directory(raw):
        if name in files:
            raise BundleError("duplicate", f"holds {name} twice; make it with `tbox bundle new`")
        begin = at + _LOCAL.size + len(name)
        files[name] = raw[begin : begin + size]
    if compose(files) != raw:
        raise BundleError("damaged", "damaged, or not written by `tbox bundle`; fetch it again")
    return files


def check_size(size: int) -> None:
    """BundleError: a file of so many bytes is no bundle."""
    if size > ARCHIVE_BYTES_MAX:
        raise BundleError("too_big", f"{size} bytes are more than the {ARCHIVE_BYTES_MAX >> 20} MiB a bundle may have")


def _directory(raw: bytes) -> list[tuple[str, int, int]]:
    """Name, place of the header and size of each entry, as the central directory says."""
    if not raw.startswith((b"PK\3\4", b"PK\5\6")):
        raise BundleError("damaged", "not a bundle: it does not begin like one")
    end = len(raw) - _END.size
    if end < 0 or raw[end : end + 4] != b"PK\5\6":
        raise BundleError("damaged", "cut off: its end is missing; fetch it again")
    _, _, _, _, count, _, at, _ = _END.unpack_from(raw, end)
    _check_count(count)
    entries = []
    for _ in range(count):
        if at + _CENTRAL.size > end:
            raise BundleError("damaged", "damaged: its list of files is not whole; fetch it again")
        entries.append(_entry(raw, at))
        at += _CENTRAL.size + len(entries[-1][0])
    if sum(size for _, _, size in entries) > len(raw):
        raise BundleError("too_big", "says that it holds more than it can; it is no bundle")
    return entries


def _entry(raw: bytes, at: int) -> tuple[str, int, int]:
    """One entry of the directory, judged by what it says of itself."""
    mark, made_by, _, flags, method, _, _, _, packed, size, length, _, _, _, _, kind, where = _CENTRAL.unpack_from(
        raw, at
    )
    if mark != b"PK\1\2":
        raise BundleError("damaged", "damaged: its list of files is not whole; fetch it again")
    name = raw[at + _CENTRAL.size : at + _CENTRAL.size + length].decode("latin-1")
    _check_name(name)
    if made_by & 0xFF00 == _UNIX and stat.S_IFMT(kind >> 16) not in (0, stat.S_IFREG):
        raise BundleError("link", f"{name} is a link or a device; a bundle holds plain files only")
    if method or flags:
        raise BundleError("compressed", f"{name} is compressed or encrypted; make the bundle with `tbox bundle new`")
    if max(packed, size) == _ZIP64 or size > ARCHIVE_BYTES_MAX:
        raise BundleError("too_big", f"{name} would have {size} bytes; a bundle may have {ARCHIVE_BYTES_MAX >> 20} MiB")
    return name, where, size


def _check_name(name: str) -> None:
    if len(name) > NAME_MAX or not _NAME.fullmatch(name):
        told = name.encode("ascii", "backslashreplace").decode()
        raise BundleError(
            "path",
            f'"{told:.64}" is no name for a file of a bundle: letters, digits, . _ - and one folder at most, no ".."',
        )


def _check_count(count: int) -> None:
    if count > ENTRIES_MAX:
        raise BundleError("too_big", f"{count} files are more than the {ENTRIES_MAX} a bundle may have")
