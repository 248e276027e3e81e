"""Secrets stay where they are: one is planted in every place that can hold one, and looked for everywhere else."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.cli import main
from agent.desk import asking_desk
from agent.yard import pairing
from tests.brokers import Mosquitto, Subscriber
from tests.test_run import FAST, WAIT_S, Terminal, running, until

MARK = "S3ntinel"
PASSWORD, LOGIN, PIN, PEM = (f"{MARK}-{name}-0f1e2d3c".encode() for name in ("password", "login", "pin", "pem"))
OWN = {"device.key", "device.key.next", "pseudonym.key", pairing.CODE_NAME}
"""Files of the state folder that are there to hold a secret."""

SETTINGS = (
    f'{FAST}[device]\nstate_dir = "state"\n[recording]\npaths = ["drive.csv"]\n'
    '[camera]\nsource = "rtsp://127.0.0.1:9/car"\nlogin_file = "login"\n'
    '[mqtt]\nhost = "127.0.0.1"\ntls = false\nusername = "car"\npassword_file = "password"\nport = '
)


def spellings(plain: bytes) -> Iterator[bytes]:
    """As it may be told: as it is, in hexadecimal, in base64 (its inner part, whatever stands around it)."""
    yield plain
    yield plain.hex().encode()
    yield from (base64.b64encode(plain[at:])[4:-4] for at in range(3))


def leaks(secrets: Sequence[bytes], told: dict[str, bytes]) -> list[str]:
    """Where any of them is, in any spelling."""
    found = [(where, one) for one in secrets for where, raw in told.items() for way in spellings(one) if way in raw]
    return [f"{one!r} in {where}" for where, one in dict.fromkeys(found)]


@pytest.mark.parametrize(
    "told", [PASSWORD, b"u:" + PASSWORD + b"@h", PASSWORD.hex().encode(), base64.b64encode(b"x" + PASSWORD + b"yz")]
)
def test_a_leak_is_found_in_every_spelling(told: bytes) -> None:
    assert leaks([LOGIN, PASSWORD], {"log": b"..." + told + b"..."}) == [f"{PASSWORD!r} in log"]
    assert leaks([LOGIN, PASSWORD], {"log": b"..."}) == []


def planted(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def state_files(state: Path) -> dict[str, bytes]:
    files = [path for path in state.rglob("*") if path.is_file() and path.name not in OWN]
    return {str(path.relative_to(state)): path.read_bytes() for path in files}


class Shell:
    """Commands typed at the terminal, and everything they said or wrote."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.told: dict[str, bytes] = {}
        self._config, self._capsys = config, capsys

    def tbox(self, words: str) -> None:
        """Type it; whether it succeeds is no matter here."""
        main([*words.split(), "--config", str(self._config)])
        out, err = self._capsys.readouterr()
        self.told[words] = (out + err).encode()


def test_no_secret_leaves_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port, "#") as listener:
        terminal = Terminal(tmp_path, broker.port)
        terminal.config.write_text(f"{SETTINGS}{broker.port}\n")
        planted(tmp_path, "password", PASSWORD)
        planted(tmp_path, "login", b"user:" + LOGIN)
        shell, state = Shell(terminal.config, capsys), tmp_path / "state"
        with running(terminal):
            until(lambda: "device " in terminal.log.read_text(), "the start")
            for command in ("ping", "read", "diag", "trips"):
                shell.told[f"desk {command}"] = json.dumps(asking_desk.ask(state, command, {}, WAIT_S)).encode()
            typed_while_it_runs(shell)
            assert terminal.stop() == 0
        heard = everything(listener)
        typed_after(shell, tmp_path)
        heard += [listener.take()[1] for _ in range(listener.messages.qsize())]
    assert len(heard) > 5, "nothing was listened to"
    assert len(shell.told["desk diag"]) > 1000
    told = shell.told | state_files(state) | {"log": terminal.log.read_bytes(), "mqtt": b"\n".join(heard)}
    told |= {path.name: path.read_bytes() for path in tmp_path.glob("*.html")}
    keys = [bytes.fromhex((state / name).read_text().split()[1]) for name in ("device.key", "pseudonym.key")]
    assert leaks([PASSWORD, LOGIN, *keys], told) == []


def typed_while_it_runs(shell: Shell) -> None:
    """What a technician looks at, and certifies."""
    planted(Path(), "doctor.json", b'{"checks": [{"name": "can0", "verdict": "PASS", "words": "good"}]}')
    for words in ("config show", "config show --json", "key show --json", "trips list --json", "pair code --json"):
        shell.tbox(words)
    shell.tbox("install record --technician Ng --checks doctor.json")


def typed_after(shell: Shell, folder: Path) -> None:
    """What is printed of it."""
    shell.tbox("doctor --seconds 0.2 --json")
    shell.tbox(f"install certificate -o {folder / 'certificate.html'}")
    shell.tbox(f"report 0 -o {folder / 'report.html'}")


def everything(listener: Subscriber) -> list[bytes]:
    """All messages until the terminal says that it is gone."""
    found: list[bytes] = []
    is_online = True
    while is_online:
        message = listener.messages.get(timeout=WAIT_S)
        found.append(bytes(message.payload))
        is_online = not message.topic.endswith("/state") or json.loads(message.payload)["online"]
    return found


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        pytest.param("key", PEM, 'cert_file = "key"\nkey_file = "key"\n', id="a private key that is none"),
        pytest.param("ca", PEM, 'ca_file = "ca"\n', id="a certificate that is none"),
        pytest.param("password", PASSWORD + b"\x00", 'username = "car"\npassword_file = "password"\n', id="a password"),
    ],
)
def test_a_bad_file_is_named_without_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, lines: str
) -> None:
    planted(tmp_path, name, content)
    (tmp_path / "tbox.toml").write_text(f"[mqtt]\n{lines}")
    main(["config", "check", str(tmp_path / "tbox.toml")])
    told = capsys.readouterr()
    assert leaks([PEM, PASSWORD], {"out": (told.out + told.err).encode()}) == []


def test_the_pin_of_a_token_is_not_told_where_the_token_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin = planted(tmp_path, "pin", PIN)
    token = f"pkcs11:token=t;object=o?module-path={tmp_path}/none.so&pin-source={pin}"
    (tmp_path / "tbox.toml").write_text(f'[device]\nstate_dir = "{tmp_path}"\nkey = "{token}"\n')
    for words in ("config show", "doctor --seconds 0.2 --json"):
        main([*words.split(), "--config", str(tmp_path / "tbox.toml")])
    told = capsys.readouterr()
    assert leaks([PIN], {"out": (told.out + told.err).encode()}) == []
    assert "pin-source" in told.out
