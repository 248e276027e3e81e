"""The link to the broker: a thread that talks MQTT, and a daemon that never waits for it.

`connect` starts one try in a thread of its own. What comes of it, and everything after, is told through `answers`, and
`fileno` is readable when there is something. Nothing is tried again here: uplink decides that.
"""

import contextlib
import json
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SettingsError
from agent.uplink.broker import VersionMemory, make_context, name_of, read_password
from agent.uplink.exchange import Acked, Answer, LinkDown, LinkUp, Message, Publish
from agent.uplink.session import DESIRED, DESIRED_BYTES_MAX, MESSAGE_BYTES_MAX, Identity, Puback, Session

if TYPE_CHECKING:
    from agent.settings import Mqtt

CONNACK_S = 15.0
"""Longest wait for the broker's word on our CONNECT."""

PROBE_S = 3.0
"""The same while another version is left to try: some 3.1.1 brokers meet MQTT 5 with silence."""

MESSAGES_MAX = 1000
"""Messages waiting for `answers`; more are dropped and counted. Acknowledgements are bounded by the window."""


class Link:
    """The way to one broker. All methods belong to the daemon's thread and none but `close` waits.

    `device` is the id in topics and the client id. `state` is what the retained state says beside online and session:
    {"boot": number, "versions": {...}, "key": hex}. `subscribed` names what comes down, such as ("receipt",).
    `memory` is the file that keeps which version a broker speaks. Raises SettingsError for unusable files.
    """

    def __init__(
        self,
        mqtt: "Mqtt",
        device: str,
        state: Mapping[str, object],
        *,
        subscribed: Sequence[str] = (),
        memory: Path | None = None,
    ) -> None:
        make_context(mqtt)
        read_password(mqtt)
        self._mqtt = mqtt
        self._device = device
        self._state = dict(state)
        self._subscribed = tuple(subscribed)
        self._memory = VersionMemory(memory)
        self._told: deque[tuple[Session | None, Answer | Puback]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._trying: Session | None = None
        self._seqs: dict[int, int] = {}
        self._connects = 0
        self._is_closing = self._has_long = False
        self.messages_dropped = 0

    def fileno(self) -> int:
        """Readable when `answers` has something."""
        return self._wake

    def connect(self) -> None:
        """Begin one try; LinkUp or LinkDown will be among the answers."""
        if self._thread is not None:
            self._thread.join()  # it told LinkDown as its last deed
        self._connects += 1
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def publish(self, publish: Publish) -> None:
        """Hand over a record; Acked will come, or LinkDown."""
        packet_id = self._session.publish(publish.lane, publish.payload) if self._session is not None else None
        if packet_id is not None:
            self._seqs[packet_id] = publish.seq

    def say(self, name: str, payload: bytes, correlation: bytes = b"", *, retain: bool = False) -> bool:
        """Hand over what is no record; False: there is no connection, and it is lost."""
        if self._session is None:
            return False
        self._session.say(name, payload, correlation, retain=retain)
        return True

    def drop(self, reason: str) -> None:
        """End this connection without a word to the broker, which tells its will; LinkDown will come."""
        if self._session is not None:
            self._session.drop(reason)

    def answers(self) -> list[Answer]:
        """What happened since the last call, in its order."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        answers: list[Answer] = []
        while self._told:
            answers += self._take(*self._told.popleft())
        self._has_long = False
        return answers

    def close(self, wait_s: float = 2.0) -> None:
        """Say that we leave, if somebody listens, and hang up; takes at most twice `wait_s`."""
        self._is_closing = True
        if self._trying is not None:
            self._trying.stop(wait_s)
        if self._thread is not None:
            self._thread.join(wait_s)
        if self._thread is None or not self._thread.is_alive():
            os.close(self._wake)

    def _take(self, session: Session | None, told: Answer | Puback) -> list[Answer]:
        """Turn packet ids, which only live as long as a connection, into record numbers."""
        match told:
            case LinkUp():
                self._session = session
                self._seqs.clear()
            case LinkDown():
                self._session = None
            case Puback(packet_id):
                seq = self._seqs.pop(packet_id, None)
                return [] if seq is None else [Acked(seq)]
        return [told]

    def _run(self) -> None:
        """The thread: try the versions in turn, serve the one that holds, and say how it ended."""
        down = LinkDown(f"the link to {name_of(self._mqtt)} failed")
        try:
            down = self._serve()
        except SettingsError as error:
            down = LinkDown(f"{name_of(self._mqtt)} is not tried: {error}")
        except Exception as error:  # noqa: BLE001  # top of a thread: what a broker sends must not stop the daemon
            down = LinkDown(f"the link to {name_of(self._mqtt)} failed: {error!r}")
        finally:
            self._tell(None, down)

    def _serve(self) -> LinkDown:
        """Until one version was accepted or all were refused."""
        name, down = name_of(self._mqtt), LinkDown("this terminal is closing its link")
        versions = self._memory.order(name) if self._mqtt.version == "auto" else (self._mqtt.version,)
        for version in versions:
            session = self._trying = self._make_session(version)
            if self._is_closing:
                break
            down = session.run(CONNACK_S if version == versions[-1] else PROBE_S)
            if session.is_up or not session.may_be_version:
                break
        return down

    def _make_session(self, version: str) -> Session:
        """A session whose state names this connection."""
        state = self._state | {"session": self._connects}
        online, offline = (json.dumps({"online": is_online} | state).encode() for is_online in (True, False))
        identity = Identity(self._device, online, offline)

        def tell(told: Answer | Puback) -> None:
            is_quick = session.connack_s < PROBE_S  # else MQTT 5 may have had no answer because of the way there
            if isinstance(told, LinkUp) and self._mqtt.version == "auto" and is_quick:
                self._memory.learn(name_of(self._mqtt), version)
            self._tell(session, told)

        session = Session(self._mqtt, identity, version, self._subscribed, tell)
        return session

    def _tell(self, session: Session | None, told: Answer | Puback) -> None:
        """Leave word for the daemon and wake it; called in the link's thread."""
        if isinstance(told, Message):
            is_long = len(told.payload) > MESSAGE_BYTES_MAX
            if len(self._told) >= MESSAGES_MAX or (is_long and (self._has_long or not _may_be_long(told))):
                self.messages_dropped += 1
                return
            self._has_long |= is_long
        self._told.append((session, told))
        os.eventfd_write(self._wake, 1)


def _may_be_long(told: Message) -> bool:
    """Whether something of this name may be longer than others."""
    return told.name == DESIRED and len(told.payload) <= DESIRED_BYTES_MAX
