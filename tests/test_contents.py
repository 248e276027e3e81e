"""What is in a bundle works, or is refused with the file, the line and the fix."""

from pathlib import Path

import pytest

from agent.errors import BundleError
from agent.flash import contents
from agent.slots.slot_settings import MACHINES
from tests.fleets import bundle_of

OBD_MAP = b'[[source]]\nobd = true\n[signal.speed]\npid = "0D"\n'
PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GOOD = {
    "tbox.toml": b'[vehicle]\nmap = "maps/van.toml"\n[mqtt]\nca_file = "certs/ca.pem"\n[trip]\nscore = "score.toml"\n',
    "maps/van.toml": OBD_MAP,
    "certs/ca.pem": PEM,
    "rules/candidate.toml": b"[detect.harsh_braking]\nthreshold_mps2 = 3.0\n",
}


def test_a_good_bundle_passes() -> None:
    contents.check(bundle_of(GOOD))


def test_a_map_with_its_dbc_passes() -> None:
    shipped = Path(__file__).parent.parent / "config" / "vehicles"
    contents.check(bundle_of({f"maps/{name}": (shipped / name).read_bytes() for name in ("rav4.toml", "rav4.dbc")}))


BAD = [
    pytest.param("tbox.toml", b"[trip]\nend_s = 0\n", "settings", "tbox.toml:2: trip.end_s = 0: must be", id="range"),
    pytest.param("tbox.toml", b"[trip]\nend = 9\n", "settings", "tbox.toml:2: trip.end: unknown key", id="unknown key"),
    pytest.param("tbox.toml", b"trip = [\n", "settings", "tbox.toml:1: not TOML", id="no TOML"),
    pytest.param("tbox.toml", b"[trip]\nend_s = 9\n[flash]\nboots = 9\n", "forbidden", "tbox.toml:3: flash: only", id="a table"),
    pytest.param("tbox.toml", b'[device]\nstate_dir = "/tmp/x"\n', "forbidden", "tbox.toml:2: device.state_dir: only the", id="account"),
    pytest.param("tbox.toml", b'[power.hooks]\nsuspend = ["sh"]\n', "forbidden", "power.hooks: only the machine's", id="command"),
    pytest.param("tbox.toml", b'[mqtt]\npassword_file = "/etc/shadow"\n', "forbidden", "mqtt.password_file: only", id="secret"),
    pytest.param("tbox.toml", b'[mqtt]\nca_file = "/etc/passwd"\n', "outside", "tbox.toml:2: mqtt.ca_file: /etc/passwd is", id="path"),
    pytest.param("tbox.toml", b'[vehicle]\nmap = "../../x.toml"\n', "outside", "vehicle.map: ../../x.toml is not in", id="climbs"),
    pytest.param("tbox.toml", b'[vehicle]\nmap = "maps/bus.toml"\n', "outside", "put it in, and name it as", id="missing map"),
    pytest.param("tbox.toml", b'[vehicle]\nmap = "bus.toml"\n', "settings", "bus.toml: vehicle map cannot be read", id="not shipped"),
    pytest.param("tbox.toml", b'[trip]\nscore = "no.toml"\n', "settings", "no.toml", id="no such score"),
    pytest.param("maps/van.toml", b"[[source]]\nobd = true\n", "map", "maps/van.toml: signal: missing", id="an empty map"),
    pytest.param("maps/van.toml", OBD_MAP + b'[signal.wings]\npid = "0C"\n', "map", "maps/van.toml:5: signal.wings", id="a line"),
    pytest.param("maps/van.toml", b'[[source]]\ndbc = "../../../etc/passwd"\n', "outside", 'dbc = "../../../etc/passwd"', id="a dbc"),
    pytest.param("rules/candidate.toml", b"[trip]\nend_s = 200\n", "rules", "candidate.toml:1: candidate rules are", id="no rule"),
    pytest.param("rules/candidate.toml", b"[detect.harsh_braking]\nhold = 1\n", "settings", "candidate.toml:2", id="a bad rule"),
    pytest.param("certs/ca.pem", b"x", "text", "certs/ca.pem holds no certificate", id="no certificate"),
    pytest.param("certs/ca.pem", PEM + b"-----BEGIN PRIVATE KEY-----", "secret", "certs/ca.pem holds a private key", id="a secret"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "reason", "words"), BAD)
def test_what_would_not_work_is_refused(name: str, content: bytes, reason: str, words: str) -> None:
    with pytest.raises(BundleError) as caught:
        contents.check(bundle_of(GOOD | {name: content}))
    assert words in str(caught.value)
    assert caught.value.reason == reason
    assert "/tbox-bundle-" not in str(caught.value)


@pytest.mark.parametrize("key", MACHINES, ids=".".join)
def test_the_machines_own_keys_are_not_for_bundles(key: tuple[str, ...]) -> None:
    words = f"{'.'.join(key)} = {{}}\n" if len(key) == 1 else f'[{key[0]}]\n{key[1]} = "x"\n'
    with pytest.raises(BundleError, match="only the machine's own file may set it") as caught:
        contents.check(bundle_of({"tbox.toml": words.encode()}))
    assert caught.value.reason == "forbidden"
