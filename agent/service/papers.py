"""The newest install certificate, as the account on the box has it: looked at seldom, written by the daemon alone."""

from contextlib import closing
from pathlib import Path
from typing import Any

from agent.codec import Record
from agent.errors import TboxError
from agent.outbox.store import STORE_NAME, guarded, open_readable
from agent.yard import install

LOOK_S = 5.0
"""A page asks every second; a certificate is made once."""

SHOWN = ("technician", "plate", "vin", "vin_source", "odometer_m", "odometer_source")


class Papers:
    """The certificate of this state folder's account, for a page that asks again and again. Times are seconds."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STORE_NAME
        self._found: Record | None = None
        self._look_s = 0.0

    def forget(self) -> None:
        """There may be another one now."""
        self._look_s = 0.0

    def certificate(self, vin: str | None, now_s: float) -> dict[str, Any] | None:
        """What it says, where it may be this car's; `vin` is what the car tells. None: there is none."""
        if now_s >= self._look_s:
            self._found, self._look_s = newest(self._path), now_s + LOOK_S
        if self._found is None or not install.is_for(self._found.body, vin):
            return None
        return {"number": self._found.seq} | {name: self._found.body.get(name) for name in SHOWN}


def newest(path: Path) -> Record | None:
    """The newest certificate in this store; None: there is none, or no store that can be read."""
    try:
        with closing(open_readable(path)) as store, guarded(path):
            return install.newest(store)
    except TboxError:
        return None
