"""Resident memory of `tbox replay` and `tbox run`, in KiB, as the kernel it runs under counts it.

python -m tests.resident FILE      (JSON: the most that each had)
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DRIVE = str(Path(__file__).parent / "golden" / "emergency-stop.csv")
READ = "all of it was read"
LIMIT_S = 300.0
TURN_S = 0.02


def peak_kib(pid: int) -> int:
    """The most so far (VmHWM of proc(5)); 0: it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def most_kib(process: "subprocess.Popen[bytes]", said: Path) -> int:
    """Until it ends, or says that it has read its recording and is ended. 0: it failed."""
    found, until_s = 0, time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < until_s:
        is_read = READ in said.read_text()
        found = max(found, peak_kib(process.pid))
        if is_read:
            process.terminate()
            process.wait()
        time.sleep(TURN_S)
    return found if process.poll() == 0 else 0


def main(out: Path) -> int:
    """Both; 1 when one could not be measured."""
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        said, config = folder / "said", str(folder / "tbox.toml")
        Path(config).write_text(f'[device]\nstate_dir = "{folder}/state"\n')
        with said.open("wb") as file:
            for words in (("replay", DRIVE), ("run", "--config", config, "--recorded", DRIVE)):
                process = subprocess.Popen([sys.executable, "-m", "agent.cli", *words], stdout=file, stderr=file)
                found[f"tbox {words[0]}"] = most_kib(process, said)
        print(said.read_text())
    out.write_text(json.dumps(found))
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
