"""From settings to devices: which sources this terminal reads, and how each is opened, again and again."""

from functools import partial
from pathlib import Path

from agent.errors import SettingsError
from agent.settings import Can, Settings
from agent.vehicle import Table
from drivers.can import open_can
from drivers.errors import DriverError, RecordingError
from drivers.rack import Opener, Rack
from drivers.recording import play


def open_rack(settings: Settings, table: Table, wake_fds: tuple[int, ...]) -> Rack:
    """Every source the settings name; SettingsError for one that cannot exist."""
    openers: dict[str, Opener] = {can.channel: _can_opener(can, table) for can in settings.can}
    if settings.recording.paths:
        paths = [Path(path) for path in settings.recording.paths]
        openers["recording"] = partial(play, paths, speed=settings.recording.speed)
    try:
        return Rack(openers, wake_fds)
    except RecordingError as why:
        raise SettingsError(f"recording.paths: {why}") from None
    except DriverError as why:
        raise SettingsError(f"can: {why}") from None


def _can_opener(can: Can, table: Table) -> Opener:
    """How this bus is opened, again and again."""
    return partial(
        open_can,
        can.interface,
        can.channel,
        number=can.number,
        bitrate=can.bitrate or None,
        fd=can.fd,
        listen_only=can.listen_only,
        options=can.options,
        filters=table.filters(can.number),
    )
