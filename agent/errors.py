"""Whose fault it is: each error says one sentence to the person who can mend it, and carries its exit code."""


class TboxError(Exception):
    """Something a person can mend; the text says what and how."""

    exit_code = 1


class UsageError(TboxError):
    """The command line does not make sense."""

    exit_code = 2


class InputError(TboxError):
    """An input is missing, unreadable or not what it should be."""

    exit_code = 66


class DeviceAbsentError(TboxError):
    """A device or broker is not there at a start where it is needed at once."""

    exit_code = 69


class StorageError(TboxError):
    """The store cannot be read or written."""

    exit_code = 74


class SettingsError(TboxError):
    """A setting, vehicle map, DBC or trust file is wrong; names file, key or line, and the fix."""

    exit_code = 78


class BundleError(InputError):
    """A bundle, or a document of its kind, that is not taken; `reason` is one short word, for scripts and records."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
