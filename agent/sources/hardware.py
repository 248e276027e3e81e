"""What this terminal is made of, in one word, as manifests name it: `device.hardware`, else what the firmware says."""

import re
from pathlib import Path

from agent.settings import Settings

FIRMWARE = (Path("/sys/firmware/devicetree/base/compatible"), Path("/sys/class/dmi/id/product_name"))
"""The first that says something; of a device tree its first, most exact entry."""

_BYTES_MAX = 256
_NAME_MAX = 64


def name(settings: Settings, places: tuple[Path, ...] = FIRMWARE) -> str:
    """Lower case, anything but a-z 0-9 . , _ - made one hyphen: "raspberrypi,4-model-b"; empty: nobody says."""
    if settings.device.hardware:
        return settings.device.hardware
    for place in places:
        try:
            with place.open("rb") as file:
                first = file.read(_BYTES_MAX).split(b"\0")[0].decode("utf-8", "replace")
        except OSError:
            continue
        if told := re.sub(r"[^a-z0-9.,_-]+", "-", first.strip().lower()).strip("-.,_"):
            return told[:_NAME_MAX]
    return ""
