"""The guides in config/guides: what they tell to type does what they say, and no command in them is unknown.

Blocks: `sh` is run, all of a guide in one folder; `sh car` and `sh root` need what is not here, their words are read by the
parsers of the programs they name; `text` stands in what the block before prints; one with a file's name is that file.
"""

import argparse
import os
import queue
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent import cli
from agent.columns import encode_columns
from hil import __main__ as bench
from hil.receiver import __main__ as receiver
from tests.accounts import framed, ledger
from tests.brokers import MOSQUITTO, Certificates, Process, Subscriber, free_port

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted((ROOT / "config" / "guides").glob("*.md"))
FENCE = re.compile(r"^```(\w+) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "#### next"
RUN_S = 300.0
WAIT_S = 30.0
ENDS = frozenset({"|", "||", "&&", ";", ">"})
BROKER = "operator.md"


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the word behind it, its text."""

    language: str
    word: str
    text: str

    @property
    def is_run(self) -> bool:
        """As it stands."""
        return self.language == "sh" and not self.word

    @property
    def is_read(self) -> bool:
        """Its words only."""
        return self.language == "sh" and bool(self.word)

    @property
    def is_file(self) -> bool:
        """It has a name."""
        return self.language != "sh" and bool(self.word)


@cache
def blocks(guide: Path) -> tuple[Block, ...]:
    return tuple(Block(*found) for found in FENCE.findall(guide.read_text(encoding="utf-8")))


def account() -> bytes:
    """What a receiver has of a first drive: three rows of speed, a harsh braking, a clock."""
    book = ledger()
    columns = encode_columns(5_000_000, 1_000_000, {"speed": [12.5, 12.25, None]}, {"speed": 0.25})
    braking = {"event": "harsh_braking", "severity": "medium", "trip": 3, "start_us": 10_000_000}
    clock = {"boot": 1, "boot_us": 0, "utc_us": 1_760_000_000_000_000, "u_us": 1000, "source": "ntp"}
    records = book.start(1, {}) + book.number("clock", 2, clock) + book.number("trip_start", 3, {"start_us": 3})
    records += book.number("samples", 65_000_000, {"trip": 3, **columns}) + book.number("event", 65_000_001, braking)
    records += book.number("health", 65_000_002, {"up_us": 65_000_002})
    return framed(
        records + book.number("trip_end", 70_000_000, {"trip": 3, "distance_m": -1.5e3, "counts": [300, -200]})
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "received.tbox").write_bytes(account())
    return tmp_path


def run(script: str, folder: Path) -> list[str]:
    """What each block prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "TBOX": str(ROOT), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    return done.stdout.split(f"{MARK}\n")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_what_a_guide_tells_to_type_prints_what_it_says(guide: Path, folder: Path) -> None:
    found = blocks(guide)
    if any(re.search(r"^node ", block.text, re.MULTILINE) for block in found) and not shutil.which("node"):
        pytest.skip("node is not installed: apt-get install nodejs")
    for block in (block for block in found if block.is_file):
        path = folder / block.word
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    typed = [block.text for block in found if block.is_run]
    assert typed, "nothing in this guide is tried"
    told = iter(run(f"echo '{MARK}'\n".join(typed), folder))
    printed: list[str] = []
    for block in found:
        if block.is_run:
            printed = next(told).splitlines()
        elif block.language == "text":
            rest = iter(printed)
            assert all(line in rest for line in block.text.splitlines()), f"{block.text}is not in {printed}"


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a block, word by word."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in ENDS:
                words.append(word)
            elif words:
                yield words
                words = []


def parser_of(words: list[str]) -> tuple[argparse.ArgumentParser | None, list[str]]:
    """Whose words these are, and the rest of them; None: not ours."""
    if words[:2] == ["sudo", "-u"]:
        words = words[3:]
    match words:
        case ["tbox", *rest]:
            return cli._parser(), rest
        case ["python", "-m", "hil.receiver", *rest]:
            return receiver._parser(), rest
        case ["python", "-m", "hil", *rest]:
            return bench._parser(), rest
    return None, words


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_no_command_of_a_guide_is_unknown_to_its_program(guide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in (words for block in blocks(guide) if block.is_read for words in commands(block.text)):
        parser, rest = parser_of(words)
        if words[0] == "make":
            assert words[1] in targets, words
        if parser is not None:
            try:
                parser.parse_args(rest)
            except SystemExit:
                pytest.fail(f"{guide.name}: {shlex.join(words)}: {capsys.readouterr().err.splitlines()[-1]}")


def fault(parser: argparse.ArgumentParser, words: list[str]) -> str:
    """The first of these words that it does not know; empty: it knows all of them. Arguments may be missing."""
    for word in words:
        verbs = next((action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None)
        if word.startswith("-") and word.partition("=")[0] not in parser._option_string_actions:
            return word
        if not word.startswith("-") and verbs is not None:
            if word not in verbs.choices:
                return word
            parser = verbs.choices[word]
    return ""


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_no_command_that_a_guide_mentions_is_unknown(guide: Path) -> None:
    prose = FENCE.sub("", guide.read_text(encoding="utf-8"))
    mentioned = re.findall(r"`((?:tbox|python -m hil|make) [^`]+)`", prose)
    assert mentioned
    for one in mentioned:
        parser, rest = parser_of(shlex.split(one.replace("\n", " ")))
        assert parser is None or not fault(parser, rest), f"{guide.name}: {one}: {fault(parser, rest)}"


def test_a_mistyped_command_would_be_noticed() -> None:
    assert fault(cli._parser(), ["key", "shows"]) == "shows"
    assert fault(cli._parser(), ["flash", "x.tbx", "--dryrun"]) == "--dryrun"
    assert list(commands("a b | tbox c > d && e  # f")) == [["a", "b"], ["tbox", "c"], ["d"], ["e"]]


class Terminal:
    """A client that comes in with the certificate of `client`, under another's client id."""

    def __init__(self, port: int, certificates: Certificates) -> None:
        self.answers: queue.Queue[tuple[str, object]] = queue.Queue()
        self._client = Client(
            CallbackAPIVersion.VERSION2, "stranger", protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        self._client.tls_set(certificates.cert("ca"), certificates.cert("client"), certificates.key("client"))
        self._client.on_publish = lambda _c, _u, _m, reason, _p: self.answers.put(("published", reason.is_failure))
        self._client.on_subscribe = lambda _c, _u, _m, _r, _p: self.answers.put(("subscribed", None))
        self._client.on_message = lambda _c, _u, message: self.answers.put(("heard", message.topic))
        self._client.connect("localhost", port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def may_publish(self, topic: str) -> bool:
        """Whether the broker takes it."""
        self._client.publish(topic, b"x", qos=1)
        word, is_refused = self.answers.get(timeout=WAIT_S)
        assert word == "published"
        return not is_refused

    def listen(self) -> None:
        """To everything."""
        self._client.subscribe("tbox/v1/#", qos=1)
        assert self.answers.get(timeout=WAIT_S) == ("subscribed", None)


def broker(folder: Path, certificates: Certificates, outer: int) -> Process:
    """A mosquitto with the operator's guide's own settings, but for ports and places."""
    files = {block.word: block.text for block in blocks(ROOT / "config" / "guides" / BROKER) if block.is_file}
    inner = free_port()
    (folder / "terminals.acl").write_text(files["terminals.acl"])
    places = {
        "/etc/mosquitto/ca.pem": certificates.cert("ca"),
        "/etc/mosquitto/broker.pem": certificates.cert("server"),
    }
    places |= {"/etc/mosquitto/broker.key": certificates.key("server"), "/var/lib/mosquitto/": f"{folder}/"}
    places |= {"/etc/mosquitto/terminals.acl": str(folder / "terminals.acl"), "listener 8883": f"listener {outer}"}
    places |= {"listener 1883": f"listener {inner}"}
    text = files["mosquitto.conf"]
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    (folder / "mosquitto.conf").write_text(f"user {'root' if os.geteuid() == 0 else 'nobody'}\n{text}")
    return Process([str(MOSQUITTO), "-c", str(folder / "mosquitto.conf")], inner, folder / "mosquitto.log")


def test_the_guides_broker_lets_a_terminal_write_and_read_its_own_topics_only(tmp_path: Path) -> None:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    certificates, outer = Certificates(tmp_path), free_port()
    ups = ["evidence", "event", "trip", "health", "samples", "state", "config/reported", "response/r1", "probe"]
    theirs = ["tbox/v1/other/event", "tbox/v1/other/receipt", "tbox/v1/stranger/event", "else"]
    downs = [f"tbox/v1/client/{down}" for down in ("receipt", "config/desired", "command/ping")]

    def may_publish(topic: str) -> bool:
        with Terminal(outer, certificates) as terminal:
            return terminal.may_publish(topic)

    with broker(tmp_path, certificates, outer) as running:
        assert [up for up in ups if not may_publish(f"tbox/v1/client/{up}")] == []
        assert [topic for topic in theirs + downs if may_publish(topic)] == []
        with Terminal(outer, certificates) as terminal, Subscriber(running.port, "none") as platform:
            terminal.listen()
            for topic in (
                "tbox/v1/other/receipt",
                "tbox/v1/client/event",
                *(reads := ["tbox/v1/client/probe", *downs]),
            ):
                platform.publish(topic, b"x")
            assert [terminal.answers.get(timeout=WAIT_S)[1] for _ in reads] == reads
