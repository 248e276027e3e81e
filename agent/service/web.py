"""The service page's HTTP: who may ask what, with which bounds. What is asked for is done in house.py.

Nothing a client sends becomes a file name. Each change carries the session's token and comes from our own page. Answers
are JSON, except the page itself and reports; an error is {"error": word}, and the page has the sentence.
"""

import json
import logging
import ssl
from collections.abc import Mapping
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from agent.service.door import Session, may_change
from agent.service.house import House, RefusedError
from agent.service.shelf import TooBigError
from agent.trust.archive import ARCHIVE_BYTES_MAX as BUNDLE_BYTES_MAX

COOKIE = "__Host-tbox"
HEADER_BYTES_MAX, BODY_BYTES_MAX = 16 << 10, 64 << 10
HEADER_S_MAX, BODY_S_MAX = 20.0, 60.0
"""A header that takes longer, or a bundle: a phone at the edge of the yard manages 4 MiB in a minute."""

CONNECTIONS_MAX, CONNECTIONS_MAX_EACH = 48, 16
DEPTH_MAX = 4

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
"""A report is one file with its style inside, and runs nothing."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
    "Cache-Control": "no-store",
}

log = logging.getLogger("tbox.service")


class Handler(RequestHandler):
    """Any request: right host, our headers, errors as JSON."""

    house: House

    def initialize(self, house: House) -> None:
        """What every handler gets."""
        self.house = house

    def set_default_headers(self) -> None:
        """On every answer, errors too."""
        self.clear_header("Server")
        for name, words in HEADERS.items():
            self.set_header(name, words)

    def prepare(self) -> None:
        """A name that is not ours is a page of somebody else's that resolves to us."""
        if self.request.host not in self.house.hosts:
            raise RefusedError(421, "host")
        if self.request.method == "POST":
            self._same_origin()

    def write_error(self, status_code: int, **told: Any) -> None:
        """{"error": word}, and what the page shows with it."""
        why = told.get("exc_info", (None, None, None))[1]
        more = why.more if isinstance(why, RefusedError) else {}
        word = why.word if isinstance(why, RefusedError) else {404: "missing", 405: "missing"}.get(status_code, "ours")
        self.answer({"error": word, **more})

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Refusals are logged where they are decided."""
        if not isinstance(value, HTTPError):
            super().log_exception(typ, value, tb)

    def answer(self, told: Mapping[str, Any]) -> None:
        """As JSON."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(told, ensure_ascii=False))

    def session(self) -> Session | None:
        """Who asks."""
        return self.house.door.session(self.get_cookie(COOKIE))

    def asked(self) -> dict[str, Any]:
        """The body: a JSON object of texts, numbers and so on. RefusedError."""
        if not (self.request.headers.get("Content-Type") or "").startswith("application/json"):
            raise RefusedError(415, "form")
        try:
            told = json.loads(self.request.body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or any(isinstance(value, (dict, list)) for value in told.values()):
            raise RefusedError(400, "form")
        return told

    def _same_origin(self) -> None:
        """A browser says where a change comes from."""
        if self.request.headers.get("Origin") != f"https://{self.request.host}":
            raise RefusedError(403, "origin")


class Inner(Handler):
    """Behind the door; a change needs the session's token."""

    def prepare(self) -> None:
        """Session, token; a person's hand counts as presence, a page that only polls does not."""
        super().prepare()
        session = self.session()
        if session is None:
            raise RefusedError(401, "session")
        if self.request.method == "POST":
            if not may_change(session, self.request.headers.get("X-Tbox-Token")):
                raise RefusedError(403, "token")
            self.house.touch()
        elif self.request.headers.get("X-Tbox-Touched") == "1":
            self.house.touch()


class File(Handler):
    """The page and its parts, from memory."""

    def get(self, name: str = "") -> None:
        """One of them."""
        found = self.house.files.get(name or "index.html")
        if found is None:
            raise RefusedError(404, "missing")
        self.set_header("Content-Type", found[0])
        self.finish(found[1])


class Missing(Handler):
    """Anything else."""

    def prepare(self) -> None:
        """There is no such thing."""
        super().prepare()
        raise RefusedError(404, "missing")


class Enter(Handler):
    """In by PIN, and who is in."""

    def get(self) -> None:
        """Whether this browser is in."""
        self.answer(self.house.presence(self.session()))

    def post(self) -> None:
        """{"pin": "123456"}."""
        session, cookie = self.house.enter(str(self.asked().get("pin", "")), self.request.remote_ip or "")
        self.set_cookie(COOKIE, cookie, path="/", secure=True, httponly=True, samesite="Strict")
        self.answer(self.house.presence(session))


class Leave(Inner):
    """Out."""

    def post(self) -> None:
        """The session is closed."""
        session = self.session()
        if session is not None:
            self.house.door.leave(session)
        self.clear_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        self.answer({})


class Tell(Inner):
    """Something to look at, by its name in the house."""

    async def get(self, name: str) -> None:
        """What it is now."""
        self.answer(await self.house.tell(name))


class Do(Inner):
    """Something to be done, by its name in the house."""

    async def post(self, name: str) -> None:
        """What came of it, or the job that sees to it."""
        self.answer(await self.house.do(name, self.asked()))


class Follow(Inner):
    """A job's lines."""

    def get(self, number: str) -> None:
        """From ?from= on."""
        since = self.get_query_argument("from", "0")
        job = self.house.jobs.find(int(number))
        if job is None or not since.isdecimal() or len(since) > 6:
            raise RefusedError(404, "missing")
        self.answer(job.told(int(since)))


class Paper(Inner):
    """Something to read or print that one of our commands writes: a report, a certificate."""

    async def get(self, name: str, number: str) -> None:
        """The page of this number."""
        page = await self.house.paper(name, int(number))
        self.set_header("Content-Security-Policy", REPORT_POLICY)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(page)


@stream_request_body
class Bring(Inner):
    """A bundle, as it is, in pieces."""

    def prepare(self) -> None:
        """Too big by its own word is refused before a byte of it is read."""
        super().prepare()
        told = self.request.headers.get("Content-Length")
        try:
            self.house.begin_bundle(
                int(told) if told and told.isdecimal() else None, self.get_query_argument("vin", "").strip().upper()
            )
        except TooBigError:
            self.set_header("Connection", "close")
            raise RefusedError(413, "too_big", most=BUNDLE_BYTES_MAX) from None
        connection = self.request.connection
        assert connection is not None
        connection.set_max_body_size(2 * BUNDLE_BYTES_MAX)  # type: ignore[attr-defined]  # HTTP1Connection's own

    def data_received(self, chunk: bytes) -> None:
        """A piece. Once one was too many the rest is read and forgotten, so that the browser hears why."""
        try:
            self.house.shelf.take(chunk)
        except TooBigError:
            self.set_status(413)
            self.answer({"error": "too_big", "most": BUNDLE_BYTES_MAX})

    async def post(self) -> None:
        """All of it is here: look what it would change."""
        if not self._finished:
            self.answer(await self.house.judge_bundle())


class Server(HTTPServer):
    """So many connections at once and no more, and so many from one address."""

    def initialize(self, *told: Any, **named: Any) -> None:
        """As HTTPServer."""
        self._streams: list[tuple[IOStream, str]] = []
        super().initialize(*told, **named)

    def handle_stream(self, stream: IOStream, address: tuple[str, int]) -> None:
        """Somebody connected."""
        self._streams = [(other, whose) for other, whose in self._streams if not other.closed()]
        same = sum(whose == address[0] for _, whose in self._streams)
        if len(self._streams) >= CONNECTIONS_MAX or same >= CONNECTIONS_MAX_EACH:
            stream.close()
            return
        self._streams.append((stream, address[0]))
        super().handle_stream(stream, address)


def server(house: House, context: ssl.SSLContext) -> Server:
    """The server, bounded; hand it a socket."""
    given = {"house": house}
    routes: list[Any] = [
        (r"/", File, given),
        (r"/static/([a-z_]+\.[a-z]+)", File, given),
        (r"/api/door", Enter, given),
        (r"/api/leave", Leave, given),
        (r"/api/tell/([a-z_]+)", Tell, given),
        (r"/api/do/([a-z_]+)", Do, given),
        (r"/api/job/([0-9]{1,6})", Follow, given),
        (r"/api/bundle", Bring, given),
        (r"/paper/([a-z]+)/([0-9]{1,18})", Paper, given),
    ]
    application = Application(routes, default_handler_class=Missing, default_handler_args=given, log_function=_quiet)
    return Server(
        application, ssl_options=context, max_header_size=HEADER_BYTES_MAX, max_body_size=BODY_BYTES_MAX,
        idle_connection_timeout=HEADER_S_MAX, body_timeout=BODY_S_MAX, max_buffer_size=BODY_BYTES_MAX * 4,
    )  # fmt: skip


def _quiet(handler: RequestHandler) -> None:
    """Requests are not logged: a page that looks every second would fill the log, and a PIN has no place in it."""
    request = handler.request
    if handler.get_status() >= 500:
        log.warning("%s %s failed", request.method, request.path)
