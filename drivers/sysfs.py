"""Attributes of devices as the kernel shows them: small text files, each one value."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TEXT_BYTES_MAX = 4096


def read(path: Path) -> str:
    """What stands in an attribute, without spaces around it; OSError when it cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, TEXT_BYTES_MAX).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)


def write(path: Path, words: str) -> None:
    """Set an attribute; OSError when it is not there (nothing is made) or the driver refuses the value."""
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(fd, words.encode())
    finally:
        os.close(fd)


def text(path: Path) -> str | None:
    """What stands in an attribute; None where there is none that can be read."""
    with suppress(OSError):
        return read(path)
    return None


def number(path: Path) -> float | None:
    """The number in an attribute; None where there is none."""
    with suppress(OSError, ValueError):
        return float(read(path))
    return None


def put(path: Path, words: str) -> bool:
    """Set an attribute, if that can be done."""
    with suppress(OSError):
        write(path, words)
        return True
    return False


def first(folder: Path, *names: str) -> Path | None:
    """The first of these attributes that is there."""
    return next((folder / name for name in names if (folder / name).exists()), None)


def folders(root: Path, stem: str) -> list[Path]:
    """Devices `stem` + number under a root, in the order of their numbers."""
    found = [path for path in root.glob(f"{stem}*") if path.name[len(stem) :].isdigit()]
    return sorted(found, key=lambda path: int(path.name[len(stem) :]))


def is_called(folder: Path, wanted: str) -> bool:
    """Whether a device goes by this name: that of its folder, of its `name`, or of its `label`."""
    return wanted in (folder.name, text(folder / "name"), text(folder / "label"))


def names(found: Iterable[Path]) -> str:
    """What these devices are called, for an error: "mpu6050, bmp280"; "none" where there are none."""
    return ", ".join(text(folder / "name") or folder.name for folder in found) or "none"
