"""The command line contract's own checks, where they lie beside the project: the whole program, from outside."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parent.parent.parent / "shared" / "contract" / "check.py"
TBOX = Path(sys.executable).parent / "tbox"
PARTS = (2, 3)
RUN_S_MAX = 300


@pytest.mark.skipif(not CHECK.exists(), reason="the contract is not beside the project")
@pytest.mark.parametrize("part", PARTS)
def test_the_contract_is_kept(part: int) -> None:
    words = [sys.executable, CHECK, "--part", str(part), "--tbox", TBOX]
    done = subprocess.run(words, capture_output=True, text=True, timeout=RUN_S_MAX, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert not failed, "\n".join(failed)
    assert done.returncode == 0, done.stdout + done.stderr
