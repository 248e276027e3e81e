"""Whose fault it is when a start fails: the slot's, which is left, or the machine's, which a person must mend."""

from pathlib import Path

import pytest

from agent import start
from agent.errors import InputError, SettingsError, StorageError
from agent.slots import slot_files, slots
from agent.slots.slot_files import Slot
from agent.slots.slots import Content
from tests.test_slots import placed

CONTENT = Content("vans", 12, "")
FOLDER = Path("/var/lib/tbox/slots/a")


@pytest.mark.parametrize(
    ("why", "on_trial", "proved"),
    [
        pytest.param(
            SettingsError("bundle vans 12 (tbox.toml:3): trip.end: unknown key"), True, True, id="its settings"
        ),
        pytest.param(SettingsError("bundle vans 120 (tbox.toml:3): x"), True, False, id="another bundle's"),
        pytest.param(SettingsError(f"{FOLDER}/maps/van.toml: no speed"), True, True, id="its map"),
        pytest.param(
            SettingsError("/etc/tbox/password: others may read it"), True, False, id="a file of the machine's"
        ),
        pytest.param(RuntimeError("boom"), True, False, id="a crash"),
        pytest.param(MemoryError(), True, False, id="no memory"),
        pytest.param(StorageError("the disk is full"), False, False, id="the disk"),
        pytest.param(InputError("no such recording"), False, False, id="an input"),
    ],
)
def test_whose_fault_it_is(why: Exception, on_trial: bool, proved: bool) -> None:
    assert start.is_its_fault(Slot(FOLDER, CONTENT, is_trial=True), why) == on_trial
    assert start.is_its_fault(Slot(FOLDER, CONTENT, is_trial=False), why) == proved


@pytest.mark.parametrize(
    ("why", "words"),
    [
        pytest.param(SettingsError("a.toml:3: wrong"), "a.toml:3: wrong", id="a sentence"),
        pytest.param(RuntimeError("boom\nbang"), "crashed: RuntimeError boom", id="a crash, one line"),
        pytest.param(MemoryError(), "crashed: MemoryError", id="a crash without words"),
    ],
)
def test_the_reason_is_one_line(why: Exception, words: str) -> None:
    assert start.words_of(why) == words


def test_a_start_on_trial_is_counted_before_anything_is_read(tmp_path: Path) -> None:
    content = placed(tmp_path)
    slot_files.change(tmp_path, lambda state: slots.commit(slots.stage(state, content), 2))
    (tmp_path / "slots" / "b").mkdir()
    for left in (1, 0):
        state = slot_files.change(tmp_path, slots.begin)
        assert (state.boots_left, state.phase) == (left, "trial")
    begun = start.begun(tmp_path)
    assert begun is not None
    assert begun.folder == tmp_path / "slots" / "a"
    news = slot_files.read(tmp_path).news
    assert news is not None
    assert (news.state, news.reason) == ("reverted", "not healthy after 2 starts")


def test_what_was_left_already_is_left_once(tmp_path: Path) -> None:
    content = placed(tmp_path)
    slot = slot_files.in_force(tmp_path)
    assert slot is not None
    start.leave(tmp_path, slot, "no good")
    after = slot_files.read(tmp_path)
    start.leave(tmp_path, slot, "no good at all")
    assert slot_files.read(tmp_path) == after
    assert after.failed == {content.content: "no good"}
