"""The fixtures of hil/plugin.py, as a fleet's own CI uses them: the example as a stranger copies it, and what goes wrong."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hil.drive import Leg

if TYPE_CHECKING:
    from hil.plugin import KernelRun, Platform, TerminalUnderTest, Vehicle

pytest_plugins = ["hil.plugin"]

ROOT = Path(__file__).parent.parent
README, PLUGIN = ROOT / "README.md", ROOT / "hil" / "plugin.py"


def example() -> str:
    """The module's own words, from its imports to its last assertion.

    From the file: pytest must be the first to import it.
    """
    words = ast.get_docstring(ast.parse(PLUGIN.read_text())) or ""
    return textwrap.dedent(words[words.index("    from hil.drive") : words.index("\nbus ")])


def test_the_example_runs_for_a_stranger_and_stands_in_the_readme(tmp_path: Path) -> None:
    text = example()
    (tmp_path / "test_fleet.py").write_text(text)
    function = textwrap.indent(text[text.index("def test_") :].strip(), "    ")
    assert function in README.read_text()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_fleet.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_network_that_goes_and_comes_back_loses_nothing(
    vehicle: "Vehicle", terminal: "TerminalUnderTest", broker: "Platform"
) -> None:
    truth = vehicle.drive(
        Leg("pulls away", 3.0, forward_mps2=2.0),
        Leg("stops", 3.0, forward_mps2=-2.0),
        at={1.0: broker.cut, 4.0: broker.mend},
    )
    (trip,) = terminal.trips()
    assert trip["distance_m"] == pytest.approx(truth["distance_m"], rel=0.1)
    assert terminal.exit_codes == [0]


def test_a_command_runs_in_a_kernel_with_vcan(kernel: "KernelRun") -> None:
    done = kernel(["python", "-c", "import can; print(can.Bus(interface='socketcan', channel='vcan0').channel_info)"])
    assert done.code == 0, done.said
    assert "vcan0" in done.said


@pytest.mark.parametrize(
    ("what", "why"),
    [
        pytest.param([], "needs legs", id="nothing"),
        pytest.param(["harsh-dy"], "did you mean harsh-day", id="a name that is none"),
        pytest.param(["nowhere.toml"], "cannot be read", id="a path that is none"),
        pytest.param(["link-cut"], "link_cut: python -m hil run link-cut", id="faults around the terminal"),
        pytest.param(["tester"], "units that are asked", id="units that answer"),
        pytest.param(["unplugged"], "rows", id="rows"),
    ],
)
def test_what_cannot_be_driven_fails_in_one_line(what: list[str], why: str, vehicle: "Vehicle") -> None:
    with pytest.raises(pytest.fail.Exception, match=why) as failure:
        vehicle.drive(*what)
    assert not failure.value.pytrace
