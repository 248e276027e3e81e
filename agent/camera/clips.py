"""Which events are worth a clip, what the account tells of it, and when a part of it may be sent. Pure.

An event of a chosen kind is asked of the camera's process, again whenever that was started anew, until it tells what
came of it; then an `evidence` record holds the hashes. Parts of a small clip are numbered one by one: the next only
when nothing else waits to be delivered, so that a clip holds up nobody for longer than one part takes.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from agent.settings.camera import Camera as Rule

ASKED_MAX = 8
"""Clips that are asked for at once; more events in a minute show the same."""

DAY_US = 86_400_000_000
PART_BYTES = 60_000
"""As the camera's process cuts a clip: a record has room for 64 KiB."""

SILENT_US = 120_000_000
"""So long after the end of what was asked for, it is told that nothing came."""

Key = tuple[int, int]
"""Boot and number of the event."""


class File(Struct, frozen=True):
    """A file of a clip."""

    file: str
    bytes: int
    sha256: str


class Clip(Struct, frozen=True):
    """What the camera's process tells of a clip; without files, `why`. `sent`: parts that were delivered."""

    boot: int
    event: int
    start_us: int
    end_us: int
    u_us: int
    is_whole: bool
    files: tuple[File, ...]
    why: str | None = None
    sent: int | None = None

    @property
    def key(self) -> Key:
        """Whose it is."""
        return self.boot, self.event


@dataclass(frozen=True, slots=True)
class Ask:
    """What shall be saved, in microseconds of its boot."""

    boot: int
    event: int
    from_us: int
    until_us: int


@dataclass(slots=True)
class Sending:
    """A clip on its way: parts that were delivered, and what the part under way is at: asked, numbered, or neither."""

    clip: Clip
    done: int = 0
    is_asked: bool = False
    is_numbered: bool = False

    @property
    def parts(self) -> int:
        """Into how many it is cut."""
        return -(-self.clip.files[0].bytes // PART_BYTES)


@dataclass(slots=True)
class Step:
    """Bodies of `evidence` records to number now, and lines for the camera's process."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    tells: list[dict[str, Any]] = field(default_factory=list)


class Clips:
    """The decider. `boot`: the one we are in; `may_send`: whether the link is one that clips may take."""

    def __init__(self, rule: Rule, boot: int, *, may_send: bool) -> None:
        self._rule, self._boot = rule, boot
        self._may_send = may_send and rule.upload == "small"
        self._asked: dict[Key, Ask] = {}
        self._until_us: dict[Key, int] = {}
        self._untold: deque[dict[str, Any]] = deque()
        self._new: deque[Clip] = deque()
        self._numbered: list[Key] = []
        self._told: set[Key] = set()
        self._sending: deque[Sending] = deque()
        self._data = b""
        self._day: deque[tuple[int, int]] = deque()
        self._begun = self._now_us = 0
        self._is_run: bool | None = None
        self._counters = {"asked": 0, "crowded": 0, "told": 0, "nonsense": 0, "sent_bytes": 0}

    def found(self, name: str, event: int, start_us: int, boot: int | None = None) -> None:
        """An event was numbered; of an earlier boot only what was filmed then is there."""
        if name not in self._rule.events:
            return
        if len(self._asked) >= ASKED_MAX:
            self._counters["crowded"] += 1
            return
        rule, of = self._rule, self._boot if boot is None else boot
        from_us, until_us = max(0, start_us - round(rule.before_s * 1e6)), start_us + round(rule.after_s * 1e6)
        self._asked[of, event] = Ask(of, event, from_us, until_us)
        self._counters["asked"] += 1
        self._untold.append(_asking(self._asked[of, event]))

    def hear(self, message: Mapping[str, Any], data: Callable[[str], bytes]) -> None:
        """What the camera's process told; `data` reads its way of writing bytes. What makes no sense is counted."""
        try:
            if "clip" in message:
                self._clip(msgspec.convert(message["clip"], Clip), is_noted=bool(message.get("is_noted")))
            elif "part" in message:
                self._part(tuple(message["part"]), data(message["data"]))
        except (msgspec.ValidationError, KeyError, TypeError, ValueError):
            self._counters["nonsense"] += 1

    def step(self, now_us: int, *, begun: int, is_run: bool, is_settled: bool, is_idle: bool) -> Step:
        """What to do now. `begun`: how often the process was started, 0: never; `is_run`: whether it shall film.

        `is_settled`: all that was numbered is on flash; `is_idle`: and delivered.
        """
        self._now_us = now_us
        step = Step([self._silence(ask) for ask in self._overdue(now_us)])
        if begun:
            self._tell(step, begun, is_run=is_run, is_settled=is_settled)
            step.bodies += [self._body(clip) for clip in self._take_new()]
            if not step.bodies and self._sending:
                self._send(step, now_us, self._sending[0], is_idle=is_idle and is_settled)
        return step

    def counters(self) -> dict[str, int]:
        """Clips asked for, events too many at once, clips told in the account, nonsense heard, bytes of clips sent."""
        return self._counters | {"asking": len(self._asked), "sending": len(self._sending)}

    def kept(self) -> list[list[int]]:
        """What a later run must know of the day's allowance: how long before the last step, and the bytes then."""
        return [[self._now_us - then, size] for then, size in self._day if self._now_us - then < DAY_US]

    def resume(self, now_us: int, kept: Sequence[Sequence[int]]) -> None:
        """Go on from an earlier run; the time since it ended is taken for none."""
        self._day.extend((now_us - ago, size) for ago, size in kept)

    def _tell(self, step: Step, begun: int, *, is_run: bool, is_settled: bool) -> None:
        """What the process must know."""
        if begun != self._begun:
            self._begin_again(begun)
        if is_run != self._is_run:
            self._is_run = is_run
            step.tells.append({"run": is_run})
        step.tells += self._untold
        self._untold.clear()
        if is_settled:
            step.tells += [{"noted": list(key)} for key in self._numbered]
            self._numbered.clear()

    def _begin_again(self, begun: int) -> None:
        """The process is new: it knows what is on its disk, and not what was asked in between."""
        self._begun, self._is_run = begun, None
        self._untold = deque(_asking(ask) for ask in self._asked.values())
        for sending in self._sending:
            sending.is_asked = False
        self._data = b""

    def _clip(self, clip: Clip, *, is_noted: bool) -> None:
        """Told in the account once, however often it is heard of."""
        self._forget(clip.key)
        if clip.key not in self._told and not is_noted:
            self._told.add(clip.key)
            self._new.append(clip)
        elif not is_noted and clip.key not in (*self._numbered, *(new.key for new in self._new)):
            self._numbered.append(clip.key)
        is_under_way = any(sending.clip.key == clip.key for sending in self._sending)
        if self._may_send and self._is_small(clip) and not is_under_way:
            sending = Sending(clip, clip.sent or 0)
            if sending.done < sending.parts:
                self._sending.append(sending)
                self._untold.append({"sent": [*clip.key, sending.done]})

    def _forget(self, key: Key) -> None:
        self._asked.pop(key, None)
        self._until_us.pop(key, None)

    def _part(self, key: Sequence[int], data: bytes) -> None:
        """A part that was asked for; an empty one: the clip is gone."""
        sending = self._sending[0] if self._sending else None
        if sending is None or not sending.is_asked or tuple(key) != (*sending.clip.key, sending.done):
            return
        sending.is_asked = False
        if data:
            self._data = data
        else:
            self._sending.popleft()

    def _is_small(self, clip: Clip) -> bool:
        """One file, of a size that may be sent."""
        return len(clip.files) == 1 and 0 < clip.files[0].bytes <= self._rule.max_mb * 1e6

    def _take_new(self) -> list[Clip]:
        clips = list(self._new)
        self._new.clear()
        self._numbered += [clip.key for clip in clips]
        self._counters["told"] += len(clips)
        return clips

    def _overdue(self, now_us: int) -> list[Ask]:
        """What the process never answered; it is told so, and asked no more."""
        for key, ask in self._asked.items():
            end_us = max(ask.until_us, now_us) if ask.boot == self._boot else now_us
            self._until_us.setdefault(key, end_us + SILENT_US)
        late = [ask for key, ask in self._asked.items() if now_us > self._until_us[key]]
        for ask in late:
            self._forget((ask.boot, ask.event))
        return late

    def _send(self, step: Step, now_us: int, sending: Sending, *, is_idle: bool) -> None:
        """One part after the other: asked for, numbered, delivered, and then the next."""
        if sending.is_numbered and is_idle:
            sending.is_numbered = False
            sending.done += 1
            step.tells.append({"sent": [*sending.clip.key, sending.done]})
            if sending.done >= sending.parts:
                self._sending.popleft()
                return
        if self._data:
            step.bodies.append(self._part_body(sending, now_us))
        elif is_idle and not sending.is_asked and not sending.is_numbered and self._has_allowance(now_us):
            sending.is_asked = True
            step.tells.append({"part": [*sending.clip.key, sending.done]})

    def _has_allowance(self, now_us: int) -> bool:
        """Whether one more part fits into the day."""
        while self._day and now_us - self._day[0][0] >= DAY_US:
            self._day.popleft()
        spent = sum(size for _, size in self._day)
        return spent + PART_BYTES <= self._rule.upload_mb_per_day * 1_000_000

    def _part_body(self, sending: Sending, now_us: int) -> dict[str, Any]:
        data, self._data = self._data, b""
        sending.is_numbered = True
        self._counters["sent_bytes"] += len(data)
        self._spend(now_us, len(data))
        place = {"chunk": sending.done, "chunks": sending.parts, "form": "video", "file": sending.clip.files[0].file}
        return {**self._of(sending.clip.key), **place, "data": data}

    def _spend(self, now_us: int, size: int) -> None:
        """Counted by the hour, so that the list stays short."""
        hour_us = DAY_US // 24
        if self._day and self._day[-1][0] // hour_us == now_us // hour_us:
            size += self._day.pop()[1]
        self._day.append((now_us, size))

    def _body(self, clip: Clip) -> dict[str, Any]:
        """A clip in the account: when, how exactly, and the hash of each file."""
        files = [{"file": one.file, "bytes": one.bytes, "sha256": bytes.fromhex(one.sha256)} for one in clip.files]
        times = {"start_us": clip.start_us, "end_us": clip.end_us, "u_us": clip.u_us}
        said = {"form": "clip", **times, "is_whole": clip.is_whole, "files": files, "why": clip.why}
        return {**self._of(clip.key), **said}

    def _silence(self, ask: Ask) -> dict[str, Any]:
        """Nothing came, and that stands in the account too."""
        why = "the camera's process does not answer"
        return self._body(Clip(ask.boot, ask.event, ask.from_us, ask.until_us, 0, is_whole=False, files=(), why=why))

    def _of(self, key: Key) -> dict[str, Any]:
        boot, event = key
        return {"event": event, **({"boot": boot} if boot != self._boot else {})}


def _asking(ask: Ask) -> dict[str, Any]:
    return {"save": [ask.boot, ask.event, ask.from_us, ask.until_us]}
