"""Where a person or a page on this machine asks the daemon: `<state_dir>/desk.sock`, its owner's alone.

One line of JSON in, `{"command": "indicator", "seconds": 10}`, one line of JSON out: the answer (desk.py), or
`{"error": "..."}`. A connection may ask again and again, one thing at a time; a line longer than LINE_BYTES_MAX, or
IDLE_US without a word, ends it. No thread: `fileno` stands for all of it in the loop's selector.
"""

import json
import logging
import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.desk.desk import DeskError, Ticket, checked
from agent.desk.desk_place import DESK_NAME, address_of

LINE_BYTES_MAX = 4096
CLIENTS_MAX = 8
IDLE_US = 60_000_000
READ_BYTES = 4096

log = logging.getLogger("tbox")


@dataclass(slots=True)
class Client:
    """One connection; `asked` until it is answered, and nothing more is read from it meanwhile."""

    socket: socket.socket
    heard_us: int
    line: bytes = b""
    asked: Ticket | None = None
    unsent: bytes = b""


@dataclass(slots=True)
class Question:
    """What a client asked, well formed; answer it with `DeskSocket.take`."""

    client: Client
    command: str
    args: dict[str, int]


class DeskSocket:
    """The daemon's side. A turn: `questions`, `take` a ticket for each, `answer` those that are ready."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / DESK_NAME
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._listener = _listener(state_dir)
        if self._listener is not None:
            self._poll.register(self._listener, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when somebody wants something."""
        return self._poll.fileno()

    def questions(self, now_us: int) -> Iterator[Question]:
        """What was asked since the last call; what makes no sense is answered at once."""
        for handle, event in self._poll.poll(0):
            client = self._clients.get(handle)
            if self._listener is not None and handle == self._listener.fileno():
                self._accept(now_us)
            elif client is not None and event & select.EPOLLOUT:
                self._send(client, now_us)
            elif client is not None:
                yield from self._read(client, now_us)
        for client in [client for client in self._clients.values() if now_us - client.heard_us > IDLE_US]:
            self._end(client)

    def take(self, question: Question, ticket: Ticket) -> None:
        """This ticket will have the answer."""
        question.client.asked = ticket

    def refuse(self, question: Question, why: str, now_us: int) -> None:
        """It is not done."""
        self._say(question.client, {"error": why}, now_us)

    def answer(self, now_us: int) -> None:
        """Send what is answered."""
        for client in list(self._clients.values()):
            if client.asked is not None and client.asked.answer is not None:
                told, client.asked = client.asked.answer, None
                self._say(client, told, now_us)

    def close(self) -> None:
        """Nobody can ask any more."""
        for client in list(self._clients.values()):
            self._end(client)
        if self._listener is not None:
            self._listener.close()
            self._path.unlink(missing_ok=True)
        self._poll.close()

    def _accept(self, now_us: int) -> None:
        """One more client; where there are too many, the one that was silent longest goes."""
        assert self._listener is not None
        with suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            if len(self._clients) >= CLIENTS_MAX:
                self._end(min(self._clients.values(), key=lambda client: client.heard_us))
            self._clients[connection.fileno()] = Client(connection, now_us)
            self._poll.register(connection, select.EPOLLIN)

    def _read(self, client: Client, now_us: int) -> Iterator[Question]:
        """What it says, a line at most."""
        try:
            told = client.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            told = b""
        if not told:
            self._end(client)
            return
        client.heard_us = now_us
        line, is_whole, rest = (client.line + told).partition(b"\n")
        client.line = rest if is_whole else line
        if not is_whole and len(line) <= LINE_BYTES_MAX:
            return
        self._poll.modify(client.socket, 0)  # not before it has its answer
        if len(line) > LINE_BYTES_MAX or rest:
            client.line = bytes(LINE_BYTES_MAX + 1)
            self._say(client, {"error": f"one line at a time, of at most {LINE_BYTES_MAX} bytes"}, now_us)
            return
        try:
            yield Question(client, *_parsed(line))
        except DeskError as why:
            self._say(client, {"error": str(why)}, now_us)

    def _say(self, client: Client, told: dict[str, Any], now_us: int) -> None:
        client.unsent = json.dumps(told, ensure_ascii=False).encode() + b"\n"
        self._send(client, now_us)

    def _send(self, client: Client, now_us: int) -> None:
        """As much as it takes now; then it may ask again, unless it said more than it may."""
        try:
            sent = client.socket.send(client.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._end(client)
            return
        client.unsent = client.unsent[sent:]
        if sent:
            client.heard_us = now_us
        if not client.unsent and len(client.line) > LINE_BYTES_MAX:
            self._end(client)
            return
        self._poll.modify(client.socket, select.EPOLLOUT if client.unsent else select.EPOLLIN)

    def _end(self, client: Client) -> None:
        self._clients.pop(client.socket.fileno(), None)
        client.socket.close()


def _listener(state_dir: Path) -> socket.socket | None:
    """The socket, mode 0600 from the start, in place of one that a killed daemon left; None where there can be none."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    new = f"{DESK_NAME}.new"
    try:
        (state_dir / new).unlink(missing_ok=True)
        os.fchmod(made.fileno(), 0o600)
        with address_of(state_dir, new) as address:
            made.bind(address)
        made.listen(CLIENTS_MAX)
        (state_dir / new).replace(state_dir / DESK_NAME)
    except OSError as why:
        made.close()
        log.warning("%s: nobody can ask here: %s", state_dir / DESK_NAME, why.strerror)
        return None
    return made


def _parsed(line: bytes) -> tuple[str, dict[str, int]]:
    """Command and numbers. DeskError: there are none in it."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise DeskError("not JSON") from None
    if not isinstance(told, dict):
        raise DeskError('not an object such as {"command": "read"}')
    return checked(told.pop("command", None), told)
