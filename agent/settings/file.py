"""Reads settings: defaults, a file, layers between, each --set. An error says where, what, the range, the nearest."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from agent.errors import SettingsError, UsageError
from agent.settings import Settings
from agent.settings.check import conflicts
from agent.settings.rules import RELEASE_SHARE, THRESHOLD_MPS2_MAX

MACHINE_FILE = Path("/etc/tbox/tbox.toml")
"""What `tbox run` reads when no file is named."""

FILE_BYTES_MAX = 1 << 18
"""A bigger file is no settings file."""

DEPTH_MAX = 8
"""No key has more parts."""

PATHS = (
    ("device", "state_dir"), ("recording", "paths"), ("mqtt", "password_file"), ("mqtt", "ca_file"),
    ("mqtt", "cert_file"), ("mqtt", "key_file"), ("camera", "login_file"), ("camera", "folder"),
    ("shadow", "rules"),
)  # fmt: skip
"""Keys whose relative paths start from the folder of the file that says them."""
NAMED = (("vehicle", "map"), ("trip", "score"))
"""So do these, but a bare name means what comes with the program."""

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Layer:
    """What one source of settings says, and where."""

    name: str
    data: dict[str, Any]
    text: str = ""
    close: str = ""
    """What follows name and line where one is told."""

    @cached_property
    def lines(self) -> dict[Key, int]:
        """On which line each key, table and list begins; empty for --set."""
        return lines_of(self.text)

    def place(self, key: Key) -> str:
        """The line of this key, or of the closest table around it: "tbox.toml:12"."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.name}:{self.lines[key]}{self.close}" if key else self.name + self.close


@dataclass(frozen=True)
class Loaded:
    """Settings and the layers they come from."""

    settings: Settings
    layers: tuple[Layer, ...]

    def origin(self, key: Key) -> str:
        """Who says the value of this key: "tbox.toml:12", "--set" or "default"."""
        layer = speaker(self.layers, key)
        if layer is not None:
            return layer.place(key)
        threshold = (*key[:-1], "threshold_mps2")
        if key[-1] == "release_mps2" and speaker(self.layers, threshold) is not None:
            return f"{RELEASE_SHARE} of threshold_mps2"
        return "default"


def load(path: Path | None, sets: Sequence[str] = ()) -> Settings:
    """Effective settings. SettingsError or, for a --set without "=", UsageError."""
    return read(path, sets).settings


def words(path: Path, sets: Sequence[str] = ()) -> list[str]:
    """How a command line of another command names the same settings."""
    return ["--config", str(path.absolute()), *(word for one in sets for word in ("--set", one))]


def read(path: Path | None, sets: Sequence[str] = (), between: Sequence[Layer] = ()) -> Loaded:
    """Effective settings with their origins. `between`: what beats the file, and is beaten by --set."""
    file = [] if path is None else [from_file(path)]
    layers = (*file, *between, *(from_set(words) for words in sets))
    data: dict[str, Any] = {}
    try:
        for layer in layers:
            data = merge(data, layer.data)
        _refuse_nul(data, layers)
        settings = msgspec.convert(with_release(data), Settings)
    except msgspec.ValidationError as error:
        raise explained(str(error), data, layers) from None
    except RecursionError:
        raise SettingsError(f"{path or '--set'}: nested too deep for settings") from None
    for keys, sentence in conflicts(settings):
        said = next(((by, key) for key in keys if (by := speaker(layers, key))), None)
        raise SettingsError(f"{said[0].place(said[1])}: {sentence}" if said else sentence)
    return Loaded(settings, layers)


def _refuse_nul(data: dict[str, Any], layers: Sequence[Layer]) -> None:
    """SettingsError: a text that no name of a file, and no word of a command, can be."""
    for key in keys_of(data):
        said = look(data, key)
        if isinstance(said, str) and "\0" in said:
            from agent.settings.error import dotted  # noqa: PLC0415  (a good start needs none of it)

            place = next((f"{layer.place(key)}: " for layer in [speaker(layers, key)] if layer), "")
            raise SettingsError(f"{place}{dotted(key)}: holds the character NUL: take it out")


def from_file(path: Path) -> Layer:
    """What a TOML file says."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; {remedy(path)}") from None
    text, data = toml_of(raw, str(path))
    return Layer(str(path), anchored(data, path.absolute().parent), text)


def toml_of(raw: bytes, path: str) -> tuple[str, dict[str, Any]]:
    """The text of a settings file, and what it says. SettingsError names the file by `path`."""
    try:
        text = raw.decode("utf-8-sig")
        if len(raw) > FILE_BYTES_MAX:
            raise SettingsError(f"{path}: too big for a settings file (over {FILE_BYTES_MAX} bytes)")
        return text.replace("\r\n", "\n"), tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: not TOML: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}:{line_told(str(error), text)}: not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: nested too deep for settings") from None


def remedy(path: Path) -> str:
    """What helps against a settings file that cannot be read."""
    if path == MACHINE_FILE and not path.exists():
        shipped = Path(__file__).resolve().parents[2] / "config" / "tbox.toml"
        return f"install the shipped one (install -D -m 644 {shipped} {path}) or name another with --config"
    return "name a file that can be read"


def line_told(message: str, text: str) -> str:
    """Cut "12" out of tomllib's "... (at line 12, column 3)"; it may say "(at end of document)" too."""
    _, found, rest = message.rpartition("(at line ")
    return rest.partition(",")[0] if found else str(len(text.splitlines()))


def from_set(words: str) -> Layer:
    """What one --set KEY=VALUE says. VALUE is TOML, else a bare string."""
    dotted, equals, said = words.partition("=")
    if not equals:
        raise UsageError(f"--set {words}: write KEY=VALUE, as in trip.end_s=300")
    parts = [part.strip() for part in dotted.split(".", DEPTH_MAX)]
    if not all(parts):
        raise SettingsError(f'--set "{dotted}": write the key as table.key, as in trip.end_s')
    value: Any = {parts[-1]: toml_value(said)}
    for part in reversed(parts[:-1]):
        value = {part: value}
    return Layer("--set", value)


def toml_value(said: str) -> Any:
    """The TOML value this text is, else the text itself."""
    try:
        parsed = tomllib.loads(f"value = {said}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return said
    return parsed["value"] if len(parsed) == 1 else said


def merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Tables join key by key; anything else is replaced."""
    joined = dict(under)
    for key, value in over.items():
        below = joined.get(key)
        joined[key] = merge(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return joined


def with_release(data: dict[str, Any]) -> dict[str, Any]:
    """Where only the threshold of a harsh event is set, its release goes along."""
    added: dict[str, Any] = {}
    rules = data.get("detect")
    for name, rule in rules.items() if isinstance(rules, dict) else ():
        threshold = rule.get("threshold_mps2") if isinstance(rule, dict) and name.startswith("harsh_") else None
        if isinstance(threshold, int | float) and 0 < threshold <= THRESHOLD_MPS2_MAX and "release_mps2" not in rule:
            added[name] = {"release_mps2": round(RELEASE_SHARE * threshold, 2)}
    return merge(data, {"detect": added}) if added else data


def anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with relative paths made to start from this folder; the bare name of what is shipped stays."""
    for table, key in (*PATHS, *(named for named in NAMED if "/" in str(look(data, named)))):
        value = look(data, (table, key))
        if value and isinstance(value, str):
            data[table][key] = str(folder / value)
        elif isinstance(value, list):
            data[table][key] = [str(folder / item) if isinstance(item, str) else item for item in value]
    return data


def look(data: Any, key: Key) -> Any:
    """The value at this key, None when there is none (TOML has no null)."""
    for part in key:
        if isinstance(data, dict):
            data = data.get(str(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def speaker(layers: Sequence[Layer], key: Key) -> Layer | None:
    """The layer whose word holds for this key; a list holds as a whole."""
    whole = next((key[:at] for at, part in enumerate(key) if isinstance(part, int)), key)
    layer = next((layer for layer in reversed(layers) if look(layer.data, whole) is not None), None)
    return layer if layer is not None and look(layer.data, key) is not None else None


def lines_of(text: str) -> dict[Key, int]:
    """The line each key first stands on: the file is parsed as it grows, and what is new belongs to the new lines."""
    lines, found, begun = text.split("\n"), dict[Key, int](), 1
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            begun += begun == number
            continue
        try:
            data = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        for key in keys_of(data):
            found.setdefault(key, begun)
        begun = number + 1
    return found


def keys_of(data: Any, above: Key = ()) -> Iterator[Key]:
    """Every key, table and list in this data."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for part, value in inner:
        yield (*above, part)
        yield from keys_of(value, (*above, part))


def explained(message: str, data: dict[str, Any], layers: Sequence[Layer]) -> SettingsError:
    """The error a person reads, from msgspec's: imported only when there is one."""
    from agent.settings.error import allowed, dotted, nearest, parsed, shown  # noqa: PLC0415  (a good start needs none of it)

    key, unknown = parsed(message)
    by = speaker(layers, key)
    place = f"{by.place(key)}: " if by else ""
    if unknown:
        return SettingsError(f"{place}{dotted(key)}: unknown key; {nearest(key)}")
    return SettingsError(f"{place}{dotted(key)} = {shown(look(data, key))}: must be {allowed(key)}")
