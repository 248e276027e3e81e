"""How each device of the settings is opened, again and again. Drivers are loaded only where they are named."""

import math
from functools import partial

from agent.settings import Can, Settings
from agent.settings.obd import Elm
from agent.vehicle import Table
from drivers.bus.can import open_can
from drivers.guard import Guard
from drivers.rack import Opener
from drivers.source import Source


def can_opener(
    can: Can, table: Table, *, guard: Guard | None = None, bitrate: int | None = None, listen_only: bool = True
) -> Opener:
    """How this bus is opened, again and again: listen-only, unless it is to be asked and has a guard.

    Of a bus that may be asked everything is read: its traffic tells whether it is awake, and who else asks.
    """
    rate = bitrate or can.bitrate
    opening = partial(
        open_can,
        can.interface,
        can.channel,
        number=can.number,
        bitrate=rate or None,
        fd=can.fd,
        listen_only=listen_only,
        options=can.options,
        filters=table.filters(can.number) if can.listen_only else (),
        guard=guard,
    )
    return partial(_set_up_first, can.channel, rate, listen_only, opening) if can.setup and rate else opening


def _set_up_first(channel: str, bitrate: int, listen_only: bool, opening: Opener) -> Source:
    """A link of the kernel's whose bit rate and mode are ours to set."""
    from drivers.bus.link import set_up  # noqa: PLC0415  (few may)

    set_up(channel, bitrate, listen_only=listen_only)
    return opening()


def make_guard(settings: Settings, table: Table, number: int) -> Guard:
    """What lets requests to this bus pass: DESIGN 8's list, and the identifiers the map asks data of."""
    return Guard([item.to for item in table.asked(number)], settings.obd.requests_per_s)


def sensors(settings: Settings) -> dict[str, Opener]:
    """What is measured on board."""
    made: dict[str, Opener] = {}
    imu, gnss, supply = settings.imu, settings.gnss, settings.supply
    if imu.device:
        from drivers.iio.iio import open_iio  # noqa: PLC0415

        made["imu"] = partial(
            open_iio,
            imu.device,
            gyro=imu.gyro,
            rate_hz=imu.rate_hz,
            latency_s=imu.latency_s,
            accel_range_g=imu.accel_range_g,
            gyro_range_dps=imu.gyro_range_dps,
            trigger=imu.trigger,
        )
    if gnss.gpsd or gnss.port:
        from drivers.gnss.gnss import open_gnss  # noqa: PLC0415

        made["gnss"] = partial(
            open_gnss,
            gpsd=gnss.gpsd,
            device=gnss.device,
            port=gnss.port,
            baud=gnss.baudrate,
            hz=gnss.rate_hz,
            dead_reckoning=gnss.dead_reckoning,
        )
    if supply.kind:
        from drivers.supply import open_supply  # noqa: PLC0415

        made["supply"] = partial(
            open_supply, supply.kind, supply.device, supply.channel, ratio=supply.ratio, period_s=supply.period_s
        )
    return made


def elm_opener(settings: Settings, elm: Elm, table: Table) -> Opener:
    """How this adapter is opened; what it learned of the car makes the next time quicker.

    Where nothing may be asked no supply is high enough for it to look for its car.
    """
    from drivers.elm.elm import Known, open_elm  # noqa: PLC0415  (only a terminal with such an adapter has it in memory)

    return partial(
        open_elm,
        elm.port,
        number=elm.number,
        baudrate=elm.baudrate,
        protocol=elm.protocol,
        engine_volts=math.inf if settings.obd.ask == "never" else settings.obd.charging_v,
        requests_per_s=settings.obd.requests_per_s,
        uds_ids=[item.to for item in table.asked(elm.number)],
        known=Known(),
    )
