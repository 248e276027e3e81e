"""What only a kernel with CAN can show (tests/kernel), in one that comes along."""

import os
import sys
from pathlib import Path

import pytest

from hil import kernel

HERE = Path(__file__).parent
LIMIT_S = 900.0
"""It takes 40 s alone, and ten times as long where others use the machine before it."""


def test_vcan_of_a_real_kernel(tmp_path: Path) -> None:
    if not kernel.is_here():
        pytest.skip("user-mode-linux is not installed")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(HERE / "kernel")]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE.parent), "CI": os.environ.get("CI", "")}
    done = kernel.run(words, tmp_path, environment=environment, limit_s=LIMIT_S)
    assert done.code == 0, done.said
