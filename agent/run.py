"""`tbox run`: everything is checked before anything runs."""

import logging
import signal
import sys
from dataclasses import replace
from pathlib import Path

from agent import __version__, maps, terms
from agent.app import Agent
from agent.errors import SettingsError
from agent.outbox import STORE_NAME, Outbox
from agent.settings import Settings

log = logging.getLogger("tbox")


def run(settings: Settings) -> int:
    """The command: everything is checked before anything runs. SettingsError, StorageError, or 0 after a stop."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if not has_source(settings):
        raise SettingsError('nothing to read: add a [[can]] table, e.g. channel = "can0" (see config/tbox.toml)')
    table = maps.load(Path(settings.vehicle.map), in_child=True)
    if table.data and not maps.is_trusted(Path(settings.vehicle.map)):
        log.warning("%s: its [[uds]] are not asked for: nobody vouches for this map", settings.vehicle.map)
        table = replace(table, data=())
    terms.load(settings, table)
    state_dir = Path(settings.device.state_dir)
    outbox = Outbox.open(state_dir / STORE_NAME, settings.store.budget_mb * 1_000_000)
    for report in outbox.reports:
        log.warning("%s", report)
    agent = Agent(settings, table, outbox)
    signal.signal(signal.SIGTERM, agent.stop)
    signal.signal(signal.SIGINT, agent.stop)
    log.info("tbox %s, device %s, boot %d", __version__, agent.device, agent.boot)
    agent.run()
    return 0


def has_source(settings: Settings) -> bool:
    """Whether these settings name anything that is read."""
    buses = settings.can or settings.elm or settings.recording.paths
    return bool(buses or settings.imu.device or settings.gnss.gpsd or settings.gnss.port)
