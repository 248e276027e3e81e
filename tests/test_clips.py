"""Clips: which events get one, what the account tells of it, and when a part of it may go."""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from agent.camera.clips import ASKED_MAX, DAY_US, PART_BYTES, SILENT_US, Clips, Step
from agent.settings.camera import Camera

S = 1_000_000
BOOT = 3
HASH = bytes(range(32))


def make(*, may_send: bool = True, **rule: Any) -> Clips:
    return Clips(msgspec.convert({"source": "/dev/video0", **rule}, Camera), BOOT, may_send=may_send)


def step(clips: Clips, now_us: int = S, **changes: Any) -> Step:
    said = {"begun": 1, "is_run": True, "is_settled": True, "is_idle": True, **changes}
    return clips.step(now_us, **said)


def saved(
    event: int = 7, size: int = 100, *, boot: int = BOOT, is_noted: bool = False, **changes: Any
) -> dict[str, Any]:
    """What the camera's process tells of a clip."""
    files = [{"file": f"{boot}-{event}.mp4", "bytes": size, "sha256": HASH.hex()}] if size else []
    times = {"start_us": 1, "end_us": 2, "u_us": 3, "is_whole": True, "why": None}
    return {"clip": {"boot": boot, "event": event, "files": files, **times, **changes}, "is_noted": is_noted}


def hear(clips: Clips, *messages: dict[str, Any]) -> None:
    for message in messages:
        clips.hear(message, base64.b64decode)


def part(number: int, data: bytes, event: int = 7) -> dict[str, Any]:
    return {"part": [BOOT, event, number], "data": base64.b64encode(data).decode()}


def said(tells: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return [told[name] for told in tells if name in told]


@pytest.mark.parametrize(
    ("name", "start_us", "asked"),
    [
        pytest.param("crash", 100 * S, [[BOOT, 7, 70 * S, 115 * S]], id="30 s before to 15 s after"),
        pytest.param("crash", 30 * S, [[BOOT, 7, 0, 45 * S]], id="soon after the boot"),
        pytest.param("crash", 29 * S, [[BOOT, 7, 0, 44 * S]], id="sooner than that"),
        pytest.param("harsh_braking", 100 * S, [], id="a kind that was not chosen"),
    ],
)
def test_an_event_of_a_chosen_kind_is_asked_for(name: str, start_us: int, asked: list[list[int]]) -> None:
    clips = make()
    clips.found(name, 7, start_us)
    assert said(step(clips).tells, "save") == asked
    assert step(clips).tells == []


def test_what_was_asked_is_asked_again_when_the_process_is_new_until_it_answers() -> None:
    clips = make()
    clips.found("crash", 7, 100 * S)
    assert step(clips, begun=0).tells == []
    for begun in (1, 2):
        told = step(clips, begun=begun).tells
        assert (said(told, "run"), len(said(told, "save"))) == ([True], 1)
    hear(clips, saved())
    step(clips, begun=2)
    assert said(step(clips, begun=3).tells, "save") == []


def test_a_clip_is_told_in_the_account_once_and_confirmed_when_that_is_on_flash() -> None:
    clips = make()
    hear(clips, saved(), saved())
    (body,) = step(clips, is_settled=False).bodies
    assert body == {
        "event": 7, "form": "clip", "start_us": 1, "end_us": 2, "u_us": 3, "is_whole": True,
        "files": [{"file": "3-7.mp4", "bytes": 100, "sha256": HASH}], "why": None,
    }  # fmt: skip
    assert step(clips, is_settled=False).tells == []
    assert step(clips).tells == [{"noted": [BOOT, 7]}]
    hear(clips, saved())
    again = step(clips)
    assert (again.bodies, again.tells) == ([], [{"noted": [BOOT, 7]}])


def test_a_clip_of_an_earlier_boot_says_which() -> None:
    clips = make()
    clips.found("impact", 9, 5 * S, boot=2)
    assert said(step(clips).tells, "save") == [[2, 9, 0, 20 * S]]
    hear(clips, saved(9, boot=2))
    assert [body["boot"] for body in step(clips).bodies] == [2]


@pytest.mark.parametrize(("now_us", "bodies"), [(115 * S + SILENT_US, 0), (115 * S + SILENT_US + 1, 1)])
@pytest.mark.parametrize("begun", [0, 1])
def test_that_nothing_came_is_told_too(begun: int, now_us: int, bodies: int) -> None:
    clips = make()
    clips.found("crash", 7, 100 * S)
    step(clips, S, begun=begun)
    told = step(clips, now_us, begun=begun).bodies
    assert [(body["files"], bool(body["why"])) for body in told] == [([], True)] * bodies
    assert step(clips, now_us, begun=begun).bodies == []


def test_more_events_than_can_be_saved_at_once_are_counted() -> None:
    clips = make()
    for event in range(ASKED_MAX + 2):
        clips.found("crash", event, S)
    assert (clips.counters()["asked"], clips.counters()["crowded"]) == (ASKED_MAX, 2)


@pytest.mark.parametrize(
    "message",
    [
        {"clip": {}}, {"clip": 5}, {"clip": saved()["clip"] | {"files": [{"file": 1}]}}, {"part": 5, "data": ""},
        {"part": [3, 7, 0]}, {"part": [3, 7, 0], "data": "x"}, {"part": [3, 7, 0], "data": 5},
    ],
)  # fmt: skip
def test_nonsense_of_the_process_is_counted_and_does_nothing(message: dict[str, Any]) -> None:
    clips = make(upload="small")
    hear(clips, message)
    assert clips.counters()["nonsense"] == 1
    assert step(clips).bodies == []


@pytest.mark.parametrize(
    ("rule", "may_send", "size", "goes"),
    [
        pytest.param({}, True, 100, False, id="never is the default"),
        pytest.param({"upload": "small"}, False, 100, False, id="a metered link"),
        pytest.param({"upload": "small", "max_mb": 0.1}, True, 100_000, True, id="as large as may be"),
        pytest.param({"upload": "small", "max_mb": 0.1}, True, 100_001, False, id="a byte too large"),
        pytest.param({"upload": "small"}, True, 0, False, id="no file"),
    ],
)
def test_a_clip_is_sent_only_where_that_is_allowed(rule: dict[str, Any], may_send: bool, size: int, goes: bool) -> None:
    clips = make(may_send=may_send, **rule)
    hear(clips, saved(size=size))
    step(clips)
    assert bool(said(step(clips).tells, "part")) == goes


def test_the_next_part_goes_when_nothing_else_waits_and_all_parts_make_the_clip() -> None:
    clips, data = make(upload="small"), bytes(range(256)) * 600
    hear(clips, saved(size=len(data)))
    step(clips)
    sent: list[dict[str, Any]] = []
    for number in range(3):
        assert said(step(clips, is_idle=False).tells, "part") == []
        assert said(step(clips, is_settled=False).tells, "part") == []
        assert said(step(clips).tells, "part") == [[BOOT, 7, number]]
        assert said(step(clips).tells, "part") == []
        hear(clips, part(number + 1, b"wrong"), part(number, data[number * PART_BYTES :][:PART_BYTES]))
        sent += step(clips, is_idle=False).bodies
        assert step(clips, is_idle=False).tells == []
        assert said(step(clips, is_settled=False).tells, "sent") == []
        told = step(clips).tells if number == 2 else []
    assert said(told, "sent") == [[BOOT, 7, 3]]
    assert b"".join(body["data"] for body in sent) == data
    assert [(body["chunk"], body["chunks"], body["form"]) for body in sent] == [
        (0, 3, "video"),
        (1, 3, "video"),
        (2, 3, "video"),
    ]
    assert clips.counters()["sent_bytes"] == len(data)
    assert step(clips).tells == []


def test_a_clip_that_was_sent_in_part_goes_on_after_a_start_and_one_that_is_gone_ends() -> None:
    clips = make(upload="small")
    hear(clips, saved(size=3 * PART_BYTES, is_noted=True, sent=2))
    first = step(clips)
    assert (first.bodies, said(first.tells, "part")) == ([], [[BOOT, 7, 2]])
    hear(clips, part(2, b""))
    assert step(clips).tells == []
    hear(clips, saved(8, size=PART_BYTES, is_noted=True, sent=1))
    assert step(clips).tells == []


def test_a_new_process_is_asked_for_the_part_again() -> None:
    clips = make(upload="small")
    hear(clips, saved())
    step(clips)
    assert said(step(clips).tells, "part") == [[BOOT, 7, 0]]
    assert said(step(clips, begun=2).tells, "part") == [[BOOT, 7, 0]]


def test_a_days_allowance_is_kept_and_outlives_a_start() -> None:
    clips = make(upload="small", upload_mb_per_day=1)
    hear(clips, saved(size=16 * PART_BYTES + 10))
    step(clips)
    for number in range(16):
        assert said(step(clips, 2 * S).tells, "part") == [[BOOT, 7, number]]
        hear(clips, part(number, bytes(PART_BYTES)))
        assert len(step(clips, 2 * S).bodies) == 1
    assert said(step(clips, 3 * S).tells, "part") == []
    assert said(step(clips, 2 * S + DAY_US - 1).tells, "part") == []
    after = make(upload="small", upload_mb_per_day=1)
    after.resume(0, clips.kept())
    hear(after, saved(size=16 * PART_BYTES + 10, sent=16, is_noted=True))
    assert said(step(after, 0).tells, "part") == []
    assert said(step(clips, 2 * S + DAY_US).tells, "part") == [[BOOT, 7, 16]]


def test_it_films_only_while_it_is_wanted() -> None:
    clips = make()
    assert [step(clips, is_run=is_run).tells for is_run in (False, False, True)] == [
        [{"run": False}],
        [],
        [{"run": True}],
    ]
