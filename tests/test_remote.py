"""Commands over a real broker to a real daemon: what is done, what is refused and why, and that all of it is written down."""

import json
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.codec import decode
from agent.desk.commands import OFTEN, PAYLOAD_BYTES_MAX
from agent.proof import verify
from agent.settings.file import load
from agent.trust import trust
from agent.trust.token import Token
from tests.brokers import Mosquitto, Process
from tests.fleets import ANNA, EVE, SECOND_US, bundle_of, roster_form, signed_roster
from tests.remotes import form, payload

WAIT_S = 60.0
VOUCHED = "import agent.world.clock as clock; clock._kernel_error_us = lambda: {error}; "
MAIN = "import sys; from agent.cli import main; sys.exit(main(sys.argv[1:]))"
MORE = """[trip]
end_s = 1
[samples]
journal_s = 1
[indicator]
command = ["/bin/true"]
[flash]
check_s = 1
healthy_s = 1
"""


def drive() -> str:
    """Three seconds of a drive, then the engine is off: a trip that ends."""
    rows = [f"{n / 10:.1f},{10 if n < 30 else 0},{1500 if n < 30 else 0}" for n in range(60)]
    return "time_s,speed_mps,rpm\n" + "\n".join(rows) + "\n"


class Terminal:
    """A daemon of its own, that trusts Anna's fleet, on a clock that somebody vouches for (or nobody)."""

    def __init__(self, folder: Path, port: int, version: str = "5", *, is_vouched: bool = True) -> None:
        self.folder, self.state = folder, folder / "state"
        self.log = folder / "tbox.log"
        (folder / "drive.csv").write_text(drive())
        self.config = folder / "tbox.toml"
        self.config.write_text(
            f'{MORE}[device]\nstate_dir = "state"\n[recording]\npaths = ["drive.csv"]\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\ntls = false\nversion = "{version}"\n'
        )
        self._code = VOUCHED.format(error=1000 if is_vouched else None) + MAIN
        trust.pin(load(self.config), signed_roster(roster_form(threshold=1), [ANNA]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """`tbox run`."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", self._code, "run", "--config", str(self.config)]
            self._process = subprocess.Popen(command, stderr=log)

    def stop(self) -> None:
        """As a service manager does."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(WAIT_S) == 0, self.log.read_text()

    def kill(self) -> None:
        """As a power cut does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(WAIT_S)


class Platform:
    """Who sends commands, and keeps what terminals say. `device` is learnt from the state."""

    def __init__(self, port: int, version: str = "5") -> None:
        self._version = version
        protocol = MQTTProtocolVersion.MQTTv5 if version == "5" else MQTTProtocolVersion.MQTTv311
        self.told: queue.Queue[MQTTMessage] = queue.Queue()
        self.bodies: dict[int, dict[str, Any]] = {}
        self.state: dict[str, Any] = {}
        self.reported: dict[str, Any] = {}
        self.trips: list[int] = []
        self.device = ""
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=protocol, reconnect_on_failure=False)
        self._client.on_message = lambda _client, _userdata, message: self.told.put(message)
        self._client.on_connect = self._subscribe
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _subscribe(self, client: Client, *_: object) -> None:
        client.subscribe("tbox/v1/#", qos=1)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def send(
        self, command: str, told: bytes, topic: str = "", correlation: bytes = b"", *, retain: bool = False
    ) -> None:
        """A command, with MQTT 5's properties where there are any."""
        properties = Properties(PacketTypes.PUBLISH) if topic or correlation else None  # type: ignore[no-untyped-call]
        if properties is not None and topic:
            properties.ResponseTopic = topic
        if properties is not None and correlation:
            properties.CorrelationData = correlation
        where = f"tbox/v1/{self.device}/{command if '/' in command else f'command/{command}'}"
        self._client.publish(where, told, qos=1, retain=retain, properties=properties)

    def answer(self, request: str) -> "Told":
        """The answer to this request."""
        while True:
            message = self.next()
            if "/response" in message.topic:
                body = json.loads(message.payload)
                if body["request"] == request or request in str(body["words"]):
                    correlation = getattr(message.properties, "CorrelationData", b"")
                    return Told(message.topic.removeprefix(f"tbox/v1/{self.device}/"), body, correlation)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Take what comes until it is so."""
        while not condition():
            self.next(what)

    def next(self, what: str = "an answer") -> MQTTMessage:
        """The next message; records and states are noted."""
        try:
            message = self.told.get(timeout=WAIT_S)
        except queue.Empty:
            raise AssertionError(f"waited {WAIT_S:.0f} s for {what}") from None
        name = message.topic.split("/", 3)[3]
        if name == "state" and message.payload:
            self.state, self.device = json.loads(message.payload), message.topic.split("/")[2]
        elif name == "config/reported":
            self.reported = json.loads(message.payload)
        elif name in ("event", "trip"):
            record = decode(bytes(message.payload))
            if record.kind == "command":
                self.bodies[record.seq] = dict(record.body)
            elif record.kind == "trip_end":
                self.trips.append(int(record.body["trip"]))
        return message


@dataclass(frozen=True)
class Told:
    """An answer: the topic below the terminal's, what it says, and MQTT 5's correlation data."""

    name: str
    body: dict[str, Any]
    correlation: bytes

    @property
    def outcome(self) -> tuple[str, str]:
        """What became of it, and why not more."""
        return self.body["outcome"], self.body["reason"]


@contextmanager
def at_work(
    folder: Path, port: int, version: str = "5", *, is_vouched: bool = True
) -> Iterator[tuple[Terminal, Platform]]:
    """A terminal that is connected, and its platform."""
    terminal, platform = Terminal(folder, port, version, is_vouched=is_vouched), Platform(port, version)
    terminal.start()
    try:
        platform.until(lambda: bool(platform.state.get("online")), f"the terminal: {terminal.log}")
        yield terminal, platform
    finally:
        terminal.kill()
        platform.close()


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


class Numbers:
    """A number for each token of this module."""

    last = 0


def signed(device: str, *, by: Any = ANNA, ago_s: int = 60, **said: Any) -> Token:
    """A token that holds for an hour from a minute ago."""
    Numbers.last += 1
    since_us = time.time_ns() // 1000 - ago_s * SECOND_US
    return Token.made(form(Numbers.last, since_us, **({"devices": (device,)} | said))).signed(by)


def words(told: Token | Any, request: str, **more: Any) -> bytes:
    return payload(told.told() if isinstance(told, Token) else told, request=request, **more)


GOOD: list[tuple[str, dict[str, int], tuple[str, str], Callable[[Any], bool]]] = [
    ("ping", {}, ("done", ""), lambda told: told["software"].startswith("tbox ")),
    ("read", {}, ("done", ""), lambda told: told["signals"]["speed"]["vss"] == "Vehicle.Speed"),
    ("diag", {}, ("done", ""), lambda told: told["settings"]["flash"]["check_s"] == 1),
    ("trips", {}, ("done", ""), lambda told: len(told["trips"]) == 1),
    ("indicator", {"seconds": 2}, ("done", ""), lambda told: told == {"seconds": 2}),
    ("stay_awake", {"seconds": 2}, ("done", ""), lambda told: told == {"seconds": 2}),
    ("reprobe", {}, ("failed", "failed"), lambda told: told is None),
    ("send", {"trip": 10_000}, ("failed", "failed"), lambda told: told is None),
]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_every_command_is_done_and_answered_where_it_is_wanted(
    mosquitto: Process, tmp_path: Path, version: str
) -> None:
    with at_work(tmp_path, mosquitto.port, version) as (terminal, platform):
        device = platform.device
        platform.until(lambda: bool(platform.trips), f"the end of the drive: {terminal.log}")
        for command, args, outcome, is_right in GOOD:
            told = words(signed(device, commands=(command,), args=args), command, correlation=f"c-{command}")
            base = f"tbox/v1/{device}/response/{command}"
            if version == "5":
                platform.send(command, told, base, b"\x00\xff")
            else:
                platform.send(command, told[:-1] + f', "response": "{base}"}}'.encode())
            answer = platform.answer(command)
            assert (answer.name, answer.outcome) == (f"response/{command}", outcome), answer
            assert (answer.body["correlation"], answer.correlation) == (f"c-{command}", b"\x00\xff" * (version == "5"))
            assert is_right(answer.body["answer"]), answer
        args = {"trip": platform.trips[0]}
        platform.send("send", words(signed(device, commands=("send",), args=args), "again"))
        again = platform.answer("again").body["answer"]
        assert (again["requeued"] > 0, again["gone"]) == (True, 0)
        _check_books(terminal, platform, [*(command for command, *_ in GOOD), "send"])


def _check_books(terminal: Terminal, platform: Platform, commands: list[str]) -> None:
    """Every command is in the account as it was answered, and the account holds."""
    platform.until(lambda: len(platform.bodies) == len(commands), f"{len(commands)} records")
    assert [platform.bodies[seq]["command"] for seq in sorted(platform.bodies)] == commands
    terminal.stop()
    assert verify.run([terminal.state], json=True, key=None, fleet=None, platform=None) == 0


def test_what_no_token_permits_is_refused_with_its_reason_and_written_down(mosquitto: Process, tmp_path: Path) -> None:
    with at_work(tmp_path, mosquitto.port) as (terminal, platform):
        device, rows = platform.device, []
        used = signed(device)
        platform.send("ping", words(used, "used"))
        assert platform.answer("used").outcome == ("done", "")
        rows = [
            ("replayed", "ping", words(used, "replayed")),
            ("unsigned", "indicator", b'{"request": "unsigned"}'),
            ("unsigned", "stay_awake", words(Token.made(form(9001, devices=(device,))), "unsigned 2")),
            ("key", "ping", words(signed(device, by=EVE), "key")),
            ("expired", "ping", words(signed(device, ago_s=3601), "expired")),
            ("early", "ping", words(signed(device, ago_s=-600), "early")),
            ("scope", "ping", words(signed("00" * 8), "scope")),
            ("command", "stay_awake", words(signed(device), "command")),
            ("altered", "ping", words(signed(device).told() | {"devices": None}, "altered")),
            ("life", "ping", words(signed(device).told() | {"not_after": "2099-01-01T00:00:00Z"}, "life")),
            ("command", "reboot", words(signed(device, commands=("reboot",)), "no such")),
        ]
        for reason, command, told in rows:
            platform.send(command, told)
            assert platform.answer(json.loads(told)["request"]).outcome == ("refused", reason)
        outside = f"tbox/v1/{device}/event"
        platform.send("ping", words(signed(device), "outside"), outside)
        assert platform.answer(outside).body["reason"] == "response"
        broken = {"not JSON": b"\xff\x00", "more than": b" " * (PAYLOAD_BYTES_MAX + 1)}
        for why, told in broken.items():
            platform.send("ping", told)
            assert platform.answer(why).outcome == ("refused", "malformed")
        platform.send("ping", words(signed(device), "retained"), retain=True)
        assert platform.answer("retained").outcome == ("done", "")  # it came live; as a retained one it never counts
        platform.send("ping", b"", retain=True)
        assert not (terminal.state / "awake.json").exists()
        commands = ["ping", *(command for _, command, _ in rows), "ping", "ping", "ping", "ping"]
        _check_books(terminal, platform, commands)
        refused = [body for body in platform.bodies.values() if body["outcome"] == "refused"]
        assert len(refused) == len(rows) + 3


def test_a_token_is_remembered_over_a_restart(mosquitto: Process, tmp_path: Path) -> None:
    with at_work(tmp_path, mosquitto.port) as (terminal, platform):
        used = signed(platform.device)
        platform.send("ping", words(used, "used"))
        assert platform.answer("used").outcome == ("done", "")
        terminal.kill()
        platform.until(lambda: not platform.state["online"], "the will")
        terminal.start()
        platform.until(lambda: bool(platform.state["online"]), f"the terminal again: {terminal.log}")
        platform.send("ping", words(used, "replayed"))
        assert platform.answer("replayed").outcome == ("refused", "replayed")


def test_too_many_are_refused_and_the_next_one_later_is_not_lost(mosquitto: Process, tmp_path: Path) -> None:
    with at_work(tmp_path, mosquitto.port) as (_, platform):
        most, device = OFTEN["diag"][0], platform.device
        tokens = [signed(device, commands=("diag",)) for _ in range(most + 1)]
        outcomes = []
        for number, one in enumerate(tokens):
            platform.send("diag", words(one, f"{number}"))
            outcomes.append(platform.answer(f"{number}").outcome)
        assert outcomes == [("done", "")] * most + [("refused", "rate")]
        platform.send("ping", words(signed(device), "another command"))
        assert platform.answer("another command").outcome == ("done", "")


def test_a_terminal_whose_clock_nobody_vouches_for_takes_answers_to_its_challenge(
    mosquitto: Process, tmp_path: Path
) -> None:
    with at_work(tmp_path, mosquitto.port, is_vouched=False) as (_, platform):
        device, challenge = platform.device, platform.state["challenge"]
        rows = [(None, ("refused", "no_clock")), ("00" * 16, ("refused", "challenge")), (challenge, ("done", ""))]
        for said, outcome in rows:
            platform.send("ping", words(signed(device, challenge=said), f"{said}"))
            assert platform.answer(f"{said}").outcome == outcome


def test_a_desired_configuration_runs_and_is_reported_a_bad_one_is_refused(mosquitto: Process, tmp_path: Path) -> None:
    with at_work(tmp_path, mosquitto.port) as (terminal, platform):
        bundles = {"bad": bundle_of(signers=[EVE]), "good": bundle_of({"tbox.toml": b"[trip]\nend_s = 2\n"}, [ANNA])}
        for told in (b"\xc1", msgpack.packb({"document": "x"}), b"[]"):
            platform.send("config/desired", told)
            platform.until(lambda: _desired(platform) == ("", "refused", "malformed"), "the refusal")
            platform.reported = {}
        platform.send("config/desired", msgpack.packb({"document": "d-1", "bundle": bundles["bad"].raw()}))
        platform.until(lambda: _desired(platform)[:2] == ("d-1", "refused"), f"the refusal; {terminal.log}")
        assert (_desired(platform)[2], platform.reported["bundle"]) == ("key", "")
        platform.send(
            "config/desired", msgpack.packb({"document": "d-2", "bundle": bundles["good"].raw()}), retain=True
        )
        platform.until(lambda: platform.reported.get("document") == "d-2", f"what runs; {terminal.log}")
        assert platform.reported["bundle"] == "acme-vans"
        platform.until(lambda: platform.reported["state"] == "running", f"that it proved itself; {terminal.log}")
        platform.send("config/desired", b"", retain=True)


def _desired(platform: Platform) -> tuple[str, str, str]:
    told = platform.reported.get("desired") or {}
    return told.get("document", ""), told.get("outcome", ""), told.get("reason", "")
