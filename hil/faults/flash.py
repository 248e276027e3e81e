"""A flash of its own for the terminal: ext4 on a disk that can stand still, refuse, lose, or keep a log of its writes.

A file, a loop device on it, the device mapper, ext4. Only in a kernel that comes along. Needs Debian's dmsetup and
e2fsprogs.
"""

import ctypes
import fcntl
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from hil import kernel
from hil.faults import block_log
from hil.faults.switch import call

SIZE_BYTES = 16 * 1024 * 1024
LOG_BYTES = 256 * 1024 * 1024
SECTOR_BYTES = 512
NAME = "flash"
MAPPER = Path("/dev/mapper")
MODULES = ("drivers/block/loop", "drivers/md/dm-mod", "drivers/md/dm-flakey", "drivers/md/dm-log-writes")
NEEDED = (("dmsetup", "dmsetup"), ("mkfs.ext4", "e2fsprogs"))
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
DM_TARGET_MSG, DM_VERSION = 0xC138FD0E, (4, 0, 0)
DM_HEAD = struct.Struct("=10IQ128s129s7x")
"""struct dm_ioctl: version (3), size, where the message begins, ... device, name, uuid."""
MS_NOATIME = 0x400
CUT = "cut"

How = Literal["plain", "refuses", "loses", "logged"]
TABLES: dict[How, str] = {
    "plain": "linear {disk} 0",
    "refuses": "flakey {disk} 0 0 3600 1 error_writes",
    "loses": "flakey {disk} 0 0 3600 1 drop_writes",
    "logged": "log-writes {disk} {log}",
}


def missing() -> str:
    """What to install before there can be one; empty: nothing."""
    absent = [package for command, package in NEEDED if not shutil.which(command, path=SYSTEM_PATH)]
    return f"no disk of its own for the terminal: install {' and '.join(absent)} (Debian's packages)" if absent else ""


class Flash:
    """One disk, mounted at `folder`; its files lie in `home`."""

    def __init__(self, folder: Path, home: Path, block_bytes: int = 4096) -> None:
        self.folder = folder
        self._block_bytes = block_bytes
        self._disk, self._log, self._first = home / "disk", home / "log", home / "first"
        self._loops: list[str] = []

    def make(self, how: How) -> None:
        """An empty file system, mounted."""
        kernel.load(*MODULES)
        for path, size in ((self._disk, SIZE_BYTES), (self._log, LOG_BYTES)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.truncate(size)
        lazy = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        call(
            "mkfs.ext4",
            "-q",
            "-F",
            "-b",
            str(self._block_bytes),
            "-J",
            "size=4",
            "-N",
            "256",
            "-E",
            lazy,
            str(self._disk),
        )
        self._loops = [_said("losetup", "--find", "--show", str(path)) for path in (self._disk, self._log)]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mount(how)
        self.folder.chmod(0o700)

    def mount(self, how: How) -> None:
        """Put the disk in; what is logged begins with the disk as it is now."""
        shutil.copyfile(self._disk, self._first)
        _dm("create", NAME, "--table", self._table(how))
        _dm("mknodes")
        call("mount", "-o", "noatime,errors=remount-ro", str(MAPPER / NAME), str(self.folder))

    def unmount(self) -> None:
        """Take it out."""
        call("umount", str(self.folder))
        _dm("remove", NAME)

    def become(self, how: How) -> None:
        """Behave otherwise from now on, under the file system."""
        _dm("suspend", "--nolockfs", NAME)
        _dm("load", NAME, "--table", self._table(how))
        self.go_on()

    def stand_still(self) -> None:
        """Answer nothing until it goes on."""
        _dm("suspend", "--nolockfs", NAME)

    def go_on(self) -> None:
        """Answer what has waited."""
        _dm("resume", NAME)

    def mark(self, text: str) -> None:
        """Into the log, after all that lasts by now; one word."""
        words = struct.pack("=Q", 0) + f"mark {text}".encode() + b"\0"
        head = (*DM_VERSION, DM_HEAD.size + len(words), DM_HEAD.size, 0, 0, 0, 0, 0, 0, NAME.encode(), b"")
        with (MAPPER / "control").open("rb", buffering=0) as control:
            fcntl.ioctl(control, DM_TARGET_MSG, bytearray(DM_HEAD.pack(*head) + words))

    def cut(self) -> None:
        """The power goes, once nobody uses it: of what was written to it since `mount` there is what had to last."""
        self.mark(CUT)
        self.unmount()
        log = self.log()
        image = self.first()
        upto = next(number for number, entry in enumerate(log) if entry.mark == CUT)
        block_log.replay(log, block_log.Cut(upto), image)
        self.write(image)

    def mend(self) -> None:
        """Let the file system be checked, and put right, as a box does when it starts. Not while it is mounted."""
        done = subprocess.run(["e2fsck", "-f", "-y", self._disk], capture_output=True, check=False)  # noqa: S603, S607
        assert done.returncode in (0, 1), done.stdout

    def log(self) -> list[block_log.Entry]:
        """What the disk was told since `mount`. Not while it is mounted."""
        with self._log.open("rb") as file:
            return list(block_log.entries(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))

    def first(self) -> bytearray:
        """The disk as it was at `mount`."""
        return bytearray(self._first.read_bytes())

    def write(self, image: bytes | bytearray) -> None:
        """Make it this disk. Not while it is mounted."""
        with self._disk.open("r+b", buffering=0) as file:
            file.write(image)

    def close(self) -> None:
        """Take it away."""
        self.unmount()
        for loop in self._loops:
            call("losetup", "--detach", loop)
        for path in (self._disk, self._log, self._first):
            path.unlink()

    def _table(self, how: How) -> str:
        disk, log = self._loops
        return f"0 {SIZE_BYTES // SECTOR_BYTES} {TABLES[how].format(disk=disk, log=log)}"


class Slot:
    """Where one disk after the other is put in and looked at, each for a moment: plain, and quick."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._file = home / "slot"
        for path in (home, folder):
            path.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(bytes(SIZE_BYTES))
        self._loop = _said("losetup", "--find", "--show", str(self._file))
        self._libc = ctypes.CDLL(None, use_errno=True)

    @contextmanager
    def holding(self, image: bytes | bytearray, pieces: Iterable[tuple[int, bytes | memoryview]]) -> Iterator[Path]:
        """This disk with these pieces written onto it, mounted. OSError: it cannot be."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(image)
            for place, content in pieces:
                os.pwrite(file.fileno(), content, place)
        self._call("mount", self._loop.encode(), bytes(self.folder), b"ext4", MS_NOATIME, b"errors=remount-ro")
        try:
            yield self.folder
        finally:
            self._call("umount2", bytes(self.folder), 0)

    def close(self) -> None:
        """Take it away."""
        call("losetup", "--detach", self._loop)
        self._file.unlink()

    def _call(self, name: str, *words: bytes | int) -> None:
        if self._libc[name](*words) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{name}: {os.strerror(code)}")


def _dm(*words: str) -> None:
    """The device mapper's own command; nobody else here makes nodes."""
    call("dmsetup", "--noudevsync", "--noudevrules", *words)


def _said(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
