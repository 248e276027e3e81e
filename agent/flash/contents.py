"""Whether what a bundle holds would work: its settings load and set nothing they may not, its maps compile.

Nothing of it is installed for that: it is written into a folder of its own, which goes again. `reason` of a
BundleError: settings (they do not load) forbidden (a key that is the machine's to set) outside (a file that is not in
the bundle) map rules secret (a private key) text.
"""

import tempfile
import tomllib
from pathlib import Path

from agent.errors import BundleError, SettingsError
from agent.maps import maps
from agent.settings import file as settings_file
from agent.settings.file import NAMED, PATHS, look
from agent.slots.slot_settings import MACHINES
from agent.trip import score
from agent.trust.bundle import CANDIDATE, SETTINGS, Bundle


def check(bundle: Bundle) -> None:
    """BundleError: the first thing in it that would not work."""
    for name in sorted(bundle.files):
        _check_text(name, bundle.files[name])
    with tempfile.TemporaryDirectory(prefix="tbox-bundle-") as folder:
        write(bundle, Path(folder))
        try:
            _check_maps(bundle, Path(folder))
            _check_settings(bundle, Path(folder))
        except SettingsError as why:
            raise BundleError("settings", _plain(why, folder)) from None


def write(bundle: Bundle, folder: Path) -> None:
    """Its files and nothing else, into an empty folder; for looking at, nothing is synced. OSError."""
    for name, content in bundle.files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(content)


def _check_settings(bundle: Bundle, folder: Path) -> None:
    """Settings and candidate rules."""
    if SETTINGS in bundle.files:
        layer = settings_file.from_file(folder / SETTINGS)
        for key in MACHINES:
            if look(layer.data, key) is not None:
                told = f"{layer.place(key)}: {'.'.join(map(str, key))}: only the machine's own file may set it"
                raise BundleError("forbidden", _plain(f"{told}; take it out of the bundle", str(folder)))
        _check_paths(bundle, layer)
        settings = settings_file.load(folder / SETTINGS)
        score.load(settings.trip.score)
        maps.load(Path(settings.vehicle.map), in_child=True)
    if CANDIDATE in bundle.files:
        layer = settings_file.from_file(folder / CANDIDATE)
        if odd := sorted(layer.data.keys() - {"detect"}):
            told = f"{layer.place((odd[0],))}: candidate rules are [detect.*] and nothing else; take the rest out"
            raise BundleError("rules", _plain(told, str(folder)))
        settings_file.load(folder / CANDIDATE)


def _check_paths(bundle: Bundle, layer: settings_file.Layer) -> None:
    """What the settings name is in the bundle, or, as a bare name, comes with the program."""
    said = tomllib.loads(layer.text)
    for key in (*PATHS, *NAMED):
        name = look(said, key)
        if isinstance(name, str) and name and not (key in NAMED and "/" not in name) and name not in bundle.files:
            told = f"{SETTINGS}:{layer.lines[key]}: {'.'.join(key)}: {name:.64} is not in the bundle"
            raise BundleError("outside", f'{told}; put it in, and name it as there: "maps/car.toml"')


def _check_maps(bundle: Bundle, folder: Path) -> None:
    """Each map names only what is beside it, and compiles."""
    for name in [name for name in sorted(bundle.files) if name.startswith("maps/") and name.endswith(".toml")]:
        for dbc in _descriptions(bundle.files[name]):
            if f"maps/{dbc}" not in bundle.files:
                raise BundleError("outside", f'{name}: dbc = "{dbc:.64}" is not in the bundle under maps/; put it in')
        try:
            maps.load(folder / name, in_child=True)
        except SettingsError as why:
            raise BundleError("map", _plain(why, str(folder))) from None


def _descriptions(raw: bytes) -> list[str]:
    """What a map names; a broken one is for the compiler to explain."""
    try:
        sources = tomllib.loads(raw.decode()).get("source", [])
    except (ValueError, RecursionError):
        return []
    named = [source.get("dbc") for source in sources if isinstance(source, dict)] if isinstance(sources, list) else []
    return [one for one in named if isinstance(one, str) and one]


def _check_text(name: str, content: bytes) -> None:
    """No private key travels in a bundle; certificates are some."""
    if b"PRIVATE KEY" in content:
        raise BundleError("secret", f"{name} holds a private key; a bundle is not encrypted: leave it out")
    if name.startswith("certs/") and b"-----BEGIN CERTIFICATE-----" not in content:
        raise BundleError("text", f"{name} holds no certificate in PEM form; put one in, or leave it out")


def _plain(told: object, folder: str) -> str:
    """Names as they are in the bundle."""
    return str(told).replace(f"{folder}/", "").replace(folder, "")
