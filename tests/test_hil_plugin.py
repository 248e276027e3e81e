"""The fixtures of hil/plugin.py, as a fleet's own CI uses them."""

from typing import TYPE_CHECKING

from hil.drive import Leg

if TYPE_CHECKING:
    from hil.plugin import KernelRun, TerminalUnderTest, Vehicle

pytest_plugins = ["hil.plugin"]


def test_a_harsh_braking_is_told(vehicle: "Vehicle", terminal: "TerminalUnderTest") -> None:
    vehicle.drive(Leg("pulls away", 4.0, forward_mps2=3.0), Leg("brakes hard", 2.0, forward_mps2=-5.0))
    (event,) = terminal.events("harsh_braking")
    assert event["severity"] == "medium"


def test_a_command_runs_in_a_kernel_with_vcan(kernel: "KernelRun") -> None:
    done = kernel(["python", "-c", "import can; print(can.Bus(interface='socketcan', channel='vcan0').channel_info)"])
    assert done.code == 0, done.said
    assert "vcan0" in done.said
