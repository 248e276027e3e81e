"""The network between the terminal and its broker, which can be cut: a TCP relay on the loopback."""

import contextlib
import selectors
import socket
import struct
import threading

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
WAKE = b"."
OBEY_S = 30.0
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset: what was under way is lost."""


class Relay:
    """Passes bytes between whoever connects to `port` and the broker until it is cut; mended, it listens there again.

    One thread; `cut`, `mend` and `close` may be called from any other.
    """

    def __init__(self, target_port: int, host: str = HOST, port: int = 0) -> None:
        self._target_port, self._host = target_port, host
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._listener: socket.socket | None = socket.create_server((host, port))
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wanted, self._going, self._is_forgetting = True, True, False
        self._forgotten: list[socket.socket] = []
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    @property
    def is_whole(self) -> bool:
        """Whether it passes bytes on."""
        return self._wanted

    def cut(self) -> None:
        """Reset every connection and refuse new ones; done when this returns."""
        self._change(wanted=False)

    def mend(self) -> None:
        """Take connections again; done when this returns."""
        self._change(wanted=True)

    def forget(self) -> None:
        """Lose the connections there are: they stand half-open and pass nothing on, and nobody is told.

        So does a network that lost its memory of them. New ones work; done when this returns.
        """
        self._is_forgetting = True
        self._change(wanted=self._wanted)

    def close(self) -> None:
        """Cut it for good."""
        self._going = False
        self._change(wanted=False)
        self._thread.join(OBEY_S)

    def _change(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._settled.clear()
        self._wake.send(WAKE)
        if not self._settled.wait(OBEY_S):
            raise TimeoutError(f"the network before the broker did not obey within {OBEY_S:.0f} s")

    def _run(self) -> None:
        while self._going or self._peers or self._listener:
            for key, _ in self._selector.select():
                self._serve(key.fileobj)

    def _serve(self, ready: object) -> None:
        """One socket that has something."""
        if ready is self._woken:
            self._woken.recv(64)
            self._obey()
        elif ready is self._listener:
            self._join()
        elif ready in self._peers:  # not when it went together with its peer a moment ago
            assert isinstance(ready, socket.socket)
            self._pass_on(ready)

    def _obey(self) -> None:
        """Be cut or not, as wanted; forget what is to be forgotten."""
        if self._is_forgetting:
            self._is_forgetting = False
            self._forgotten += self._peers
            for sock in self._peers:
                self._selector.unregister(sock)
            self._peers.clear()
        if not self._wanted:
            for sock in self._forgotten:
                sock.close()
            self._forgotten.clear()
        if self._wanted and self._listener is None:
            self._listener = socket.create_server((self._host, self.port))
            self._selector.register(self._listener, selectors.EVENT_READ)
        if not self._wanted and self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
            for sock in list(self._peers):
                self._drop(sock)
        self._settled.set()

    def _join(self) -> None:
        """Someone connects: connect it to the broker."""
        assert self._listener is not None
        client, _ = self._listener.accept()
        try:
            broker = socket.create_connection((HOST, self._target_port), timeout=5)
        except OSError:
            client.close()
            return
        for one, other in ((client, broker), (broker, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, sock: socket.socket) -> None:
        """What one side said, to the other. Both ends of a bench read, so a blocking write ends."""
        try:
            heard = sock.recv(CHUNK_BYTES)
            if heard:
                self._peers[sock].sendall(heard)
                return
        except OSError:
            pass  # the connection is gone, which is what is handled below
        self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        """Reset a connection, both of its halves."""
        for half in (sock, self._peers.get(sock)):
            if half is not None and self._peers.pop(half, None) is not None:
                self._selector.unregister(half)
                with contextlib.suppress(OSError):
                    half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                half.close()
