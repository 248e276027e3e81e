"""All terminals in one loop: their sockets, what they make and when, links that fall and come back."""

import errno
import math
import select
import socket
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from random import Random
from time import monotonic

from hil.fleet.terminal import WINDOW, VirtualTerminal

TURN_S = 0.05
CONNECTS = 200
"""New connections in one turn: all at once is more than a listener's queue holds."""
TEND_S = 1.0
"""So often each terminal is looked after though nothing came."""
READ_BYTES = 65_536


class Line:
    """A terminal and its socket; None: its link is down."""

    def __init__(self, terminal: VirtualTerminal) -> None:
        self.terminal = terminal
        self.socket: socket.socket | None = None
        self.out = b""


class Load:
    """`turn` is once round; the caller says how many records are to be made."""

    def __init__(self, terminals: Sequence[VirtualTerminal], ports: Sequence[int], seed: int) -> None:
        """All links are down at first, and come up as fast as the broker takes them."""
        self.lines = [Line(terminal) for terminal in terminals]
        self.flaps = 0
        self.made = 0
        self._ports, self._random = deque(ports), Random(seed)  # noqa: S311  (no secret)
        self._poll = select.epoll()
        self._by_fd: dict[int, Line] = {}
        self._down: list[tuple[float, int]] = [(0.0, number) for number in range(len(terminals))]
        self._order = deque(range(len(terminals)))
        self._tend_s = 0.0
        self.is_cut = False

    @property
    def waiting(self) -> int:
        """Records that the platform does not have yet, as far as the terminals know."""
        return sum(line.terminal.waiting for line in self.lines)

    def make(self, count: int) -> None:
        """So many records, one a terminal in turn; each goes at once where its window has room."""
        now_s = monotonic()
        for _ in range(count):
            line = self.lines[self._order[0]]
            self._order.rotate(-1)
            line.terminal.make(now_s)
            self._put(line, line.terminal.due(now_s))
        self.made += count

    def fill(self) -> int:
        """As much as all windows hold, twice; how many that were."""
        now_s, before = monotonic(), self.made
        for line in self.lines:
            while line.terminal.is_up and line.terminal.waiting < 2 * WINDOW:
                line.terminal.make(now_s)
                self.made += 1
            self._put(line, line.terminal.due(now_s))
        return self.made - before

    def turn(self, flaps_per_s: float = 0.0) -> None:
        """Once round: links up, what came, what goes; now and then one falls."""
        now_s = monotonic()
        for _ in range(CONNECTS):
            if self.is_cut or not self._down or self._down[0][0] > now_s:
                break
            self._connect(self.lines[heappop(self._down)[1]])
        if flaps_per_s and self._random.random() < 1 - math.exp(-flaps_per_s * TURN_S):
            self.flaps += self._fell(self.lines[self._random.randrange(len(self.lines))])
        for fd, mask in self._poll.poll(TURN_S, 512):
            self._serve(self._by_fd[fd], mask)
        if now_s >= self._tend_s:
            self._tend_s = now_s + TEND_S
            for line in self.lines:
                self._put(line, line.terminal.due(now_s))

    def say(self, line: Line, data: bytes) -> None:
        """Bytes of somebody who has got hold of this terminal's link."""
        self._put(line, data)

    def cut(self) -> None:
        """Every link falls, and none comes back before `mend`."""
        self.is_cut = True
        for line in self.lines:
            self._fell(line, most_s=0.0)

    def mend(self) -> None:
        """All want back at once."""
        self.is_cut = False

    def close(self) -> None:
        """Leave, without a word."""
        self.cut()
        self._poll.close()

    def _connect(self, line: Line) -> None:
        """Begin to; what is said meanwhile waits. A listener whose queue is full answers a second later."""
        self._ports.rotate(-1)
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if made.connect_ex(("127.0.0.1", self._ports[0])) not in (0, errno.EINPROGRESS):
            made.close()
            self._later(line, 1.0)
            return
        line.socket, line.out = made, b""
        self._by_fd[made.fileno()] = line
        self._poll.register(made, select.EPOLLIN)
        self._put(line, line.terminal.hello())

    def _fell(self, line: Line, most_s: float = 3.0) -> bool:
        """Its link is gone; whether there was one."""
        if line.socket is None:
            return False
        self._poll.unregister(line.socket)
        del self._by_fd[line.socket.fileno()]
        line.socket.close()
        line.socket, line.terminal.is_up = None, False
        self._later(line, most_s)
        return True

    def _later(self, line: Line, most_s: float) -> None:
        heappush(self._down, (monotonic() + self._random.uniform(0, most_s), self.lines.index(line)))

    def _serve(self, line: Line, mask: int) -> None:
        assert line.socket is not None
        if mask & select.EPOLLIN:
            try:
                data = line.socket.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._fell(line)
                return
            now_s = monotonic()
            self._put(line, line.terminal.heard(data, now_s) + line.terminal.due(now_s))
        elif mask & (select.EPOLLHUP | select.EPOLLERR):
            self._fell(line)
        elif mask & select.EPOLLOUT:
            self._put(line, b"", is_open=True)

    def _put(self, line: Line, data: bytes, *, is_open: bool = False) -> None:
        """Send; what the socket has no room for waits for it."""
        if line.socket is None or not (data or is_open):
            return
        was_waiting = bool(line.out)
        line.out += data
        try:
            sent = line.socket.send(line.out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._fell(line)
            return
        line.out = line.out[sent:]
        if bool(line.out) != was_waiting:
            self._poll.modify(line.socket, select.EPOLLIN | (select.EPOLLOUT if line.out else 0))
