"""A camera's process: segments roll within their budget, an event leaves a clip, and whatever fails is tried again."""

import hashlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.camera.camera import HUNG_S, Camera
from drivers.camera.plan import Plan
from drivers.source import boot_us
from tests.filming import PICTURES_PER_S, WAIT_S, Filming, is_alive, pictures, put_in_path
from tests.rtsp_camera import RtspCamera

S = 1_000_000
Make = Callable[..., Filming]


@pytest.fixture
def film(tmp_path: Path) -> Iterator[Make]:
    made: list[Filming] = []

    def make(**changes: Any) -> Filming:
        made.append(Filming(tmp_path / "film", **changes))
        return made[-1]

    yield make
    for filming in made:
        filming.camera.close()


def ask(filming: Filming, event: int, before_s: float, after_s: float) -> tuple[int, int]:
    """Ask for a clip around now; from when until when."""
    now_us = boot_us()
    span = now_us - round(before_s * S), now_us + round(after_s * S)
    filming.camera.tell(save=[3, event, *span])
    return span


def test_a_clip_holds_the_moment_and_its_hash_is_told_while_the_ring_keeps_its_budget(film: Make) -> None:
    filming, most = film(budget_bytes=110_000), 0

    def is_rolling() -> bool:
        nonlocal most
        most = max(most, filming.ring_bytes())
        return filming.count("dropped") >= 2

    filming.until(lambda: filming.count("ring_us") >= 1.5 * S)
    from_us, until_us = ask(filming, 77, 1.0, 0.7)
    filming.until(lambda: filming.clips)
    (clip,) = filming.clips
    assert (clip["boot"], clip["event"], clip["is_whole"], clip["why"]) == (3, 77, True, None)
    assert clip["start_us"] <= from_us < until_us <= clip["end_us"]
    assert clip["u_us"] >= 500_000
    (file,) = clip["files"]
    path = filming.folder / "clips" / file["file"]
    assert (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) == (file["bytes"], file["sha256"])
    count, length_s = pictures(path)
    assert length_s == pytest.approx((clip["end_us"] - clip["start_us"]) / S, abs=0.3)
    assert count == pytest.approx(length_s * PICTURES_PER_S, abs=1)
    filming.until(is_rolling)
    assert 0 < most <= 110_000
    assert filming.count("written_bytes") > filming.ring_bytes()
    files = [filming.folder, *filming.folder.rglob("*")]
    assert [path for path in files if path.exists() and path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_an_ffmpeg_that_is_killed_or_hangs_is_replaced(film: Make, number: signal.Signals) -> None:
    filming = film(stall_s=2.5)
    filming.until(lambda: filming.count("segments") >= 1 and filming.count("ffmpeg"))
    first = filming.count("ffmpeg")
    os.kill(first, number)
    filming.until(lambda: filming.count("starts") >= 2 and filming.standing["state"] == "filming")
    filming.until(lambda: filming.count("ffmpeg") not in (0, first) and not filming.standing["why"])
    assert not is_alive(first)
    is_killed = number == signal.SIGKILL
    assert filming.count("ends") == is_killed
    assert filming.count("stalls") >= (not is_killed), "one that starts slowly on a busy machine is one more"
    assert filming.camera.begun == 1


NONSENSE = "while :; do echo nonsense,1,2; echo ,,,; echo ../../x,0,1e400; head -c 999 /dev/urandom; sleep 0.05; done"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        pytest.param("exec sleep 1000", "no picture for 0.5 s", id="never says anything"),
        pytest.param(NONSENSE, "no picture for 0.5 s", id="talks nonsense"),
        pytest.param("echo no such device >&2; exit 1", "ffmpeg ended with 1: no such device", id="ends at once"),
    ],
)
def test_an_ffmpeg_that_is_no_good_is_ended_and_an_event_has_no_clip_and_says_why(
    film: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    monkeypatch.setenv("PATH", put_in_path(tmp_path / "bin", script))
    filming = film(stall_s=0.5)
    filming.until(lambda: why in filming.standing["why"])
    filming.camera.tell(save=[3, 5, 1, 2])
    filming.until(lambda: filming.clips)
    assert (filming.clips[0]["files"], filming.clips[0]["why"]) == ([], "no picture")
    assert filming.count("segments") == 0


def test_a_missing_ffmpeg_and_a_device_that_is_absent_are_said(
    film: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filming = film(source="/dev/video-none")
    filming.until(lambda: "/dev/video-none" in filming.standing["why"])
    filming.camera.close()
    monkeypatch.setenv("PATH", str(tmp_path))
    filming = film()
    filming.until(lambda: "ffmpeg cannot be started" in filming.standing["why"])


def test_what_cannot_be_joined_is_kept_in_segments(film: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("ffmpeg")
    script = f'case "$*" in *faststart*) exit 1;; esac; exec {real} "$@"'
    monkeypatch.setenv("PATH", put_in_path(tmp_path / "bin", script))
    filming = film()
    filming.until(lambda: filming.count("segments") >= 2)
    ask(filming, 8, 0.6, 0.0)
    filming.until(lambda: filming.clips)
    files = filming.clips[0]["files"]
    assert len(files) >= 2
    for file in files:
        path = filming.folder / "clips" / file["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
        assert pictures(path)[0] == 5


def test_a_segment_that_outgrows_its_share_of_the_budget_ends_ffmpeg_and_that_is_said(film: Make) -> None:
    filming = film(budget_bytes=8_000)
    filming.until(lambda: "an eighth of camera.budget_mb" in filming.standing["why"])
    assert filming.ring_bytes() <= 8_000


def test_a_disk_without_room_ends_the_filming_and_not_the_process(film: Make) -> None:
    filming = film(spare_bytes=10**18)
    filming.until(lambda: "no room on the disk" in filming.standing["why"])
    assert (filming.standing["state"], filming.count("starts"), filming.camera.begun) == ("waiting", 0, 1)


def test_with_its_process_ffmpeg_goes_and_the_next_one_saves_what_was_asked(film: Make) -> None:
    filming = film()
    filming.until(lambda: filming.count("segments") >= 2 and filming.count("ffmpeg"))
    ffmpeg = filming.count("ffmpeg")
    ask(filming, 9, 1.0, 1.0)
    filming.until((filming.folder / "clips" / "3-9.ask").exists)
    os.kill(filming.camera.pid, signal.SIGKILL)
    filming.until(lambda: filming.camera.begun == 2 and filming.clips)
    filming.until(lambda: not is_alive(ffmpeg))
    (clip,) = filming.clips
    assert clip["event"] == 9
    assert pictures(filming.folder / "clips" / "3-9.mp4")[0] >= 10
    filming.camera.tell(noted=[3, 9])
    filming.until(lambda: not (filming.folder / "clips" / "3-9.ask").exists())


def test_a_process_that_hangs_is_ended_with_its_ffmpeg_and_replaced(film: Make) -> None:
    filming = film()
    filming.until(lambda: filming.count("ffmpeg"))
    keeper, ffmpeg = filming.camera.pid, filming.count("ffmpeg")
    os.kill(keeper, signal.SIGSTOP)
    hung_s = time.monotonic() + HUNG_S
    filming.camera.tend(hung_s)
    assert (filming.camera.counters()["hung"], filming.camera.pid) == (1, 0)
    filming.until(lambda: not is_alive(ffmpeg) and not is_alive(keeper) and filming.camera.begun == 2)


def test_a_process_that_talks_nonsense_or_goes_is_started_again_later_each_time(tmp_path: Path) -> None:
    camera, starts_s = Camera(Plan(str(tmp_path), 3, "x")), list[int]()
    camera._command = ["/bin/echo", "nonsense"]
    for now_s in range(40):
        begun = camera.begun
        camera.tend(now_s)
        starts_s += [now_s] * (camera.begun - begun)
        until_s = time.monotonic() + WAIT_S
        while camera.pid:
            assert time.monotonic() < until_s
            camera.tend(now_s)
    assert starts_s == [0, 1, 3, 7, 15, 31]
    assert camera.counters()["nonsense"] == 6
    assert not camera.tell(run=True)


def test_after_a_power_cut_what_was_filmed_of_an_earlier_boot_is_saved(film: Make) -> None:
    before = film()
    before.until(lambda: before.count("segments") >= 2)
    from_us, until_us = ask(before, 4, 1.0, 60.0)
    before.until((before.folder / "clips" / "3-4.ask").exists)
    os.kill(before.camera.pid, signal.SIGKILL)
    after = film(boot=4)
    after.until(lambda: after.clips)
    (clip,) = after.clips
    assert (clip["boot"], clip["event"], clip["is_whole"]) == (3, 4, False)
    assert from_us - S < clip["start_us"] < clip["end_us"] < until_us
    assert pictures(after.folder / "clips" / "3-4.mp4")[0] >= 5


def test_when_it_is_not_wanted_nothing_films(film: Make) -> None:
    filming = film()
    filming.until(lambda: filming.count("ffmpeg"))
    ffmpeg = filming.count("ffmpeg")
    filming.camera.tell(run=False)
    filming.until(lambda: filming.standing["state"] == "resting" and not is_alive(ffmpeg))
    filming.camera.close()
    assert filming.camera.pid == 0


@pytest.mark.parametrize("login", ["", "driver:s p@ss"], ids=["open", "with a login"])
def test_a_camera_on_the_network_is_kept_as_it_comes(film: Make, tmp_path: Path, login: str) -> None:
    (tmp_path / "login").write_text(login)
    (tmp_path / "login").chmod(0o600)
    with RtspCamera(tmp_path, login) as camera:
        filming = film(source=camera.url, login_file=str(tmp_path / "login") if login else "")
        filming.until(lambda: filming.count("ring_us") >= S)
        words = Path(f"/proc/{filming.count('ffmpeg')}/cmdline").read_bytes()
        ask(filming, 6, 0.6, 0.0)
        filming.until(lambda: filming.clips)
    assert b"copy" in words
    assert b"p%40ss" not in words
    assert pictures(filming.folder / "clips" / "3-6.mp4")[0] >= 5
    filming.until(lambda: filming.count("ends") + filming.count("stalls"))
    assert "p%40ss" not in str(filming.told)


def test_a_wrong_login_is_said_without_it(film: Make, tmp_path: Path) -> None:
    (tmp_path / "login").write_text("driver:wrong")
    (tmp_path / "login").chmod(0o600)
    with RtspCamera(tmp_path, "driver:right") as camera:
        filming = film(source=camera.url, login_file=str(tmp_path / "login"))
        filming.until(lambda: "ffmpeg ended with" in filming.standing["why"])
        assert camera.refused >= 1
    assert "wrong" not in str(filming.told)
