"""A terminal with a camera: the daemon, ffmpeg's test source, a real mosquitto; and what one without a camera loads."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from hil.subscriber import Subscriber
from tests.brokers import Mosquitto
from tests.filming import is_alive, pictures
from tests.test_asyncapi import SCHEMAS, faults
from tests.test_run import FAST, Terminal, assert_complete, have, listening, running, until

CAMERA = FAST + (
    '[camera]\nsource = "lavfi:testsrc2=size=128x96:rate=10"\nbitrate_kbps = 100\nsegment_s = 0.5\nbefore_s = 1\n'
    'after_s = 1\nevents = ["harsh_braking"]\nupload = "small"\n[store]\nbudget_mb = 16\n'
)


def brake() -> str:
    """CSV at 10 Hz: 20 m/s, from 6 s on a brake of 5 m/s² for 2 s, and so on at 10 m/s."""
    speeds = [min(20.0, max(10.0, 20.0 - (n - 60) * 0.5)) for n in range(300)]
    return "time_s,speed_mps,rpm\n" + "".join(f"{n / 10:.1f},{v:.3f},1500\n" for n, v in enumerate(speeds))


def ffmpeg_of(subscriber: Subscriber) -> int:
    """The process that films, as health told last."""
    with subscriber.lock:
        bodies = [record.body for record in subscriber.inbox.bodies("health")]
    return int(bodies[-1]["camera"].get("ffmpeg", 0)) if bodies else 0


def braking(folder: Path, port: int) -> Terminal:
    terminal = Terminal(folder, port, more=CAMERA)
    (folder / "drive.csv").write_text(brake())
    return terminal


def test_a_clips_hash_is_in_the_account_its_bytes_arrive_and_a_dead_camera_disturbs_nobody(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        listening(broker.port) as subscriber,
        running(braking(tmp_path, broker.port)) as terminal,
    ):
        until(have(subscriber, "event"), "the brake")
        until(have(subscriber, "evidence", 2), "the clip's hash and its bytes")
        until(lambda: bool(ffmpeg_of(subscriber)), "health")
        ffmpeg = ffmpeg_of(subscriber)
        os.kill(ffmpeg, signal.SIGKILL)
        until(lambda: not is_alive(ffmpeg), "its end")
        assert terminal.stop() == 0
        until(have(subscriber, "trip_end"), "the end of the trip")
        assert_complete(subscriber, tmp_path)
        told, *video = (record.body for record in subscriber.inbox.bodies("evidence"))
        (brake,) = subscriber.inbox.bodies("event")
        health = subscriber.inbox.bodies("health")[-1]
    for record in (*subscriber.inbox.bodies("evidence"), health):
        assert list(faults(SCHEMAS[record.kind], record.body, record.kind)) == []
    assert (told["event"], told["form"], told["why"]) == (brake.seq, "clip", None)
    assert told["start_us"] <= brake.body["start_us"] < told["end_us"]
    clip = b"".join(body["data"] for body in video)
    assert [(body["chunk"], body["chunks"], body["form"]) for body in video] == [
        (part, len(video), "video") for part in range(len(video))
    ]
    assert hashlib.sha256(clip).digest() == told["files"][0]["sha256"]
    path = tmp_path / "state" / "camera" / "clips" / told["files"][0]["file"]
    assert path.read_bytes() == clip
    assert pictures(path)[0] >= 10
    assert health.body["camera"]["written_bytes"] > len(clip)


def test_a_terminal_without_a_camera_loads_nothing_of_one() -> None:
    code = (
        "import agent.app, sys, json; print(json.dumps([m for m in sys.modules if m.startswith(('agent', 'drivers'))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = json.loads(done.stdout)
    assert "agent.power.upkeep" in loaded
    named = {name for name in loaded if "camera" in name or "clips" in name}
    assert named == {"agent.settings.camera", "agent.camera", "agent.camera.blind"}
