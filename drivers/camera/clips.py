"""Clips: what is saved of the ring for an event, in a folder with its own budget.

BOOT-EVENT.ask     what was asked for; here until the account has the clip's hash
BOOT-EVENT.mp4     the clip; or a folder of that name without .mp4, with its segments, where they could not be joined
BOOT-EVENT.json    what is told of it: from, until, files with their hashes, and how much of it was sent

After a power cut everything goes on from these files.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from drivers.camera.files import hashed, kill, size_of, told_of, write
from drivers.camera.plan import Plan, join_command, listing
from drivers.camera.ring import Ring, Segment

NAME = re.compile(r"(\d{1,10})-(\d{1,19})", re.ASCII)
PART_BYTES = 60_000
"""Of a clip in one record, which may have 64 KiB."""

JOIN_US = 60_000_000
"""Joining copies some MB; one that takes longer hangs."""

LATE_US = 5_000_000
"""So long after the end of what is wanted, and two segments, the rest is not waited for."""

LATENCY_US = 500_000
"""From the lens to ffmpeg: what cameras and their buffers take at most, as a rule. Nobody tells it."""

SYNC_US = 1_000_000

SANE_S = 1_704_067_200.0
"""2024. A wall clock before it was never set, and ages reckoned with it are none."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Save what was filmed from `from_us` until `until_us` of a boot, for the event with this number."""

    boot: int
    event: int
    from_us: int
    until_us: int

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.boot}-{self.event}"


@dataclass(slots=True)
class _Join:
    """An ffmpeg that puts segments together."""

    ask: Ask
    segments: list[Segment]
    child: subprocess.Popen[bytes] | None
    since_us: int


class Clips:
    """Saves what is asked for, one at a time. `news` is what the daemon must hear; nothing waits but for the disk."""

    def __init__(self, plan: Plan, ring: Ring) -> None:
        self._plan, self._ring = plan, ring
        self._folder = Path(plan.folder) / "clips"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._asks: list[Ask] = []
        self._join: _Join | None = None
        self._synced: set[Path] = set()
        self._aged_us = self._synced_us = 0
        self.news: list[dict[str, Any]] = []
        self.counters = {"saved": 0, "unjoined": 0, "empty": 0, "deleted": 0, "written_bytes": 0}
        self._resume()

    def wants(self, segment: Segment) -> bool:
        """Whether a clip that is not saved yet needs it."""
        return any(segment.meets(ask.boot, ask.from_us, ask.until_us) for ask in self._asks)

    def ask(self, ask: Ask) -> None:
        """Save this; a second time nothing happens."""
        path = self._folder / f"{ask.name}.ask"
        if path.exists() or ask in self._asks:
            return
        self._asks.append(ask)
        with suppress(OSError):
            write(path, json.dumps([ask.boot, ask.event, ask.from_us, ask.until_us]))

    def noted(self, boot: int, event: int) -> None:
        """The account has it."""
        (self._folder / f"{boot}-{event}.ask").unlink(missing_ok=True)

    def sent(self, boot: int, event: int, parts: int) -> None:
        """So many parts were delivered."""
        path = self._folder / f"{boot}-{event}.json"
        with suppress(OSError, ValueError):
            write(path, json.dumps({**json.loads(path.read_text()), "sent": parts}))

    def part(self, boot: int, event: int, number: int) -> bytes:
        """A part of a clip; empty: it is no longer there."""
        with suppress(OSError), (self._folder / f"{boot}-{event}.mp4").open("rb") as clip:
            clip.seek(number * PART_BYTES)
            return clip.read(PART_BYTES)
        return b""

    def tend(self, now_us: int, spread_us: int) -> None:
        """Join the clips whose time has come. `spread_us`: how exactly segments are dated."""
        self._keep_up(now_us)
        if self._join is not None:
            self._watch(self._join, now_us, spread_us)
        else:
            segments = self._ring.segments() if self._asks else []
            ask = next((ask for ask in self._asks if self._is_due(ask, segments, now_us)), None)
            if ask is not None:
                self._begin(ask, [one for one in segments if one.meets(ask.boot, ask.from_us, ask.until_us)], now_us)
        if now_us - self._aged_us >= LATE_US:
            self._aged_us = now_us
            self._grow_old()

    def close(self) -> None:
        """End a joining; it begins anew with the next start."""
        if self._join is not None and self._join.child is not None:
            kill(self._join.child)

    def _resume(self) -> None:
        """What was asked for and is not in the account yet; what was saved and is not wholly sent."""
        for path in sorted(self._folder.glob("*.tmp")):
            path.unlink(missing_ok=True)
        for path in sorted(self._folder.glob("*.json")):
            told = told_of(path)
            if told is None:
                path.unlink(missing_ok=True)
            elif (self._folder / f"{path.stem}.ask").exists() or "sent" in told:
                self.news.append({"clip": told, "is_noted": not (self._folder / f"{path.stem}.ask").exists()})
        for path in sorted(self._folder.glob("*.ask")):
            if not path.with_suffix(".json").exists():
                try:
                    self._asks.append(Ask(*map(int, json.loads(path.read_text()))))
                except (OSError, ValueError, TypeError):
                    path.unlink(missing_ok=True)

    def _is_due(self, ask: Ask, segments: Sequence[Segment], now_us: int) -> bool:
        """All of it was filmed, or will not be."""
        if ask.boot != self._plan.boot or now_us > ask.until_us + LATE_US + 2e6 * self._plan.segment_s:
            return True
        return any(one.boot == ask.boot and one.end_us >= ask.until_us for one in segments)

    def _keep_up(self, now_us: int) -> None:
        """Until a clip is saved, what it needs is on the disk and not only on its way there: power goes in a crash."""
        if not self._asks:
            self._synced.clear()
        if not self._asks or now_us - self._synced_us < SYNC_US:
            return
        self._synced_us = now_us
        whole = [one.path for one in self._ring.segments() if self.wants(one) and one.path not in self._synced]
        for path in (*whole, *self._ring.parts()):
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fdatasync(handle)
                finally:
                    os.close(handle)
        self._synced.update(whole)

    def _begin(self, ask: Ask, segments: list[Segment], now_us: int) -> None:
        size = sum(segment.size for segment in segments)
        if not segments or not self._make_room(size):
            self._save(ask, [], [], 0, "no picture" if not segments else "no room for it")
            return
        lines = listing((str(one.path), (one.end_us - one.start_us) / 1e6) for one in segments)
        try:
            write(self._folder / f"{ask.name}.txt.tmp", lines)
            command = join_command(str(self._folder / f"{ask.name}.txt.tmp"), str(self._folder / f"{ask.name}.mp4.tmp"))
            child = subprocess.Popen(  # noqa: S603 - our own command
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError:
            child = None
        self._join = _Join(ask, segments, child, now_us)

    def _watch(self, join: _Join, now_us: int, spread_us: int) -> None:
        """One that is done or hangs; where nothing came of it the segments themselves are kept."""
        child, ask = join.child, join.ask
        is_late = now_us - join.since_us > JOIN_US
        if child is not None and child.poll() is None:
            if not is_late:
                return
            kill(child)
        made, clip = self._folder / f"{ask.name}.mp4.tmp", self._folder / f"{ask.name}.mp4"
        self._join = None
        (self._folder / f"{ask.name}.txt.tmp").unlink(missing_ok=True)
        try:
            if child is not None and child.returncode == 0 and made.stat().st_size:
                made.rename(clip)
                files = [clip]
            else:
                made.unlink(missing_ok=True)
                files = self._unjoined(ask, join.segments)
            self._save(ask, join.segments, files, spread_us, "")
        except OSError as why:
            self._save(ask, [], [], 0, f"it could not be kept: {why.strerror}")

    def _unjoined(self, ask: Ask, segments: Sequence[Segment]) -> list[Path]:
        """The segments as they are."""
        self.counters["unjoined"] += 1
        folder = self._folder / ask.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return [Path(shutil.copyfile(one.path, folder / one.path.name)) for one in segments if one.path.exists()]

    def _save(self, ask: Ask, segments: Sequence[Segment], files: Sequence[Path], spread_us: int, why: str) -> None:
        """Hash what was saved, sync it, tell it."""
        start_us = min((one.start_us for one in segments), default=ask.from_us)
        end_us = max((one.end_us for one in segments), default=ask.from_us)
        kept = [{"file": str(path.relative_to(self._folder)), **hashed(path)} for path in files]
        told = {
            "boot": ask.boot,
            "event": ask.event,
            "start_us": start_us,
            "end_us": end_us,
            "u_us": LATENCY_US + spread_us,
            "is_whole": bool(files) and start_us <= ask.from_us and end_us >= ask.until_us and _is_unbroken(segments),
            "files": kept,
            "why": why or None,
        }
        self.counters["saved" if files else "empty"] += 1
        self.counters["written_bytes"] += sum(one["bytes"] for one in kept)
        self._asks.remove(ask)
        with suppress(OSError):
            write(self._folder / f"{ask.name}.json", json.dumps(told))
        self.news.append({"clip": told, "is_noted": False})

    def _make_room(self, size: int) -> bool:
        """Let the oldest clips go for one of this size, and what MP4 adds; False: it is too large anyhow."""
        clips, size = self._clips(), size + size // 8
        while clips and sum(map(size_of, clips)) + size > self._plan.clip_budget_bytes:
            self._delete(clips.pop(0))
        disk = os.statvfs(self._folder)
        fits_disk = size + self._plan.spare_bytes <= disk.f_bavail * disk.f_frsize
        return fits_disk and size <= self._plan.clip_budget_bytes

    def _grow_old(self) -> None:
        """What is older than it may become goes, where the clock can be believed."""
        now_s = time.time()
        for path in self._clips() if self._plan.keep_s else []:
            saved_s = path.stat().st_mtime
            if SANE_S < saved_s < now_s - self._plan.keep_s:
                self._delete(path)

    def _clips(self) -> list[Path]:
        """Saved clips, oldest first."""
        found = [path for path in self._folder.iterdir() if path.suffix in ("", ".mp4") and NAME.fullmatch(path.stem)]
        return sorted(found, key=lambda path: tuple(map(int, path.stem.split("-"))))

    def _delete(self, path: Path) -> None:
        self.counters["deleted"] += 1
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)


def _is_unbroken(segments: Sequence[Segment]) -> bool:
    """Whether one follows the other, but for half a second."""
    return all(after.start_us - before.end_us <= LATENCY_US for before, after in pairwise(segments))
