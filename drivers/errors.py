"""Whose fault it is, at the edge of the box: a recording, a device, or the way it was asked for."""


class DriverError(Exception):
    """A driver was asked for something that does not exist: an interface by that name, an option of it."""


class RecordingError(DriverError):
    """A recording is missing, unreadable or holds nothing that is understood; the text names file and fix."""


class DeviceError(DriverError):
    """A device is absent, or went while it was read; trying again later may help."""
