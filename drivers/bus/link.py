"""A SocketCAN link's bit rate and mode, set through `ip` (iproute2): needs CAP_NET_ADMIN.

A controller that took itself off the bus is restarted by the kernel after a second; who asks waits longer
(agent/asking/silence.py).
"""

import subprocess

from drivers.errors import DeviceError

IP_S = 5.0
RESTART_MS = 1000
FIXES = {
    "out of domain": "its controller cannot have this bit rate.",
    "not supported": "its driver does not know one of these modes.",
    "not permitted": "this process needs CAP_NET_ADMIN.",
}
"""What helps, by what the kernel says; anything else is no CAN link of this name."""


def set_up(channel: str, bitrate: int, *, listen_only: bool) -> None:
    """Bring the link up at this bit rate, able to send or not. DeviceError when it is not there, or we may not."""
    mode = ["bitrate", str(bitrate), "restart-ms", str(RESTART_MS), "listen-only", "on" if listen_only else "off"]
    _ip(channel, "down")
    _ip(channel, "up", "type", "can", *mode)


def _ip(channel: str, *words: str) -> None:
    """One `ip link set`."""
    command = ["ip", "link", "set", channel, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=IP_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as why:
        raise DeviceError(f"{channel}: cannot be set up: {why}: is iproute2 installed?") from why
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["ip says nothing"]
        fix = next((fix for words, fix in FIXES.items() if words in said[-1]), "is it plugged in, and a CAN link?")
        raise DeviceError(
            f"{channel}: cannot be set up: {said[-1]}: {fix} Else can.setup = false, and: {' '.join(command)}"
        )
