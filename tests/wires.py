"""What stands for a bus where this kernel has none: a datagram socket for SocketCAN's, a pty for an adapter's port."""

import os
import select
import socket

WAIT_S = 30.0


class Wire:
    """What python-can's bus is to the reader: a descriptor, and something to close."""

    def __init__(self, kind: socket.socket) -> None:
        self.socket = kind

    def fileno(self) -> int:
        """Give the socket's descriptor."""
        return self.socket.fileno()

    def shutdown(self) -> None:
        """Close it."""
        self.socket.close()


def said(master: int, words: bytes) -> bytes:
    """What the terminal writes to the adapter, up to these words."""
    text = b""
    while words not in text:
        assert select.select([master], [], [], WAIT_S)[0], f"only {text!r}"
        text += os.read(master, 100)
    return text
