"""Bytes of a receiver's port, cut into NMEA sentences; whatever stands between them is left out and counted."""

import re
from typing import NamedTuple

from drivers.gnss.sentence import is_sound

_BODY = rb"[A-Z0-9]{2,12},[ -#%-)+-~]{0,250}"
SENTENCE = re.compile(rb"\$(" + _BODY + rb")\*([0-9A-Fa-f]{2})")
SENTENCE_BYTES = 270
"""NMEA allows 82; receivers with more digits or satellites send longer ones."""

_BEGUN = re.compile(rb"\$(?:[A-Z0-9]{0,12}|" + _BODY + rb"(?:\*[0-9A-Fa-f]?)?)\Z")


class Sentence(NamedTuple):
    """A sentence whose checksum is right: talker and type first; when its first byte came."""

    fields: list[str]
    heard_us: int


class Stream:
    """Feed bytes as they come; a sentence that is not whole yet is kept until it is."""

    def __init__(self) -> None:
        self.errors = 0
        """Sentences whose checksum was wrong."""

        self.skipped = 0
        """Bytes that were no sentence: binary, noise, line ends not counted."""

        self._tail = b""
        self._tail_us = 0

    def feed(self, came: bytes, now_us: int) -> list[Sentence]:
        """Sentences that are whole with these bytes, which came at `now_us`."""
        text, old = self._tail + came, len(self._tail)
        sentences, done = [], 0
        for found in SENTENCE.finditer(text):
            self._skip(text[done : found.start()])
            done = found.end()
            body = found[1].decode("ascii")
            if is_sound(body, found[2].decode("ascii")):
                sentences.append(Sentence(body.split(","), self._tail_us if found.start() < old else now_us))
            else:
                self.errors += 1
        start = _begun(text, done)
        self._skip(text[done:start])
        self._tail_us = self._tail_us if start < old else now_us
        self._tail = text[start:]
        return sentences

    def clear(self) -> None:
        """Forget what was begun: what comes next is something else."""
        self._skip(self._tail)
        self._tail = b""

    def _skip(self, waste: bytes) -> None:
        self.skipped += len(waste) - waste.count(b"\r") - waste.count(b"\n")


def _begun(text: bytes, done: int) -> int:
    """Where a sentence begins that may still become whole; the end when there is none."""
    found = _BEGUN.search(text, max(done, len(text) - SENTENCE_BYTES))
    return found.start() if found else len(text)
