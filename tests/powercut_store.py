"""`kill -9` at every call with which outbox and writer change a file: what was said to be safe must be there.

    python -m tests.powercut_store [--seed N] [--cuts N]

A store lives through scenes: its first start, a drive, receipts of a platform that is restored meanwhile, a trip that is
erased, a drive when its budget is used up, a platform that lost what it had, a damaged file, a log that is gone, a new
store that was only half made. Each is told once without a cut, then up to each of its calls, and up to the middle of
each of its writes; now and then the start after that is cut as well. Then the store is opened and looked at. One line
of JSON says what came of it.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from agent.codec import LANES
from agent.errors import TboxError
from agent.ledger.key import KEY_NAME, load_or_make
from agent.outbox.outbox import BUDGET_BYTES_MIN, Outbox
from agent.outbox.store import PAGE_BYTES, STORE_NAME
from tests import powercut_shim
from tests.powercut_look import Told, look, prove
from tests.powercut_requests import by_receipt, erase
from tests.powercut_story import Author, hear, hurry

AGAIN_SHARE, AGAIN_CALLS = 0.25, 60
"""So often the start after a cut is cut too, at one of so many calls."""
PROVE_EVERY = 5
TELL_S = 15.0
SEQS_MAX = 10_000


@dataclass(slots=True)
class Scene:
    """A store as it is when a chapter begins, what had been said of it, and the calls of the chapter."""

    name: str
    state: Path
    told: Told
    work: Callable[[Author], None]
    seed: int
    calls: list[powercut_shim.Call]

    def play(
        self, folder: Path, told: Told, at: int, *, is_torn: bool = False, is_again: bool = False
    ) -> powercut_shim.Ended:
        """Tell it there up to that call (0: whole); what was said goes to `told`.

        Told again, its records say something else: of two that say the same, one may be erased and the other not.
        """
        diary = os.memfd_create("diary")

        def work() -> None:
            author = Author(folder, Random(self.seed + is_again), diary)
            self.work(author)
            author.close()

        ended = powercut_shim.run(work, folder, at, is_torn=is_torn)
        for line in powercut_shim.read_all(diary).decode().splitlines():
            hear(told, line)
        return ended


CHAPTERS: tuple[tuple[str, Callable[[Author], None]], ...] = (
    ("first start", lambda author: author.drive(12)),
    ("drive", lambda author: author.drive(40)),
    ("receipts", by_receipt),
    ("erased", erase),
    ("filling", Author.fill),
    ("full", lambda author: author.drive(40)),
    ("asked again", Author.deliver_again),
)
UNCUT = "filling"


def scenes(folder: Path, luck: Random) -> Iterator[Scene]:
    """Each chapter, told once."""
    told, state = Told(), folder / "state-0"
    state.mkdir(mode=0o700)
    for number, (name, work) in enumerate(CHAPTERS, 1):
        scene = Scene(name, state, told.copy(), work, luck.randrange(1 << 30), [])
        state = folder / f"state-{number}"
        shutil.copytree(scene.state, state)
        ended = scene.play(state, told, 0)
        assert not ended.trouble, ended.trouble
        scene.calls = ended.calls
        if name != UNCUT:
            yield scene
        if name == "full":
            yield _damaged(folder, scene, luck, "pages damaged", _spoil_pages)
            lost = _damaged(folder, scene, luck, "log lost", _lose_log)
            yield lost
            yield _half_made(folder, lost)


def _damaged(folder: Path, before: Scene, luck: Random, name: str, spoil: Callable[[Path], None]) -> Scene:
    """A drive was cut off, and its file is damaged: a start sets it aside and saves what it can."""
    told, state = before.told.copy(), folder / f"state-{name}"
    shutil.copytree(before.state, state)
    before.play(state, told, len(before.calls) * 3 // 4)
    spoil(state / STORE_NAME)
    told.is_damaged = True
    scene = Scene(name, state, told, lambda _: None, luck.randrange(1 << 30), [])
    whole = folder / "whole"
    shutil.copytree(state, whole)
    ended = scene.play(whole, told.copy(), 0)
    assert not ended.trouble, ended.trouble
    scene.calls = ended.calls
    outbox = Outbox.open(whole / STORE_NAME, BUDGET_BYTES_MIN, "after the cut")
    told.saved = {seq for lane in LANES for seq, _ in outbox.pending(lane, -1, SEQS_MAX) if seq <= told.synced_upto}
    outbox.close()
    shutil.rmtree(whole)
    assert told.saved, "nothing is saved of the damaged file"
    return scene


def _half_made(folder: Path, before: Scene) -> Scene:
    """The store is set aside, and the power went when the new one had its first page and nothing else."""
    told, state = before.told.copy(), folder / "state-half-made"
    shutil.copytree(before.state, state)
    names = [(call.name, call.file) for call in before.calls]
    before.play(state, told, names.index(("unlink", f"{STORE_NAME}-journal")) + 1)
    return Scene("half made", state, told, before.work, before.seed, before.calls)


def _spoil_pages(store: Path) -> None:
    """The heads of every third page."""
    content = bytearray(store.read_bytes())
    for at in range(PAGE_BYTES, len(content), 3 * PAGE_BYTES):
        content[at : at + 16] = bytes(16)
    store.write_bytes(content)


def _lose_log(store: Path) -> None:
    """The newest records, which were in it."""
    store.with_name(f"{store.name}-wal").unlink()


def chosen(told: Iterator[Scene], name: str) -> Iterator[Scene]:
    """The one of this name, and nothing is told beyond it; all without a name."""
    for scene in told:
        if name in ("", scene.name):
            yield scene
        if name == scene.name:
            return


def cuts_of(scene: Scene) -> Iterator[tuple[int, bool]]:
    """Before each call, and in the middle of each write."""
    for number, call in enumerate(scene.calls, 1):
        yield number, False
        if call.is_divisible:
            yield number, True


def try_one(
    scene: Scene, folder: Path, at: int, luck: Random, *, is_torn: bool, prove_it: bool
) -> tuple[int, list[str]]:
    """How many cuts it was, and what is wrong after them."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(scene.state, folder)
    told, cuts, found = scene.told.copy(), 0, list[str]()
    try:
        ended = scene.play(folder, told, at, is_torn=is_torn)
        cuts += ended.is_cut
        found += [ended.trouble] if ended.trouble else []
        if ended.is_cut and luck.random() < AGAIN_SHARE:
            ended = scene.play(folder, told, luck.randrange(1, AGAIN_CALLS), is_again=True)
            cuts += ended.is_cut
            found += [f"at the next start: {ended.trouble}"] if ended.trouble else []
        found += look(folder / STORE_NAME, told, BUDGET_BYTES_MIN, load_or_make(folder / KEY_NAME))
        found += prove(folder / STORE_NAME, told) if prove_it else []
    except (TboxError, OSError, AssertionError) as why:
        found.append(str(why) or repr(why))
    return cuts, found


class Trial:
    """So many cuts of one seed; says what was wrong, and now and then how far it is."""

    def __init__(self, seed: int, cuts: int, folder: Path, bad: int, scene: str) -> None:
        self.done = self.bad = 0
        self._bad, self._scene = bad, scene
        self._luck, self._cuts, self._folder = Random(seed), cuts, folder
        self._begin_s = self._told_s = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether there were enough, or enough bad ones."""
        return self.done >= self._cuts or self.bad >= self._bad

    def run(self) -> None:
        """Story after story."""
        while not self.is_over:
            home = self._folder / "story"
            home.mkdir()
            told = chosen(scenes(home, self._luck), self._scene)
            cuts = [(scene, *cut) for scene in told for cut in cuts_of(scene)]
            self._luck.shuffle(cuts)
            for scene, at, is_torn in cuts:
                if not self.is_over:
                    self._try(scene, at, is_torn=is_torn)
            shutil.rmtree(home)

    def result(self) -> dict[str, str | float]:
        """For the one who asked."""
        return {"part": "store", "cuts": self.done, "bad": self.bad, "took_s": round(self._took_s, 1)}

    @property
    def _took_s(self) -> float:
        return time.monotonic() - self._begin_s

    def _try(self, scene: Scene, at: int, *, is_torn: bool) -> None:
        prove_it = self._luck.randrange(PROVE_EVERY) == 0
        cuts, found = try_one(scene, self._folder / "slot", at, self._luck, is_torn=is_torn, prove_it=prove_it)
        self.done += cuts
        if found:
            self.bad += 1
            call = scene.calls[at - 1]
            how = ", torn" if is_torn else ""
            where = f"{scene.name}, call {at} of {len(scene.calls)} ({call.name} {call.file}{how})"
            print(f"{where}: {'; '.join(found[:3])}", flush=True)
        if time.monotonic() - self._told_s > TELL_S:
            self._told_s = time.monotonic()
            print(f"store: {self.done} cuts, {self.bad} bad, {self._took_s:.0f} s", flush=True)


def main(arguments: Sequence[str]) -> int:
    """So many cuts; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.powercut_store", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--scene", default="", help="only this one, such as 'first start'")
    parser.add_argument("--bad", type=int, default=5, help="enough is enough")
    options = parser.parse_args(arguments)
    if powercut_shim.VARIABLE not in os.environ:
        return powercut_shim.rerun("tests.powercut_store", arguments)
    hurry()
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=powercut_shim.fast_folder()) as name:
        trial = Trial(options.seed, options.cuts, Path(name), options.bad, options.scene)
        trial.run()
    print(json.dumps(trial.result()))
    return 1 if trial.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
