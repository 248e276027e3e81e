"""One terminal of the bench through all its boots: settings, state, the agent's process, what it writes and says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hil.bench import MAP, Agent, Notices
from hil.wires import broker as brokers
from hil.wires.wire import VCAN, End

RESTART_S = 2.0
NEVER_AGAIN = (2, 78)
"""As config/tbox.service has them: RestartSec and RestartPreventExitStatus."""

Setting = bool | int | float | str


class TerminalError(Exception):
    """The agent did not start; the text says what it said."""


class Terminal:
    """`tbox run` on a bus or an adapter. Nothing runs before `start`."""

    def __init__(self, folder: Path, plug: "Plug", port: int, settings: Mapping[str, Setting]) -> None:
        self.state = folder / "state"
        self.exit_codes: list[int] = []
        self._folder, self._plug, self._port = folder, plug, port
        self._settings = folder / "tbox.toml"
        self.configure(settings)
        self._notices: Notices | None = None
        self._agent: Agent | None = None
        self._logs: list[Path] = []
        self._ended_s = 0.0

    def configure(self, settings: Mapping[str, Setting]) -> None:
        """What differs from the defaults, from the next start on."""
        self._settings.write_text(settings_text(self.state, self._plug, self._port, settings))

    def start(self) -> None:
        """Start it, or start it anew, as systemd does."""
        self._forget_notices()
        self._notices = Notices(self._folder)
        self._logs.append(self._folder / f"agent-{len(self._logs)}.log")
        self._agent = Agent(self._settings, self._notices, self._logs[-1], self._plug.words)

    def begin(self) -> None:
        """The drive begins."""

    def is_ready(self) -> bool:
        """Whether it has said so since it was started. TerminalError when it has ended instead."""
        assert self._notices is not None, "start first"
        self._notices.read()
        if not self.is_running():
            raise TerminalError(f"tbox run ended; it said:\n{self.log()[-2000:]}")
        return self._notices.is_ready

    def has_told(self) -> bool:
        """Whether it runs, is ready, and has nothing left to deliver."""
        return self.is_running() and self._notices is not None and self._notices.is_ready and self.waiting == 0

    def is_starting(self) -> bool:
        """Whether its process is there and has not said yet that it is ready."""
        return self.is_running() and self._notices is not None and not self._notices.is_ready

    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._agent is not None and self._agent.exit_code() is None

    @property
    def pid(self) -> int | None:
        """Its process; None where there is none."""
        return None if self._agent is None else self._agent.pid

    @property
    def waiting(self) -> int | None:
        """How many records wait to be delivered; None when it has not said."""
        if self._notices is None:
            return None
        self._notices.read()
        return self._notices.waiting

    def tend(self, now_s: float) -> None:
        """As its service manager does: what has ended is started anew after RESTART_S. TerminalError: not this."""
        if self._agent is None or self._agent.exit_code() is None:
            self._ended_s = now_s
        elif now_s - self._ended_s >= RESTART_S:
            self.stop()
            if self.exit_codes[-1] in NEVER_AGAIN:
                raise TerminalError(f"tbox run ended with {self.exit_codes[-1]}; it said:\n{self.log()[-2000:]}")
            self.start()

    def send_signal(self, number: int) -> None:
        """To its process, where there is one."""
        if self._agent is not None:
            self._agent.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._agent is not None:
            self.exit_codes.append(self._agent.kill())
            self._agent = None

    def stop(self) -> None:
        """Ask it to end; again is nothing."""
        if self._agent is not None:
            self.exit_codes.append(self._agent.stop())
            self._agent = None

    def close(self) -> None:
        """End it, and stop listening to it."""
        self.stop()
        self._forget_notices()

    def log(self) -> str:
        """All that it wrote, through all boots."""
        return "".join(path.read_text(errors="replace") for path in self._logs if path.exists())

    def _forget_notices(self) -> None:
        if self._notices is not None:
            self._notices.close()
            self._notices.path.unlink(missing_ok=True)
            self._notices = None


def settings_text(state: Path, plug: "Plug", port: int, settings: Mapping[str, Setting]) -> str:
    """The agent's settings: where things are, and what is changed, by dotted key."""
    keys: dict[str, Setting] = {
        "device.name": "terminal",
        "device.state_dir": str(state),
        "mqtt.host": brokers.HOST,
        "mqtt.port": port,
        "mqtt.tls": False,
        **({} if plug.is_adapter else {"vehicle.map": str(MAP)}),
        **settings,
    }
    lines = "\n".join(f"{key} = {toml(setting)}" for key, setting in keys.items())
    return f"{lines}\n\n{plug.table()}"


@dataclass(frozen=True, slots=True)
class Plug:
    """What the terminal is plugged into: a bus, or the serial CAN adapter or ELM327 that `link` leads to.

    Or into nothing: `recordings` stand for the car. `sets_up`: it sets the link's bit rate and mode itself; with a bit
    rate of 0 it finds it.
    """

    link: Path | None = None
    may_send: bool = False
    is_adapter: bool = False
    end: End = VCAN
    sets_up: bool = False
    recordings: tuple[Path, ...] = ()

    @property
    def words(self) -> list[str]:
        """What `tbox run` is called with beside its settings."""
        return [f"--recorded={path}" for path in self.recordings]

    def table(self) -> str:
        """Its table in the settings."""
        if self.recordings:
            return ""
        if self.is_adapter:
            return f'[[elm]]\nport = "{self.link}"\nbaudrate = 38400\n'
        quiet = f"listen_only = {toml(not self.may_send)}"
        if self.link is not None:
            options = "options = { sleep_after_open = 0.0 }"
            return f'[[can]]\ninterface = "slcan"\nchannel = "{self.link}"\n{quiet}\n{options}\n'
        rate = f"bitrate = {self.end.bitrate}\n" if self.end.bitrate else ""
        own = "setup = true\n" if self.sets_up else ""
        return f'[[can]]\ninterface = "{self.end.interface}"\nchannel = "{self.end.channel}"\n{quiet}\n{rate}{own}'


def toml(setting: Setting) -> str:
    """A value as TOML has it."""
    if isinstance(setting, bool):
        return "true" if setting else "false"
    return f'"{setting}"' if isinstance(setting, str) else repr(setting)
