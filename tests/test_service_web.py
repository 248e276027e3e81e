"""The service page from outside: who is let in, what is refused, how much it swallows, what it never tells."""

import asyncio
import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.ledger.key import KEY_NAME, load_or_make
from agent.service import web as service_web
from agent.service.certificate import open_certificate
from agent.service.door import Door
from agent.service.files import files
from agent.service.house import House
from agent.service.jobs import Jobs
from agent.trust.archive import ARCHIVE_BYTES_MAX
from tests.desks import FakeDesk
from tests.service_pages import WAIT_S, Client, Shown, inside, shown

TOLD = ("live", "state", "trips", "logs", "pairing")
DONE = ("doctor", "flash", "rollback", "stop", "install", "stay")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("box")
    load_or_make(folder / KEY_NAME)
    desk = FakeDesk(folder)
    with shown(folder) as there:
        yield there
    desk.close()


# ---- who is let in --------------------------------------------------------------------------------------------------


def test_the_page_is_one_file_that_loads_only_from_here(page: Shown) -> None:
    status, body, headers = Client(page).ask("GET", "/")
    assert status == 200
    assert b'<script type="module" src="/static/main.js"></script>' in body
    assert body.count(b"<script") == 1
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"], headers["Server"]) == (
        "nosniff",
        "no-store",
        None,
    )


def test_every_part_is_there_and_names_nobody_else(page: Shown) -> None:
    client = Client(page)
    for name, (kind, content) in files().items():
        status, body, headers = client.ask("GET", f"/static/{name}")
        assert (status, headers["Content-Type"]) == (200, kind), name
        assert body == (json.loads(content) if name.endswith(".json") else content)
        assert set(re.findall(rb"https?://[a-z0-9.]+", content)) <= {b"http://www.w3.org"}, name


@pytest.mark.parametrize("path", [f"/api/tell/{name}" for name in TOLD] + ["/api/job/1", "/paper/trip/1"])
def test_outside_nothing_is_told(page: Shown, path: str) -> None:
    assert Client(page).ask("GET", path)[:2] == (401, {"error": "session"})


@pytest.mark.parametrize("path", [f"/api/do/{name}" for name in DONE] + ["/api/leave", "/api/bundle"])
def test_outside_nothing_is_done(page: Shown, path: str) -> None:
    assert Client(page).ask("POST", path, {})[:2] == (401, {"error": "session"})


def test_the_cookie_is_for_this_page_alone(page: Shown) -> None:
    _, _, headers = Client(page).ask("POST", "/api/door", {"pin": page.new_pin()})
    name, *marks = headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-tbox=")
    assert set(marks) == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}


def test_a_pin_is_good_for_one_login(page: Shown) -> None:
    pin = page.new_pin()
    assert Client(page).enter(pin)[0] == 200
    status, told = Client(page).enter(pin)
    assert (status, told["error"]) == (403, "pin_void")


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        pytest.param({"X_Tbox_Token": ""}, (403, "token"), id="without the token"),
        pytest.param({"X_Tbox_Token": "0" * 64}, (403, "token"), id="with another token"),
        pytest.param({"Origin": "https://evil.example"}, (403, "origin"), id="from another page"),
        pytest.param({"Origin": ""}, (403, "origin"), id="from nowhere"),
        pytest.param({"Origin": "null"}, (403, "origin"), id="from a sandbox"),
        pytest.param({"Host": "evil.example"}, (421, "host"), id="under another name"),
        pytest.param({"Content_Type": "text/plain"}, (415, "form"), id="as a form can send it"),
        pytest.param({"Cookie": "__Host-tbox=00"}, (401, "session"), id="with another cookie"),
    ],
)
def test_a_change_that_is_not_ours_is_refused(page: Shown, headers: dict[str, str], answer: tuple[int, str]) -> None:
    status, told, _ = inside(page).ask("POST", "/api/do/stay", {}, **headers)
    assert (status, told["error"]) == answer


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": {}}', b'{"a": []}', b"[" * 50_000, b"\xff"])
def test_a_body_that_is_no_plain_object_is_refused(page: Shown, body: bytes) -> None:
    assert inside(page).ask("POST", "/api/do/stay", body)[:2] == (400, {"error": "form"})


def test_who_left_is_out(page: Shown) -> None:
    client = inside(page)
    assert client.ask("POST", "/api/leave", {})[0] == 200
    assert client.ask("GET", "/api/tell/live")[0] == 401


def test_a_page_that_only_polls_keeps_nothing_alive(page: Shown) -> None:
    client, until_s = inside(page), time.monotonic() + WAIT_S
    while client.ask("GET", "/api/tell/live")[1]["left_s"] >= 899:
        assert time.monotonic() < until_s
    assert client.ask("GET", "/api/tell/live", X_Tbox_Touched="1")[1]["left_s"] == 900


# ---- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/static/../service_web.py", "/static/..%2f..%2f..%2fetc%2fpasswd", "/static/%2e%2e/device.key", "/static//etc/passwd",
        "/static/device.key", "/static/service.pem", "/..", "//etc/passwd", "/static/main.js%00.css", "/paper/trip/../../x",
        "/paper/device.key/1", "/paper/trip/1%2f..", "/paper/trip/-1", "/api/tell/__class__", "/api/tell/folder",
        "/api/job/999999", "/api/job/1?from=-1", "/etc/passwd",
    ],
)  # fmt: skip
def test_no_path_leads_to_a_file(page: Shown, path: str) -> None:
    status, told, _ = inside(page).ask("GET", path)
    assert status == 404, told


# ---- how much it swallows -------------------------------------------------------------------------------------------


def test_a_gigabyte_is_refused_by_its_own_word(page: Shown) -> None:
    client = inside(page)
    connection = client.connect()
    headers = {
        "Host": page.host,
        "Cookie": client.cookie,
        "X-Tbox-Token": client.token,
        "Origin": f"https://{page.host}",
    }
    connection.putrequest("POST", "/api/bundle", skip_host=True)
    for name, words in (headers | {"Content-Length": str(1 << 30)}).items():
        connection.putheader(name, words)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (413, {"error": "too_big", "most": ARCHIVE_BYTES_MAX})
    connection.close()


def test_an_upload_that_does_not_say_how_long_it_is_ends_at_the_bound(page: Shown) -> None:
    client = inside(page)
    connection = client.connect()
    headers = {
        "Host": page.host,
        "Cookie": client.cookie,
        "X-Tbox-Token": client.token,
        "Origin": f"https://{page.host}",
    }
    sent, piece = 0, bytes(1 << 18)

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 64 << 20:
            sent += len(piece)
            yield piece

    try:
        connection.request("POST", "/api/bundle", endless(), headers, encode_chunked=True)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        status = 413  # it hung up
    connection.close()
    assert status == 413
    assert sent <= 4 * ARCHIVE_BYTES_MAX
    assert not [path for path in page.folder.glob("service-*/*") if path.stat().st_size]


def test_a_body_beyond_any_form_is_not_read(page: Shown) -> None:
    try:
        status, *_ = inside(page).ask("POST", "/api/do/stay", b" " * (service_web.BODY_BYTES_MAX + 1))
    except (OSError, http.client.HTTPException):
        status = 400  # it hung up before all of it was sent
    assert status == 400


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, Door(5, 900.0, 0.0), Jobs(["false"], []), frozenset({"box"}), files())
    yield made
    made.shelf.close()


def served(house: House, talk: Any) -> Any:
    """Serve in this process while `talk(port)` runs in a thread."""

    async def serve() -> Any:
        server = service_web.server(house, open_certificate(house.folder, "box").context())
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            server.add_socket(listening)
            told = await asyncio.to_thread(talk, listening.getsockname()[1])
            server.stop()
        await server.close_all_connections()
        return told

    return asyncio.run(serve())


def connected(port: int, *, tls: bool) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), WAIT_S)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain) if tls else plain


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        pytest.param(True, b"GET / HTTP/1.1\r\nHost: box\r\nX-Slow: ", id="a header that never ends"),
        pytest.param(True, b"", id="a connection that says nothing"),
        pytest.param(False, b"", id="no TLS at all"),
        pytest.param(True, b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000, id="a header too long"),
    ],
)
def test_who_dawdles_is_shown_out(house: House, monkeypatch: pytest.MonkeyPatch, tls: bool, words: bytes) -> None:
    monkeypatch.setattr(service_web, "HEADER_S_MAX", 0.5)

    def talk(port: int) -> bytes:
        with connected(port, tls=tls) as link:
            link.settimeout(WAIT_S)
            link.sendall(words)
            try:
                return link.recv(100)
            except ConnectionResetError:
                return b""

    assert served(house, talk) == b""


def test_a_body_that_drips_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_web, "BODY_S_MAX", 0.5)

    def talk(port: int) -> bytes:
        with connected(port, tls=True) as link:
            link.sendall(b"POST /api/door HTTP/1.1\r\nHost: box\r\nContent-Length: 100\r\n\r\n{")
            return link.recv(100)

    assert served(house, talk) == b""


def test_one_neighbour_cannot_take_every_place(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_web, "CONNECTIONS_MAX_EACH", 2)

    def talk(port: int) -> list[bytes]:
        request = b"GET / HTTP/1.1\r\nHost: box\r\n\r\n"
        links = [connected(port, tls=True) for _ in range(2)]
        for link in links:
            link.sendall(request)
        heads = [link.recv(15) for link in links]
        try:
            with connected(port, tls=True) as third:
                third.sendall(request)
                heads.append(third.recv(15))
        except (ConnectionError, ssl.SSLError):
            heads.append(b"")
        for link in links:
            link.close()
        return heads

    assert served(house, talk) == [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b""]


# ---- what it never tells --------------------------------------------------------------------------------------------


def test_no_secret_can_be_read_back(page: Shown) -> None:
    client = inside(page)
    pin = page.new_pin()
    secrets = [
        (page.folder / KEY_NAME).read_text().split()[1], pin, pin.replace(" ", ""), client.cookie.partition("=")[2],
        *json.loads((page.folder / "service.pin").read_text()).values(),
        (page.folder / "service.pem").read_text().splitlines()[1],
    ]  # fmt: skip
    told = [client.ask("GET", f"/api/tell/{name}")[1] for name in TOLD] + [client.ask("POST", "/api/do/stay", {})[1]]
    text = json.dumps(told)
    assert [secret for secret in secrets if secret in text] == []


def test_live_tells_what_the_daemon_reads(page: Shown) -> None:
    _, told, _ = inside(page).ask("GET", "/api/tell/live")
    assert [situation["name"] for situation in told["situations"]] == ["ready"]
    assert told["buses"][0]["name"] == "can0"
    assert {"name": "coolant", "unit": "degC", "value": 88.0} in told["signals"]


def test_what_was_not_shown_is_not_installed(page: Shown) -> None:
    assert inside(page).ask("POST", "/api/do/flash", {"digest": "0" * 64})[:2] == (409, {"error": "changed"})
