"""Slots: what may become of a configuration, as stories; its files; and the layer of settings it makes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import SettingsError, StorageError
from agent.slots import slot_files, slot_settings, slots
from agent.slots.slots import Content, SlotError, State
from tests.fleets import bundle_of

OLD, NEW, NEWER = (Content("vans", number, f"{number:064x}") for number in (1, 2, 3))
Step = Callable[[State], State]


def put(content: Content) -> Step:
    return lambda state: slots.commit(slots.stage(state, content), 3)


def failing(state: State) -> State:
    return slots.revert(state, "no good")


def undo(state: State) -> State:
    return slots.roll_back(state, "by hand")


PROVED = (put(OLD), slots.begin, slots.confirm)


@pytest.mark.parametrize(
    ("steps", "content", "phase"),
    [
        pytest.param([], None, "none", id="a bare box"),
        pytest.param([lambda s: slots.stage(s, OLD)], None, "staged", id="staged is not in force"),
        pytest.param([lambda s: slots.stage(s, OLD), slots.unstage], None, "none", id="and leaves no trace"),
        pytest.param([put(OLD)], OLD, "trial", id="committed, on trial"),
        pytest.param([put(OLD), slots.begin, slots.begin, slots.begin], OLD, "trial", id="the third start"),
        pytest.param([put(OLD), *[slots.begin] * 4], None, "reverted", id="the fourth finds that three were in vain"),
        pytest.param([put(OLD), *[slots.begin, slots.finish] * 9], OLD, "trial", id="starts that end in order do not count"),
        pytest.param([put(OLD), slots.finish], OLD, "trial", id="never more starts than there were"),
        pytest.param([*PROVED], OLD, "healthy", id="proved"),
        pytest.param([*PROVED, slots.begin, slots.begin, slots.begin, slots.begin], OLD, "healthy", id="then it is not counted"),
        pytest.param([*PROVED, put(NEW), failing], OLD, "reverted", id="a second that fails"),
        pytest.param([*PROVED, put(NEW), *[slots.begin] * 4], OLD, "reverted", id="a second that kills"),
        pytest.param([*PROVED, put(NEW), slots.confirm, undo], OLD, "rolled_back", id="undone"),
        pytest.param([*PROVED, put(NEW), undo], OLD, "rolled_back", id="undone while on trial"),
        pytest.param([*PROVED, put(NEW), put(NEWER), failing], OLD, "reverted", id="over a trial: back to what was proved"),
        pytest.param([*PROVED, undo], None, "rolled_back", id="undone, to the machine's file"),
        pytest.param([*PROVED, put(NEW), slots.confirm, failing], OLD, "reverted", id="damaged later"),
        pytest.param([failing], None, "none", id="the machine's file cannot fail"),
    ],
)  # fmt: skip
def test_what_is_in_force(steps: list[Step], content: Content | None, phase: str) -> None:
    state = State()
    for step in steps:
        state = step(state)
    assert (state.content, state.phase) == (content, phase)
    assert slots.spare(state) not in (state.active, state.before)
    assert set(state.slots) <= {name for name in (state.active, state.before, state.staged) if name}


@pytest.mark.parametrize("steps", [[], [*PROVED, undo], [put(OLD), failing]], ids=["bare", "undone before", "reverted"])
def test_there_may_be_nothing_to_undo(steps: list[Step]) -> None:
    state = State()
    for step in steps:
        state = step(state)
    with pytest.raises(SlotError, match="nothing to go back to"):
        slots.roll_back(state, "by hand")


def test_only_what_proved_itself_raises_the_version_that_is_refused_below() -> None:
    state = put(NEW)(State())
    assert state.newest == {}
    state = slots.confirm(state)
    assert state.newest == {"vans": 2}
    assert slots.confirm(put(OLD)(state)).newest == {"vans": 2}


def test_a_content_that_failed_is_remembered_until_it_proves_itself() -> None:
    state = failing(put(NEW)(State()))
    assert state.failed == {NEW.content: "no good"}
    assert slots.confirm(put(NEW)(state)).failed == {}
    for number in range(20):
        state = failing(put(Content("vans", number, f"{number:064x}"))(state))
    assert len(state.failed) == slots.FAILED_MAX


def test_nothing_is_committed_that_was_not_staged() -> None:
    with pytest.raises(SlotError, match="nothing is staged"):
        slots.commit(State(), 3)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param([], {"bundle": "", "state": "running", "reason": "", "failed": None}, id="the machine's file"),
        pytest.param([put(OLD)], {"bundle": "vans", "version": 1, "state": "trial"}, id="on trial"),
        pytest.param([*PROVED], {"version": 1, "state": "running", "failed": None}, id="proved"),
        pytest.param([*PROVED, put(NEW), failing], {"version": 1, "state": "reverted", "reason": "no good"}, id="reverted"),
        pytest.param([*PROVED, undo], {"version": 0, "state": "rolled_back", "reason": "by hand"}, id="undone"),
    ],
)  # fmt: skip
def test_what_is_reported_is_what_runs(steps: list[Step], told: dict[str, object]) -> None:
    state = State()
    for step in steps:
        state = step(state)
    said = slots.reported(state, state.content, "0123")
    assert said | told == said
    assert (said["settings"], list(said)) == (
        "0123", ["document", "bundle", "version", "content", "settings", "state", "reason", "failed", "skipped"]
    )  # fmt: skip


def test_what_failed_is_named_beside_what_runs() -> None:
    state = failing(put(NEW)(slots.confirm(put(OLD)(State()))))
    assert slots.reported(state, OLD, "")["failed"] == {
        "document": "", "bundle": "vans", "version": 2, "content": NEW.content
    }  # fmt: skip


# ---- files ----------------------------------------------------------------------------------------------------------


def placed(state_dir: Path, toml: bytes = b"[trip]\nend_s = 200\n") -> Content:
    """A bundle put into force by hand."""
    bundle = bundle_of({"tbox.toml": toml, "README.txt": b"hello"})
    content = Content("acme-vans", 12, bundle.content)
    slot_files.make(state_dir)
    slot_files.fill(state_dir, "a", bundle.entries())
    slot_files.change(state_dir, lambda state: slots.confirm(put(content)(state)))
    return content


def test_the_state_is_read_as_it_was_written_and_belongs_to_its_owner(tmp_path: Path) -> None:
    content = placed(tmp_path)
    state = slot_files.read(tmp_path)
    assert state.content == content
    paths = [tmp_path / "slots", *(tmp_path / "slots").rglob("*")]
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}
    slot = slot_files.in_force(tmp_path)
    assert slot is not None
    assert (slot.folder, slot.content, slot.is_trial) == (tmp_path / "slots" / "a", content, False)


def test_without_slots_the_machines_file_alone_is_in_force(tmp_path: Path) -> None:
    assert slot_files.read(tmp_path) == State()
    assert slot_files.in_force(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        pytest.param(b"{", slot_files.DamagedSlotError, "damaged", id="cut off"),
        pytest.param(b"[]", slot_files.DamagedSlotError, "damaged", id="another thing"),
        pytest.param(b'{"active": "a"}', slot_files.DamagedSlotError, "slots that are not there", id="no such slot"),
        pytest.param(b'{"form": 2}', slot_files.NewerSlotError, "made by a newer tbox", id="of a later version"),
    ],
)  # fmt: skip
def test_a_state_that_makes_no_sense_is_said(tmp_path: Path, raw: bytes, error: type[StorageError], words: str) -> None:
    slot_files.make(tmp_path)
    (tmp_path / "slots" / "state.json").write_bytes(raw)
    with pytest.raises(error, match=words):
        slot_files.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("tbox.toml", b"[trip]\nend_s = 9\n", "was changed: tbox.toml", id="changed"),
        pytest.param("tbox.toml", None, "is not whole", id="gone"),
        pytest.param("manifest.json", b'{"files":{}}', "was changed: manifest.json", id="another manifest"),
        pytest.param("manifest.json", b"[]", "is not whole", id="no manifest"),
    ],
)  # fmt: skip
def test_a_slot_whose_files_are_not_those_that_were_signed_is_not_used(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    placed(tmp_path)
    path = tmp_path / "slots" / "a" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(slot_files.ChangedSlotError, match=words):
        slot_files.in_force(tmp_path)


# ---- the layer of settings ------------------------------------------------------------------------------------------


def test_a_bundle_beats_the_machines_file_and_is_beaten_by_set(tmp_path: Path) -> None:
    config = tmp_path / "machine.toml"
    config.write_text('[device]\nstate_dir = "state"\n[trip]\nend_s = 100\nstart_mps = 2\nmin_distance_m = 7\n')
    placed(tmp_path / "state", b"[trip]\n# longer\nend_s = 200\nstart_mps = 3\n")
    loaded = slot_settings.machine(config, ["trip.start_mps=4"])
    trip = loaded.settings.trip
    assert (trip.min_distance_m, trip.end_s, trip.start_mps) == (7, 200, 4)
    origins = [loaded.origin(("trip", key)) for key in ("min_distance_m", "end_s", "start_mps", "score")]
    assert origins == [f"{config}:6", "bundle acme-vans 12 (tbox.toml:3)", "--set", "default"]


def test_the_state_folder_is_the_machines_to_name(tmp_path: Path) -> None:
    content = Content("acme-vans", 12, "")
    with pytest.raises(
        SettingsError, match=r"bundle acme-vans 12 \(tbox.toml:2\): device.state_dir: no bundle may set it"
    ):
        slot_settings.layer(b'[device]\nstate_dir = "x"\n', tmp_path, content)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../x.toml", "maps/../../x"])
def test_a_bundle_names_no_file_outside_of_it(tmp_path: Path, path: str) -> None:
    with pytest.raises(SettingsError, match="outside of the bundle"):
        slot_settings.layer(f'[mqtt]\nca_file = "{path}"\n'.encode(), tmp_path, Content("acme-vans", 12, ""))


def test_what_a_bundle_names_is_in_its_slot_and_a_bare_name_is_what_is_shipped(tmp_path: Path) -> None:
    content = Content("acme-vans", 12, "")
    layer = slot_settings.layer(b'[vehicle]\nmap = "maps/x.toml"\n[trip]\nscore = "score.toml"\n', tmp_path, content)
    assert layer.data == {"vehicle": {"map": str(tmp_path / "maps/x.toml")}, "trip": {"score": "score.toml"}}


def test_the_state_file_can_be_read_by_a_person(tmp_path: Path) -> None:
    placed(tmp_path)
    raw = (tmp_path / "slots" / "state.json").read_text()
    assert json.loads(raw)["newest"] == {"acme-vans": 12}
    assert raw.count("\n") > 10
