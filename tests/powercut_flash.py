"""`kill -9` at every call with which a bundle is put into force: what was in force runs, or what comes, and whole.

    python -m tests.powercut_flash [--seed N] [--cuts N]

The chapters of a configuration's life: staged over a bare box, proved, replaced, taken back, undone, failing at its start.
Each is told once without a cut, then up to each of its calls, and up to the middle of each of its writes. Then the slots
are looked at, started from as `tbox run` does, and the next bundle is put into force. One line of JSON says what came of it.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from agent import start
from agent.errors import TboxError
from agent.slots import slot_files, slots
from agent.slots.slots import Content
from agent.trust.bundle import Bundle
from tests import powercut_shim
from tests.fleets import bundle_of

BOOTS = 2
BUNDLES = {
    version: bundle_of({"tbox.toml": b"[trip]\nend_s = %d\n" % (version * 100), "README.txt": bytes(5000)}, (), version)
    for version in (1, 2, 3)
}


def content_of(bundle: Bundle) -> Content:
    return Content(bundle.manifest.id, bundle.manifest.version, bundle.content)


def stage(state_dir: Path, version: int) -> None:
    """As agent/flash/flash.py does up to the commit."""
    bundle = BUNDLES[version]
    state = slot_files.change(state_dir, slots.unstage)
    slot_files.fill(state_dir, slots.spare(state), bundle.entries())
    slot_files.change(state_dir, lambda now: slots.stage(now, content_of(bundle)))


def put(version: int) -> Callable[[Path], None]:
    """Staged and committed."""

    def work(state_dir: Path) -> None:
        stage(state_dir, version)
        slot_files.change(state_dir, lambda state: slots.commit(state, BOOTS))

    return work


def proved(state_dir: Path) -> None:
    """A start, and the agent finds it healthy and tells so."""
    start.begun(state_dir)
    slot_files.change(state_dir, slots.confirm)
    slot_files.change(state_dir, slots.told)


def dropped(state_dir: Path) -> None:
    """Staged, refused by the live check, swept."""
    stage(state_dir, 3)
    staged = slot_files.change(state_dir, lambda state: state).staged
    slot_files.change(state_dir, slots.unstage)
    slot_files.empty(state_dir, staged)


def killing(state_dir: Path) -> None:
    """Starts that end in a crash, one more than it has."""
    for _ in range(BOOTS + 1):
        start.begun(state_dir)


def undone(state_dir: Path) -> None:
    slot_files.change(state_dir, lambda state: slots.roll_back(state, "asked for"))


CHAPTERS: tuple[tuple[str, Callable[[Path], None], frozenset[int]], ...] = (
    ("first", put(1), frozenset({0, 1})),
    ("first proved", proved, frozenset({1})),
    ("refused", dropped, frozenset({1})),
    ("second", put(2), frozenset({1, 2})),
    ("second proved", proved, frozenset({2})),
    ("undone", undone, frozenset({1, 2})),
    ("third", put(3), frozenset({1, 3})),
    ("third kills", killing, frozenset({1, 3})),
)
"""Name, what is done, and the versions that may be in force after a cut; 0: the machine's file alone."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The folder as it is when a chapter begins, and the calls of the chapter."""

    name: str
    state: Path
    work: Callable[[Path], None]
    allowed: frozenset[int]
    calls: list[powercut_shim.Call]


def scenes(folder: Path) -> Iterator[Scene]:
    """Each chapter, told once."""
    state = folder / "state-0"
    state.mkdir(mode=0o700)
    for number, (name, work, allowed) in enumerate(CHAPTERS, 1):
        after = folder / f"state-{number}"
        shutil.copytree(state, after)
        ended = powercut_shim.run(lambda work=work, after=after: work(after), after, 0)  # type: ignore[misc]
        assert not ended.trouble, ended.trouble
        yield Scene(name, state, work, allowed, ended.calls)
        state = after


def cuts_of(scene: Scene) -> Iterator[tuple[int, bool]]:
    """Before each call, and in the middle of each write."""
    for number, call in enumerate(scene.calls, 1):
        yield number, False
        if call.is_divisible:
            yield number, True


def try_one(scene: Scene, folder: Path, at: int, *, is_torn: bool) -> list[str]:
    """What is wrong after this cut."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(scene.state, folder)
    ended = powercut_shim.run(lambda: scene.work(folder), folder, at, is_torn=is_torn)
    return ([ended.trouble] if ended.trouble else []) + look(scene, folder)


def look(scene: Scene, folder: Path) -> list[str]:
    """What is in force is whole and one of those it may be; it starts; the next bundle goes in and comes out."""
    try:
        slot = slot_files.in_force(folder)
        found = slot.content.version if slot else 0
        wrong = [] if found in scene.allowed else [f"version {found} is in force"]
        begun = start.begun(folder)
        if begun is not None and not (begun.folder / "tbox.toml").exists():
            wrong.append("a slot without its files was begun")
        before = slot_files.read(folder).content
        put(3 if before is None or before.version != 3 else 2)(folder)
        slot_files.change(folder, lambda state: slots.revert(state, "tried"))
        if slot_files.read(folder).content != (before if not _was_trial(begun) else _proved(folder)):
            wrong.append("the next bundle does not lead back")
        slot_files.in_force(folder)
    except TboxError as why:
        return [str(why)]
    return wrong


def _was_trial(begun: "slot_files.Slot | None") -> bool:
    return begun is not None and begun.is_trial


def _proved(folder: Path) -> Content | None:
    """After a trial was replaced: what was proved before it, so whatever is in force now."""
    return slot_files.read(folder).content


def main(arguments: Sequence[str]) -> int:
    """So many cuts, of all there are by chance; 0: nothing was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.powercut_flash", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cuts", type=int, default=10_000, help="at most so many")
    options = parser.parse_args(arguments)
    if powercut_shim.VARIABLE not in os.environ:
        return powercut_shim.rerun("tests.powercut_flash", arguments)
    bad = done = 0
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=powercut_shim.fast_folder()) as name:
        cuts = [(scene, *cut) for scene in scenes(Path(name)) for cut in cuts_of(scene)]
        Random(options.seed).shuffle(cuts)
        for scene, at, is_torn in cuts[: options.cuts]:
            found = try_one(scene, Path(name) / "slot", at, is_torn=is_torn)
            done += 1
            if found:
                bad += 1
                call = scene.calls[at - 1]
                print(
                    f"{scene.name}, call {at} ({call.name} {call.file}{', torn' if is_torn else ''}): {found[0]}",
                    flush=True,
                )
    print(json.dumps({"part": "flash", "of": len(cuts), "cuts": done, "bad": bad}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
