"""Two scenarios live, in a kernel with vcan that comes along, in one boot."""

from pathlib import Path

import pytest

from hil import kernel
from hil.__main__ import main


def test_a_dead_zone_and_a_jumping_clock_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not kernel.is_here():
        pytest.skip("user-mode-linux is not installed")
    code = main(["run", "link-cut", "clock-step", "--place", "kernel", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 0, said
    for words in ("✓ no record lost", "✓ silent on the bus", "✓ frames conserved", "✓ tbox verify accepts it"):
        assert said.count(words) == 2
