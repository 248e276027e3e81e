"""The configuration the platform wants: `config/desired` in, `tbox flash` as a child, `config/reported` out.

A desired configuration is a msgpack map, with one of the last two at least:

    document   the platform's name of it, 1 to DOCUMENT_MAX printable characters
    bundle     a .tbx file's bytes, 4 MiB at most
    binding    a binding document's bytes (agent/yard/binding.py); it is taken before the bundle is tried

Nothing but their own signatures makes them count. An empty payload wants nothing. The newest counts: what comes while
one is being put into force waits for it. One that is in force already, or was tried in this run and did not come into
force, is not tried again.

What is reported is read back from what runs (agent/slots/slot_watch.py), and beside it what became of the document that
came last, which may have been refused.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgpack

from agent.codec import Record
from agent.desk.bucket import Bucket
from agent.desk.desk import noted
from agent.errors import TboxError
from agent.rooms import Rooms
from agent.settings import Settings

DOCUMENT_MAX = 64
BYTES_MAX = {"bundle": 4 * 1024 * 1024, "binding": 64 * 1024}
OUTPUT_BYTES_MAX = 1 << 20
FLASH_S_MAX = 3600.0
"""What `tbox flash` takes at most: listening, and a trial with its starts."""

END_S = 2.0
OUTCOME = {"running", "trial", "unchanged", "bound"}
OFTEN = (10, 600.0)
"""So many are tried, or refused in a record, at once; then one in so many seconds."""

log = logging.getLogger("tbox")


class DesiredError(ValueError):
    """This is no desired configuration."""


@dataclass(frozen=True, slots=True)
class Document:
    """One that came."""

    name: str
    bundle: bytes = b""
    binding: bytes = b""


def parse(payload: bytes) -> Document:
    """The document in a payload. DesiredError: there is none."""
    most = sum(BYTES_MAX.values())
    try:
        told = msgpack.unpackb(
            payload, max_bin_len=most, max_str_len=256, max_array_len=8, max_map_len=8, max_ext_len=0
        )
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as why:
        raise DesiredError(f"not msgpack within bounds: {type(why).__name__}") from None
    if not isinstance(told, dict) or not {"document"} < told.keys() <= {"document", "bundle", "binding"}:
        raise DesiredError("not a map of document and bundle or binding")
    document = Document(**{"name": told.pop("document"), **told})
    if not isinstance(document.name, str) or not 0 < len(document.name) <= DOCUMENT_MAX:
        raise DesiredError(f"document must have 1 to {DOCUMENT_MAX} characters")
    if not document.name.isprintable() or document.name.startswith("-"):
        raise DesiredError("document must be printable, and not begin with a dash")
    for name, content in told.items():
        if not isinstance(content, bytes) or not 0 < len(content) <= BYTES_MAX[name]:
            raise DesiredError(f"{name} must have 1 to {BYTES_MAX[name]} bytes")
    return document


class Flash:
    """`tbox flash` on its way, as a child: no disk, no live check and no crash of it is the loop's."""

    def __init__(self, document: Document, words: Sequence[str], now_us: int) -> None:
        """`words`: --config and --set as this daemon was started with. OSError: it cannot be started."""
        self._since_us = now_us
        bundle = os.memfd_create("bundle")
        try:
            with open(bundle, "wb", closefd=False) as file:
                file.write(document.bundle)
            self._output = os.memfd_create("output")
            options = ["--how", "mqtt", "--document", document.name, "--yes", "--json", *words]
            command = [sys.executable, "-m", "agent.cli", "flash", f"/proc/self/fd/{bundle}", *options]
            self._process = subprocess.Popen(  # noqa: S603  (ourselves; the document's name is one argument)
                command, stdin=subprocess.DEVNULL, stdout=self._output, pass_fds=(bundle,), start_new_session=True
            )
        finally:
            os.close(bundle)

    def ended(self, now_us: int) -> Mapping[str, Any] | None:
        """The outcome as `tbox flash --json` tells it last; None: it goes on."""
        if self._process.poll() is None:
            if now_us - self._since_us > FLASH_S_MAX * 1e6:
                self._process.kill()
            return None
        lines = os.pread(self._output, OUTPUT_BYTES_MAX, 0).splitlines()
        os.close(self._output)
        with suppress(ValueError, TypeError, KeyError, IndexError):
            return dict(json.loads(lines[-1])["outcome"])
        words = f"tbox flash ended with {self._process.returncode} and no word; its log says why"
        return {"state": "refused", "reason": "failed", "words": words}

    def close(self) -> None:
        """End it: before its commit that leaves no trace, after it the agent decides alone."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        os.close(self._output)


class Desired:
    """Each turn `turn`; what it returns must be kept. `running` tells what runs (SlotWatch.reported)."""

    def __init__(self, rooms: Rooms, running: Callable[[], Mapping[str, Any]], words: Sequence[str]) -> None:
        self._rooms, self._running, self._words = rooms, running, words
        self._often = Bucket(*OFTEN)
        self._wanted: Document | None = None
        self._tried: Document | None = None
        self._flash: Flash | None = None
        self._asked = ""
        self._count = 0
        self.last: dict[str, Any] | None = None
        """What became of the document that came last; None: none came in this run."""

    def hear(self, payload: bytes, now_us: int) -> list[Record]:
        """One came; the record where it is none."""
        if not payload:
            self._wanted = None
            return []
        try:
            document = parse(payload)
        except DesiredError as why:
            if not self._often.take(now_us / 1e6):
                return []
            return self._told("", {"state": "refused", "reason": "malformed", "words": str(why)}, now_us)
        runs = document.name == self._running()["document"] and not document.binding
        self._wanted = None if runs or document == self._tried else document
        return []

    def turn(self, now_us: int) -> list[Record]:
        """Go on with what is tried, or begin with what is wanted; the record of what is over."""
        if self._asked:
            return self._bound(now_us)
        if self._flash is None:
            is_time = self._wanted is not None and self._often.take(now_us / 1e6)
            return self._begin(now_us) if is_time else []
        outcome = self._flash.ended(now_us)
        if outcome is None or self._tried is None:
            return []
        self._flash = None
        return self._told(self._tried.name, outcome, now_us)

    def close(self) -> None:
        """The agent ends."""
        if self._flash is not None:
            self._flash.close()
            self._flash = None

    def _begin(self, now_us: int) -> list[Record]:
        """The binding first, where there is one: its files are the writer's thread's to read and write."""
        document, self._wanted = self._wanted, None
        assert document is not None
        log.info("desired configuration %s: %d bytes", document.name, len(document.bundle))
        self._tried = document
        self.last = {"document": document.name, "outcome": "trying", "reason": "", "words": ""}
        if not document.binding:
            return self._install(document, now_us)
        self._count += 1
        self._asked, reading = f"binding {self._count}", self._rooms.timekeeper.reading
        vouched_us = None if reading is None or reading.u_us is None else reading.utc_us + now_us - reading.boot_us
        settings, raw = self._rooms.settings, document.binding
        self._rooms.delivery.ask(self._asked, lambda _store: bound(settings, raw, vouched_us))
        return []

    def _bound(self, now_us: int) -> list[Record]:
        """The binding was taken, or not."""
        outcome, document = self._rooms.delivery.found(self._asked), self._tried
        if outcome is None or document is None:
            return []
        self._asked = ""
        if outcome["state"] == "bound" and document.bundle:
            return self._install(document, now_us)
        return self._told(document.name, outcome, now_us)

    def _install(self, document: Document, now_us: int) -> list[Record]:
        try:
            self._flash = Flash(document, self._words, now_us)
        except OSError as why:
            return self._told(document.name, {"state": "refused", "reason": "failed", "words": str(why)}, now_us)
        return []

    def _told(self, name: str, outcome: Mapping[str, Any], now_us: int) -> list[Record]:
        """What became of it, for the platform and the account."""
        state, reason, words = (str(outcome.get(part, ""))[:500] for part in ("state", "reason", "words"))
        log.info("desired configuration %s: %s %s", name, state, words)
        self.last = {"document": name, "outcome": state, "reason": reason, "words": words}
        is_done = state in OUTCOME
        why = "" if is_done else reason or state
        outcome_word = "done" if is_done else "refused"
        body = noted("config/desired", "mqtt", outcome_word, request=name, reason=why, words=words)
        return self._rooms.ledger.number("command", now_us, body)


def bound(settings: Settings, raw: bytes, now_us: int | None) -> dict[str, str]:
    """Take the binding; whether that went well. `now_us`: UTC that somebody vouches for."""
    from agent.yard import pairing  # noqa: PLC0415  (loaded where a binding comes)

    try:
        bond = pairing.accept(settings, raw, now_us)
    except TboxError as why:
        return {"state": "refused", "reason": str(getattr(why, "reason", "binding")), "words": str(why)}
    return {"state": "bound", "reason": "", "words": "" if bond.is_bound else "the box is bound to nothing"}
