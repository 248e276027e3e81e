"""GNSS, whichever way there is: gpsd when it runs, else NMEA straight from the receiver's port."""

from drivers.errors import DeviceError, DriverError
from drivers.gnss.gpsd import open_gpsd
from drivers.gnss.port import open_port
from drivers.source import Source


def open_gnss(
    *, gpsd: str = "", device: str = "", port: str = "", baud: int = 0, hz: int = 0, dead_reckoning: bool = False
) -> Source:
    """Open gpsd at `gpsd` (host:port or path; empty: not asked), else the receiver at `port` (empty: none).

    The rest as open_gpsd and open_port have it. DeviceError when neither is there; DriverError when neither is named.
    """
    if not gpsd and not port:
        raise DriverError("GNSS: neither a gpsd nor a port is named")
    if gpsd:
        try:
            return open_gpsd(gpsd, device=device)
        except DeviceError:
            if not port:
                raise
    return open_port(port, baud=baud, hz=hz, dead_reckoning=dead_reckoning)
