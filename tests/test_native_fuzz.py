"""The fuzzer, where there is no time to fuzz: the headers' promises hold over its corpus, under gcc's sanitizers."""

from pathlib import Path

import pytest

from tests.golden_drives import all_drives
from tests.native.fuzz import CORPUS, HEARD, ROOT, heard, replayer
from tests.native.pack import pack
from tests.native.planted import PLANTED, Planted

NATIVE = ROOT / "native"


def test_over_corpus_and_golden_drives_the_sanitizers_are_silent_and_the_core_tells_what_it_told(
    tmp_path: Path,
) -> None:
    assert heard(replayer(tmp_path / "replay"), sorted(CORPUS.iterdir())) == HEARD.read_text()
    drives = [tmp_path / f"{drive.name}.run" for drive in all_drives()]
    for drive, path in zip(all_drives(), drives, strict=True):
        pack(path, drive.settings, drive.table, drive.inputs)
    assert heard(tmp_path / "replay", drives).count("\n") == len(drives)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_the_line_of_every_planted_bug_stands_once(bug: Planted) -> None:
    assert (NATIVE / bug.file).read_text().count(bug.good) == 1
    assert bug.bad != bug.good
