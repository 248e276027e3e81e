"""The service page, really shown: `tbox service` as a process of its own on a free port, and a client that speaks to it."""

import hashlib
import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.service.run import renew_pin

WAIT_S = 30.0


class Shown:
    """A page that is shown. `folder` is its state folder."""

    def __init__(self, folder: Path, *words: str, config: Path | None = None) -> None:
        self.folder = folder
        path = config or folder / "tbox.toml"
        if config is None:
            path.write_text(f'[device]\nstate_dir = "{folder}"\n')
        argv = [sys.executable, "-m", "agent.cli", "service", "--address", "127.0.0.1", "--port", "0", "--json"]
        self.process = subprocess.Popen(
            [*argv, "--config", str(path), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline() or self._failed())
        self.url, self.pin, self.fingerprint = told["url"], told["pin"], told["fingerprint"]
        self.host = urlsplit(self.url).netloc

    def _failed(self) -> str:
        raise AssertionError(self.process.communicate()[1])

    def new_pin(self) -> str:
        """As `tbox service --new-pin`."""
        self.pin = renew_pin(self.folder)
        return self.pin

    def close(self) -> str:
        """End it as Ctrl-C does; what it said."""
        self.process.send_signal(2)
        return self.process.communicate(timeout=WAIT_S)[1]


@contextmanager
def shown(folder: Path, *words: str, config: Path | None = None) -> Iterator[Shown]:
    page = Shown(folder, *words, config=config)
    try:
        yield page
    finally:
        if page.process.poll() is None:
            page.close()


class Client:
    """A browser without a screen: cookies, token, and whatever header a test wants to get wrong."""

    def __init__(self, page: Shown) -> None:
        self.page = page
        self.cookie, self.token = "", ""

    def connect(self) -> http.client.HTTPSConnection:
        """TLS to whoever has the certificate of the printed fingerprint."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(self.page.host, context=context, timeout=WAIT_S)
        connection.connect()
        der = connection.sock.getpeercert(binary_form=True)
        assert hashlib.sha256(der).hexdigest() == self.page.fingerprint
        return connection

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
        """Status, body (JSON where it is), headers."""
        told = {"Host": self.page.host, "Cookie": self.cookie, "X-Tbox-Token": self.token}
        if method == "POST":
            told |= {"Origin": f"https://{self.page.host}", "Content-Type": "application/json"}
        told |= {name.replace("_", "-"): words for name, words in headers.items()}
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection = self.connect()
        try:
            connection.request(method, path, raw, {name: words for name, words in told.items() if words})
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(read) if is_json else read, answer.headers

    def enter(self, pin: str) -> tuple[int, Any]:
        """Try a PIN; keep cookie and token where it opens."""
        status, told, headers = self.ask("POST", "/api/door", {"pin": pin})
        if status == 200:
            self.cookie = headers["Set-Cookie"].partition(";")[0]
            self.token = told["token"]
        return status, told


def inside(page: Shown) -> Client:
    """A client with a session."""
    client = Client(page)
    assert client.enter(page.new_pin())[0] == 200
    return client
