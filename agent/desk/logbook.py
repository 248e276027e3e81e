"""The daemon's last words: a bounded ring of what it logged, for whoever asks what went wrong; no secret in it."""

import logging
import re
import time
from collections import deque

LINES_MAX = 400
LINE_MAX = 400
"""Characters of a line; what is longer is cut."""

_SECRETS = (
    (re.compile(r"(\w+://)[^\s/@]+@"), r"\1***@"),
    (re.compile(r"(?i)(pass(?:word|wd)?|pin|token|secret|login)([-_]?value)?(\s*[=:]\s*)[^\s&;,]+"), r"\1\2\3***"),
)
"""Whatever a library may put into its words: a login in an address, a value beside a telling name."""


class Logbook(logging.Handler):
    """Keeps the last LINES_MAX lines; may be called from any thread."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=LINES_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """One line, with its time, without secrets."""
        try:
            words = record.getMessage()
        except (TypeError, ValueError):
            words = str(record.msg)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        self._lines.append(f"{stamp} {record.levelname.lower()} {guarded(words)}"[:LINE_MAX])

    def lines(self) -> list[str]:
        """Oldest first."""
        return list(self._lines)

    def open(self) -> None:
        """Hear everything that is logged from now on."""
        logging.getLogger().addHandler(self)

    def close(self) -> None:
        """Hear no more."""
        logging.getLogger().removeHandler(self)
        super().close()


def guarded(words: str) -> str:
    """The words on one line, without what looks like a secret."""
    words = " | ".join(words.splitlines())
    for pattern, shown in _SECRETS:
        words = pattern.sub(shown, words)
    return words
