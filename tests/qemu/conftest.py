"""Elsewhere there is nothing to try."""

from pathlib import Path

DRIVER = Path("/sys/class/net/can1/device/driver")
collect_ignore = [] if DRIVER.exists() and DRIVER.resolve().name == "kvaser_pci" else ["test_controllers.py"]
