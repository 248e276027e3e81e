"""A fake of the daemon's desk (agent/desk/desk_socket.py): a JSON line there, a JSON line back, from a car that is made up."""

import json
import math
import socket
import threading
import time
from pathlib import Path
from typing import Any

from agent.desk.desk_place import DESK_NAME

VIN = "WVWZZZ1KZ6W000001"
SIGNALS = {
    "speed": "m/s",
    "rpm": "1/min",
    "battery": "V",
    "coolant": "degC",
    "fuel": "%",
    "throttle": "%",
    "odometer": "m",
    "load": "%",
}


class FakeDesk:
    """Answers in a thread until `close`; what `car` says can be changed meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.car: dict[str, Any] = {}
        self.well()
        self.asked: list[str] = []
        self._begin_s = time.monotonic()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / DESK_NAME))
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def well(self) -> None:
        """Nothing is in the way."""
        self.car |= {
            "frames": True,
            "errors": False,
            "engine": True,
            "vin": VIN,
            "link": "up",
            "set": True,
            "there": True,
        }

    def close(self) -> None:
        """Nobody answers any more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as lines:
                for line in lines:
                    self.asked.append(json.loads(line)["command"])
                    lines.write(json.dumps(getattr(self, self.asked[-1])()).encode() + b"\n")
                    lines.flush()

    def ping(self) -> dict[str, Any]:
        """Who this is."""
        return {
            "software": "tbox 0.1.0", "device": "5d41402abc4b2a76", "name": "", "boot": 3, "up_s": 100.0, "vehicle": "RAV4",
            "settings": "0123456789abcdef", "reported": {"bundle": "acme-vans", "version": 12, "state": "running", "reason": ""},
        }  # fmt: skip

    def read(self) -> dict[str, Any]:
        """What is known now: a car whose figures move."""
        at_s, car = time.monotonic() - self._begin_s, self.car
        wave = math.sin(at_s / 4)
        values = {"speed": 12.5 + 6 * wave, "rpm": 1800 + 700 * wave, "battery": 14.1 + 0.1 * wave, "coolant": 88.0, "fuel": 61.2,
                  "throttle": 18 + 9 * wave, "odometer": 123_456_700 + 12 * at_s, "load": 34 + 12 * wave}  # fmt: skip
        heard = car["frames"] and car["there"]
        can0 = {
            "is_there": car["there"], "frames": round(2000 * at_s) if heard else 0, "frames_per_s": 1987.4 if heard else 0.0,
            "last_frame_age_s": 0.01 if heard else None, "load_pct": 46.3 if heard else None, "dropped": 0,
            "errors": round(500 * at_s) if car["errors"] else 0, "losses": 0, "failures": 0, "bitrate": 500_000, "silent": None,
        }  # fmt: skip
        return {
            "boot": 3, "up_s": 100.0, "trip": 7, "engine": "on" if car["engine"] else "off",
            "signals": {name: {"unit": unit, "vss": None, "value": values[name] if heard else None, "age_s": 0.1} for name, unit in SIGNALS.items()},
            "gnss": {"is_there": True, "sats": 11.0, "hdop": 0.9}, "imu": {"is_there": True, "is_mounted": True},
            "sources": {"can0": can0, "gnss": {"is_there": True}} if car["set"] else {},
            "identity": {"0902 7E8": car["vin"]} if car["vin"] else {},
            "link": {"state": car["link"], "said": "", "waiting": 4, "queued": 0},
        }  # fmt: skip

    def diag(self) -> dict[str, Any]:
        """Its last words."""
        return {
            "versions": {"software": "tbox 0.1.0"},
            "log": ["bus can0 is there", "listening", "a trip began"],
            "settings": {"device": {"state_dir": "/x"}},
            "left_off": [],
        }
