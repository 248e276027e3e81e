"""The corpus of the fuzzer, under gcc's sanitizers: the headers' promises hold over every drive that is kept."""

import subprocess
from pathlib import Path

from tests.native.fuzz import CORPUS, replayer


def test_every_promise_of_the_headers_holds_over_the_corpus(tmp_path: Path) -> None:
    files = sorted(CORPUS.iterdir())
    assert len(files) > 20
    made = subprocess.run([replayer(tmp_path / "replay"), *files], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    assert made.stderr.count("\n") == len(files)
