"""What a camera's process is made of, without ffmpeg: its words to ffmpeg, the ring's budget, names that are refused."""

import os
from pathlib import Path

import pytest

from agent.cli import config_command
from agent.doctor.checkup_terminal import check_camera
from agent.errors import SettingsError
from drivers.camera.clips import Ask, Clips
from drivers.camera.picture import why_no_picture
from drivers.camera.plan import LoginError, Plan, join_command, listing, read_login, record_command, script
from drivers.camera.ring import Ring, Segment, surplus

S = 1_000_000
BOOT = 3


def words(**changes: object) -> str:
    return " ".join(record_command(Plan(**{"folder": "", "boot": BOOT, "source": "/dev/video0", **changes}), "p"))  # type: ignore[arg-type]


def segment(at: int, size: int = 10, boot: int = BOOT) -> Segment:
    return Segment(boot, at * S, (at + 1) * S, size, Path(f"{boot}-{at}"))


@pytest.mark.parametrize(
    ("changes", "has", "has_not"),
    [
        pytest.param({}, "-f v4l2 -i /dev/video0 -map 0:v:0 -c:v libx264 -pix_fmt yuv420p -threads 1", "copy", id="raw"),
        pytest.param({"input_format": "mjpeg"}, "-input_format mjpeg -i /dev/video0", "copy", id="Motion JPEG"),
        pytest.param({"input_format": "h264"}, "-input_format h264 -i /dev/video0 -map 0:v:0 -c:v copy", "-b:v", id="H.264"),
        pytest.param({"width_px": 640, "height_px": 480, "rate_hz": 15}, "-video_size 640x480 -framerate 15", "copy", id="size"),
        pytest.param({"width_px": 640}, "-f v4l2 -i", "-video_size", id="half a size"),
        pytest.param({"encoder": "h264_v4l2m2m"}, "-c:v h264_v4l2m2m", "-preset", id="an encoder in hardware"),
        pytest.param({"source": "rtsp://car/1"}, "-rtsp_transport tcp -i rtsp://car/1 -map 0:v:0 -c:v copy", "lavfi", id="network"),
        pytest.param({"source": "rtsp://car/1", "login_file": "x"}, "-i pipe:0", "rtsp://", id="network, with a login"),
        pytest.param({"source": "rtsp://car/1", "encoder": "libx264"}, "-c:v libx264", "copy", id="encoded all the same"),
        pytest.param({"source": "lavfi:testsrc2"}, "-re -f lavfi -i testsrc2", "copy", id="test source"),
    ],
)  # fmt: skip
def test_ffmpeg_is_told_how_to_film(changes: dict[str, object], has: str, has_not: str) -> None:
    said = words(**changes)
    assert has in said
    assert has_not not in said
    assert said.endswith("-segment_list pipe:1 -segment_list_type csv p")


def test_joining_encodes_nothing_and_knows_how_long_each_segment_is() -> None:
    assert "-c copy" in " ".join(join_command("list", "target"))
    assert listing([("/a.mkv", 2.0), ("/b.mkv", 1.5)]) == (
        "ffconcat version 1.0\nfile '/a.mkv'\nduration 2.000000\nfile '/b.mkv'\nduration 1.500000\n"
    )


def test_a_login_reaches_ffmpeg_as_a_url_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "login"
    path.write_text("me:p@ss/w'ord\n")
    path.chmod(0o600)
    login = read_login(str(path))
    assert login == "me:p%40ss%2Fw%27ord"
    assert f"file 'rtsp://{login}@car/1'\n" in script(Plan("", BOOT, "rtsp://car/1"), login).decode()


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        pytest.param("me:secret", 0o640, "chmod 600", id="others may read it"),
        pytest.param("secret", 0o600, "user:password", id="no colon"),
        pytest.param("me:secret\nyou:secret", 0o600, "one line", id="two lines"),
        pytest.param(None, 0o600, "cannot be read", id="absent"),
    ],
)
def test_a_bad_login_file_is_named_without_what_is_in_it(
    tmp_path: Path, text: str | None, mode: int, said: str
) -> None:
    path = tmp_path / "login"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(LoginError, match=said) as caught:
        read_login(str(path))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("room", "wanted", "gone"),
    [
        pytest.param(40, (), [], id="just enough room"),
        pytest.param(39, (), [0], id="a byte less"),
        pytest.param(10, (), [0, 1, 2], id="room for one"),
        pytest.param(0, (), [0, 1, 2, 3], id="none"),
        pytest.param(20, (0, 1), [2, 3], id="what a clip wants stays"),
        pytest.param(10, (0, 1), [2, 3, 0], id="and goes when nothing else is left"),
    ],
)
def test_the_oldest_go_first(room: int, wanted: tuple[int, ...], gone: list[int]) -> None:
    segments = [segment(at) for at in range(4)]
    found = surplus(reversed(segments), room, lambda one: one.start_us // S in wanted)
    assert [one.start_us // S for one in found] == gone


def test_a_segment_of_an_earlier_boot_is_older_and_meets_no_time_of_this_one() -> None:
    early = segment(100, boot=2)
    assert surplus([segment(0), early], 10, lambda _: False) == [early]
    assert [early.meets(boot, 100 * S, 101 * S) for boot in (2, 3)] == [True, False]
    assert [early.meets(2, *span) for span in ((101 * S, 102 * S), (99 * S, 100 * S))] == [False, False]


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path / "ring", BOOT, 8000, S)


def put(ring: Ring, number: int, size: int = 100) -> str:
    """As ffmpeg does in a run that began at 5 s; the part's name."""
    path = Path(ring.begin(5 * S) % number)
    path.write_bytes(bytes(size))
    return path.name


@pytest.mark.parametrize(
    ("name", "start_us", "end_us"),
    [
        pytest.param("3-5000000-000001.part", 6 * S, 6 * S, id="no length"),
        pytest.param("3-5000000-000001.part", 7 * S, 6 * S, id="backwards"),
        pytest.param("3-5000000-000001.part", 0, 3600 * S, id="an hour"),
        pytest.param("3-5000000-000002.part", 6 * S, 7 * S, id="not there"),
        pytest.param("3-4000000-000001.part", 6 * S, 7 * S, id="of another run"),
        pytest.param("2-5000000-000001.part", 6 * S, 7 * S, id="of another boot"),
        pytest.param("../ring/3-5000000-000001.part", 6 * S, 7 * S, id="a path"),
        pytest.param("", 6 * S, 7 * S, id="nothing"),
    ],
)
def test_what_cannot_be_a_segment_is_refused_and_counted(ring: Ring, name: str, start_us: int, end_us: int) -> None:
    put(ring, 1)
    assert not ring.take(name, start_us, end_us)
    assert (ring.counters["garbled"], ring.segments(), len(ring.parts())) == (1, [], 1)


def test_what_a_run_left_begins_where_the_segment_before_it_ended(ring: Ring, tmp_path: Path) -> None:
    assert ring.take(put(ring, 1), 6 * S, 8 * S)
    put(ring, 2)
    (tmp_path / "ring" / "3-5000000-000003.part").touch()
    after = Ring(tmp_path / "ring", BOOT + 1, 8000, S)
    assert [(one.boot, one.start_us, one.end_us) for one in after.segments()] == [(3, 6 * S, 8 * S), (3, 8 * S, 9 * S)]
    assert after.parts() == []


@pytest.mark.parametrize(
    ("free_bytes", "kept", "room"),
    [
        pytest.param(10**6, 7, 7000 - 100, id="the budget holds, but for an eighth and what is open"),
        pytest.param(-1900, 6, 9000 - 1900 - 1000, id="a disk that is nearly full"),
        pytest.param(-4000, 4, 4000, id="one that wants half of it back"),
        pytest.param(-8001, 0, -1, id="and more than there is"),
    ],
)
def test_the_ring_keeps_to_its_budget_and_leaves_the_disk_its_room(
    ring: Ring, free_bytes: int, kept: int, room: int
) -> None:
    for number in range(9):
        assert ring.take(put(ring, number, 1000 if free_bytes < 0 else 985), (6 + number) * S, (7 + number) * S)
    if free_bytes > 0:
        put(ring, 9)
    assert ring.trim(free_bytes, lambda _: False) == room
    assert [one.start_us // S for one in ring.segments()] == list(range(15 - kept, 15))
    assert ring.counters["dropped"] == 9 - kept


def clips_of(ring: Ring, tmp_path: Path, **changes: int) -> Clips:
    sizes = {"budget_bytes": 8000, "clip_budget_bytes": 3000, "spare_bytes": 0, **changes}
    return Clips(Plan(str(tmp_path), BOOT, "x", **sizes), ring)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "files"), [(2666, ["3-9.mp4"]), (2668, [])], ids=["just fits", "too large"])
def test_saved_clips_keep_to_their_budget_and_the_oldest_goes(
    ring: Ring, tmp_path: Path, size: int, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = clips_of(ring, tmp_path)
    for name in ("3-1.mp4", "2-10.mp4"):
        (tmp_path / "clips" / name).write_bytes(bytes(1000))
    (tmp_path / "clips" / "2-10.json").write_text("{}")
    (tmp_path / "ffmpeg").write_text('#!/bin/sh\nfor target; do :; done; echo clip >"$target"\n')
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert ring.take(put(ring, 1, size), 6 * S, 7 * S)
    clips.ask(Ask(BOOT, 9, 6 * S, 7 * S))
    while not clips.news:
        clips.tend(8 * S, 0)
    told = clips.news[0]["clip"]
    assert [one["file"] for one in told["files"]] == files
    assert (told["why"] is None) == bool(files)
    assert sorted(path.name for path in (tmp_path / "clips").glob("*.mp4")) == files
    assert not (tmp_path / "clips" / "2-10.json").exists()


@pytest.mark.parametrize(
    ("saved_s", "is_kept"),
    [
        pytest.param(1_800_000_000 - 99, True, id="young enough"),
        pytest.param(1_800_000_000 - 101, False, id="too old"),
        pytest.param(1000, True, id="saved when the clock was not set"),
    ],
)
def test_a_clip_is_deleted_after_its_days_where_the_clock_can_be_believed(
    ring: Ring, tmp_path: Path, saved_s: int, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = Clips(Plan(str(tmp_path), BOOT, "x", keep_s=100.0), ring)
    path = tmp_path / "clips" / "3-1.mp4"
    path.touch()
    os.utime(path, (saved_s, saved_s))
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    clips.tend(10 * S, 0)
    assert path.exists() == is_kept


def test_a_clip_is_read_part_by_part_and_how_much_was_sent_is_kept(ring: Ring, tmp_path: Path) -> None:
    clips = clips_of(ring, tmp_path)
    (tmp_path / "clips" / "3-1.mp4").write_bytes(bytes(60_000) + b"rest")
    assert [len(clips.part(3, 1, number)) for number in range(3)] == [60_000, 4, 0]
    assert clips.part(3, 2, 0) == b""
    (tmp_path / "clips" / "3-1.json").write_text('{"boot": 3, "event": 1}')
    (tmp_path / "clips" / "3-2.json").write_text("torn")
    clips.sent(3, 1, 1)
    clips.sent(3, 3, 1)
    assert clips_of(ring, tmp_path).news == [{"clip": {"boot": 3, "event": 1, "sent": 1}, "is_noted": True}]
    assert not (tmp_path / "clips" / "3-2.json").exists()


@pytest.mark.parametrize(
    ("source", "verdict", "said"),
    [
        pytest.param("lavfi:testsrc2", "PASS", "a picture came", id="test source"),
        pytest.param("/dev/video-none", "FAIL", "No such file", id="absent"),
    ],
)
def test_the_doctor_takes_a_picture(source: str, verdict: str, said: str) -> None:
    check = check_camera(source, why_no_picture(Plan("", 0, source)))
    assert check.verdict == verdict
    assert said in check.words


def test_a_camera_that_is_in_use_is_not_judged() -> None:
    assert check_camera("/dev/video0", "/dev/video0: Device or resource busy").verdict == "SKIP"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('source = "rtsp://me:secret@car/1"', "holds a login", id="a password in the setting"),
        pytest.param('source = "camera"', "/dev/video0", id="no source"),
        pytest.param('source = "/dev/video0"\nlogin_file = "open"', "rtsp:// sources", id="a login for nobody"),
        pytest.param('source = "rtsp://car/1"\nlogin_file = "open"', "chmod 600", id="an open secret"),
        pytest.param('events = ["crahs"]', "the nearest is crash", id="no event"),
    ],
)
def test_settings_that_cannot_be_are_named(tmp_path: Path, text: str, said: str) -> None:
    path, login = tmp_path / "tbox.toml", tmp_path / "open"
    path.write_text(f"[camera]\n{text}\n")
    login.write_text("me:hunter2")
    login.chmod(0o644)
    with pytest.raises(SettingsError, match=said) as caught:
        config_command.check(path)
    assert "hunter2" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("now_us", "kept"),
    [
        pytest.param(17 * S, [(2, 5), (3, 6), (3, 7)], id="not older than it may be"),
        pytest.param(17 * S + 1, [(2, 5), (3, 7)], id="a moment later"),
        pytest.param(600 * S, [(2, 5), (3, 7)], id="an earlier boot's is kept a while"),
        pytest.param(600 * S + 1, [(3, 7)], id="and no longer; what a clip wants stays"),
    ],
)
def test_the_ring_forgets_what_nobody_may_ask_for_anymore(ring: Ring, now_us: int, kept: list[tuple[int, int]]) -> None:
    for number in (6, 7):
        assert ring.take(put(ring, number), number * S, (number + 1) * S)
    (ring.segments()[0].path.parent / f"2-{5 * S}-{6 * S}.mkv").touch()
    ring.forget(now_us, 10 * S, lambda one: one.start_us == 7 * S)
    assert [(one.boot, one.start_us // S) for one in ring.segments()] == kept
