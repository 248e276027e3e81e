"""The list of tests whose drives are compared to the last bit (tests/native/told.py) names tests that there are."""

import re

import pytest

from agent.core import Core
from tests.native.told import ROOT, Ear, wanted
from tests.road import core, value


def test_every_test_that_is_listed_is_there_and_listens() -> None:
    assert wanted()
    for test in wanted():
        file, name = test.partition("[")[0].split("::")
        text = (ROOT / file).read_text()
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), test
        assert "import as_told" in text, file


def test_another_output_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    for number in (10.0, 10.0, 10.5):
        with monkeypatch.context() as patch:
            ear = Ear(patch)
            made = core()
            made.feed(value(0, "fuel", 10.0))
            if number != 10.0:
                patch.setattr(Core, "counters", lambda core: {"frames_in": 1})
            heard.append(ear.hashes())
    assert heard[0] == heard[1]
    assert heard[0].given == heard[2].given
    assert heard[0].told != heard[2].told


def test_a_drive_that_was_skipped_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear(monkeypatch)
    assert not ear.has_heard
    core().feed(value(0, "fuel", 10.0))
    assert ear.has_heard
