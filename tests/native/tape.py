"""Two pytest plugins in one, for tests/native/mutants.py: tests under another core, and tapes of what tests feed to a core.

TBOX_CORE=FILE.so      agent._core is this file
TBOX_SOCKETCAN=FILE.so  likewise drivers._socketcan; and so TBOX_CANDUMP, TBOX_GUARD
TBOX_TAPES=FOLDER      every core a test makes leaves FOLDER/<number>.run, for runner.c, and its test in FOLDER/tests.json
"""

import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest


def swap(module: str, path: str | None) -> None:
    """Put another file in the place of an extension, before anything imports it."""
    if not path:
        return
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    sys.modules[module] = made
    package, _, name = module.rpartition(".")
    setattr(importlib.import_module(package), name, made)


for variable, extension in (
    ("TBOX_CORE", "agent._core"),
    ("TBOX_SOCKETCAN", "drivers._socketcan"),
    ("TBOX_CANDUMP", "drivers._candump"),
    ("TBOX_GUARD", "drivers._guard"),
):
    swap(extension, os.environ.get(variable))
FOLDER = os.environ.get("TBOX_TAPES")
TAPE_BYTES_MOST = 2_500_000
"""Half an hour of a test's drive is not run again for every mutant."""

TAPES: list[tuple[Any, list[bytes]]] = []


def listen() -> None:
    """Every core made from now on keeps what it is given."""
    from agent.core import Core  # noqa: PLC0415 - not before the swap

    init, feed = Core.__init__, Core.feed

    def keep(self: Core, settings: Any, table: Any, rotation: Any = None, **more: Any) -> None:
        init(self, settings, table, rotation, **more)
        self._tape = []
        if not more:  # what a tape has no place for is not taped
            TAPES.append(((settings, table, rotation), self._tape))

    def take(self: Core, batch: bytes) -> list:
        self._tape.append(bytes(batch))
        return feed(self, batch)

    Core.__init__, Core.feed = keep, take


if FOLDER:
    listen()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Writes what the cores of this test were given."""
    TAPES.clear()
    done = yield
    if FOLDER:
        from tests.native.pack import pack  # noqa: PLC0415 - not before the swap

        index = Path(FOLDER) / "tests.json"
        tests = json.loads(index.read_text()) if index.exists() else {}
        tapes = []
        for (settings, table, rotation), batches in TAPES:
            if sum(map(len, batches)) > TAPE_BYTES_MOST:
                continue
            path = Path(FOLDER) / f"{sum(map(len, tests.values())) + len(tapes)}.run"
            pack(path, settings, table, b"".join(batches), rotation)
            tapes.append(path.name)
        tests[item.nodeid] = tapes
        index.write_text(json.dumps(tests))
    return done
