"""The process between the daemon and a camera: `python -m drivers.camera.keeper PLAN`, a JSON of drivers.camera.plan.

drivers.camera.camera starts it. It owns ffmpeg, the ring of segments and the folder of clips, and waits for the disk so
that the daemon never does. Its input and output are lines of JSON. In come

    {"run": true}                          film, or do not
    {"save": [boot, event, from_us, until_us]}
    {"noted": [boot, event]}               the account has the clip
    {"part": [boot, event, number]}        give a part of a clip
    {"sent": [boot, event, parts]}         so many parts were delivered

and out go, the first every second,

    {"state": "filming", "why": "", "counters": {...}}
    {"clip": {...}, "is_noted": false}     a clip was saved, or why none was
    {"part": [boot, event, number], "data": "base64"}

It goes when its input ends, and ffmpeg goes with it.
"""

import base64
import fcntl
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from drivers.camera.clips import Ask, Clips
from drivers.camera.plan import Plan
from drivers.camera.recorder import Recorder
from drivers.camera.ring import Ring
from drivers.source import boot_us

LOOK_S = 0.2
TELL_US = 1_000_000
LINE_BYTES_MAX = 65_536
LOCK_S = 10.0
NICE = 10
"""This process, and every ffmpeg it starts, steps back behind the daemon."""


class Keeper:
    """Ring, ffmpeg and clips of one camera. OSError of the disk ends it: the daemon starts another, later."""

    def __init__(self, plan: Plan, in_fd: int, out_fd: int) -> None:
        self._plan, self._in, self._out = plan, in_fd, out_fd
        folder, segment_us = Path(plan.folder) / "ring", round(plan.segment_s * 1e6)
        self.ring = Ring(folder, plan.boot, plan.budget_bytes, segment_us, boot_us())
        self.clips = Clips(plan, self.ring)
        self.recorder = Recorder(plan, self.ring)
        self._heard = b""
        self._is_wanted = False
        self._told_us = 0
        self._full = ""
        os.set_blocking(in_fd, False)

    def run(self) -> None:
        """Until the daemon goes."""
        try:
            while self.turn():
                pass
        finally:
            self.recorder.close()
            self.clips.close()

    def turn(self) -> bool:
        """Once round; False: the daemon has gone."""
        ready = select.select([self._in, *self.recorder.filenos()], [], [], LOOK_S)[0]
        if self._in in ready and not self._hear():
            return False
        now_us = boot_us()
        self.ring.forget(now_us, round(self._plan.ring_s * 1e6), self.clips.wants)
        room = self.ring.trim(self._free_bytes(), self.clips.wants)
        has_room = room >= (0 if self.recorder.is_filming else self.ring.open_bytes_max)
        self._full = "" if has_room else "no room on the disk (camera.budget_mb)"
        self.recorder.tend(now_us, is_wanted=self._is_wanted and has_room)
        self.clips.tend(now_us, self.recorder.spread_us)
        return self._tell(now_us)

    def _free_bytes(self) -> int:
        disk = os.statvfs(self._plan.folder)
        return disk.f_bavail * disk.f_frsize - self._plan.spare_bytes

    def _hear(self) -> bool:
        try:
            data = os.read(self._in, LINE_BYTES_MAX)
        except BlockingIOError:
            return True
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, message: dict[str, Any]) -> None:
        match message:
            case {"run": bool(is_wanted)}:
                self._is_wanted = is_wanted
            case {"save": [boot, event, from_us, until_us]}:
                self.clips.ask(Ask(boot, event, from_us, until_us))
            case {"noted": [boot, event]}:
                self.clips.noted(boot, event)
            case {"sent": [boot, event, parts]}:
                self.clips.sent(boot, event, parts)
            case {"part": [boot, event, number]}:
                data = base64.b64encode(self.clips.part(boot, event, number)).decode()
                self.clips.news.append({"part": [boot, event, number], "data": data})

    def _tell(self, now_us: int) -> bool:
        """News, and once a second how it stands; False: nobody listens."""
        news, self.clips.news = self.clips.news, []
        if now_us - self._told_us >= TELL_US:
            self._told_us = now_us
            news.append(self._standing())
        try:
            for message in news:
                data = json.dumps(message).encode() + b"\n"
                while data:
                    data = data[os.write(self._out, data) :]
        except BrokenPipeError:
            return False
        return True

    def _standing(self) -> dict[str, Any]:
        segments = self.ring.segments()
        clips, ring = self.clips.counters, self.ring.counters
        return {
            "state": "filming" if self.recorder.is_filming else "waiting" if self._is_wanted else "resting",
            "why": self._full or self.recorder.why,
            "counters": {
                **ring,
                **clips,
                **self.recorder.counters,
                "written_bytes": ring["written_bytes"] + clips["written_bytes"],
                "ring_bytes": sum(one.size for one in segments),
                "ring_us": sum(one.end_us - one.start_us for one in segments if one.boot == self._plan.boot),
                "ffmpeg": self.recorder.pid,
            },
        }


def alone(folder: Path) -> int:
    """The only one in this folder; waits for one that is just going. SystemExit when it stays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until_s = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until_s:
                raise SystemExit(f"camera: another process keeps {folder}") from None
            time.sleep(LOOK_S)
        else:
            return handle


def main() -> None:
    """Keep the camera until the daemon goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the daemon's terminal is the daemon's affair
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.umask(0o077)
    with suppress(PermissionError):  # a service's system call filter may forbid it
        os.nice(NICE)
    plan = Plan(**json.loads(sys.argv[1]))
    try:
        alone(Path(plan.folder))
        Keeper(plan, sys.stdin.fileno(), sys.stdout.fileno()).run()
    except OSError as why:
        raise SystemExit(f"camera: {why}") from None


if __name__ == "__main__":
    main()
