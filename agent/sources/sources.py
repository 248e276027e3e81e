"""From settings to devices: which sources this terminal reads, and which of them it may ask."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.asking.listening import Listening
from agent.camera.blind import Blind
from agent.codec import Record
from agent.errors import SettingsError
from agent.ledger.ledger import Ledger
from agent.settings import Settings
from agent.sources.openers import can_opener, elm_opener, sensors
from agent.vehicle import Table
from agent.world import clock
from drivers.errors import DriverError, RecordingError
from drivers.rack import Opener, Rack
from drivers.recordings.recording import play

if TYPE_CHECKING:
    from agent.asking.asking import Asking
    from agent.camera.camera import Film


def open_rack(settings: Settings, table: Table, wake_fds: tuple[int, ...]) -> Rack:
    """Every source the settings name; SettingsError for one that cannot exist. A bus only listens yet.

    A recording that tells the time is the only one.
    """
    if (recorded := clock.followed()) is not None:
        return Rack({"recording": lambda: recorded}, wake_fds)
    openers: dict[str, Opener] = {can.channel: can_opener(can, table) for can in settings.can}
    openers |= {elm.port: elm_opener(settings, elm, table) for elm in settings.elm}
    openers |= sensors(settings)
    if settings.recording.paths:
        paths = [Path(path) for path in settings.recording.paths]
        openers["recording"] = partial(play, paths, speed=settings.recording.speed)
    try:
        return Rack(openers, wake_fds)
    except RecordingError as why:
        raise SettingsError(f"recording.paths: {why}") from None
    except DriverError as why:
        raise SettingsError(f"can: {why}") from None


def open_film(settings: Settings, ledger: Ledger, records: Sequence[Record]) -> "Film | Blind":
    """The camera, where there is one; `records`: the first of this run."""
    if not settings.camera.source:
        return Blind()
    from agent.camera.camera import Film  # noqa: PLC0415  (few have one)

    return Film(settings, ledger, records)


def open_asking(settings: Settings, table: Table, rack: Rack, kept: Mapping[str, Any]) -> "Asking | Listening":
    """What these settings let be asked; `kept`: what an earlier run gave as its state."""
    if settings.obd.ask == "never" or not (settings.elm or any(not can.listen_only for can in settings.can)):
        return Listening(kept)
    from agent.asking.asking import Asking  # noqa: PLC0415  (a terminal that only listens needs neither deciders nor ISO-TP)
    from agent.sources.lines import make_lines  # noqa: PLC0415

    return Asking(make_lines(settings, table, rack, kept), rack)
