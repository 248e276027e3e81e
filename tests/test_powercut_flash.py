"""A sample of the power cuts while a bundle is put into force (`make powercut-flash` makes all), and what is synced when."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hil import ROOT
from tests import powercut_flash, powercut_shim

CALLS = """
import sys
from pathlib import Path
from tests import powercut_flash, powercut_shim
folder = Path(sys.argv[1])
ended = powercut_shim.run(lambda: powercut_flash.put(1)(folder), folder, 0)
print(ended.trouble, *(f"{call.name} {call.file}" for call in ended.calls), sep="\\n")
"""


def test_whatever_call_the_power_goes_at_a_whole_configuration_starts(capfd: pytest.CaptureFixture[str]) -> None:
    code = powercut_flash.main(["--seed=1", "--cuts=40"])
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (code, told["bad"], told["cuts"]) == (0, 0, 40)
    assert told["of"] > 200


def test_everything_of_a_slot_is_synced_before_the_state_names_it(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    library = powercut_shim.build(tmp_path)
    words = [sys.executable, "-c", CALLS, str(tmp_path / "state")]
    environment = {**powercut_shim.environment(library), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    trouble, *calls = done.stdout.splitlines()
    assert trouble == ""
    named = calls.index("rename state.json")
    for file in ("tbox.toml", "README.txt", "manifest.json", "signatures.json"):
        written = max(at for at, call in enumerate(calls) if call == f"write {file}")
        assert f"fsync {file}" in calls[written:named], file
    for folder in ("a", "slots"):
        assert f"fsync {folder}" in calls[:named], folder
    assert calls.index("write state.json.new") < calls.index("fsync state.json.new") < named
    assert "fsync slots" in calls[named:]
