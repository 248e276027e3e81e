"""What a running terminal answers, and its socket: who may ask, in which words, and how little can go wrong with it."""

import json
import logging
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import app
from agent.codec import decode
from agent.desk import asking_desk
from agent.desk.desk import FIND_S_MAX, WAITING_MAX, WORDS, DeskError, Ticket, checked
from agent.desk.desk_place import DESK_NAME, address_of
from agent.desk.desk_socket import CLIENTS_MAX, IDLE_US, LINE_BYTES_MAX, DeskSocket
from agent.desk.reading import cut
from agent.desk.reception import DEEDS
from agent.errors import DeviceAbsentError, InputError
from agent.maps.maps import load
from agent.outbox.outbox import Outbox
from agent.power import awake
from agent.settings import defaults
from agent.settings.privacy import Privacy
from agent.settings.sensors import Indicator
from agent.sources.gauges import Gauges
from agent.world import clock
from drivers.batch import SIGNAL_INDEX, fix, frame, tick, value

WAIT_S = 30.0
S = 1_000_000
SECRET = "hunter2"


def terminal(folder: Path, **more: Any) -> app.Agent:
    """A daemon without devices, whose broker is not there and whose light is a command."""
    shipped = defaults()
    chosen = msgspec.structs.replace(
        shipped,
        **{
            "device": msgspec.structs.replace(shipped.device, state_dir=str(folder)),
            "mqtt": msgspec.structs.replace(shipped.mqtt, tls=False, port=1),
            "indicator": Indicator(command=("/bin/true",)),
            **more,
        },
    )
    return app.Agent(chosen, load(Path("obd2.toml")), Outbox.open(folder / "outbox.db", 2**26))


@contextmanager
def running(folder: Path, **more: Any) -> Iterator[app.Agent]:
    """A daemon whose loop the test turns; it ends in order."""
    made = terminal(folder, **more)
    try:
        yield made
    finally:
        made.stop()
        made.run()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[app.Agent]:
    """One for all who only ask."""
    with running(tmp_path_factory.mktemp("desk")) as made:
        yield made


def folder_of(agent: app.Agent) -> Path:
    return Path(agent.settings.device.state_dir)


def turned(agent: app.Agent, is_over: Callable[[], bool]) -> None:
    """Turns of the loop, until this."""
    until_s = time.monotonic() + WAIT_S
    while not is_over():
        assert time.monotonic() < until_s, "the loop turns and does nothing"
        agent.turn()


class Asker:
    """A connection to the desk, in the thread that turns the loop."""

    def __init__(self, agent: app.Agent) -> None:
        self._agent = agent
        self.socket = socket.socket(socket.AF_UNIX)
        with address_of(folder_of(agent)) as address:
            self.socket.connect(address)
        self.socket.setblocking(False)

    def send(self, line: bytes) -> None:
        """Say it."""
        self.socket.sendall(line)

    def answer(self) -> dict[str, Any]:
        """The next line; ConnectionError: it hung up."""
        told = bytearray()

        def is_whole() -> bool:
            try:
                part = self.socket.recv(65536)
            except BlockingIOError:
                return False
            if not part:
                raise ConnectionError("it hung up")
            told.extend(part)
            return told.endswith(b"\n")

        turned(self._agent, is_whole)
        return dict(json.loads(told))

    def ask(self, command: str, **numbers: int) -> dict[str, Any]:
        """Say it, and what came back."""
        self.send(json.dumps({"command": command, **numbers}).encode() + b"\n")
        return self.answer()


def commands(agent: app.Agent) -> list[Mapping[str, Any]]:
    """Bodies of the `command` records in the store, once all is there."""
    turned(agent, lambda: not agent.held and agent.delivery.writer.is_settled)
    agent.delivery.ask("look", lambda store: [raw for (raw,) in store.execute("SELECT raw FROM records")])
    found: list[Any] = []

    def is_found() -> bool:
        found.extend(filter(None, [agent.delivery.found("look")]))
        return bool(found)

    turned(agent, is_found)
    return [record.body for record in map(decode, found[0]) if record.kind == "command"]


# ---- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "args", "is_good"), [
    ("ping", {}, True), ("read", {}, True), ("ping", {"seconds": 1}, False), ("nonsense", {}, False), (None, {}, False),
    ([], {}, False), ("send", {"trip": 3}, True), ("send", {"event": 0}, True), ("send", {}, False),
    ("send", {"trip": 3, "event": 4}, False), ("send", {"trip": -1}, False), ("send", {"trip": 2**63 - 1}, True),
    ("send", {"trip": 2**63}, False), ("send", {"trip": True}, False), ("send", {"trip": 1.0}, False),
    ("send", {"trip": "3"}, False), ("indicator", {"seconds": FIND_S_MAX}, True), ("indicator", {}, False),
    ("indicator", {"seconds": FIND_S_MAX + 1}, False), ("indicator", {"seconds": 0}, False),
    ("stay_awake", {"seconds": 0}, True), ("stay_awake", {"seconds": 86_400}, True),
    ("stay_awake", {"seconds": 86_401}, False), ("reprobe", {}, True),
])  # fmt: skip
def test_a_command_takes_its_numbers_and_no_others(command: Any, args: dict[str, Any], is_good: bool) -> None:
    if is_good:
        assert checked(command, args) == (command, args)
    else:
        with pytest.raises(DeskError):
            checked(command, args)


# ---- the socket -------------------------------------------------------------------------------------------------------


def test_only_the_owner_of_the_state_folder_can_ask(agent: app.Agent) -> None:
    told = (folder_of(agent) / DESK_NAME).stat()
    assert stat.S_ISSOCK(told.st_mode)
    assert stat.S_IMODE(told.st_mode) == 0o600


@pytest.mark.parametrize("line", [
    b"\n", b"nonsense\n", b"[]\n", b"1\n", b"\xff\xfe\n", b"{}\n", b'{"command": 5}\n', b'{"command": "rm"}\n',
    b'{"command": "read", "more": 1}\n', b'{"command": "indicator", "seconds": "5"}\n', b"[" * 4000 + b"\n",
])  # fmt: skip
def test_what_makes_no_sense_is_answered_with_an_error_and_the_next_question_is_heard(
    agent: app.Agent, line: bytes
) -> None:
    asker = Asker(agent)
    asker.send(line)
    assert asker.answer().keys() == {"error"}
    assert asker.ask("ping")["boot"] == agent.boot


@pytest.mark.parametrize("line", [bytes(LINE_BYTES_MAX + 1), b'{"command": "ping"}\n{"command": "ping"}\n'])
def test_a_line_too_long_or_two_at_once_end_the_connection(agent: app.Agent, line: bytes) -> None:
    asker = Asker(agent)
    asker.send(line)
    assert "one line at a time" in asker.answer()["error"]
    with pytest.raises(ConnectionError):
        asker.answer()
    assert Asker(agent).ask("ping")["boot"] == agent.boot


def test_the_longest_line_is_heard(agent: app.Agent) -> None:
    asker = Asker(agent)
    asker.send(b'{"command": "ping"}'.ljust(LINE_BYTES_MAX) + b"\n")
    assert asker.answer()["boot"] == agent.boot


def test_a_question_may_come_in_pieces(agent: app.Agent) -> None:
    asker = Asker(agent)
    for byte in b'{"command": "ping"}\n':
        asker.send(bytes([byte]))
        agent.enquiries.turn(clock.boot_us())
    assert asker.answer()["boot"] == agent.boot


def test_who_is_silent_longest_gives_way_where_too_many_ask(agent: app.Agent) -> None:
    askers = [Asker(agent) for _ in range(CLIENTS_MAX)]
    assert [asker.ask("ping")["boot"] for asker in askers] == [agent.boot] * CLIENTS_MAX
    assert Asker(agent).ask("ping")["boot"] == agent.boot
    with pytest.raises(ConnectionError):
        askers[0].answer()
    assert askers[1].ask("ping")["boot"] == agent.boot


@pytest.mark.parametrize(("idle_us", "is_there"), [(IDLE_US, True), (IDLE_US + 1, False)])
def test_a_connection_without_a_word_ends(tmp_path: Path, idle_us: int, is_there: bool) -> None:
    door = DeskSocket(tmp_path)
    with socket.socket(socket.AF_UNIX) as asker, address_of(tmp_path) as address:
        asker.connect(address)
        assert list(door.questions(0)) == []
        assert list(door.questions(idle_us)) == []
        asker.setblocking(False)
        if is_there:
            with pytest.raises(BlockingIOError):
                asker.recv(1)
        else:
            assert asker.recv(1) == b""
    door.close()


def test_an_answer_that_is_taken_slowly_comes_whole(tmp_path: Path) -> None:
    door, told = DeskSocket(tmp_path), {"long": "x" * 3_000_000}
    with socket.socket(socket.AF_UNIX) as asker, address_of(tmp_path) as address:
        asker.connect(address)
        asker.sendall(b'{"command": "ping"}\n')
        questions: list[Any] = []
        while not questions:
            questions += door.questions(0)
        door.take(questions[0], Ticket("ping", {}, is_away=False, answer=told))
        door.answer(0)
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.append(asker.makefile("rb").readline()))
        reader.start()
        until_s = time.monotonic() + WAIT_S
        while not lines:
            assert time.monotonic() < until_s
            assert list(door.questions(0)) == []
        reader.join()
    door.close()
    assert json.loads(lines[0]) == told


def test_what_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    DeskSocket(tmp_path)
    (tmp_path / f"{DESK_NAME}.new").write_text("half made")
    door = DeskSocket(tmp_path)
    with socket.socket(socket.AF_UNIX) as asker, address_of(tmp_path) as address:
        asker.connect(address)
        assert list(door.questions(0)) == []
        asker.sendall(b"{}\n")
        assert list(door.questions(0)) == []
        assert b"error" in asker.recv(1000)
    door.close()
    assert not (tmp_path / DESK_NAME).exists()


def test_a_folder_with_a_long_name_has_a_desk_too(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with running(folder) as made:
        assert Asker(made).ask("ping")["device"] == made.ledger.tail.device.hex()


def test_without_a_place_for_a_socket_the_daemon_runs_all_the_same(tmp_path: Path) -> None:
    door = DeskSocket(tmp_path / "nowhere")
    assert list(door.questions(0)) == []
    door.close()


# ---- answers ----------------------------------------------------------------------------------------------------------


def test_read_tells_values_with_their_units_and_ages(agent: app.Agent) -> None:
    now_us = clock.boot_us()
    place = fix(now_us - S, (48.1, 11.5, 20.0, 90.0, 0.9, 9.0), valid=True)
    agent.core.feed(value(now_us - 2 * S, SIGNAL_INDEX["speed"], 20.0) + place + tick(now_us))
    told = Asker(agent).ask("read")
    speed = told["signals"]["speed"]
    assert (speed["vss"], speed["unit"], speed["value"]) == ("Vehicle.Speed", "m/s", 20.0)
    assert 2.0 <= speed["age_s"] < WAIT_S
    assert told["signals"]["coolant"] | {"vss": ""} == {"vss": "", "unit": "degC", "value": None, "age_s": None}
    assert (told["gnss"]["lat_deg"], told["gnss"]["lon_deg"], told["gnss"]["sats"]) == (48.1, 11.5, 9.0)
    assert told["link"]["state"] in ("down", "connecting")
    assert told["imu"] == {"is_there": None, "is_mounted": False, "age_s": None}
    assert (told["trip"], told["health"]) == (None, None)


@pytest.mark.parametrize(("consent", "lat_deg"), [("full", 48.1), ("none", None)])
def test_a_place_leaves_the_terminal_no_finer_than_agreed(tmp_path: Path, consent: str, lat_deg: float | None) -> None:
    now_us = clock.boot_us()
    with running(tmp_path, privacy=msgspec.convert({"consent": consent}, Privacy)) as made:
        made.core.feed(fix(now_us, (48.1, 11.5, 20.0, 90.0, 0.9, 9.0), valid=True) + tick(now_us))
        desk = made.enquiries._mailbox._desk
        away, here = (desk.ask("read", {}, now_us, is_away=is_away).answer for is_away in (True, False))
        assert (away or {})["gnss"]["lat_deg"] == lat_deg
        assert (here or {})["gnss"]["lat_deg"] == 48.1


def test_read_tells_how_full_a_bus_is() -> None:
    gauges = Gauges()
    gauges.note(0, {"can0": {"frames": 0}})
    gauges.hear(frame(1, 2, 0x100, bytes(8)) * 4)
    gauges.note(S, {"can0": {"frames": 1000}})
    told = gauges.told("can0", S, number=2, bitrate=500_000)
    assert told == {"frames": 1000, "frames_per_s": 1000.0, "last_frame_age_s": 0.0, "load_pct": 24.4}
    gauges.note(3 * S, {"can0": {"frames": 1000}})
    assert gauges.told("can0", 4 * S) | {"load_pct": None} == {
        "frames": 1000, "frames_per_s": 0.0, "last_frame_age_s": 3.0, "load_pct": None,
    }  # fmt: skip
    gauges.note(4 * S, {"can0": {"frames": 10}})
    assert gauges.told("can0", 4 * S)["frames_per_s"] == 10.0


def test_diag_has_counters_settings_and_the_last_words_but_no_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET)
    (tmp_path / "password").chmod(0o600)
    login = {"username": "car", "password_file": str(tmp_path / "password")}
    with running(tmp_path, mqtt=msgspec.structs.replace(defaults().mqtt, tls=False, port=1, **login)) as made:
        logging.getLogger("tbox").warning("rtsp://admin:%s@cam/1 password=%s; pin-value=%s", SECRET, SECRET, SECRET)
        told = Asker(made).ask("diag")
    assert told["settings"]["mqtt"]["password_file"] == str(tmp_path / "password")
    assert told["counters"]["core"]["frames_in"] == 0
    assert any("rtsp://***@cam/1" in line for line in told["log"])
    secrets = [SECRET, *((tmp_path / name).read_text().split()[1] for name in ("device.key",))]
    assert not [secret for secret in secrets if secret in json.dumps(told)]
    assert len(json.dumps(told)) < 65536


@pytest.mark.parametrize(("most", "lines", "left_off"), [
    pytest.param(1000, 10, [], id="all of it"),
    pytest.param(300, 4, ["6 older lines of the log"], id="the newest lines"),
    pytest.param(155, 0, ["settings", "10 older lines of the log"], id="no room for what is long"),
])  # fmt: skip
def test_diag_is_cut_and_says_so(most: int, lines: int, left_off: list[str]) -> None:
    told: dict[str, Any] = {"settings": {"x" * 60: 1}, "counters": {}, "slots": {}, "log": [], "left_off": []}
    kept = cut(told, [f"line {number} {'y' * 14}" for number in range(10)], most)
    assert len(json.dumps(kept)) <= most
    assert kept["left_off"] == left_off
    assert kept["log"] == [f"line {number} {'y' * 14}" for number in range(10 - lines, 10)]


def test_a_deed_is_in_the_account_before_it_is_answered_and_not_too_often(tmp_path: Path) -> None:
    with running(tmp_path) as agent:
        _deeds(agent)


def _deeds(agent: app.Agent) -> None:
    asker = Asker(agent)
    assert asker.ask("indicator", seconds=3) == {"seconds": 3}
    assert asker.ask("stay_awake", seconds=60) == {"seconds": 60}
    assert "may be asked" in asker.ask("reprobe")["error"]
    assert "no trip 99" in asker.ask("send", trip=99)["error"]
    told = [(body["command"], body["by"], body["args"], body["outcome"]) for body in commands(agent)]
    assert told == [
        ("indicator", "desk", {"seconds": 3}, "done"),
        ("stay_awake", "desk", {"seconds": 60}, "done"),
        ("send", "desk", {"trip": 99}, "failed"),
    ]
    answers = [asker.ask("indicator", seconds=1) for _ in range(DEEDS)]
    assert "too often" in answers[-1]["error"]


def test_stay_awake_says_why_not_and_ends(agent: app.Agent) -> None:
    asker, note = Asker(agent), folder_of(agent) / awake.NOTE_NAME
    most_s = int(agent.settings.power.stay_s_max)
    assert "too long" in asker.ask("stay_awake", seconds=most_s + 1)["error"]
    assert not note.exists()
    assert asker.ask("stay_awake", seconds=most_s) == {"seconds": most_s}
    assert note.exists()
    assert asker.ask("stay_awake", seconds=0) == {"seconds": 0}
    assert awake.left_s(folder_of(agent)) == 0.0


def test_the_store_is_not_asked_too_much_at_once(agent: app.Agent) -> None:
    desk, now_us = agent.enquiries._mailbox._desk, clock.boot_us()
    tickets = [desk.ask("trips", {}, now_us) for _ in range(WAITING_MAX)]
    with pytest.raises(DeskError, match="in a moment"):
        desk.ask("trips", {}, now_us)
    turned(agent, lambda: all(ticket.answer is not None for ticket in tickets))
    assert tickets[0].answer == {"trips": [], "more": False}
    desk.ask("trips", {}, now_us)


def test_the_command_line_says_when_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(DeviceAbsentError, match="is the daemon running"):
        asking_desk.ask(tmp_path, "ping", {})
    DeskSocket(tmp_path)._poll.close()
    with pytest.raises(DeviceAbsentError, match=r"no answer within|nobody answers"):
        asking_desk.ask(tmp_path, "ping", {}, wait_s=0.2)


def test_the_command_line_asks_a_daemon_that_turns(agent: app.Agent, capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[object] = []

    def ask() -> None:
        try:
            codes.append(asking_desk.run(folder_of(agent), "ping", [], json=False))
            codes.append(asking_desk.read(folder_of(agent), json=False))
            asking_desk.run(folder_of(agent), "send", ["trip=7"], json=True)
        except InputError as why:
            codes.append(str(why))

    thread = threading.Thread(target=ask)
    thread.start()
    turned(agent, lambda: len(codes) == 3)
    thread.join()
    assert codes == [0, 0, "there is no trip 7 on this terminal (not any more)"]
    told = capsys.readouterr().out
    assert "speed" in told
    assert agent.ledger.tail.device.hex() in told


def test_every_word_has_its_deed_named() -> None:
    assert [name for name, word in WORDS.items() if word.is_deed] == ["send", "indicator", "stay_awake", "reprobe"]
