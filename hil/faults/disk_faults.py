"""Faults of the terminal's flash, which is a disk of its own then. Each changes the kernel it runs in.

disk_full    it is a small file system, and something else fills it; it is emptied once the agent has ended, as it must
sync_stall   it answers nothing: no sync comes back until its end; what is published meanwhile was not synced
read_only    it refuses every write, so the kernel makes the file system read-only; at its end the box starts anew, with
             the file system mended
power_cut    the agent is killed, and of what was written there is left what the disk had to keep: what was flushed
drop_writes  it takes every write and keeps none, as one that fails; at its end the power goes, and the box starts anew
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from hil.books import boot_us
from hil.faults.flash import Flash, How
from hil.faults.switch import Stage, Switch, call
from hil.terminal import Terminal, TerminalError

DISK_BYTES = 6_000_000
BLOCK_BYTES = 65_536
END_S = 15.0
TURN_S = 0.05


def switches(live: Stage) -> dict[str, Switch]:
    """Each by its name."""
    state = live.terminal.state
    disk = DiskFaults(live)
    return {
        "disk_full": Switch(
            begin=lambda _: fill(state),
            end=lambda _: make_room(live.terminal),
            prepare=lambda: mount_small(state),
            close=lambda: call("umount", str(state)),
        ),
        "sync_stall": disk.switch("plain", disk.stand_still, disk.go_on),
        "read_only": disk.switch("plain", lambda: disk.flash.become("refuses"), disk.mend),
        "power_cut": disk.switch("logged", disk.cut, live.terminal.start),
        "drop_writes": disk.switch("plain", lambda: disk.flash.become("loses"), disk.lose),
    }


class DiskFaults:
    """What befalls the terminal's disk, and what a box does about it."""

    def __init__(self, live: Stage) -> None:
        self._live = live
        self.flash = Flash(live.terminal.state, live.terminal.state.with_name("flash"))
        self._still_us = 0

    def switch(self, how: How, begin: Callable[[], None], end: Callable[[], None]) -> Switch:
        """A fault of this disk, which behaves so until it begins."""
        return Switch(lambda _: begin(), lambda _: end(), lambda: self.flash.make(how), self.flash.close)

    def stand_still(self) -> None:
        """From now on nothing is synced."""
        self.flash.stand_still()
        self._still_us = boot_us()

    def go_on(self) -> None:
        """All that waited is answered. TerminalError: something arrived that cannot have been synced."""
        with self._live.subscriber.lock:
            early = [one for one in self._live.subscriber.inbox.records.values() if one.t_us > self._still_us]
        self.flash.go_on()
        if early:
            words = ", ".join(f"{one.seq} ({one.kind})" for one in early)
            raise TerminalError(f"published before it was synced, while the disk stood still: {words}")

    def mend(self) -> None:
        """The agent has ended, as it must; the disk takes writes again, and the box starts."""
        terminal = self._live.terminal
        wait_for_end(terminal)
        terminal.stop()
        self.flash.unmount()
        self.flash.mend()
        self.flash.mount("plain")
        terminal.start()

    def cut(self) -> None:
        """The power goes."""
        self._live.terminal.kill()
        self.flash.cut()
        self.flash.mount("logged")

    def lose(self) -> None:
        """The power goes, and the disk has nothing of what it took."""
        self._live.terminal.kill()
        self.flash.unmount()
        self.flash.mount("plain")
        self._live.terminal.start()


def mount_small(folder: Path) -> None:
    """A file system of its own, of a few megabytes."""
    folder.mkdir(parents=True)
    call("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", str(folder))


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with (folder / "filler").open("wb", buffering=0) as file:
        size = BLOCK_BYTES
        while size:
            try:
                if file.write(os.urandom(size)) < size:
                    size //= 2
            except OSError:
                size //= 2


def make_room(terminal: Terminal) -> None:
    """The agent has ended, as it must; give it back."""
    wait_for_end(terminal)
    (terminal.state / "filler").unlink(missing_ok=True)


def wait_for_end(terminal: Terminal) -> None:
    """Until the agent has ended, END_S at most: the verdict tells who did not."""
    give_up_s = time.monotonic() + END_S
    while terminal.is_running() and time.monotonic() < give_up_s:
        time.sleep(TURN_S)
