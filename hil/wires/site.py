"""Where a live scenario runs: two ends of one bus, who sets them up, and how patient one has to be there."""

from dataclasses import dataclass

from hil.wires import controller
from hil.wires.relay import HOST
from hil.wires.wire import VCAN, End

UNWIRED = "say which interface is the car: --car can1, and --terminal can0, or --broker HOST:PORT for a box elsewhere"


@dataclass(frozen=True, slots=True)
class Site:
    """A place, as `Live` needs it. `bitrate`: the bench sets both controllers up at it; 0: they are as they should be.

    `patience`: so many times longer than on a machine of its own everything may take. `is_box`: the
    terminal is a box elsewhere, which finds the bench's broker where `listen` says; `device`: its id, empty: the one
    that reports.
    """

    place: str = "vcan"
    is_pty: bool = False
    car: End = VCAN
    terminal: End = VCAN
    bitrate: int = 0
    patience: float = 1.0
    listen: tuple[str, int] = (HOST, 0)
    is_box: bool = False
    device: str = ""

    @property
    def words(self) -> str:
        """As the command line of `hil run` has it."""
        if not self.is_box:
            return f"--car {self.car} --terminal {self.terminal}"
        host, port = self.listen
        named = f" --device {self.device}" if self.device else ""
        return f"--car {self.car} --broker {host}:{port}{named}"

    def set_up(self, *, is_quiet: bool, is_ours: bool) -> None:
        """Both controllers, where that is ours to do. LinkError.

        `is_ours`: the terminal's too, listen-only when it `is_quiet`; otherwise it is left down, and the terminal sets
        it up by itself.
        """
        if not self.bitrate:
            return
        controller.set_up(self.car.channel, self.bitrate)
        controller.set_down(self.terminal.channel)
        if is_ours:
            controller.set_up(self.terminal.channel, self.bitrate, listen_only=is_quiet)
