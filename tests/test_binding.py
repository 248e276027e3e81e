"""Box, car and owner: bound with a code that was read at the box, parted again, and noticed in the wrong car."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.cli import main
from agent.errors import BundleError, InputError, SettingsError
from agent.ledger.key import DeviceKey, load_or_make
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.settings import Device, Settings, defaults
from agent.setup import NO_REST
from agent.trip.account import Account
from agent.trip.resume import Left
from agent.trip.trip import TripEnded, TripStarted
from agent.trust import trust
from agent.world.clock import Stamp
from agent.yard import binding, pairing
from agent.yard.binding import FREE, Binding, Bond, Tie, accepted, hash_of, match, plain, told_code, uri_of
from agent.yard.bound import Bound, told_in, vins_in
from tests.accounts import KEY, ledger
from tests.fleets import ANNA, BEN, EVE, NOON_US, roster_form, signed_roster, trust_of

VIN, OTHER_VIN = "WDB9066331S123456", "1HGCM82633A004352"
CODE = "K7QM2XPD9R"
WHOM = trust_of(signed_roster(roster_form()))


def document(signers: Sequence[DeviceKey] = (ANNA, BEN), **said: Any) -> bytes:
    told: dict[str, Any] = {"binding": "b-1", "state": "bound", "device": KEY.device.hex(), "vin": VIN, "owner": "Ann"}
    told |= {"code": hash_of(CODE, KEY.device), "not_before_us": NOON_US} | said
    made = Binding.new(**told)
    for key in signers:
        made = made.signed(key)
    return made.text()


BOUND = accepted(document(), KEY.device, CODE, FREE, WHOM, NOON_US)


def test_a_box_holds_to_what_the_platform_signed_over_its_code() -> None:
    assert (BOUND.state, BOUND.binding, BOUND.vin, BOUND.owner, BOUND.by) == (
        "bound",
        "b-1",
        VIN,
        "Ann",
        ("Anna", "Ben"),
    )


@pytest.mark.parametrize(
    ("raw", "code", "bond", "reason"),
    [
        pytest.param(document(device=EVE.device.hex()), CODE, FREE, "device", id="another box's"),
        pytest.param(document((EVE,)), CODE, FREE, "key", id="a stranger's"),
        pytest.param(document((ANNA,)), CODE, FREE, "threshold", id="one signature of two"),
        pytest.param(document(()), CODE, FREE, "unsigned", id="unsigned"),
        pytest.param(document().replace(b"b-1", b"b-2"), CODE, FREE, "altered", id="altered"),
        pytest.param(document(), "", FREE, "code", id="no code is open"),
        pytest.param(document(), "K7QM2XPD9S", FREE, "code", id="another code"),
        pytest.param(document(code=""), CODE, FREE, "code", id="without a code"),
        pytest.param(document(not_before_us=NOON_US + 1_000_000), CODE, FREE, "early", id="a second early"),
        pytest.param(document(state="removed", code=""), CODE, FREE, "binding", id="removed from a free box"),
        pytest.param(document(state="removed", code="", binding="b-2"), CODE, BOUND, "binding", id="another one removed"),
        pytest.param(document(binding="b-2"), "", BOUND, "code", id="a transfer without a code"),
        pytest.param(b"{}", CODE, FREE, "damaged", id="nothing"),
        pytest.param(b'{"signatures":' + b"[" * 9000, CODE, FREE, "damaged", id="nested"),
    ],
)  # fmt: skip
def test_what_nobody_may_say_binds_nothing(raw: bytes, code: str, bond: Bond, reason: str) -> None:
    with pytest.raises(BundleError) as caught:
        accepted(raw, KEY.device, code, bond, WHOM, NOON_US)
    assert caught.value.reason == reason


@pytest.mark.parametrize("field", ["vin", "device", "binding", "state", "code"])
def test_each_field_of_a_binding_has_its_form(field: str) -> None:
    with pytest.raises(BundleError, match="the binding: "):
        document(**{field: "no such thing!"})


def test_the_same_document_again_changes_nothing_though_the_code_is_gone() -> None:
    assert accepted(document(), KEY.device, "", BOUND, WHOM, None) is BOUND


def test_a_transfer_takes_a_new_code_and_a_removal_names_its_binding() -> None:
    moved = accepted(document(binding="b-2", vin=OTHER_VIN), KEY.device, CODE, BOUND, WHOM, NOON_US)
    assert (moved.binding, moved.vin) == ("b-2", OTHER_VIN)
    gone = accepted(document(binding="b-2", state="removed", code=""), KEY.device, "", moved, WHOM, NOON_US)
    assert (gone.state, gone.is_bound) == ("removed", False)
    with pytest.raises(BundleError, match="none is open"):
        accepted(document(binding="b-2", vin=OTHER_VIN), KEY.device, "", gone, WHOM, NOON_US)


@pytest.mark.parametrize("typed", [CODE, "k7qm2-xpd9r", " K7QM2 XPD9R\n"])
def test_a_code_may_be_typed_as_people_type(typed: str) -> None:
    assert plain(typed) == CODE
    assert hash_of(typed, KEY.device) == hash_of(CODE, KEY.device) != hash_of(CODE, EVE.device)
    assert told_code(CODE) == "K7QM2-XPD9R"
    assert uri_of(KEY.device, told_code(CODE)) == f"TBOX:PAIR/1/{KEY.device.hex().upper()}/{CODE}"


@pytest.mark.parametrize(
    ("bond", "heard", "expected"),
    [
        (BOUND, (VIN,), "right"),
        (BOUND, (OTHER_VIN,), "wrong"),
        (BOUND, (OTHER_VIN, VIN), "right"),
        (BOUND, (), "unknown"),
        (BOUND, ("00000000000000000"[:16],), "unknown"),
        (msgspec.structs.replace(BOUND, vin=""), (VIN,), "unknown"),
        (FREE, (VIN,), "unknown"),
    ],
)
def test_the_car_is_told_by_its_vin(bond: Bond, heard: Sequence[str], expected: str) -> None:
    assert match(bond, heard) == expected


# ---- in files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with an account in it, and the fleet trusted."""
    folder = tmp_path / "state"
    outbox = Outbox.open(folder / STORE_NAME, 64_000_000, "a")
    outbox.append(ledger().start(1, {}))
    outbox.close()
    trust.pin(settings_of(folder), signed_roster(roster_form()))
    return folder


def settings_of(folder: Path) -> Settings:
    return Settings(device=Device(state_dir=str(folder)))


def coded(folder: Path, **said: Any) -> bytes:
    """A binding over a new code of this box."""
    return document(code=hash_of(pairing.new_code(folder), KEY.device), **said)


def test_a_code_is_shown_until_it_is_used(state: Path) -> None:
    assert pairing.open_code(state) == ""
    first = pairing.new_code(state)
    assert pairing.open_code(state) == first
    second = pairing.new_code(state)
    assert pairing.open_code(state) == second != first
    assert (state / pairing.CODE_NAME).stat().st_mode & 0o777 == 0o600
    pairing.accept(settings_of(state), document(code=hash_of(second, KEY.device)), NOON_US)
    assert pairing.open_code(state) == ""


@pytest.mark.parametrize(
    ("gone_us", "is_open"), [(pairing.CODE_US, True), (pairing.CODE_US + 1, False)]
)  # fmt: skip
def test_a_code_is_good_for_a_week(state: Path, monkeypatch: pytest.MonkeyPatch, gone_us: int, is_open: bool) -> None:
    made = Stamp("k", 5, None)
    monkeypatch.setattr("agent.world.clock.stamp", lambda: made)
    code = pairing.new_code(state)
    monkeypatch.setattr("agent.world.clock.stamp", lambda: replace(made, boot_us=5 + gone_us))
    assert pairing.open_code(state) == (code if is_open else "")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"code": 5}', b"\xff"])
def test_a_damaged_code_is_none(state: Path, content: bytes) -> None:
    (state / pairing.CODE_NAME).write_bytes(content)
    assert pairing.open_code(state) == ""


def test_a_cut_between_its_two_writes_leaves_no_code_that_was_used(state: Path) -> None:
    raw = coded(state)
    left = (state / pairing.CODE_NAME).read_bytes()
    bond = pairing.accept(settings_of(state), raw, NOON_US)
    (state / pairing.CODE_NAME).write_bytes(left)
    assert pairing.accept(settings_of(state), raw, NOON_US) == bond == pairing.bond_in(state)
    assert pairing.open_code(state) == ""


def test_a_damaged_binding_is_named(state: Path) -> None:
    (state / pairing.BOND_NAME).write_bytes(b"{")
    with pytest.raises(SettingsError, match=r"binding\.json: damaged .* remove it, and give the box its binding again"):
        pairing.bond_in(state)


def test_without_an_account_there_is_nothing_to_bind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start tbox run once"):
        pairing.device_in(tmp_path)


# ---- in the running agent ------------------------------------------------------------------------------------------


def asking(*vins: str) -> dict[str, Any]:
    return {"can0": {"identity": {f"0902 {0x7E8 + at:X}": vin for at, vin in enumerate(vins)} | {"0904 7E8": "CAL"}}}


class Terminal:
    """A box that keeps what it numbers, and can be started again."""

    def __init__(self, state: Path) -> None:
        self.state, self.bodies = state, list[dict[str, Any]]()
        self.outbox = Outbox.open(state / STORE_NAME, 64_000_000, "a")
        self.bound = Bound(state, self.outbox.within(told_in))

    def turn(self, *vins: str, trip: int | None = None) -> list[str]:
        """A second; the states that were told."""
        records = self.bound.turn(ledger(tail=self.outbox.tail()), 7, asking(*vins), trip)
        self.outbox.append(records)
        self.bodies += [dict(record.body) for record in records]
        return [str(record.body["state"]) for record in records]

    def again(self) -> "Terminal":
        """Started once more."""
        self.outbox.close()
        return Terminal(self.state)


def test_what_becomes_of_a_binding_is_told_once_each(state: Path) -> None:
    box = Terminal(state)
    assert box.turn(VIN) == []
    pairing.accept(settings_of(state), coded(state), NOON_US)
    assert box.turn() == ["bound"]
    assert box.turn(VIN) == []
    box = box.again()
    assert box.turn(VIN) == []
    assert box.turn(OTHER_VIN, trip=4) == ["wrong_vin"]
    assert box.bodies[-1] == {"state": "wrong_vin", "binding": "b-1", "vin": VIN, "found": OTHER_VIN, "trip": 4}
    assert box.turn(OTHER_VIN) == []
    box = box.again()
    assert box.turn(OTHER_VIN) == []
    assert box.turn() == []
    assert box.turn(VIN) == ["right_vin"]
    pairing.accept(settings_of(state), coded(state, binding="b-2", vin=OTHER_VIN), NOON_US)
    assert box.turn(VIN) == ["bound", "wrong_vin"]
    assert box.bodies[-2]["previous"] == "b-1"
    pairing.accept(settings_of(state), document(binding="b-2", vin=OTHER_VIN, state="removed", code=""), NOON_US)
    assert box.turn(VIN) == ["removed"]
    box = box.again()
    assert box.turn(VIN) == []
    box.outbox.close()


def test_a_binding_whose_file_went_is_told_as_removed(state: Path) -> None:
    pairing.accept(settings_of(state), coded(state), NOON_US)
    box = Terminal(state)
    assert box.turn() == ["bound"]
    (state / pairing.BOND_NAME).unlink()
    assert box.turn() == ["removed"]
    assert (box.bodies[-1]["binding"], box.bodies[-1]["by"], box.turn()) == ("b-1", ["its file is gone"], [])
    box = box.again()
    assert box.turn() == []
    box.outbox.close()


def test_a_binding_taken_just_before_the_power_went_is_told_after(state: Path) -> None:
    pairing.accept(settings_of(state), coded(state), NOON_US)
    box = Terminal(state)
    assert box.turn() == ["bound"]
    box.outbox.close()


def test_a_binding_that_was_delivered_is_not_told_again(state: Path) -> None:
    pairing.accept(settings_of(state), coded(state), NOON_US)
    box = Terminal(state)
    assert box.turn() == ["bound"]
    box.outbox.confirm_ranges([(0, box.outbox.tail().next_seq - 1)])
    box = box.again()
    assert box.turn() == []
    box.outbox.close()


def test_a_file_that_cannot_be_read_leaves_the_binding_as_it_is(state: Path) -> None:
    pairing.accept(settings_of(state), coded(state), NOON_US)
    box = Terminal(state)
    (state / pairing.BOND_NAME).write_bytes(b"{")
    assert box.turn() == ["bound"]
    assert box.bound.tie.bond.is_bound
    box.outbox.close()


def test_units_tell_their_vin_and_texts_that_are_none_do_not_count() -> None:
    assert vins_in(asking(VIN, VIN)) == (VIN,)
    assert vins_in(asking(OTHER_VIN, "\x00" * 17, VIN)) == (OTHER_VIN, VIN)
    assert vins_in({"elm": {"reason": "engine_off"}}) == ()


def summary(**more: Any) -> dict[str, Any]:
    return {"start_us": 5, "end_us": 9, "distance_m": 20.0, "end_reason": "stopped", **more}


def test_trips_carry_the_binding_and_whether_it_is_its_car() -> None:
    tie = Tie(BOUND)
    account = Account(ledger(), defaults().samples, "rules", tie=tie)
    (start,) = account.moment(TripStarted(0, 5), 6)
    assert start.body["binding"] == "b-1"
    left = account.left(summary(), Left(1, Stamp("k", 5, 7), NO_REST, is_clean=False))
    assert (left.trip_end or {})["vin_match"] == "unknown"
    tie.heard = (OTHER_VIN,)
    end = next(one for one in account.moment(TripEnded(1, summary()), 9) if one.kind == "trip_end")
    assert (end.body["binding"], end.body["vin_match"]) == ("b-1", "wrong")


def test_trips_of_a_box_that_is_not_bound_say_nothing_of_it() -> None:
    account = Account(ledger(), defaults().samples, "rules")
    records = account.moment(TripStarted(0, 5), 6) + account.moment(TripEnded(1, summary()), 9)
    assert not any({"binding", "vin_match"} & record.body.keys() for record in records)


# ---- typed ---------------------------------------------------------------------------------------------------------


def test_a_box_is_paired_and_parted_by_hand(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.toml").write_text(f'[device]\nstate_dir = "{state}"\n')
    for name in ("platform", "other"):
        load_or_make(tmp_path / f"{name}.key")

    def tbox(words: str) -> tuple[int, str]:
        code = main(words.split())
        told = capsys.readouterr()
        return code, told.out + told.err

    assert tbox("key roster acme.json --name platform --fleet platform.key")[0] == 0
    assert tbox("key trust acme.json --config m.toml")[0] == 0
    assert tbox("pair show --config m.toml") == (0, "not bound; `tbox pair code` begins\n")
    told = json.loads(tbox("pair code --json -o pair.svg --config m.toml")[1])
    assert json.loads(tbox("pair code --json --config m.toml")[1]) == told, "the same until it is used"
    assert told["uri"] == binding.uri_of(KEY.device, told["code"])
    assert (tmp_path / "pair.svg").read_text().startswith("<?xml")
    sign = f"pair sign --device {told['device']} --binding b-7 --vin {VIN} -o b.json --fleet"
    assert tbox(f"{sign} other.key --code {told['code']}")[0] == 0
    code, words = tbox("pair accept b.json --config m.toml")
    assert (code, "b.json: the binding: is signed by" in words) == (66, True)
    assert tbox(f"{sign} platform.key")[0] == 2
    assert tbox(f"{sign} platform.key --code {told['code'].lower()}")[0] == 0
    bound = f"bound: b-7, car {VIN} (by key 1)\n"
    assert tbox("pair accept b.json --config m.toml") == (0, bound)
    assert json.loads(tbox("pair show --json --config m.toml")[1])["binding"] == "b-7"
    assert tbox("pair remove --yes --config m.toml") == (0, "not bound; b-7 was removed (by at the box)\n")
    assert tbox("pair remove --yes --config m.toml")[0] == 66
    code, words = tbox("pair accept b.json --config m.toml")
    assert (code, "none is open: `tbox pair code` makes one" in words) == (66, True)
