"""The shipped tbox.toml says what the code does, and `tbox config` says what is in effect."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from agent.cli import config_command
from agent.errors import SettingsError
from agent.settings import Can, defaults
from agent.settings.error import allowed, dotted, known_keys
from agent.settings.file import Key, lines_of, load
from agent.settings.obd import Elm

SHIPPED = Path(__file__).resolve().parent.parent / "config" / "tbox.toml"
WHOLE = re.sub(
    r"(?m)^#(#? ?)(?=\[\[(?:can|elm)\]\]|# |\w+ = )", lambda mark: "# " if mark[1] else "", SHIPPED.read_text()
)
"""The shipped file with its commented tables switched on."""

LINES = lines_of(WHOLE)


def leaves() -> list[Key]:
    keys = list(known_keys())
    return [key for key in keys if not any(len(other) > len(key) and other[: len(key)] == key for other in keys)]


def explanation(key: Key, lines: dict[Key, int]) -> str:
    """The comment that stands directly over a key."""
    text, at, words = WHOLE.splitlines(), lines[key] - 2, list[str]()
    while text[at].startswith("#"):
        words.insert(0, text[at].lstrip("# "))
        at -= 1
    return " ".join(words)


def test_the_shipped_file_holds_every_default() -> None:
    assert load(SHIPPED) == defaults()


def test_the_shipped_file_names_every_key() -> None:
    data = tomllib.loads(WHOLE)
    missing = [dotted(key) for key in leaves() if key not in LINES]
    assert missing == []
    for table, kind in (("can", Can), ("elm", Elm)):
        assert data[table] == [{name: getattr(kind(), name) for name in kind.__struct_fields__}]


@pytest.mark.parametrize("key", leaves(), ids=dotted)
def test_each_key_is_explained_with_range_and_default(key: Key) -> None:
    said, value = explanation(key, LINES), tomllib.loads(WHOLE)
    for part in key:
        value = value[part]
    if not isinstance(value, list):
        assert re.search(rf"[Dd]efault {re.escape(json.dumps(value))}(?![\w.]*\d)", said), said
    words = allowed(key).replace('"', "")
    if "number from" in words:
        span, _, unit = words.partition("number from ")[2].partition(" to ")[2].partition(" ")
        low = words.partition("number from ")[2].split()[0]
        assert f"{unit}, {low} to {span}," in said if unit else f"{low} to {span}," in said, said
    if words.startswith("one of"):
        assert all(f'"{word}"' in said for word in words.removeprefix("one of ").split(" ")), said


def test_check_says_a_good_file_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tbox.toml"
    path.write_text("[trip]\nend_s = 5\nstart_mps = 2\n")
    assert config_command.check(path) == 0
    assert capsys.readouterr().out == f"{path}: good; it sets 2 values, the others are the defaults\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('[vehicle]\nmap = "./car.toml"\n', r"{folder}/car\.toml.*No such file", id="vehicle map"),
        pytest.param('[recording]\npaths = ["a.log"]\n', r"recording\.paths.*No such file.*{folder}/a\.log", id="recording"),
        pytest.param('[recording]\npaths = ["a\\u0000"]\n', r"recording\.paths.*NUL", id="no name at all"),
        pytest.param('[mqtt]\nca_file = "ca.pem"\n', r"mqtt\.ca_file: {folder}/ca\.pem.*No such file", id="certificate"),
        pytest.param('[mqtt]\nusername = "u"\npassword_file = "p"\n', r"mqtt\.password_file.*No such file", id="password"),
        pytest.param('[mqtt]\nusername = "u"\npassword_file = "open"\n', r"mode 0644.*chmod 600", id="open secret"),
    ],
)  # fmt: skip
def test_check_uses_every_file_a_file_names(tmp_path: Path, text: str, said: str) -> None:
    path, secret = tmp_path / "tbox.toml", tmp_path / "open"
    path.write_text(text)
    secret.write_text("hunter2")
    secret.chmod(0o644)
    with pytest.raises(SettingsError, match=said.format(folder=tmp_path)) as caught:
        config_command.check(path)
    assert "hunter2" not in str(caught.value)


def test_show_prints_toml_that_gives_the_same_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, again = tmp_path / "tbox.toml", tmp_path / "again.toml"
    path.write_text(
        '[[can]]\nchannel = "vcan0"\noptions = { "a b" = 1, c = "é" }\n[[can]]\nnumber = 1\n[device]\nname = "x"\n'
    )
    assert config_command.show(path, ["trip.end_s=5"], json=False) == 0
    again.write_text(capsys.readouterr().out)
    assert load(again) == load(path, ["trip.end_s=5"])


def test_show_tells_values_and_origins_to_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tbox.toml"
    path.write_text("[detect.idling]\nhold_s = 6\n")
    assert config_command.show(path, ["trip.end_s=5"], json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["detect.idling.hold_s"] == {"value": 6.0, "origin": f"{path}:2"}
    assert told["trip.end_s"] == {"value": 5.0, "origin": "--set"}
    assert told["can"] == {"value": [], "origin": "default"}
    assert told["mqtt.tls"] == {"value": True, "origin": "default"}


def test_schema_is_json_with_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert config_command.schema() == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$defs"]["Trip"]["properties"]["end_s"]["description"].endswith("[s]")
