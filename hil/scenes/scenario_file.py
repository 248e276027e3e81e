"""Scenarios as data: hil/scenarios/*.toml, checked when read. An error names the file, the key and the fix."""

import tomllib
from difflib import get_close_matches
from pathlib import Path

import msgspec

from hil import ROOT
from hil.scenes.contradictions import contradictions
from hil.scenes.scenario_table import Scenario
from hil.scenes.scenario_words import told

FOLDER = Path(__file__).parent.with_name("scenarios")


class ScenarioError(Exception):
    """A scenario that cannot be run; the text says which file, which key, and what would be right."""


def names() -> list[str]:
    """Those shipped, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name: str) -> Path:
    """A path, or the name of one shipped. ScenarioError with the nearest name."""
    path = Path(name)
    if path.suffix == ".toml":
        return path
    if name in names():
        return FOLDER / f"{name}.toml"
    near = get_close_matches(name, names(), n=1)
    told = f"did you mean {near[0]}?" if near else "`python -m hil list` tells them all"
    raise ScenarioError(f"{name}: no scenario has this name; {told}")


def read(path: Path) -> Scenario:
    """Read and check one file. ScenarioError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        scenario = msgspec.convert(table, Scenario)
    except OSError as why:
        raise ScenarioError(f"{path}: cannot be read: {why.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise ScenarioError(f"{path}: is no TOML: {why}") from None
    except msgspec.ValidationError as why:
        raise ScenarioError(f"{path}: {told(str(why), Scenario)}") from None
    for fault in contradictions(scenario):
        raise ScenarioError(f"{path}: {fault}")
    return scenario


def missing(scenario: Scenario) -> list[Path]:
    """Recordings and speed traces it needs that are not on this machine."""
    paths = [part.file for part in scenario.recording]
    paths += [ROOT / leg.trace for leg in scenario.drive if leg.trace]
    return [path for path in paths if not path.is_file()]
