"""Small files of a camera's clips: written whole or not at all, sized, hashed."""

import hashlib
import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

READ_BYTES = 1 << 20


def size_of(path: Path) -> int:
    """Bytes of a file, or of those in a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def hashed(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, which is on the disk then."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(READ_BYTES):
            digest.update(data)
            size += len(data)
        os.fsync(file.fileno())
    path.chmod(0o600)
    return {"bytes": size, "sha256": digest.hexdigest()}


def told_of(path: Path) -> dict[str, Any] | None:
    """The object a JSON file holds; None: it holds none."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def write(path: Path, text: str) -> None:
    """All of it or nothing, and on the disk."""
    made = path.with_name(path.name + ".tmp") if path.suffix != ".tmp" else path
    with made.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    made.rename(path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def kill(child: subprocess.Popen[bytes]) -> None:
    """End a process and what it started; returns when it is gone."""
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
