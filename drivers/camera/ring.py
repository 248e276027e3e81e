"""The last seconds in pictures: a folder of short segments, of which the oldest go when there are too many bytes.

A segment's name says when it was filmed: BOOT-START-END.mkv, in microseconds of that boot's clock; so the folder is all
there is to know, whatever is killed. What ffmpeg still writes is BOOT-RUN-NUMBER.part.
"""

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SEGMENT = re.compile(r"(\d{1,10})-(\d{1,19})-(\d{1,19})\.mkv", re.ASCII)
PART = re.compile(r"(\d{1,10})-(\d{1,19})-(\d{1,12})\.part", re.ASCII)
LENGTH_US_MAX = 3_600_000_000
EARLIER_US = 600_000_000
"""What an earlier boot left is asked for when the terminal starts, or never."""
SHARE_OPEN = 8
"""A segment may take this part of the budget; so much is kept free for what is written between two looks."""


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """Pictures from start to end, in microseconds of the boot they were taken in."""

    boot: int
    start_us: int
    end_us: int
    size: int
    path: Path

    def meets(self, boot: int, from_us: int, until_us: int) -> bool:
        """Whether some of it lies in this time."""
        return self.boot == boot and self.start_us < until_us and self.end_us > from_us


def surplus(segments: Iterable[Segment], room: int, is_wanted: Callable[[Segment], bool]) -> list[Segment]:
    """What must go for the rest to take `room` bytes at most: oldest first, what is wanted last."""
    ordered = sorted(segments, key=lambda segment: (is_wanted(segment), segment))
    excess = sum(segment.size for segment in ordered) - room
    gone: list[Segment] = []
    for segment in ordered:
        if excess <= 0:
            break
        gone.append(segment)
        excess -= segment.size
    return gone


class Ring:
    """The folder. `is_wanted` says of a segment whether a clip needs it."""

    def __init__(self, folder: Path, boot: int, budget_bytes: int, segment_us: int, now_us: int = 0) -> None:
        self._folder, self._boot, self._budget_bytes = folder, boot, budget_bytes
        self._run_us, self._since_us = 0, now_us
        self.counters = {"segments": 0, "written_bytes": 0, "dropped": 0, "forgotten": 0, "garbled": 0}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._adopt(segment_us)

    @property
    def open_bytes_max(self) -> int:
        """What one segment may take."""
        return self._budget_bytes // SHARE_OPEN

    def begin(self, now_us: int) -> str:
        """A run of ffmpeg begins; the pattern of its names."""
        self._run_us = now_us
        return str(self._folder / f"{self._boot}-{now_us}-%06d.part")

    def take(self, name: str, start_us: int, end_us: int) -> bool:
        """This part is whole; False, and counted, when that cannot be."""
        found, path = PART.fullmatch(name), self._folder / name
        is_ours = found is not None and (int(found[1]), int(found[2])) == (self._boot, self._run_us)
        if not is_ours or not 0 <= start_us < end_us < start_us + LENGTH_US_MAX or not path.is_file():
            self.counters["garbled"] += 1
            return False
        self.counters["written_bytes"] += path.stat().st_size
        self.counters["segments"] += 1
        path.rename(self._folder / f"{self._boot}-{start_us}-{end_us}.mkv")
        return True

    def end(self, segment_us: int) -> None:
        """The run is over: what it was writing is the last of it."""
        self._adopt(segment_us)

    def segments(self) -> list[Segment]:
        """All that are whole, oldest first."""
        found: list[Segment] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                name = SEGMENT.fullmatch(entry.name)
                if name is not None:
                    size = entry.stat(follow_symlinks=False).st_size
                    found.append(Segment(int(name[1]), int(name[2]), int(name[3]), size, Path(entry.path)))
        return sorted(found)

    def parts(self) -> list[Path]:
        """What is being written."""
        return sorted(path for path in self._folder.glob("*.part") if PART.fullmatch(path.name))

    def forget(self, now_us: int, keep_us: int, is_wanted: Callable[[Segment], bool]) -> None:
        """Let go what is older than anybody may ask for: who was filmed has not agreed to more."""
        is_late = now_us - self._since_us > EARLIER_US
        for segment in self.segments():
            is_old = segment.end_us < now_us - keep_us if segment.boot == self._boot else is_late
            if is_old and not is_wanted(segment):
                segment.path.unlink(missing_ok=True)
                self.counters["forgotten"] += 1

    def trim(self, free_bytes: int, is_wanted: Callable[[Segment], bool]) -> int:
        """Let the oldest go until budget and disk hold. The bytes that may be kept; negative: not even an open one may.

        `free_bytes`: what the disk has beyond what it must keep; negative: so much is missing.
        """
        segments, open_bytes = self.segments(), sum(path.stat().st_size for path in self.parts())
        used = sum(segment.size for segment in segments)
        room = min(self._budget_bytes - self.open_bytes_max - open_bytes, used + free_bytes - self.open_bytes_max)
        for segment in surplus(segments, max(0, room), is_wanted):
            segment.path.unlink(missing_ok=True)
            self.counters["dropped"] += 1
        return room

    def _adopt(self, segment_us: int) -> None:
        """What a run left half written begins where the segment before it ended; how long it is nobody knows."""
        segments = self.segments()
        for path in self.parts():
            found = PART.fullmatch(path.name)
            assert found is not None
            boot, run_us = int(found[1]), int(found[2])
            start_us = max([run_us, *(one.end_us for one in segments if one.boot == boot)])
            with suppress(OSError):
                if path.stat().st_size:
                    self.counters["written_bytes"] += path.stat().st_size
                    path.rename(self._folder / f"{boot}-{start_us}-{start_us + segment_us}.mkv")
                else:
                    path.unlink()
