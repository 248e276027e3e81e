"""From the name of a vehicle map to its table: one that is shipped, a file here, or one that is compiled already."""

import hashlib
import subprocess
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

from agent.errors import SettingsError
from agent.vehicle import HEAD, SHIPPED, Table, read_map, unpack

CHILD_S_MAX = 120

_compiled: dict[bytes, Table] = {}
"""The table that was made last, by the SHA-256 of its name and sources."""


def load(path: Path, *, in_child: bool = False) -> Table:
    """The table of a vehicle map (TOML) or of a compiled file; SettingsError names file, line and fix.

    A bare name that is shipped means the shipped map. With `in_child` a map that needs a DBC is compiled in a process
    of its own, so that cantools (26 MiB) never lives in the daemon.
    """
    found = _shipped(path) or path
    raw = read_map(found)
    if raw.startswith(HEAD):
        return unpack(raw, str(found))
    if in_child and (dbcs := _dbcs(raw)):
        return _compile_once(found, raw, dbcs)
    from agent.maps.compile import compile_map  # noqa: PLC0415  (a terminal with a compiled table never needs it)

    return compile_map(found)


def is_trusted(path: Path, vouched: Collection[Path] = ()) -> bool:
    """Whether anybody answers for a map: it came with the program, or in a signed bundle (`trust.vouched_maps`)."""
    if path.name == str(path):
        return _shipped(path) is not None
    return path.resolve().parent == SHIPPED or path.resolve() in vouched


def _shipped(path: Path) -> Path | None:
    """The map of this bare name that comes with the program."""
    return next((known for known in SHIPPED.glob("*.toml") if known.name == str(path)), None)


def _dbcs(raw: bytes) -> list[str]:
    """What a TOML map names as its DBCs; a broken map is for the compiler to explain."""
    try:
        sources = tomllib.loads(raw.decode()).get("source", [])
    except (ValueError, RecursionError):
        return []
    named = (
        [one["dbc"] for one in sources if isinstance(one, dict) and "dbc" in one] if isinstance(sources, list) else []
    )
    return [str(name) for name in named]


def _compile_once(path: Path, raw: bytes, dbcs: list[str]) -> Table:
    """The same map with the same DBCs is compiled once: a bundle is looked at in several places on its way in."""
    content = hashlib.sha256(hashlib.sha256(raw).digest() + path.name.encode())
    for name in dbcs:
        try:
            content.update(hashlib.sha256((path.parent / name).read_bytes()).digest())
        except OSError:
            return _compile_in_child(path)  # which says what is wrong with it
    key = content.digest()
    if key not in _compiled:
        table = _compile_in_child(path)
        _compiled.clear()  # a terminal has one map; the table of another is dead weight
        _compiled[key] = table
    return _compiled[key]


def _compile_in_child(path: Path) -> Table:
    """The table as a process of its own makes it."""
    words = [sys.executable, "-P", "-m", "agent.maps.compile", str(path), "-"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=CHILD_S_MAX, check=False)  # noqa: S603  (ours)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise SettingsError(f"{path}: cannot be compiled here ({why}); use tbox vehicle compile") from None
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines() or [f"{path}: the compiler died"]
        raise SettingsError(told[-1].removeprefix("tbox: "))
    return unpack(done.stdout, str(path))
