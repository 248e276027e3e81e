"""The agent, once its settings are known: everything is checked before anything runs."""

import logging
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agent import __version__
from agent.app import Agent
from agent.errors import InputError, SettingsError
from agent.maps import maps
from agent.outbox.outbox import Outbox
from agent.outbox.store import STORE_NAME
from agent.settings import Settings
from agent.slots.slot_files import Slot
from agent.trip import terms
from agent.world import clock
from drivers.errors import RecordingError

log = logging.getLogger("tbox")


def run(
    settings: Settings, recordings: Sequence[Path] = (), slot: Slot | None = None, words: Sequence[str] = ()
) -> bool:
    """Everything is checked before anything runs. SettingsError, StorageError; after a stop: whether to start anew.

    `recordings` stand for the car, as fast as they are read, and tell the time: where no device is named. InputError.
    `slot`: the bundle that these settings are from, too; `words`: how a command line names them (--config, --set).
    """
    if recordings:
        _follow(settings, recordings)
    elif not has_source(settings):
        raise SettingsError('nothing to read: add a [[can]] table, e.g. channel = "can0" (see config/tbox.toml)')
    table = maps.load(Path(settings.vehicle.map), in_child=True)
    if table.data and not _is_vouched(settings, slot):
        log.warning("%s: its [[uds]] are not asked for: nobody vouches for this map", settings.vehicle.map)
        table = replace(table, data=())
    terms.load(settings, table)
    state_dir = Path(settings.device.state_dir)
    outbox = Outbox.open(state_dir / STORE_NAME, settings.store.budget_mb * 1_000_000)
    for report in outbox.reports:
        log.warning("%s", report)
    stops: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda asked, _: stops.append(asked))  # while it is being built: it ends in order after
    agent = Agent(settings, table, outbox, slot, words)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, agent.stop)
    if stops:
        agent.stop()
    log.info("tbox %s, device %s, boot %d", __version__, agent.device, agent.boot)
    agent.run()
    return agent.slots.wants_restart and not agent.is_stopping


def _is_vouched(settings: Settings, slot: Slot | None) -> bool:
    """Whether somebody answers for the vehicle map: it came with the program, or in a bundle that the fleet signed."""
    path = Path(settings.vehicle.map)
    if slot is None or maps.is_trusted(path):
        return maps.is_trusted(path)
    from agent.trust import trust  # noqa: PLC0415  (only where a bundle's map asks with service 22)

    try:
        return path.resolve() in trust.vouched_maps(slot.folder, trust.load(settings))
    except SettingsError as why:  # a damaged document of trust vouches for nothing, and stops nobody
        log.warning("%s", why)
        return False


def _follow(settings: Settings, recordings: Sequence[Path]) -> None:
    """From here on time is the recordings'."""
    if has_source(settings):
        raise SettingsError("--recorded is for a terminal without devices: these settings name some; take them out")
    from drivers.recordings.recorded import recorded  # noqa: PLC0415  (no terminal in a car has it in memory)

    try:
        clock.follow(recorded(recordings))
    except RecordingError as why:
        raise InputError(str(why)) from None


def has_source(settings: Settings) -> bool:
    """Whether these settings name anything that is read."""
    buses = settings.can or settings.elm or settings.recording.paths
    return bool(buses or settings.imu.device or settings.gnss.gpsd or settings.gnss.port)
