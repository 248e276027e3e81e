"""Whom a terminal trusts: thresholds, rotation, revocation, time; and nobody by default."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.errors import BundleError, InputError, SettingsError
from agent.ledger.key import DeviceKey
from agent.maps import maps
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.settings import Device, Settings
from agent.trust import document, trust
from agent.trust.roster import Roster
from agent.trust.trust import Trust
from agent.world import clock
from agent.world.clock import Reading
from tests.accounts import ledger
from tests.fleets import ANNA, BEN, CAROL, EVE, NOON_US, SECOND_US, bundle_of, roster_form, signed_roster, trust_of

DAY_US = 86_400 * SECOND_US
ACME = signed_roster(roster_form())
RIVAL = signed_roster(roster_form(holders={"Eve": EVE}, fleet="rival", threshold=1), [EVE])
REVOKED = signed_roster(roster_form(2, revoked=[BEN]), [ANNA, BEN, CAROL])


def refused(whom: Trust, now_us: int | None = NOON_US, **said: Any) -> tuple[str, str]:
    with pytest.raises(BundleError) as caught:
        whom.check(bundle_of(**said), now_us)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize(
    ("whom", "signers", "names"),
    [
        pytest.param(trust_of(ACME), (ANNA, BEN), ["Anna", "Ben"], id="two of two of three"),
        pytest.param(trust_of(ACME), (ANNA, BEN, CAROL), ["Anna", "Ben", "Carol"], id="more than needed"),
        pytest.param(trust_of(ACME), (ANNA, EVE, CAROL), ["Anna", "Carol"], id="a stranger beside them"),
        pytest.param(trust_of(RIVAL, ACME), (BEN, ANNA), ["Anna", "Ben"], id="of one of two fleets"),
        pytest.param(trust_of(REVOKED), (ANNA, BEN, CAROL), ["Anna", "Carol"], id="enough without the revoked one"),
    ],
)
def test_a_bundle_that_enough_keys_of_a_fleet_signed_is_taken(
    whom: Trust, signers: Sequence[DeviceKey], names: list[str]
) -> None:
    assert whom.check(bundle_of(signers=signers), NOON_US) == names


@pytest.mark.parametrize(
    ("whom", "signers", "reason", "words"),
    [
        pytest.param(Trust(), (ANNA, BEN), "untrusted", "trusts nobody yet; `tbox key trust FILE`", id="nobody trusted"),
        pytest.param(trust_of(ACME), (), "unsigned", "nobody signed it; `tbox bundle sign", id="unsigned"),
        pytest.param(trust_of(ACME), (EVE,), "key", f"signed by {EVE.device.hex()}", id="wrong key"),
        pytest.param(trust_of(ACME), (ANNA,), "threshold", "has 1 of the 2 signatures that acme demands (Anna)", id="one"),
        pytest.param(trust_of(ACME), (ANNA, EVE), "threshold", "1 of the 2", id="one and a stranger"),
        pytest.param(trust_of(ACME, RIVAL), (ANNA,), "threshold", "1 of the 2", id="fleets do not add up"),
        pytest.param(trust_of(REVOKED), (ANNA, BEN), "revoked", "the key of Ben is revoked", id="revoked"),
    ],
)  # fmt: skip
def test_a_bundle_that_nobody_answers_for_is_refused(
    whom: Trust, signers: Sequence[DeviceKey], reason: str, words: str
) -> None:
    told = refused(whom, signers=signers)
    assert told[0] == reason
    assert words in told[1]
    assert "bundle acme-vans 12" in told[1]


def test_a_signature_of_another_content_is_told_as_altered() -> None:
    bundle, other = bundle_of(version=13), bundle_of(version=12)
    with pytest.raises(BundleError, match="was changed after it was signed") as caught:
        trust_of(ACME).check(replace(bundle, signatures=other.signatures), NOON_US)
    assert caught.value.reason == "altered"


@pytest.mark.parametrize(
    ("now_us", "passed_us", "reason"),
    [
        pytest.param(NOON_US, 0, None, id="the first second"),
        pytest.param(NOON_US - 1, 0, "early", id="just before"),
        pytest.param(NOON_US + DAY_US, 0, None, id="the last second"),
        pytest.param(NOON_US + DAY_US + 1, 0, "expired", id="just after"),
        pytest.param(NOON_US, NOON_US + DAY_US + 1, None, id="a vouched clock counts more than the account"),
        pytest.param(None, 0, None, id="nothing is known of the time"),
        pytest.param(None, NOON_US - DAY_US, None, id="no clock: not yet valid cannot be told"),
        pytest.param(None, NOON_US + DAY_US, None, id="no clock, the account reached its last second"),
        pytest.param(None, NOON_US + DAY_US + 1, "expired", id="no clock, the account is past it"),
    ],
)
def test_a_bundle_is_valid_for_its_time(now_us: int | None, passed_us: int, reason: str | None) -> None:
    whom = trust_of(ACME, passed_us=passed_us)
    said: dict[str, Any] = {"not_before_us": NOON_US, "not_after_us": NOON_US + DAY_US}
    if reason is None:
        assert whom.check(bundle_of(**said), now_us)
    else:
        assert refused(whom, now_us, **said)[0] == reason


def test_what_is_late_says_by_which_time() -> None:
    late = refused(trust_of(ACME, passed_us=NOON_US), None, not_after_us=NOON_US - SECOND_US)[1]
    assert "was valid until 2026-09-21T14:13:19Z, nobody vouches for the clock, but the account has reached" in late
    early = refused(trust_of(ACME), NOON_US, not_before_us=NOON_US + SECOND_US)[1]
    assert early.endswith(
        "is valid from 2026-09-21T14:13:21Z, now it is 2026-09-21T14:13:20Z; wait, or take another one"
    )


NEXT = roster_form(2, {"Carol": CAROL}, threshold=1)


@pytest.mark.parametrize(
    ("roster", "words"),
    [
        pytest.param(signed_roster(NEXT, [ANNA, BEN, CAROL]), None, id="the old and the new sign"),
        pytest.param(signed_roster(NEXT, [CAROL]), "has 1 of 2 signatures by the root keys of version 1", id="one"),
        pytest.param(
            signed_roster(NEXT, [CAROL, EVE]), "has 1 of 2 signatures by the root keys of version 1", id="eve"
        ),
        pytest.param(signed_roster(NEXT, [ANNA, BEN]), "not signed by its own root keys", id="not its own"),
        pytest.param(RIVAL, "this terminal does not trust rival", id="another fleet's"),
    ],
)
def test_a_new_document_takes_over_when_the_old_root_keys_signed_it(roster: Roster, words: str | None) -> None:
    if words is None:
        after = trust_of(ACME).learned([roster.text()])
        assert after.rosters["acme"].form.version == 2
        assert after.check(bundle_of(signers=[CAROL]), NOON_US) == ["Carol"]
    else:
        with pytest.raises(BundleError, match=words) as caught:
            trust_of(ACME).learned([roster.text()])
        assert caught.value.reason == "trust"


def test_versions_between_are_needed_and_may_come_together_in_any_order() -> None:
    second = signed_roster(NEXT, [ANNA, BEN, CAROL])
    third = signed_roster(roster_form(3, {"Eve": EVE}, threshold=1), [CAROL, EVE])
    with pytest.raises(BundleError, match="the versions between are needed too"):
        trust_of(ACME).learned([third.text()])
    assert trust_of(ACME).learned([third.text(), second.text()]).rosters["acme"].form.version == 3


def test_an_older_document_changes_nothing() -> None:
    whom = trust_of(REVOKED)
    assert whom.learned([ACME.text()]) == whom


def test_a_bundle_brings_the_document_that_revokes_its_own_signer() -> None:
    files = {"trust/acme.json": REVOKED.text()}
    assert refused(trust_of(ACME), files=files)[0] == "revoked"
    assert trust_of(ACME).check(bundle_of(files, [ANNA, CAROL]), NOON_US) == ["Anna", "Carol"]


def test_a_revoked_root_key_does_not_sign_the_next_document() -> None:
    third = signed_roster(roster_form(3, revoked=[BEN]), [ANNA, BEN])
    with pytest.raises(BundleError, match="not signed by its own root keys: 1 of 2"):
        trust_of(REVOKED).learned([third.text()])


def without(role: str) -> dict[str, Any]:
    form = roster_form()
    del form["roles"][role]
    return form


@pytest.mark.parametrize(
    ("form", "words"),
    [
        pytest.param(without("root"), 'has no role "root"', id="no root"),
        pytest.param(roster_form(threshold=4), "role binding needs 4 keys, 3 are left", id="more than there are"),
        pytest.param(roster_form(revoked=[ANNA, BEN]), "role binding needs 2 keys, 1 are left", id="revoked too many"),
        pytest.param(roster_form(threshold=0), ">= 1", id="nobody needed"),
        pytest.param(roster_form() | {"keys": {"Anna": ANNA.public.hex()}}, 'names "Ben", who has no key', id="no key"),
        pytest.param(roster_form(holders={"Anna": ANNA, "Annie": ANNA}), "one key has two names", id="one key twice"),
        pytest.param(roster_form(0), ">= 1", id="version 0"),
        pytest.param(roster_form(fleet="Acme Ltd"), "regex", id="a bad name"),
        pytest.param(roster_form() | {"more": 1}, "unknown field `more`", id="a field more"),
        pytest.param(roster_form() | {"keys": {"Anna": "00"}}, "regex", id="a short key"),
        pytest.param(roster_form() | {"tbox_trust": 2}, "tbox_trust", id="another form"),
        pytest.param(roster_form(holders={"An\x1b[2Jna": ANNA}, threshold=1), "no text", id="a name that plays"),
        pytest.param(roster_form(holders={"\ud800": ANNA}, threshold=1), "no text", id="half a character"),
    ],
)
def test_a_trust_document_that_could_never_be_satisfied_is_refused(form: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleError) as caught:
        Roster.parse(document.join(document.canonical(form), ()), "acme.json")
    assert words in str(caught.value)
    assert str(caught.value).startswith("acme.json: ")


def test_roles_are_apart() -> None:
    form = roster_form(threshold=1)
    form["roles"]["command"] = {"keys": ["Carol"], "threshold": 1}
    whom = trust_of(signed_roster(form, [ANNA]))
    signed = bundle_of(signers=[ANNA]).signatures
    with pytest.raises(BundleError, match='none of them a "command" key of acme'):
        whom.check_signed("command", b"message", signed, "the token")
    with pytest.raises(BundleError, match='none of them a "binding" key of acme'):
        trust_of(signed_roster(without("binding"))).check_signed("binding", b"message", signed, "the binding")


# ---- in files ------------------------------------------------------------------------------------------------------


def settings_in(folder: Path) -> Settings:
    return Settings(device=Device(state_dir=str(folder / "state")))


def test_nobody_is_trusted_by_default(tmp_path: Path) -> None:
    assert trust.load(settings_in(tmp_path), machine=tmp_path / "trust") == Trust()


def test_what_was_pinned_and_learned_survives_a_restart(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert trust.pin(settings, ACME).rosters == {"acme": ACME}
    bundle = bundle_of({"trust/acme.json": REVOKED.text()}, [ANNA, CAROL])
    learned = trust.learn(settings, trust.load(settings), bundle)
    assert trust.load(settings) == learned
    assert learned.rosters == {"acme": REVOKED}
    path = tmp_path / "state" / "trust" / "acme.json"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_machines_document_holds_until_a_newer_one_was_learned(tmp_path: Path) -> None:
    settings, machine = settings_in(tmp_path), tmp_path / "trust"
    machine.mkdir(mode=0o755)
    (machine / "acme.json").write_bytes(ACME.text())
    whom = trust.load(settings, machine=machine)
    assert whom.rosters == {"acme": ACME}
    trust.keep(settings, whom.learned([REVOKED.text()]))
    assert trust.load(settings, machine=machine).rosters == {"acme": REVOKED}


def test_pinning_is_no_way_around_the_root_keys(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    trust.pin(settings, REVOKED)
    with pytest.raises(BundleError, match="is trusted by version 2 already, which is newer"):
        trust.pin(settings, ACME)
    with pytest.raises(BundleError, match="0 of 2 signatures by the root keys of version 2"):
        trust.pin(settings, signed_roster(roster_form(3, {"Eve": EVE}, threshold=1), [EVE]))
    trust.unpin(settings, "acme")
    assert trust.load(settings) == Trust()
    with pytest.raises(InputError, match="no such fleet is trusted here"):
        trust.unpin(settings, "acme")
    with pytest.raises(InputError, match="no such fleet is trusted here"):
        trust.unpin(settings, "../device")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda path: path.write_bytes(b"{}"), r"acme\.json: Object missing required field", id="damaged"),
        pytest.param(
            lambda path: path.chmod(0o666), r"acme\.json: others may change whom .* chmod go-w", id="its rights"
        ),
        pytest.param(
            lambda path: path.parent.chmod(0o777), r"trust: others may change whom .* chmod go-w", id="the folder's"
        ),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "cannot be read", id="a folder in its place"),
    ],
)
def test_a_trust_file_that_cannot_be_relied_on_is_an_error(tmp_path: Path, spoil: Any, words: str) -> None:
    settings = settings_in(tmp_path)
    trust.pin(settings, ACME)
    spoil(tmp_path / "state" / "trust" / "acme.json")
    with pytest.raises(SettingsError, match=words):
        trust.load(settings)


def test_the_account_tells_which_time_has_passed(tmp_path: Path) -> None:
    book = ledger()
    told = [(NOON_US, 1000, "ntp"), (NOON_US + DAY_US, None, "system")]
    records = book.start(1, {})
    for utc_us, u_us, source in told:
        records += book.number("clock", 2, Reading(2, utc_us, u_us, source).body(1))
    outbox = Outbox.open(tmp_path / "state" / STORE_NAME, 64_000_000, "a")
    outbox.append(records)
    outbox.close()
    assert trust.load(settings_in(tmp_path)).passed_us == NOON_US


@pytest.mark.parametrize(("u_us", "utc_us"), [(500, NOON_US), (None, None)])
def test_only_a_vouched_clock_tells_the_time(
    monkeypatch: pytest.MonkeyPatch, u_us: int | None, utc_us: int | None
) -> None:
    monkeypatch.setattr(clock, "read_clocks", lambda: Reading(1, NOON_US, u_us, "ntp"))
    assert trust.now_us() == utc_us


def test_the_maps_of_a_signed_bundle_are_vouched_for(tmp_path: Path) -> None:
    slot = tmp_path / "a"
    for name, content in bundle_of({"maps/van.toml": b"x"}).entries().items():
        (slot / name).parent.mkdir(parents=True, exist_ok=True)
        (slot / name).write_bytes(content)
    van = slot / "maps" / "van.toml"
    assert maps.is_trusted(van, trust.vouched_maps(slot, trust_of(ACME)))
    assert not maps.is_trusted(van)
    assert not maps.is_trusted(tmp_path / "van.toml", trust.vouched_maps(slot, trust_of(ACME)))
    assert not maps.is_trusted(van, trust.vouched_maps(slot, trust_of(RIVAL)))
    van.write_bytes(b"y")
    assert not maps.is_trusted(van, trust.vouched_maps(slot, trust_of(ACME)))
