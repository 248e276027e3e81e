"""A serial port that one process has: who comes second is told so, and disturbs nobody.

python-can's slcan opens a port that somebody reads already, sets the adapter up anew and takes half of what it says.
"""

import fcntl
import os
from pathlib import Path

from drivers.errors import DeviceError


def hold(channel: str) -> int:
    """Hold the port of this name, as slcan takes it ("/dev/ttyACM0@115200"), until the descriptor is closed.

    -1: it is none that can be held (a URL). DeviceError: another has it, or it cannot be opened.
    """
    path = channel.partition("@")[0]
    if not Path(path).is_char_device():
        return -1
    port = -1
    try:
        port = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(port)
        raise DeviceError(f"CAN slcan {path!r}: another process has it open, tbox run perhaps") from None
    except OSError:
        release(port)
        return -1  # the adapter's own driver says what is wrong with it
    return port


def release(port: int) -> None:
    """Let it go."""
    if port >= 0:
        os.close(port)
