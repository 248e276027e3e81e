"""`tbox awake`: a technician keeps a parked terminal awake for a while, by a note in its state folder.

The note names the boot of the kernel it was written in and the boot time until which it holds, so that no clock and no
restart makes it last longer.
"""

import json
from pathlib import Path

from agent.errors import StorageError
from agent.settings import Settings
from agent.world import clock

NOTE_NAME = "awake.json"


def run(settings: Settings, seconds: float) -> int:
    """The command; 0 seconds end it. SettingsError, StorageError."""
    write(Path(settings.device.state_dir), seconds)
    print(f"awake for {seconds:.0f} s" if seconds else "it may sleep again")
    return 0


def write(state_dir: Path, seconds: float) -> None:
    """The note that holds for so long from now on. StorageError."""
    path, now = state_dir / NOTE_NAME, clock.stamp()
    note = {"kernel": now.kernel, "until_us": now.boot_us + round(seconds * 1e6)}
    try:
        path.write_text(json.dumps(note), encoding="ascii")
    except OSError as why:
        raise StorageError(f"{path}: cannot be written: {why.strerror}; as which user does tbox run?") from None


def left_s(state_dir: Path) -> float:
    """How long the note still holds; 0 without one, or one that is not ours."""
    try:
        note = json.loads((state_dir / NOTE_NAME).read_text(encoding="ascii"))
        now = clock.stamp()
        until_us = int(note["until_us"]) if note["kernel"] == now.kernel else 0
    except (OSError, ValueError, TypeError, KeyError):
        return 0.0
    return max(0.0, (until_us - now.boot_us) / 1e6)
