"""The agent with faults that a configuration switches on: what no check before the commit can see.

    python -m tests.doomed run --config FILE

`trip.end_s` names the fault, so a valid, signed bundle can carry it.
"""

import os
import signal
import sys
from types import FrameType

from agent import app, cli, run

DIES, RAISES, HANGS, HOGS, DIES_LATER = 661.0, 662.0, 663.0, 664.0, 665.0
"""At its start: killed, raises, hangs; once it runs: takes memory, is killed."""

HOG_BYTES = 200_000_000


class Doomed(app.Agent):
    """As its settings want it."""

    def run(self) -> None:
        """The fault, then the loop."""
        fault = self.settings.trip.end_s
        if fault == DIES:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == RAISES:
            raise RuntimeError("planted")
        if fault == HANGS:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
        self.hog = b"x" * HOG_BYTES if fault == HOGS else b""
        if fault == DIES_LATER:
            signal.signal(signal.SIGALRM, _die)
            signal.setitimer(signal.ITIMER_REAL, 0.5)
        super().run()


def _die(_number: int, _frame: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run.Agent = Doomed  # type: ignore[misc]
    sys.exit(cli.main())
