"""One version up and one down: what the version before left is gone on with, and what this one leaves it could go on with.

`tests/version0` is a state folder written by the version before there were slots.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent import start
from agent.codec import decode
from agent.errors import StorageError
from agent.outbox.outbox import Outbox
from agent.outbox.store import SCHEMA_VERSION, STORE_NAME, open_readable, read_reserve
from agent.slots import slot_files, slots
from tests.fleets import bundle_of
from tests.test_slots import placed
from tests.yards import WAIT_S, drive

VERSION_0 = Path(__file__).parent / "version0"
BUDGET_BYTES = 8_000_000


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """As the version before left it."""
    folder = tmp_path / "state"
    shutil.copytree(VERSION_0, folder)
    (folder / "README.md").unlink()
    folder.chmod(0o700)
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


def shape(store: Path) -> dict[str, object]:
    """What decides whether another version can go on with a store."""
    with closing(sqlite3.connect(store)) as opened:
        tables = opened.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        version = opened.execute("PRAGMA user_version").fetchone()[0]
        application = opened.execute("PRAGMA application_id").fetchone()[0]
    return {
        "version": version,
        "application": application,
        "tables": [" ".join(f"{name} {sql}".split()) for name, sql in tables],
    }


def numbers(store: Path) -> list[int]:
    with closing(open_readable(store)) as opened:
        return [seq for (seq,) in opened.execute("SELECT seq FROM records ORDER BY seq")]


def test_the_version_before_knew_no_slots_and_nothing_of_it_is_touched(state_dir: Path) -> None:
    assert slot_files.in_force(state_dir) is None
    assert start.begun(state_dir) is None
    assert not (state_dir / slot_files.FOLDER_NAME).exists()


def test_up_the_account_goes_on_with_the_next_number_and_the_chain_holds(state_dir: Path, tmp_path: Path) -> None:
    before = numbers(state_dir / STORE_NAME)
    config, log = tmp_path / "machine.toml", tmp_path / "car.log"
    config.write_text(f'[device]\nstate_dir = "{state_dir}"\n[mqtt]\nport = 1\ntls = false\nhost = "127.0.0.1"\n')
    log.write_text(drive(3, "", 0x100))
    words = [sys.executable, "-m", "agent.cli", "run", "--config", str(config), "--recorded", str(log)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as agent:
        assert agent.stderr is not None
        said = next(line for line in agent.stderr if line.startswith("tbox "))
        agent.terminate()
        assert agent.wait(WAIT_S) == 0
    assert "device 88d62e2f2ae07e11" in said
    after = numbers(state_dir / STORE_NAME)
    assert after == list(range(len(after)))
    assert len(after) > len(before)
    verify = [sys.executable, "-m", "agent.cli", "verify", str(state_dir / STORE_NAME)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_down_the_store_has_the_form_the_version_before_reads(state_dir: Path, tmp_path: Path) -> None:
    outbox = Outbox.open(state_dir / STORE_NAME, BUDGET_BYTES)
    tail = outbox.tail()
    outbox.close()
    assert read_reserve(state_dir / STORE_NAME).seq >= tail.next_seq
    assert set(json.loads((state_dir / f"{STORE_NAME}.reserve").read_text())) == set(
        json.loads((VERSION_0 / f"{STORE_NAME}.reserve").read_text())
    )
    before = shape(VERSION_0 / STORE_NAME)
    assert before["version"] == SCHEMA_VERSION
    now = shape(state_dir / STORE_NAME)
    assert (now["version"], now["application"]) == (before["version"], before["application"])
    assert now["tables"] == before["tables"]


def test_down_and_up_again_the_slots_are_as_they_were(tmp_path: Path) -> None:
    """The version before does not look at them; whatever it does beside them changes nothing."""
    content = placed(tmp_path)
    kept = (tmp_path / "slots" / "state.json").read_bytes()
    Outbox.open(tmp_path / STORE_NAME, BUDGET_BYTES).close()
    assert (tmp_path / "slots" / "state.json").read_bytes() == kept
    assert slot_files.read(tmp_path).content == content


def test_what_a_later_version_added_to_the_state_is_passed_over_and_the_rest_holds(tmp_path: Path) -> None:
    content = placed(tmp_path)
    path = tmp_path / "slots" / "state.json"
    told = json.loads(path.read_text())
    told["colour"] = "red"
    told["slots"]["a"]["shape"] = {"round": True}
    path.write_text(json.dumps(told))
    assert slot_files.read(tmp_path).content == content
    assert start.begun(tmp_path) is not None


def test_fields_that_the_version_before_did_not_write_have_their_old_meaning(tmp_path: Path) -> None:
    content = placed(tmp_path)
    path = tmp_path / "slots" / "state.json"
    told = json.loads(path.read_text())
    least = {name: told["slots"]["a"][name] for name in ("id", "version", "content")}
    path.write_text(json.dumps({"form": 1, "slots": {"a": least}, "active": "a"}))
    assert slot_files.read(tmp_path) == slots.State(slots={"a": content}, active="a")


def test_of_a_form_we_do_not_know_the_machines_file_alone_runs_and_the_state_stays(tmp_path: Path) -> None:
    placed(tmp_path)
    path = tmp_path / "slots" / "state.json"
    path.write_text(path.read_text().replace('"form": 1', '"form": 2'))
    kept = path.read_bytes()
    assert start.begun(tmp_path) is None
    assert path.read_bytes() == kept


def test_a_store_of_a_later_form_is_refused_and_left_alone(state_dir: Path) -> None:
    store = state_dir / STORE_NAME
    with closing(sqlite3.connect(store)) as opened:
        opened.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    kept = store.read_bytes()
    with pytest.raises(StorageError, match="made by a newer tbox"):
        Outbox.open(store, BUDGET_BYTES)
    assert store.read_bytes() == kept


def test_the_trip_of_the_version_before_is_still_told(state_dir: Path) -> None:
    with closing(open_readable(state_dir / STORE_NAME)) as opened:
        kinds = [decode(raw).kind for (raw,) in opened.execute("SELECT raw FROM records ORDER BY seq")]
    assert (kinds[0], kinds[1], kinds[-1]) == ("key", "boot", "seal")
    assert "trip_end" in kinds


def test_a_damaged_state_is_set_aside_and_the_agent_runs(tmp_path: Path) -> None:
    placed(tmp_path)
    (tmp_path / "slots" / "state.json").write_bytes(b"\0" * 100)
    assert start.begun(tmp_path) is None
    assert (tmp_path / "slots" / "state.json.damaged").exists()
    assert slot_files.read(tmp_path) == slots.State()


def test_a_damaged_slot_is_left_for_the_one_before(tmp_path: Path) -> None:
    first = placed(tmp_path)
    second = bundle_of({"tbox.toml": b"[trip]\nend_s = 9\n"}, version=13)
    content = slots.Content("acme-vans", 13, second.content)
    slot_files.fill(tmp_path, "b", second.entries())
    slot_files.change(tmp_path, lambda state: slots.confirm(slots.commit(slots.stage(state, content), 3)))
    (tmp_path / "slots" / "b" / "tbox.toml").write_bytes(b"[trip]\nend_s = 1\n")
    begun = start.begun(tmp_path)
    assert begun is not None
    assert begun.content == first
    news = slot_files.read(tmp_path).news
    assert news is not None
    assert "was changed: tbox.toml" in news.reason
