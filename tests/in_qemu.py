"""tests/qemu in a machine with two CAN controllers that comes along: python -m tests.in_qemu [what pytest takes]."""

import sys
import tempfile
from pathlib import Path

from hil.places import qemu

HERE = Path(__file__).parent
LIMIT_S = 900.0


def main() -> int:
    """Pytest's exit code; 2: it cannot be run here, and why."""
    if why := qemu.why_not():
        print(f"hil: {why}", file=sys.stderr)
        return 2
    words = [sys.executable, "-m", "pytest", "-v", "--durations=5", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryDirectory(prefix="tbox-hil-") as folder:
        paths = [str(HERE / "qemu"), *sys.argv[1:]]
        done = qemu.run([*words, *paths], Path(folder), environment=environment, limit_s=LIMIT_S)
    print(done.said)
    return 1 if done.code is None else done.code


if __name__ == "__main__":
    sys.exit(main())
