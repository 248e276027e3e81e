"""`kill -9` of the whole agent at any call with which it changes a file, in a drive with a crash, a broker listening.

    python -m tests.powercut_agent [--seed N] [--cuts N]

`tbox run` reads a recording in place of a car: it pulls away, brakes hard, crashes, is switched off; the broker is a
mosquitto, behind it a receiver keeps the books. It ends at one of its calls, now and then at one of the next start as
well. The start after that must need no hand, and end in order; then store and receiver are held against each other.
"""

import argparse
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

from agent.codec import Record
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from hil.places.rehearsal import READ
from hil.subscriber import Inbox, Subscriber
from hil.wires import broker as brokers
from tests import powercut_shim
from tests.powercut_look import evidence, trips
from tests.powercut_server import Asked, Server
from tests.powercut_shim import Call
from tests.pulses import Struck
from tests.road import G

WAIT_S, TURN_S = 30.0, 0.005
LINK_S = 2.0
"""A run that knows of no link by then ends without one; what it had to tell goes at the next start."""
STUCK = 124
"""Instead of an exit code: it did not end when it was asked to."""
AGAIN_SHARE = 0.25
TELL_S = 15.0
HZ = 100
BRAKES_S, HIT_S, OFF_S, END_S = 10.0, 22.0, 42.0, 60.0
HANDS = ("Traceback", "damaged", "made anew", "the store was lost")
"""What none of the logs may say."""
SETTINGS = """
device.name = "terminal"
device.state_dir = "{state}"
mqtt.host = "127.0.0.1"
mqtt.port = {port}
mqtt.tls = false
imu.mounting = "vehicle"
trip.end_s = 5
samples.chunk_s = 5
samples.journal_s = 1
health.period_s = 5
ring.frames_per_s = 600
uplink.backoff_s_min = 0.2
uplink.backoff_s_max = 0.5
"""


def drive() -> Iterator[str]:
    """The car: 2 m/s2 to 20 m/s, a brake of 5 m/s2 for 2 s, a crash at 57 km/h, and the engine off."""
    hit, before_mps = Struck("camry", 0.0), 0.0
    yield "time_s,speed_mps,rpm,ignition,accel_x_mps2,accel_y_mps2,accel_z_mps2"
    for number in range(round(END_S * HZ)):
        at_s = number / HZ
        force = hit.force(at_s - HIT_S + 6.0)
        if at_s < HIT_S - 6.0:
            rate = 2.0 if at_s < BRAKES_S else -5.0 if at_s < BRAKES_S + 2.0 else 0.0
            speed = min(before_mps + rate / HZ, hit.entry_mps if at_s >= BRAKES_S + 2.0 else math.inf)
            speed = min(speed + 1.5 / HZ, hit.entry_mps) if at_s >= BRAKES_S + 2.0 else speed
            force = ((speed - before_mps) * HZ, 0.0, 0.0)
        else:
            speed = hit.speed(at_s - HIT_S + 6.0)
        before_mps = speed
        told = f"{speed:.2f},{1500 if at_s < OFF_S else 0},{int(at_s < OFF_S)}" if number % 10 == 0 else ",,"
        yield f"{at_s:.2f},{told},{force[0]:.3f},{force[1]:.3f},{G + force[2]:.3f}"


def stands() -> Iterator[str]:
    """The same car, an hour later, for two seconds."""
    yield "time_s,speed_mps,rpm,ignition"
    yield from (f"{3600 + tenth / 10:.1f},0,0,0" for tenth in range(20))


class Bench:
    """A broker, a receiver behind it, and terminals one after the other."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        broker = brokers.start(folder)
        self._stack.callback(broker.stop)
        self._subscriber = Subscriber(brokers.HOST, broker.inner_port, broker.version, lambda _: None)
        self._stack.callback(self._subscriber.close)
        self._server = Server(library)
        self._stack.callback(self._server.close)
        self._subscriber.wait_until_subscribed(WAIT_S)
        for name, rows in (("drive", drive()), ("stands", stands())):
            (folder / f"{name}.csv").write_text("\n".join(rows))
        self._port = broker.port

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def begin(self, name: str) -> "Life":
        """A new terminal."""
        state = self._folder / name / "state"
        state.parent.mkdir()
        (state.parent / "tbox.toml").write_text(SETTINGS.format(state=state, port=self._port))
        with self._subscriber.lock:
            self._subscriber.inbox = Inbox()
        return Life(state, self._folder, self._subscriber, self._server)


class Life:
    """One terminal: what it is started with, where its records arrive."""

    def __init__(self, state: Path, recordings: Path, subscriber: Subscriber, server: Server) -> None:
        self._state, self._recordings = state, recordings
        self._subscriber, self._server = subscriber, server
        self._log = state.parent / "log"

    def run(self, recording: str, at: int, *, is_torn: bool = False) -> tuple[int, list[Call]]:
        """One run, to that call, or to its end once all is read and told; its exit code and calls."""
        starts = self._count("boot")
        begin = self._log.stat().st_size if self._log.exists() else 0
        words = ["run", "--config", str(self._state.parent / "tbox.toml")]
        words += ["--recorded", str(self._recordings / f"{recording}.csv")]
        pid = self._server.start(Asked(words, str(self._log), str(self._state), at, is_torn))
        self._wait(pid, lambda: READ.encode() in self._log.read_bytes()[begin:], WAIT_S)
        self._wait(pid, lambda: self._count("boot") > starts and not self._missing(), LINK_S)
        if _is_running(pid):
            os.kill(pid, signal.SIGTERM)
        self._wait(pid, lambda: False, WAIT_S)
        if is_stuck := _is_running(pid):
            os.kill(pid, signal.SIGKILL)
        code, calls = self._server.wait()
        return STUCK if is_stuck else code, calls

    def faults(self) -> Iterator[str]:
        """What is wrong when the last run has ended in order."""
        self._wait(0, lambda: not set(self._stored()) - set(self._received()), WAIT_S)
        stored, received = self._stored(), self._received()
        with self._subscriber.lock:
            yield from self._subscriber.inbox.faults
        yield from (f"{seq} is stored, and never arrived" for seq in stored if seq not in received)
        yield from (f"{seq} never arrived" for seq in range(max(received, default=0)) if seq not in received)
        for seq, one in received.items():
            if seq in stored and stored[seq].raw != one.raw:
                yield f"{seq} is one record in the store and another at the receiver"
        yield from trips(list(received.values()))
        yield from evidence(list(received.values()))
        said = self._log.read_text(errors="replace")
        yield from (f"the log says {words!r}: {said[-400:]}" for words in HANDS if words in said)
        yield from self._verify()

    def _verify(self) -> Iterator[str]:
        """What `tbox verify` says of store and receiver together."""
        pile, told = self._state.parent / "received.tbox", self._state.parent / "verified"
        with self._subscriber.lock:
            pile.write_bytes(self._subscriber.inbox.framed())
        words = ["verify", str(self._state / STORE_NAME), str(pile)]
        self._server.start(Asked(words, str(told), str(self._state), 0, is_torn=False))
        code, _ = self._server.wait()
        if code != 0 or "GOOD" not in told.read_text():
            yield f"tbox verify: {told.read_text()[-600:]}"

    def _wait(self, pid: int, holds: Callable[[], bool], most_s: float) -> None:
        """Until it holds, the process has ended, or it is too late, which shows."""
        give_up_s = time.monotonic() + most_s
        while (pid == 0 or _is_running(pid)) and time.monotonic() < give_up_s and not (self._log.exists() and holds()):
            time.sleep(TURN_S)

    def _received(self) -> dict[int, Record]:
        with self._subscriber.lock:
            return {seq: one for (_, seq), one in sorted(self._subscriber.inbox.records.items())}

    def _stored(self) -> dict[int, Record]:
        return {one.seq: one for one in read_pile(self._state / STORE_NAME).records}

    def _count(self, kind: str) -> int:
        return sum(one.kind == kind for one in self._received().values())

    def _missing(self) -> bool:
        received = self._received()
        return len(received) <= max(received, default=0)


def _is_running(pid: int) -> bool:
    """Whether it is there; a dead one is taken away by the server at once."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Trial:
    """So many cuts of one seed; says what was wrong, and now and then how far it is."""

    def __init__(self, bench: Bench, seed: int, cuts: int, bad: int) -> None:
        self.done = self.bad = 0
        self._bad = bad
        self._bench, self._luck, self._cuts = bench, Random(seed), cuts
        self._begin_s = self._told_s = time.monotonic()
        self._lives = 0
        self._calls: list[Call] = []
        self._calls_again: list[Call] = []

    def run(self) -> None:
        """Once without a cut, to know the calls; then as often as asked."""
        life = self._bench.begin("whole")
        (code, self._calls), (again, self._calls_again) = life.run("drive", 0), life.run("stands", 0)
        found = [f"ended with {code} and {again}"] if (code, again) != (0, 0) else []
        found += life.faults()
        self._note("no cut at all", found)
        while self.done < self._cuts and self.bad < self._bad:
            self._try()

    def result(self) -> dict[str, str | float]:
        """For the one who asked."""
        took_s = round(time.monotonic() - self._begin_s, 1)
        return {"part": "agent", "cuts": self.done, "bad": self.bad, "took_s": took_s}

    def _try(self) -> None:
        """One life."""
        self._lives += 1
        life = self._bench.begin(f"life-{self._lives}")
        at = self._luck.randrange(len(self._calls)) + 1
        call = self._calls[at - 1]
        is_torn = call.is_divisible and self._luck.random() < 0.5
        code, calls = life.run("drive", at, is_torn=is_torn)
        cuts = int(code == -signal.SIGKILL)
        last = calls[-1] if calls else call
        where = f"call {at} of {len(self._calls)} ({last.name} {last.file}{', torn' if is_torn else ''})"
        found = [] if code in (0, -signal.SIGKILL) else [f"ended with {code}"]
        if cuts and self._luck.random() < AGAIN_SHARE:
            code, _ = life.run("stands", self._luck.randrange(len(self._calls_again)) + 1)
            cuts += code == -signal.SIGKILL
            found += [] if code in (0, -signal.SIGKILL) else [f"started after the cut, ended with {code}"]
        code, _ = life.run("stands", 0)
        found += [f"started after the cut, ended with {code}"] if code else []
        self.done += cuts
        self._note(where, found + list(life.faults()))

    def _note(self, where: str, found: Sequence[str]) -> None:
        if found:
            self.bad += 1
            print(f"{where}: {'; '.join(found[:3])}", flush=True)
        if time.monotonic() - self._told_s > TELL_S:
            self._told_s = time.monotonic()
            print(f"agent: {self.done} cuts, {self.bad} bad, {self._told_s - self._begin_s:.0f} s", flush=True)


def main(arguments: Sequence[str]) -> int:
    """So many cuts; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.powercut_agent", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--bad", type=int, default=5, help="enough is enough")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=powercut_shim.fast_folder()) as name:
        bench = Bench(Path(name), powercut_shim.build(Path(name)))
        try:
            trial = Trial(bench, options.seed, options.cuts, options.bad)
            trial.run()
        finally:
            bench.close()
    print(json.dumps(trial.result()))
    return 1 if trial.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
