"""`tbox service`: where it may be shown, its certificate and card, one page at a time, and that it leaves nothing behind."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import main
from agent.errors import DeviceAbsentError, SettingsError, UsageError
from agent.service.address import choose
from agent.service.card import card, qr_words
from agent.service.certificate import FILE_NAME, open_certificate
from agent.service.forms import install
from agent.service.run import Run, Shown, read_pin, renew_pin, shown_now
from agent.service.shelf import Shelf, TooBigError
from agent.service.state import Watch, live, vin_of
from agent.trust.archive import ARCHIVE_BYTES_MAX
from tests.desks import VIN, FakeDesk
from tests.service_pages import WAIT_S, shown
from tests.yards import until

LINUX = "import sys, agent.run, agent.start; print(sorted({'tornado', 'segno', 'cryptography', 'agent.service.web'} & set(sys.modules)))"
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from agent.cli import main
sys.exit(main(sys.argv[2:]))
"""


# ---- where ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interface", "address", "reason"),
    [
        pytest.param("", "0.0.0.0", "", id="every interface"),
        pytest.param("", "::", "", id="every interface, IPv6"),
        pytest.param("", "8.8.8.8", "", id="an address of the internet"),
        pytest.param("", "", "", id="nowhere"),
        pytest.param("", "here", "", id="no address"),
    ],
)
def test_an_address_that_others_reach_is_refused(interface: str, address: str, reason: str) -> None:
    with pytest.raises(UsageError):
        choose(interface, address, reason)


@pytest.mark.parametrize(
    ("interface", "address", "reason", "told"),
    [
        pytest.param("lo", "", "", "127.0.0.1", id="an interface"),
        pytest.param("", "192.168.4.1", "", "192.168.4.1", id="a private address"),
        pytest.param("", "fe80::1", "", "fe80::1", id="a link's address"),
        pytest.param("", "0.0.0.0", "in the lab, no uplink", "0.0.0.0", id="every interface, with a reason"),
    ],
)
def test_the_service_interface_is_taken(interface: str, address: str, reason: str, told: str) -> None:
    assert choose(interface, address, reason).address == told


def test_an_interface_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(DeviceAbsentError, match=r"wlan77.*there are: .*lo"):
        choose("wlan77", "", "")


# ---- the command ----------------------------------------------------------------------------------------------------


def asked(folder: Path, *words: str) -> int:
    return main(["service", *words, "--set", f"device.state_dir={folder}", "--config", str(_config(folder))])


def _config(folder: Path) -> Path:
    path = folder / "empty.toml"
    path.write_text("")
    return path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param((), 2, "where? say --interface", id="nowhere"),
        pytest.param(("--address", "0.0.0.0"), 2, "--open-to-all REASON", id="everywhere"),
        pytest.param(("--interface", "wlan77"), 69, "interface wlan77", id="no such interface"),
        pytest.param(("--new-pin",), 2, "the service page is not shown", id="a PIN for nothing"),
        pytest.param(("--address", "192.0.2.77"), 69, "192.0.2.77:8443", id="not our address"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    assert asked(tmp_path, *words) == code
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), said in lines[0]) == (1, True), lines


def test_it_prints_where_it_is_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with shown(tmp_path) as page:
        assert page.url.startswith("https://127.0.0.1:")
        assert len(page.pin.replace(" ", "")) == 6
        assert asked(tmp_path, "--address", "127.0.0.1") == 2
        before = read_pin(tmp_path)
        assert asked(tmp_path, "--new-pin", "--json") == 0
        assert read_pin(tmp_path) != before
        (tmp_path / "empty.toml").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {"tbox.toml", "service.pem", "service.run"}
    with shown(tmp_path) as again:
        assert again.fingerprint == page.fingerprint
        assert again.pin != page.pin


def test_a_start_without_a_screen_leaves_a_card_and_tells_the_boxs_display(tmp_path: Path) -> None:
    path, config, told = tmp_path / "card.txt", tmp_path / "tbox.toml", tmp_path / "shown"
    display = json.dumps(["/bin/sh", "-c", f"echo $TBOX_PIN {{url}} > {told}"])
    config.write_text(f'[device]\nstate_dir = "{tmp_path}"\n[service]\nport = 0\nshow = {display}\n')
    argv = [
        sys.executable,
        "-m",
        "agent.cli",
        "service",
        "--interface",
        "lo",
        "--card",
        str(path),
        "--config",
        str(config),
    ]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: process.poll() is not None or (told.exists() and told.read_text().endswith("\n")), "the display")
        pin, url = told.read_text().rsplit(maxsplit=1)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert pin in path.read_text()
        assert url in path.read_text()
    finally:
        process.send_signal(2)
        out, error = process.communicate(timeout=WAIT_S)
    assert pin not in out + error
    assert not path.exists()


def test_a_running_terminal_loads_nothing_of_it() -> None:
    done = subprocess.run([sys.executable, "-c", LINUX], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("missing", ["tornado", "cryptography"])
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, missing: str) -> None:
    argv = [sys.executable, "-c", WITHOUT, missing, "service", "--address", "127.0.0.1", "--port", "0"]
    argv += ["--config", str(_config(tmp_path)), "--set", f"device.state_dir={tmp_path}"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 78, done.stderr
    assert done.stderr.endswith(f"tbox service needs {missing}: pip install 'tbox-agent[service]'\n")


# ---- certificate, PIN, card -----------------------------------------------------------------------------------------


def test_the_key_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    first = open_certificate(tmp_path, "box")
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert open_certificate(tmp_path, "renamed") == first
    first.context()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda path: path.chmod(0o644), "chmod 600", id="others may read it"),
        pytest.param(lambda path: path.write_text("x"), "delete it", id="damaged"),
        pytest.param(lambda path: path.write_text(path.read_text()[250:]), "delete it", id="the key is gone"),
    ],
)
def test_a_certificate_that_is_no_good_is_refused(tmp_path: Path, spoil: object, said: str) -> None:
    open_certificate(tmp_path, "box")
    spoil(tmp_path / FILE_NAME)  # type: ignore[operator]
    with pytest.raises(SettingsError, match=said):
        open_certificate(tmp_path, "box").context()


def test_one_page_at_a_time(tmp_path: Path) -> None:
    held = Run(tmp_path)
    held.tell(Shown("https://box/", "ab"))
    with pytest.raises(UsageError, match="shown already"):
        Run(tmp_path)
    assert shown_now(tmp_path) == Shown("https://box/", "ab")
    held.close()
    with pytest.raises(UsageError, match="not shown"):
        shown_now(tmp_path)
    Run(tmp_path).close()


def test_a_pin_is_kept_as_a_digest(tmp_path: Path) -> None:
    words = renew_pin(tmp_path)
    pin = read_pin(tmp_path)
    assert pin is not None
    assert pin.fits(words.replace(" ", ""))
    assert words.replace(" ", "") not in (tmp_path / "service.pin").read_text()


def test_the_card_says_all_three_and_so_does_its_qr() -> None:
    page = Shown("https://192.168.4.1:8443/", "ab" * 32)
    told = card("box 7", page, "123 456", minutes=15)
    assert all(words in told for words in ("box 7", page.url, "123 456", "AB:AB:AB", "15 minutes"))
    assert (
        qr_words(page, "123 456")
        == "https://192.168.4.1:8443/#sha256=q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s&pin=123456"
    )


# ---- what is brought, typed, read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "sizes"), [(ARCHIVE_BYTES_MAX + 1, ()), (None, (ARCHIVE_BYTES_MAX, 1)), (1, (ARCHIVE_BYTES_MAX + 1,))]
)
def test_nothing_bigger_than_a_bundle_is_kept(tmp_path: Path, told: int | None, sizes: tuple[int, ...]) -> None:
    shelf = Shelf(tmp_path)

    def bring() -> None:
        shelf.begin(told)
        for size in sizes:
            shelf.take(bytes(size))

    with pytest.raises(TooBigError):
        bring()
    assert (shelf.path.exists(), shelf.digest) == (False, "")
    shelf.close()
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_of_just_that_size_is_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.begin(ARCHIVE_BYTES_MAX)
    shelf.take(bytes(ARCHIVE_BYTES_MAX))
    shelf.end()
    assert shelf.path.stat().st_size == ARCHIVE_BYTES_MAX
    assert stat.S_IMODE(shelf.path.stat().st_mode) == 0o600
    assert len(shelf.digest) == 64
    shelf.close()


FORM = {
    "technician": "Wang Fang",
    "plate": "M-TB 1",
    "vin": VIN,
    "by_hand": True,
    "odometer_km": "123456.7",
    "photo": "ab" * 32,
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({}, ["--technician=Wang Fang", "--plate=M-TB 1", f"--vin={VIN}", "--odometer-km=123456.7", f"--photo-sha256={'ab' * 32}"], id="all"),
        pytest.param({"by_hand": False, "odometer_km": "", "photo": ""}, ["--technician=Wang Fang", "--plate=M-TB 1"], id="the car tells"),
        pytest.param({"by_hand": False, "vin": "", "odometer_km": "", "photo": ""}, ["--technician=Wang Fang", "--plate=M-TB 1"], id="nobody tells"),
        pytest.param({"by_hand": True, "vin": ""}, "bad_vin", id="by hand, and empty"),
        pytest.param({"vin": VIN[:-1]}, "bad_vin", id="16 letters"),
        pytest.param({"vin": f"{VIN[:-1]}O"}, "bad_vin", id="a letter O"),
        pytest.param({"technician": " "}, "bad_technician", id="nobody"),
        pytest.param({"technician": "a" * 65}, "bad_technician", id="too long a name"),
        pytest.param({"technician": "a\n--yes"}, "bad_technician", id="two lines"),
        pytest.param({"plate": ""}, "bad_plate", id="no plate"),
        pytest.param({"odometer_km": "1e3"}, "bad_odometer_km", id="no plain number"),
        pytest.param({"odometer_km": "3000000.1"}, "bad_odometer_km", id="too far"),
        pytest.param({"photo": "ab"}, "bad_photo", id="half a hash"),
    ],
)  # fmt: skip
def test_a_form_becomes_words_or_says_what_is_wrong(change: dict[str, object], told: object) -> None:
    words = install(FORM | change)
    assert words == (told if isinstance(told, str) else ["install", "record", *told])  # type: ignore[misc]


def test_errors_count_by_what_comes_now() -> None:
    watch = Watch()

    def bus(frames: int, errors: int) -> dict[str, dict[str, int]]:
        return {"can0": {"frames": frames, "errors": errors}}

    assert watch.note(0.0, bus(1000, 500)) == {"can0": False}
    assert watch.note(7.0, bus(9000, 500)) == {"can0": False}
    assert watch.note(14.0, bus(9000 + 990, 510)) == {"can0": False}
    assert watch.note(21.0, bus(9990 + 980, 521)) == {"can0": True}


def test_two_troubles_are_told_the_graver_first(tmp_path: Path) -> None:
    desk = FakeDesk(tmp_path)
    desk.car |= {"link": "down", "engine": False, "vin": ""}
    told = live(desk.read(), desk.ping(), {})
    assert [(one["name"], one["colour"]) for one in told["situations"]] == [
        ("engine_off", "note"),
        ("no_signal", "note"),
    ]
    assert live({}, {}, {})["situations"] == [{"name": "no_daemon", "colour": "bad"}]
    desk.close()


@pytest.mark.parametrize(
    ("told", "vin"), [({"0902 7E8": VIN}, VIN), ({"0902 7E8": "0" * 16}, None), ({"0904 7E8": VIN}, None), ({}, None)]
)
def test_only_what_can_be_a_vin_is_one(told: dict[str, str], vin: str | None) -> None:
    assert vin_of({"identity": told}) == vin
