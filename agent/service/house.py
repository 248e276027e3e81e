"""What the service page can show and do, by name: the daemon asked, our own commands started, who is in."""

import base64
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from agent import __version__
from agent.doctor.checkup import is_vin
from agent.errors import TboxError
from agent.page import qr
from agent.service import forms as service_forms
from agent.service import run as service_run
from agent.service import state as service_state
from agent.service.desk import Desk, DeskError
from agent.service.door import TOKEN_BYTES, Door, Pin, Session, digits_of
from agent.service.jobs import Answer, BusyError, Job, Jobs
from agent.service.papers import Papers
from agent.service.shelf import Shelf
from agent.yard import pairing

FLASH = ("flash", "--how", "service")
DOCTOR_S = 10
TRIPS_MAX = 50
LIST_S, PAPER_S = 60.0, 120.0
LIST_BYTES_MAX, PAPER_BYTES_MAX = 8 << 20, 32 << 20

log = logging.getLogger("tbox.service")


class RefusedError(HTTPError):
    """What was asked for is not done; the page has a sentence for the word."""

    def __init__(self, status: int, word: str, **more: Any) -> None:
        super().__init__(status)
        self.word, self.more = word, more


class House:
    """One run of the page. `hosts` are the names it answers to, `files` what it is made of."""

    def __init__(self, folder: Path, door: Door, jobs: Jobs, hosts: frozenset[str], files: Mapping[str, Any]) -> None:
        self.folder, self.door, self.jobs, self.hosts, self.files = folder, door, jobs, hosts, files
        self.desk, self.shelf = Desk(folder), Shelf(folder)
        self._pin: Pin | None = None
        self._vin: list[str] = []
        self._watch, self._papers = service_state.Watch(), Papers(folder)
        self._told: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "live": self._live, "state": self._state, "trips": self._trips, "logs": self._logs,
            "pairing": self._pairing,
        }  # fmt: skip
        self._done: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "doctor": self._doctor, "flash": self._flash, "rollback": self._rollback, "stop": self._stop,
            "install": self._install, "stay": self._stay,
        }  # fmt: skip

    def touch(self) -> None:
        """Somebody is there, or something they started still runs."""
        self.door.touch(time.monotonic())

    def presence(self, session: Session | None) -> dict[str, Any]:
        """What a browser may know before it is in, and after."""
        self._renew()
        if session is None:
            return {"in": False, "pin": self.door.state}
        left_s = round(self.door.left_s(time.monotonic()))
        return {"in": True, "token": session.token, "left_s": left_s, "version": __version__}

    def enter(self, words: str, whence: str) -> tuple[Session, str]:
        """The session a PIN opens, and its cookie. RefusedError: wrong, too soon, void."""
        self._renew()
        cookie, token = secrets.token_bytes(TOKEN_BYTES), secrets.token_bytes(TOKEN_BYTES)
        entry = self.door.enter(digits_of(words), cookie, token, time.monotonic())
        if entry.session is not None:
            log.warning("%s came in by PIN", whence)
            return entry.session, cookie.hex()
        if entry.refusal != "wait":
            log.warning("%s tried a PIN: %s", whence, entry.refusal)
        status = {"wait": 429, "void": 403, "wrong": 403}[entry.refusal]
        raise RefusedError(status, f"pin_{entry.refusal}", wait_s=round(entry.wait_s, 1), left=entry.left)

    async def tell(self, name: str) -> dict[str, Any]:
        """Something to look at. RefusedError."""
        if name not in self._told:
            raise RefusedError(404, "missing")
        return await self._told[name]()

    async def do(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Something to be done. RefusedError."""
        if name not in self._done:
            raise RefusedError(404, "missing")
        return await self._done[name](asked)

    async def close(self) -> None:
        """End what runs, take away what was brought."""
        await self.jobs.close()
        self.shelf.close()

    def _renew(self) -> None:
        """Another PIN may have been printed meanwhile."""
        pin = service_run.read_pin(self.folder)
        if pin is not None and pin != self._pin:
            self._pin = pin
            self.door.renew(pin)

    # ---- bundles ----------------------------------------------------------------------------------------------------

    def begin_bundle(self, told_bytes: int | None, vin: str) -> None:
        """Somebody brings one, and perhaps a VIN typed by hand. RefusedError: busy, no VIN; TooBigError."""
        self._free()
        if vin and not is_vin(vin):
            raise RefusedError(400, "bad_vin")
        self._vin = [f"--vin={vin}"] if vin else []
        self.shelf.begin(told_bytes)

    async def judge_bundle(self) -> dict[str, Any]:
        """It is here: what would it change."""
        self.shelf.end()
        job = await self._start("judge", [*FLASH, str(self.shelf.path), "--dry-run", "--json", *self._vin])
        return {**job, "digest": self.shelf.digest}

    async def _flash(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{"digest"}: what was shown before is what is installed."""
        self._must_be(asked.get("digest"))
        await self.jobs.finish("judge")  # the same checks are made again on the way in
        self._must_be(asked.get("digest"))
        log.warning("flash of %s was confirmed on the page", self.shelf.digest[:16])
        return await self._start("flash", [*FLASH, str(self.shelf.path), "--yes", "--json", *self._vin])

    def _must_be(self, digest: Any) -> None:
        """RefusedError: another bundle lies here."""
        if not self.shelf.digest or digest != self.shelf.digest:
            raise RefusedError(409, "changed")

    async def _rollback(self, _asked: dict[str, Any]) -> dict[str, Any]:
        log.warning("rollback was asked for on the page")
        return await self._start("rollback", ["rollback", "--reason", "on the service page", "--json"])

    # ---- the box ----------------------------------------------------------------------------------------------------

    async def _live(self) -> dict[str, Any]:
        """What the daemon reads now, and what is in the way of an installation."""
        try:
            read, who = await self.desk.ask("read"), await self.desk.ask("ping")
        except DeskError:
            read, who = {}, {}
        now_s = time.monotonic()
        told = service_state.live(read, who, self._watch.note(now_s, service_state.buses_of(read)))
        doctor, certificate = self._examined(), self._papers.certificate(told["vin"], now_s)
        done = {
            "checked": doctor is not None and service_state.is_sound(doctor.lines),
            "paired": _is_bound(self.folder),
            "certified": certificate is not None,
        }
        more = {"certificate": certificate, "left_s": round(self.door.left_s(now_s))}
        return told | {"way": service_state.way(told, done)} | more

    async def _state(self) -> dict[str, Any]:
        """Jobs a page that was loaded anew can go on with."""
        found = {name: self.jobs.latest(name) for name in ("doctor", "judge", "flash", "rollback")}
        told = {name: {"job": job.number, "code": job.code} for name, job in found.items() if job}
        return {"jobs": told, "digest": self.shelf.digest}

    async def _logs(self) -> dict[str, Any]:
        try:
            return {"diag": await self.desk.ask("diag")}
        except DeskError:
            raise RefusedError(503, "no_daemon") from None

    async def _trips(self) -> dict[str, Any]:
        told = _json(await self._ask(["trips", "list", "--json"], LIST_S, LIST_BYTES_MAX))
        return {"trips": [service_state.trip(one) for one in told[-TRIPS_MAX:]][::-1]}

    async def _doctor(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return await self._start("doctor", ["doctor", "--steps", "--seconds", str(DOCTOR_S)])

    async def _stop(self, _asked: dict[str, Any]) -> dict[str, Any]:
        if self.jobs.running is not None:
            self.jobs.stop(self.jobs.running)
        return {}

    async def _stay(self, _asked: dict[str, Any]) -> dict[str, Any]:
        """That somebody asked is what it takes."""
        return {"left_s": round(self.door.left_s(time.monotonic()))}

    # ---- papers -----------------------------------------------------------------------------------------------------

    async def paper(self, name: str, number: int) -> bytes:
        """A page one of our commands writes: the report of this trip, the newest certificate. RefusedError."""
        output = self.shelf.path.with_suffix(".html")
        words = {
            "trip": ["report", str(number), "-o", str(output)],
            "install": ["install", "certificate", "-o", str(output)],
        }
        if name not in words:
            raise RefusedError(404, "missing")
        await self._ask(words[name], PAPER_S, LIST_BYTES_MAX)
        try:
            with output.open("rb") as file:
                return file.read(PAPER_BYTES_MAX)
        except OSError:
            raise RefusedError(502, "command", text="no page was written") from None
        finally:
            output.unlink(missing_ok=True)

    async def _pairing(self) -> dict[str, Any]:
        """The one-time code that ties this box to its owner, and its QR as a picture."""
        told = _json(await self._ask(["pair", "code", "--json"], LIST_S, LIST_BYTES_MAX))
        picture = base64.b64encode(qr.svg(told["uri"]).encode()).decode()
        return {"code": told["code"], "device": told["device"], "picture": f"data:image/svg+xml;base64,{picture}"}

    async def _install(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The install certificate, from the form; the checks are those the page showed last, else they are made now."""
        before, words = self._papers.certificate(None, time.monotonic()), service_forms.install(asked)
        if isinstance(words, str):
            raise RefusedError(400, words)
        checks = self.shelf.path.with_name("checks.json")
        job = self._examined()
        if job is not None and (found := [line["check"] for line in job.lines if "check" in line]):
            checks.write_text(json.dumps({"checks": found}), encoding="utf-8")
            words = [*words, "--checks", str(checks)]
        try:
            told = await self._ask(words, PAPER_S, LIST_BYTES_MAX)
        finally:
            checks.unlink(missing_ok=True)
        self._papers.forget()
        made = self._papers.certificate(None, time.monotonic())
        said = told.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return {"words": said, "certificate": None if made == before else made}

    def _examined(self) -> Job | None:
        """The doctor's last look, unless another configuration may have come into force since."""
        return self.jobs.ended("doctor", unless=("flash", "rollback"))

    # ---- children ---------------------------------------------------------------------------------------------------

    def _free(self) -> None:
        if self.jobs.running is not None:
            raise RefusedError(409, "busy", job=self.jobs.running.number)

    async def _start(self, name: str, words: list[str]) -> dict[str, Any]:
        self._free()
        job: Job = await self.jobs.start(name, words)
        return {"job": job.number}

    async def _ask(self, words: list[str], timeout_s: float, bytes_max: int) -> bytes:
        """All a command says. RefusedError: it refused."""
        try:
            answer: Answer = await self.jobs.ask(words, timeout_s, bytes_max)
        except BusyError:
            raise RefusedError(409, "busy") from None
        if answer.code != 0:
            raise RefusedError(502, "command", text=answer.error, code=answer.code)
        return answer.out


def _is_bound(folder: Path) -> bool:
    """Whether the box has its owner."""
    with suppress(TboxError):
        return pairing.bond_in(folder).is_bound
    return False


def _json(out: bytes) -> Any:
    """What a command said with --json. RefusedError: it is none."""
    try:
        return json.loads(out)
    except ValueError:
        raise RefusedError(502, "command", text="its answer is not JSON") from None
