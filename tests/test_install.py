"""An installation is certified by the terminal itself, from what runs; the certificate prints, and proves itself."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.app import Agent
from agent.cli import install_command, main
from agent.desk.certifying import facts
from agent.errors import InputError
from agent.maps.maps import load
from agent.outbox.outbox import Outbox
from agent.outbox.recordfile import read_pile
from agent.outbox.store import STORE_NAME
from agent.rights import asking_daemon
from agent.rights.requests import REQUEST_BYTES_MAX, RequestError, compose, parse
from agent.service.papers import LOOK_S, Papers
from agent.settings import Device, Mqtt, Settings
from agent.yard import install, pairing
from agent.yard.bound import Bound
from agent.yard.install import FREE, NOTED, Facts, Install, RefusedError, body_of
from tests.clerks import Office

VIN, OTHER_VIN = "WDB9066331S123456", "1HGCM82633A004352"
BUNDLE = {"document": "", "bundle": "acme-vans", "version": 12, "content": "00", "state": "running"}
RUNS = Facts("tbox 0.1.0", "5e77195", "van", BUNDLE, calibrated=True, binding="b-1")
AWAY = "b:8883 does not answer"
CHECKS = (("can0", "PASS", "1,200 frames/s"), ("broker", "FAIL", AWAY), ("camera", "SKIP", "none is set"))
SAID = Install(technician="A. Ng", plate="B-TB 42", checks=CHECKS, photos=(("front.jpg", "ab" * 32),))


@pytest.mark.parametrize(
    ("typed", "told", "expected"),
    [
        pytest.param("", (VIN,), (VIN, "read"), id="read"),
        pytest.param(VIN, (VIN,), (VIN, "read"), id="both the same"),
        pytest.param(VIN, (), (VIN, "by_hand"), id="the car tells none"),
        pytest.param("", (), ("", "unknown"), id="nobody knows"),
        pytest.param(OTHER_VIN, (VIN,), "the car says that its VIN is", id="not the same"),
        pytest.param("", (VIN, OTHER_VIN), "units of two cars answer", id="two cars"),
    ],
)
def test_the_cars_word_counts_more_than_what_was_typed(typed: str, told: tuple[str, ...], expected: Any) -> None:
    said, runs = Install(technician="A. Ng", vin=typed), replace(RUNS, vins=told)
    if isinstance(expected, str):
        with pytest.raises(RefusedError, match=expected):
            body_of(said, runs, "r")
    else:
        body = body_of(said, runs, "r")
        assert (body["vin"], body["vin_source"]) == expected


@pytest.mark.parametrize(
    ("typed_m", "told_m", "expected"),
    [
        (None, 12.6, (13, "read")),
        (99, 12.6, (13, "read")),
        (99, None, (99, "by_hand")),
        (None, None, (None, "unknown")),
    ],
)
def test_so_with_the_odometer(typed_m: int | None, told_m: float | None, expected: Any) -> None:
    said = Install(technician="A. Ng", odometer_m=typed_m)
    body = body_of(said, replace(RUNS, odometer_m=told_m), "r")
    assert (body["odometer_m"], body["odometer_source"]) == expected


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"technician": ""},
        {"technician": "x" * 81},
        {"technician": "x", "vin": "SHORT"},
        {"technician": "x", "vin": VIN.lower()},
        {"technician": "x", "odometer_m": -1},
        {"technician": "x", "note": "x" * 501},
        {"technician": "x", "software": "mine"},
        {"technician": "x", "checks": [["a", "FINE", "b"]]},
        {"technician": "x", "photos": [["a", "b"]]},
        {"technician": "x", "photos": [["a", "ab" * 32]] * 17},
        {"technician": "x\x00"},
        {"technician": "x", "photos": [["\ud800", "ab" * 32]]},
    ],
)
def test_what_is_no_such_request_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        parse(json.dumps({"command": "install"} | told).encode())


def test_the_largest_request_goes_through() -> None:
    check = ("n" * 240, "PASS", "w" * 240)
    said = Install(technician="x" * 80, note="n" * 500, checks=(check,) * install.CHECKS_MAX)
    assert parse(compose(said)) == said
    assert len(compose(said)) <= REQUEST_BYTES_MAX


def test_the_terminal_numbers_and_seals_what_it_runs(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.facts = replace(RUNS, vins=(VIN,), odometer_m=8_400_000.0)
    answer = office.ask(SAID)
    assert (answer.is_done, answer.text) == (True, "the installation stands in the account, sealed by this terminal")
    record, seal = office.made
    assert (record.kind, seal.kind) == ("install", "seal")
    body = dict(record.body)
    request = body.pop("request")
    assert body == {
        "technician": "A. Ng", "plate": "B-TB 42", "note": "", "vin": VIN, "vin_source": "read",
        "odometer_m": 8_400_000, "odometer_source": "read", "software": "tbox 0.1.0", "settings": "5e77195",
        "vehicle": "van", "bundle": BUNDLE, "calibrated": True, "binding": "b-1",
        "checks": [list(check) for check in CHECKS], "photos": [["front.jpg", "ab" * 32]],
    }  # fmt: skip
    found: list[str] = []
    office.delivery.ask("x", lambda store: install.asked(store, request))
    office.until(lambda: found.extend(filter(None, [office.delivery.found("x")])) or bool(found))
    assert found == [NOTED]
    office.close()


def test_a_certificate_that_was_made_before_the_power_went_is_not_made_twice(tmp_path: Path) -> None:
    office = Office(tmp_path)
    assert office.ask(SAID).is_done
    request = str(office.made[0].body["request"])
    office.made.clear()
    (tmp_path / "requests" / f"{request}.request").write_bytes(compose(SAID))
    answers: list[Any] = []
    office.until(lambda: answers.extend((tmp_path / "requests").glob("*.answer")) or bool(answers))
    assert office.made == []
    assert json.loads(answers[0].read_bytes())["is_done"]
    office.close()


def test_a_technician_in_the_wrong_car_gets_no_certificate(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.facts = replace(RUNS, vins=(VIN,))
    answer = office.ask(Install(technician="A. Ng", vin=OTHER_VIN))
    assert (answer.is_done, office.made) == (False, [])
    assert answer.text == f"the car says that its VIN is {VIN}, you typed {OTHER_VIN}: is this the right car?"
    office.close()


def test_a_running_agent_knows_what_it_runs(tmp_path: Path) -> None:
    settings = Settings(device=Device(state_dir=str(tmp_path)), mqtt=Mqtt(host="127.0.0.1", port=1, tls=False))
    agent = Agent(settings, load(Path(settings.vehicle.map)), Outbox.open(tmp_path / STORE_NAME, 2**26))
    try:
        told = facts(agent.enquiries.known, Bound(tmp_path, ({}, "")), 1)
        agent.bound.tie.bond = pairing.Bond(state="bound", binding="b-9")
        bound = facts(agent.enquiries.known, agent.bound, 1)
    finally:
        agent.stop()
        agent.run()
    assert told.software.startswith("tbox ")
    assert (told.binding, bound.binding, told.bundle["state"], told.vins) == (None, "b-9", "running", ())


# ---- typed ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A terminal's folder, a photo, what the doctor said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.toml").write_text(f'[device]\nstate_dir = "{tmp_path / "state"}"\n')
    (tmp_path / "front.jpg").write_bytes(b"picture")
    told = [{"name": name, "verdict": verdict, "words": words, "fix": ""} for name, verdict, words in CHECKS]
    (tmp_path / "doctor.json").write_text(json.dumps({"checks": told, "failed": 1}))
    office = Office(tmp_path / "state")
    office.keep(office.book.start(1, {}))
    office.close()
    return tmp_path


def certified(yard: Path) -> int:
    """Asked for while no daemon ran, and done by the next one; the record's number."""
    words = "install record --technician Ng --plate B-TB<42 --odometer-km 84.5 --photo front.jpg --checks doctor.json"
    assert main([*words.split(), "--config", "m.toml"]) == 0
    office = Office(yard / "state")
    office.facts = RUNS
    office.until(lambda: bool(list((yard / "state" / "requests").glob("*.answer"))))
    office.close()
    return office.made[0].seq


def test_without_a_daemon_the_request_waits_for_the_next(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seq = certified(yard)
    told = capsys.readouterr().out
    assert "1 checks hold, 1 do not, 1 were left out\nnoted here, and done when tbox run runs next" in told
    record = next(one for one in read_pile(yard / "state" / STORE_NAME).records if one.seq == seq)
    assert record.body["photos"] == [["front.jpg", hashlib.sha256(b"picture").hexdigest()]]
    assert (record.body["odometer_m"], record.body["odometer_source"]) == (84_500, "by_hand")


def test_a_certificate_that_was_delivered_is_still_here_to_be_printed_and_shown(yard: Path) -> None:
    seq, path = certified(yard), yard / "state" / STORE_NAME
    outbox = Outbox.open(path, 64_000_000, "b")
    outbox.confirm_ranges([(0, seq + 1)])
    outbox.close()
    assert main(["install", "certificate", "-o", "page.html", "--config", "m.toml"]) == 0
    papers = Papers(path.parent)
    (told,) = {json.dumps(papers.certificate(vin, 1.0)) for vin in (None, OTHER_VIN)}
    shown = json.loads(told)
    assert (shown["number"], shown["plate"], shown["odometer_m"], shown["vin"]) == (seq, "B-TB<42", 84_500, "")


def test_a_certificate_of_another_car_is_not_this_ones(tmp_path: Path) -> None:
    office = Office(tmp_path)
    papers = Papers(tmp_path)
    assert papers.certificate(None, 0.0) is None
    office.facts = replace(RUNS, vins=(VIN,))
    office.ask(SAID)
    assert papers.certificate(VIN, LOOK_S - 0.1) is None, "it is looked at seldom"
    assert [papers.certificate(vin, LOOK_S) is not None for vin in (VIN, None, OTHER_VIN)] == [True, True, False]
    papers.forget()
    office.facts = replace(RUNS, vins=(OTHER_VIN,))
    office.ask(SAID)
    assert papers.certificate(OTHER_VIN, LOOK_S) is not None
    office.close()


def test_the_certificate_prints_as_a_page_with_its_proof(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seq = certified(yard)
    assert main(["install", "certificate", "-o", "page.html", "--config", "m.toml"]) == 0
    assert f"page.html: certificate {seq}; it holds" in capsys.readouterr().out
    page = (yard / "page.html").read_text()
    record = next(one for one in read_pile(yard / "state" / STORE_NAME).records if one.seq == seq)
    for words in (
        "Installation B-TB&lt;42", "proven; waits for a signal: broker", ".code *{vector-effect:none}", '84 km <span class="hand">(entered by hand)</span>', "Ng, technician",
        record.hash.hex(), "holds, and this record is sealed", "acme-vans 12, running", "<svg", "does not answer", "b-1",
    ):  # fmt: skip
        assert words in page, words
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        pytest.param({}, "proven", id="nothing failed"),
        pytest.param({"broker": AWAY, "clock": "nobody"}, "proven; waits for a signal: broker, clock", id="in a hall"),
        pytest.param({"VIN": "X is none", "broker": AWAY}, "does not hold: VIN", id="the car is not the one"),
        pytest.param({"broker": "b:1 refused user name or password"}, "does not hold: broker", id="a wrong password"),
    ],
)
def test_only_what_a_signal_does_not_mend_stands_against_an_installation(
    yard: Path, failed: dict[str, str], told: str
) -> None:
    checks = [{"name": name, "verdict": "FAIL", "words": words} for name, words in failed.items()]
    checks.append({"name": "store", "verdict": "PASS", "words": "yes"})
    (yard / "doctor.json").write_text(json.dumps({"checks": checks}))
    certified(yard)
    assert main(["install", "certificate", "-o", "page.html", "--config", "m.toml"]) == 0
    assert f">{told}</span>" in (yard / "page.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("install certificate -o p.html --config m.toml", 66, "there is no install record in it"),
        ("install certificate -o p.html --seq 3 --config m.toml", 66, "there is no install record 3 in it"),
        ("install certificate -o p.html --records none.tbx", 66, "none.tbx"),
        ("install record --technician Ng --checks none.json --config m.toml", 66, "none.json: cannot be read"),
        ("install record --technician Ng --checks m.toml --config m.toml", 66, "not what `tbox doctor --json` prints"),
        ("install record --technician Ng --checks doctor.json --photo no.jpg --config m.toml", 66, "no.jpg: cannot be"),
        ("install record --technician Ng --checks doctor.json --vin x --config m.toml", 2, "regex"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    yard: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, said: str
) -> None:
    assert main(words.split()) == code
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


def test_a_refusal_of_the_daemon_is_an_error(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(yard / "state")
    office.facts = replace(RUNS, vins=(VIN,))
    monkeypatch.setattr("agent.rights.asking_daemon.time.sleep", lambda _: office.turn())
    with pytest.raises(InputError, match="is this the right car"):
        asking_daemon.certify(yard / "state", Install(technician="Ng", vin=OTHER_VIN))
    office.close()


def test_a_photo_of_a_gigabyte_is_none(yard: Path) -> None:
    with (yard / "front.jpg").open("wb") as file:
        file.truncate(install_command.PHOTO_BYTES_MAX + 1)
    with pytest.raises(InputError, match="too large for a photo"):
        install_command.record(Settings(), {"photos": [yard / "front.jpg"]}, yard / "doctor.json", 1.0)


def test_a_free_request_is_free(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path / STORE_NAME, 64_000_000, "a")
    assert outbox.within(lambda store: install.asked(store, "r")) == FREE
    outbox.close()
