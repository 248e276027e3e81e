"""`tbox config`: is a settings file right, what is in effect and who says so, what would change, the JSON Schema."""

import json as json_text
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.errors import SettingsError
from agent.maps import maps
from agent.settings import Settings, to_json_schema
from agent.settings.difference import leaves, toml
from agent.settings.error import dotted
from agent.settings.file import MACHINE_FILE, Key, Loaded, read
from agent.slots import slot_settings
from agent.uplink import broker


def check(path: Path | None) -> int:
    """Say that this file (else the machine's) is good, and so are the files it names. SettingsError when not."""
    path = path or MACHINE_FILE
    loaded = read(path)
    check_files(loaded.settings)
    own = sum(loaded.origin(key) != "default" for key, _ in leaves(loaded.settings))
    print(f"{path}: good; it sets {own} values, the others are the defaults")
    return 0


def show(path: Path | None, sets: Sequence[str], *, json: bool) -> int:
    """Every effective value with its origin, as TOML with comments or as JSON {key: {value, origin}}."""
    if path is None and MACHINE_FILE.exists():
        path = MACHINE_FILE
    loaded, why_alone = (read(None, sets), "") if path is None else slot_settings.machine_or_alone(path, sets)
    if why_alone:
        print(f"tbox: without the bundle in force, if there is one: {why_alone}", file=sys.stderr)
    if json:
        told = {dotted(key): {"value": value, "origin": loaded.origin(key)} for key, value in leaves(loaded.settings)}
        print(json_text.dumps(told, indent=2, ensure_ascii=False))
        return 0
    if path is None:
        print(f"tbox: {MACHINE_FILE} does not exist: these are the defaults", file=sys.stderr)
    for line in _lines(loaded):
        print(line)
    return 0


def schema() -> int:
    """JSON Schema of a settings file, for editors."""
    print(json_text.dumps(to_json_schema(), indent=2))
    return 0


def check_files(settings: Settings) -> None:
    """Use every named file as the daemon would: recordings, vehicle map, password, certificates."""
    for recording in settings.recording.paths:
        try:
            Path(recording).open("rb").close()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise SettingsError(f'recording.paths: "{recording}" cannot be read: {error}') from None
    maps.load(Path(settings.vehicle.map))
    broker.read_password(settings.mqtt)
    broker.make_context(settings.mqtt)
    if settings.shadow.rules:
        from agent.trip import shadow

        shadow.load(Path(settings.shadow.rules), settings)
    if settings.camera.login_file:
        from drivers.camera.plan import LoginError, read_login

        try:
            read_login(settings.camera.login_file)
        except LoginError as why:
            raise SettingsError(f"camera.login_file: {why}") from None


def _lines(loaded: Loaded) -> Iterator[str]:
    """TOML that gives the same settings again; each value's origin stands behind it."""
    table: Key = ()
    for key, value in leaves(loaded.settings):
        if len(key) == 1:
            yield f"\n# no [[{key[0]}]]"
            continue
        if key[:-1] != table:
            table = key[:-1]
            yield from _head(table)
        yield f"{f'{key[-1]} = {toml(value)}':<40}  # {loaded.origin(key)}"


def _head(table: Key) -> Iterator[str]:
    """An empty line and the table's name; one table of a list has double brackets."""
    name = ".".join(str(part) for part in table if not isinstance(part, int))
    yield ""
    yield f"[[{name}]]" if isinstance(table[-1], int) else f"[{name}]"
