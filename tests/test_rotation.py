"""A new key for the same device: who signs what, what was forged, and the power going at any point of it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.cli import key_command
from agent.codec import Record, make
from agent.doctor import doctor
from agent.errors import InputError, SettingsError, StorageError
from agent.ledger.key import KEY_NAME, DeviceKey, device_of, load
from agent.ledger.key_chain import LINKS_MAX, chain_of, handover, is_handed_over, told_of
from agent.ledger.ledger import Identity, Ledger
from agent.outbox import key_files
from agent.outbox.key_files import CHAIN_NAME, KeyFiles, open_key
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import head_frame, read_pile
from agent.outbox.store import STORE_NAME
from agent.proof.finding import Report
from agent.proof.proof import check
from agent.proof.vouching import Known
from agent.rights import trips
from agent.settings import Settings, defaults
from tests.accounts import IDENTITY, KEY, OTHER_KEY, drive, framed, ledger, rotated

SECOND, THIRD = DeviceKey(bytes([2]) * 32, KEY.device), DeviceKey(bytes([3]) * 32, KEY.device)
WHOLE = rotated()


def verified(path: Path, content: bytes, known: Known | None = None) -> Report:
    path.write_bytes(content)
    return check([read_pile(path)], known or Known())


def said(report: Report) -> list[str]:
    return [str(problem) for problem in report.problems]


# Who signs what


def test_after_a_rotation_the_new_key_signs_and_the_device_keeps_its_name(tmp_path: Path) -> None:
    report = verified(tmp_path / "f", framed(WHOLE))
    assert (said(report), report.notes) == ([], [])
    assert (report.device, report.key) == (KEY.device.hex(), KEY.public.hex())
    assert [(entry["key"], entry["from"]) for entry in report.keys] == [
        (KEY.public.hex(), 0), (SECOND.public.hex(), 11), (THIRD.public.hex(), 20),
    ]  # fmt: skip
    ids = [record.body["key"] for record in WHOLE if record.kind == "seal"]
    assert ids == [KEY.device, KEY.device, device_of(SECOND.public), device_of(SECOND.public), device_of(THIRD.public)]


@pytest.mark.parametrize("key", [KEY, SECOND, THIRD], ids=["first", "second", "third"])
def test_any_key_of_the_device_may_be_the_one_that_is_known(tmp_path: Path, key: DeviceKey) -> None:
    assert verified(tmp_path / "f", framed(WHOLE), Known(key.public)).is_good


def test_another_key_that_is_known_proves_nothing(tmp_path: Path) -> None:
    assert "no seal can be checked: the key is not this device's" in said(
        verified(tmp_path / "f", framed(WHOLE), Known(OTHER_KEY.public))
    )


def test_a_part_without_the_handovers_is_proven_by_the_boot_record_that_tells_them(tmp_path: Path) -> None:
    boot = next(record.seq for record in WHOLE if record.kind == "boot" and record.seq > 9)
    report = verified(tmp_path / "f", head_frame(KEY.public, boot) + framed(WHOLE[boot:]))
    assert (said(report), len(report.keys)) == ([], 3)


def test_a_part_without_any_is_proven_by_the_head_of_its_export(tmp_path: Path) -> None:
    links = [record for record in WHOLE if is_handed_over(record)]
    part = framed(WHOLE[11:18])
    bare = verified(tmp_path / "f", head_frame(KEY.public, 11) + part)
    assert f"is signed by an unknown key, {device_of(SECOND.public).hex()}" in " ".join(said(bare))
    assert verified(tmp_path / "f", head_frame(KEY.public, 11, {"chain": told_of(links)}) + part).is_good


# What was forged


def altered(record: Record, **body: object) -> Record:
    return make(record.kind, record.device, record.boot, record.seq, record.t_us, record.prev, {**record.body, **body})


def book_of(key: DeviceKey, upto: int) -> Ledger:
    """Goes on after these records with that key, whoever it is."""
    tail = ledger().tail
    for record in WHOLE[:upto]:
        tail = tail.after(record)
    return Ledger(key, 1, tail, IDENTITY)


def sealed_by_the_old_key() -> list[Record]:
    book = book_of(KEY, 11)
    return [*WHOLE[:11], *book.number("event", 5, {}), book.seal(6)]


def sealed_by_the_new_key_too_early() -> list[Record]:
    book = book_of(SECOND, 8)
    early = book.seal(4)
    book = book_of(KEY, 8)
    book.tail = book.tail.after(early)
    return [*WHOLE[:8], early, *book.rotate(5, SECOND, "x"), book.seal(6)]


def handed_over_twice() -> list[Record]:
    book = book_of(KEY, 11)
    return [*WHOLE[:11], *book.rotate(5, THIRD, "a copy of the old key")]


def handed_over_by_a_stranger() -> list[Record]:
    stranger = DeviceKey(bytes(31) + b"\x09", KEY.device)
    book = book_of(stranger, 8)
    return [*WHOLE[:8], *book.rotate(5, SECOND, "stolen")]


def handed_over_without_a_signature() -> list[Record]:
    book = book_of(KEY, 8)
    body = handover(KEY.public, SECOND.public, "x")
    return [*WHOLE[:8], *book.number("key", 5, body), book.seal(6)]


def not_sealed_behind() -> list[Record]:
    return [*WHOLE[:10], *book_of(KEY, 10).number("event", 5, {})]


FORGED: dict[str, tuple[Callable[[], list[Record]], str]] = {
    "the old key after it was replaced": (
        sealed_by_the_old_key, f"seq 12 (seal): is signed by key {KEY.device.hex()}, which was replaced at seq 9"),
    "the new key before it came": (
        sealed_by_the_new_key_too_early,
        f"seq 8 (seal): is signed by key {device_of(SECOND.public).hex()}, which came only with seq 9"),
    "a key that hands over twice": (
        handed_over_twice, f"seq 11 (key): hands over from key {KEY.device.hex()}, which had handed over at seq 9"),
    "a stranger's handover": (
        handed_over_by_a_stranger, "seq 8 (key): hands over from an unknown key, "),
    "a handover nobody signed": (
        handed_over_without_a_signature,
        "seq 8 (key): hands over to another key without the signature of the one before: forged"),
    "no seal of the old key behind it": (not_sealed_behind, "seq 10 (event): should be the seal of seq 9 (key)"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_was_forged_is_named(tmp_path: Path, name: str) -> None:
    make_it, words = FORGED[name]
    assert any(one.startswith(words) for one in said(verified(tmp_path / "f", framed(make_it())))), name


@pytest.mark.parametrize(("entry", "told"), [
    ("public", OTHER_KEY.public), ("id", bytes(8)), ("reason", "another"), ("signature", bytes(64)), ("more", 1),
    ("previous", {"public": OTHER_KEY.public, "id": OTHER_KEY.device}), ("reason", 7), ("public", b"short"),
])  # fmt: skip
def test_a_handover_with_anything_changed_is_none(entry: str, told: object) -> None:
    assert is_handed_over(WHOLE[9])
    assert not is_handed_over(altered(WHOLE[9], **{entry: told}))


def test_a_handover_of_another_place_or_device_is_none() -> None:
    link = WHOLE[9]
    assert not is_handed_over(make("key", link.device, link.boot, 10, link.t_us, link.prev, link.body))
    assert not is_handed_over(make("key", OTHER_KEY.device, link.boot, 9, link.t_us, link.prev, link.body))
    assert chain_of(OTHER_KEY.device, [link]).publics == ()


# On a terminal


def settings_of(state: Path) -> Settings:
    shipped = defaults()
    return msgspec.structs.replace(shipped, device=msgspec.structs.replace(shipped.device, state_dir=str(state)))


def start(state: Path, machine: str = "a") -> list[Record]:
    """One run of a terminal: the key in force opens the account, writes a trip, and ends."""
    outbox = Outbox.open(state / STORE_NAME, 64_000_000, machine)
    try:
        key, chain = open_key(KeyFiles(state), state, outbox)
        told = Identity("tbox", "s", {"chain": told_of(chain.links)})
        book = Ledger(key, outbox.boot, outbox.tail(), told)
        records = book.start(1, {"software": "tbox"}) + drive(book, 10)
        outbox.append(records)
    finally:
        outbox.close()
    return records


def holds(state: Path) -> int:
    """How many keys the account on flash has; it must hold."""
    report = check([read_pile(state / STORE_NAME)])
    assert report.problems == []
    return len(report.keys)


def test_the_command_replaces_the_key_and_the_account_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(tmp_path)
    before = load(tmp_path / KEY_NAME)
    assert key_command.rotate(settings_of(tmp_path), "once a year") == 0
    start(tmp_path)
    after = load(tmp_path / KEY_NAME)
    assert before is not None
    assert after is not None
    assert after.public != before.public
    assert holds(tmp_path) == 2
    capsys.readouterr()
    assert key_command.show(settings_of(tmp_path), json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["device"], told["key"]) == (before.device.hex(), after.public.hex())
    assert trips.export(tmp_path, tmp_path / "export") == 0
    assert check([read_pile(tmp_path / "export")]).is_good


def test_the_doctor_knows_the_device_by_its_first_key(tmp_path: Path) -> None:
    device = start(tmp_path)[0].device
    key_command.rotate(settings_of(tmp_path), "x")
    first, *_ = doctor.terminal(settings_of(tmp_path), has_gnss=False)
    assert (first.verdict, first.words) == ("PASS", f"device {device.hex()}, key in {tmp_path / KEY_NAME}")


def test_no_secret_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(tmp_path)
    key_command.rotate(settings_of(tmp_path), "x")
    seed = (tmp_path / KEY_NAME).read_text().split()[1]
    key_command.show(settings_of(tmp_path), json=False)
    key_command.show(settings_of(tmp_path), json=True)
    assert seed not in capsys.readouterr().out


def test_beside_the_daemon_nothing_is_replaced(tmp_path: Path) -> None:
    start(tmp_path)
    daemon = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    with pytest.raises(StorageError, match=r"another tbox .* writes here; stop it first"):
        key_command.rotate(settings_of(tmp_path), "x")
    daemon.close()
    assert holds(tmp_path) == 1


def test_without_an_account_there_is_nothing_to_replace(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start tbox run once"):
        key_command.rotate(settings_of(tmp_path), "x")
    assert list(tmp_path.iterdir()) == []


def test_after_a_new_boot_of_the_machine_the_handover_stands_behind_a_boot_record(tmp_path: Path) -> None:
    start(tmp_path, "an earlier boot of the machine")
    key_command.rotate(settings_of(tmp_path), "x")
    assert holds(tmp_path) == 2


def test_a_key_is_replaced_so_often_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(tmp_path)
    assert LINKS_MAX > 2
    monkeypatch.setattr(key_command, "LINKS_MAX", 2)
    for _ in range(2):
        key_command.rotate(settings_of(tmp_path), "x")
    with pytest.raises(SettingsError, match="as often as it can be"):
        key_command.rotate(settings_of(tmp_path), "x")
    assert holds(tmp_path) == 3


POINTS: list[tuple[object, str]] = [
    (key_files, "make"), (Outbox, "append"), (key_files, "write_chain"), (KeyFiles, "keep"), (Outbox, "close"),
]  # fmt: skip
CUT = 9


def rotate_until(state: Path, room: object, name: str, when: str) -> int:
    """Rotate in a process that ends, without another word, before or after this call; its exit code."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    true, first = getattr(room, name), load(state / KEY_NAME)

    def cut(*words: object, **more: object) -> object:
        if name == "keep" and first is not None and first.public in words:  # at the beginning it has nothing to do
            return true(*words, **more)
        if when == "after":
            true(*words, **more)
        os._exit(CUT)

    setattr(room, name, cut)
    try:
        key_command.rotate(settings_of(state), "x")
    finally:
        os._exit(0)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(len(POINTS)), ids=[name for _, name in POINTS])
def test_the_power_may_go_at_any_point_of_it(tmp_path: Path, at: int, when: str) -> None:
    start(tmp_path)
    assert rotate_until(tmp_path, *POINTS[at], when) == CUT
    is_done = at > 1 or (at == 1 and when == "after")
    start(tmp_path)
    assert holds(tmp_path) == 1 + is_done
    assert not (tmp_path / f"{KEY_NAME}.next").exists()
    assert (tmp_path / CHAIN_NAME).exists() == is_done
    key_command.rotate(settings_of(tmp_path), "again")
    start(tmp_path)
    assert holds(tmp_path) == 2 + is_done


@pytest.mark.parametrize("content", [None, b"", b"garbage"], ids=["gone", "empty", "damaged"])
def test_handovers_that_were_lost_are_taken_from_the_store(tmp_path: Path, content: bytes | None) -> None:
    start(tmp_path)
    key_command.rotate(settings_of(tmp_path), "x")
    written = (tmp_path / CHAIN_NAME).read_bytes()
    (tmp_path / CHAIN_NAME).unlink()
    if content is not None:
        (tmp_path / CHAIN_NAME).write_bytes(content)
    start(tmp_path)
    assert (tmp_path / CHAIN_NAME).read_bytes() == written
    assert holds(tmp_path) == 2


def test_a_lost_store_changes_nothing_about_the_key_in_force(tmp_path: Path) -> None:
    start(tmp_path)
    key_command.rotate(settings_of(tmp_path), "x")
    (tmp_path / STORE_NAME).unlink()
    records = start(tmp_path)
    key = load(tmp_path / KEY_NAME)
    assert key is not None
    assert records[-1].body["key"] == device_of(key.public) != records[-1].device
    assert len(records[0].body["key"]["chain"]) == 1


def test_the_old_key_put_back_is_refused(tmp_path: Path) -> None:
    start(tmp_path)
    old = (tmp_path / KEY_NAME).read_bytes()
    key_command.rotate(settings_of(tmp_path), "x")
    (tmp_path / KEY_NAME).write_bytes(old)
    with pytest.raises(StorageError, match=r"its key is not in .*device\.key; put the right device key back"):
        start(tmp_path)
    assert (tmp_path / KEY_NAME).read_bytes() == old


def test_handovers_without_their_account_are_refused(tmp_path: Path) -> None:
    start(tmp_path)
    key_command.rotate(settings_of(tmp_path), "x")
    for path in tmp_path.glob(f"{STORE_NAME}*"):
        path.unlink()
    with pytest.raises(StorageError, match="belongs to an account that is not here"):
        start(tmp_path)


def test_a_next_key_that_is_damaged_is_no_obstacle(tmp_path: Path) -> None:
    start(tmp_path)
    (tmp_path / f"{KEY_NAME}.next").write_bytes(b"half")
    (tmp_path / f"{KEY_NAME}.next").chmod(0o600)
    start(tmp_path)
    assert not (tmp_path / f"{KEY_NAME}.next").exists()


def test_a_store_that_forgot_all_but_its_keys_still_holds(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000)
    outbox.append(WHOLE)
    outbox._connection.execute("DELETE FROM records WHERE kind!=13 AND seq<21")
    outbox.close()
    report = check([read_pile(tmp_path / STORE_NAME)])
    assert said(report) == []
    assert (report.first, len(report.keys)) == (0, 3)
