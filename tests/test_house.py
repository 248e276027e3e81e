"""The house: one arrow, no circles. Read from the imports as they are written, those within functions too."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUND = {"__init__"}


def imported(path: Path) -> Iterator[str]:
    """Every module a file imports, whole, and what may be one: `from agent.trip import account`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def room(name: str) -> str:
    """agent.trip.pricing.Pricing -> trip; agent.core.Core -> core."""
    return name.split(".")[1]


def floors(folder: str) -> dict[str, set[str]]:
    """For each file or folder right under this one: which others it imports."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        own = path.relative_to(ROOT / folder).parts[0].removesuffix(".py")
        names = {room(name) for name in imported(path) if name.startswith(f"{folder}.")}
        found.setdefault(own, set()).update(names - {own} - GROUND)
    return found


@pytest.mark.parametrize(
    ("folder", "upstream_first"),
    [("agent", ["codec", "ledger", "outbox", "uplink", "app", "cli"]), ("drivers", ["batch", "bus", "elm"]),
     ("hil", ["wires", "car", "places"])],
)  # fmt: skip
def test_no_two_floors_import_each_other_in_a_circle(folder: str, upstream_first: list[str]) -> None:
    order = [*TopologicalSorter(floors(folder)).static_order()]
    assert sorted(upstream_first, key=order.index) == upstream_first


def test_no_two_files_import_each_other_in_a_circle() -> None:
    """Within folders too; those that a folder's face defines count as its own file."""
    paths = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
             for folder in ("agent", "drivers", "hil") for path in (ROOT / folder).rglob("*.py")}  # fmt: skip
    known = set(paths.values())
    house = {}
    for path, own in paths.items():
        names = {name if name in known else name.rpartition(".")[0] for name in imported(path)}
        house[own] = (names & known) - {own}
    assert len([*TopologicalSorter(house).static_order()]) == len(known)


def test_drivers_know_nothing_of_the_agent_and_the_agent_nothing_of_the_bench() -> None:
    for folder, others in (("drivers", {"agent", "hil"}), ("agent", {"hil", "tests"})):
        for path in (ROOT / folder).rglob("*.py"):
            assert not {name.partition(".")[0] for name in imported(path)} & others, path
