"""A camera's process at work, listened to as the daemon does; pictures from ffmpeg's test source."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers.camera.camera import Camera
from drivers.camera.plan import Plan

WAIT_S = 30.0
PICTURES_PER_S = 10
PLAN = Plan(
    folder="",
    boot=3,
    source=f"lavfi:testsrc2=size=128x96:rate={PICTURES_PER_S}",
    bitrate_kbps=100,
    segment_s=0.5,
    spare_bytes=0,
)


class Filming:
    """A camera that is wanted, and all it told."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.camera = Camera(replace(PLAN, folder=str(folder), **changes))
        self.told: list[dict[str, Any]] = []
        self.clips: list[dict[str, Any]] = []
        self._begun = 0

    def turn(self) -> None:
        """As the daemon's loop does it."""
        for message in self.camera.tend(time.monotonic()):
            self.told.append(message)
            if "clip" in message:
                self.clips.append(message["clip"])
        if self.camera.begun != self._begun:
            self._begun = self.camera.begun
            self.camera.tell(run=True)

    def until(self, is_so: Callable[[], Any]) -> None:
        """Turn until it is so."""
        until_s = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < until_s, self.told[-3:]
            self.turn()
            time.sleep(0.02)

    @property
    def standing(self) -> dict[str, Any]:
        """What was told last of how it stands."""
        return next((told for told in reversed(self.told) if "state" in told), {"state": "", "why": "", "counters": {}})

    def count(self, name: str) -> int:
        """A counter, as told last."""
        return int(self.standing["counters"].get(name, 0))

    def ring_bytes(self) -> int:
        """Of all files in the ring, whole or not."""
        sizes = []
        for path in (self.folder / "ring").glob("*"):
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:
                continue
        return sum(sizes)


def is_alive(pid: int) -> bool:
    """Whether this process runs still."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pictures(clip: Path) -> tuple[int, float]:
    """How many pictures ffprobe can decode, and how many seconds they last; 0: it does not say."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames:format=duration"]
    done = subprocess.run([*command, "-of", "json", str(clip)], capture_output=True, check=True)
    found = json.loads(done.stdout)
    return int(found["streams"][0]["nb_read_frames"]), float(found["format"].get("duration", 0))


def put_in_path(folder: Path, script: str) -> str:
    """A PATH in which ffmpeg is this shell script."""
    folder.mkdir()
    (folder / "ffmpeg").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ffmpeg").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"
