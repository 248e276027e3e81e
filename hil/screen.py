"""What a person watching the demo sees: a live panel on a terminal, plain lines anywhere else."""

import sys
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

BAR_CELLS = 40
SPEED_FULL_KMH = 80.0
G_MPS2 = 9.80665
EVENTS_SHOWN = 8


@dataclass(slots=True)
class View:
    """The state of the demo, as far as it is shown."""

    setup: list[tuple[str, str]]
    drive_s: float
    time_s: float = 0.0
    doing: str = "starting"
    speed_kmh: float = 0.0
    is_linked: bool = True
    is_online: bool = False
    agent: str = ""
    waiting: int | None = None
    delivered: int = 0
    redelivered: int = 0
    events: list[str] = field(default_factory=list)


class Screen(Protocol):
    """Where the demo shows itself."""

    def show(self, view: View) -> None:
        """Show the state as it is now."""

    def close(self) -> None:
        """Leave what was shown last standing."""


def event_line(body: dict[str, Any], at_s: float) -> str:
    """An event in one line: when it arrived, what it is, how strong."""
    peak, change = body.get("peak_mps2"), body.get("delta_v_mps")
    lasted_s = (body["end_us"] - body["start_us"]) / 1e6
    parts = [f"{at_s:5.1f} s  {body['event'].replace('_', ' ')}"]
    if body.get("direction"):
        parts.append(str(body["direction"]))
    if body["event"] in ("idling", "speeding"):
        parts.append(f"{lasted_s:.1f} s long")
    else:
        parts.append(str(body["severity"]))
        parts += [f"{peak / G_MPS2:.2f} g"] if peak is not None else []
        parts += [f"Δv {abs(change) * 3.6:.0f} km/h"] if change and body["event"] != "harsh_cornering" else []
        parts.append("by " + " and ".join(body["sources"]))
    return ", ".join(parts)


def link_words(view: View) -> str:
    """How the network is, and what the broker says of the terminal."""
    return f"network {'up' if view.is_linked else 'CUT'}, terminal {'online' if view.is_online else 'offline'}"


def record_words(view: View) -> str:
    """How many records have arrived, and how many wait."""
    waiting = "" if view.waiting is None else f", {view.waiting} waiting on the terminal"
    again = f", {view.redelivered} of them twice" if view.redelivered else ""
    return f"{view.delivered} delivered{again}{waiting}"


def bar(share: float, cells: int = BAR_CELLS) -> str:
    """A bar, filled to this share."""
    full = round(min(max(share, 0.0), 1.0) * cells)
    return "█" * full + "░" * (cells - full)


class PlainScreen:
    """One line for whatever is new: for pipes, logs and machines without rich."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._begun = False
        self._last = ("", True, False)
        self._events = 0

    def show(self, view: View) -> None:
        """Print what changed since the last time."""
        if not self._begun:
            self._begun = True
            for name, words in view.setup:
                self._print(f"{name}: {words}")
        if (view.doing, view.is_linked, view.is_online) != self._last:
            self._last = (view.doing, view.is_linked, view.is_online)
            self._print(
                f"[{view.time_s:4.1f} s] {view.doing}, {view.speed_kmh:.0f} km/h; "
                f"{link_words(view)}; {record_words(view)}"
            )
        for line in view.events[self._events :]:
            self._print(f"  arrived at {line}")
        self._events = len(view.events)

    def close(self) -> None:
        """Nothing to tidy up."""

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class RichScreen:
    """A panel that changes in place."""

    def __init__(self) -> None:
        from rich.live import Live  # noqa: PLC0415 # an extra; without it there is the plain screen

        self._live = Live(auto_refresh=False)
        self._live.start()

    def show(self, view: View) -> None:
        """Draw the panel anew."""
        self._live.update(draw(view), refresh=True)

    def close(self) -> None:
        """Leave the last panel standing."""
        self._live.stop()


def draw(view: View) -> Any:
    """The panel: how it is set up, how the car drives, how the link is, what has arrived."""
    from rich.box import ROUNDED  # noqa: PLC0415 # an extra
    from rich.console import Group  # noqa: PLC0415
    from rich.panel import Panel  # noqa: PLC0415
    from rich.rule import Rule  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", width=9)
    grid.add_column()
    for name, words in view.setup:
        grid.add_row(name, words)
    now = Table.grid(padding=(0, 2))
    now.add_column(style="dim", width=9)
    now.add_column()
    now.add_row("Car", Text(view.doing, style="bold"))
    now.add_row("Speed", Text(f"{bar(view.speed_kmh / SPEED_FULL_KMH)} {view.speed_kmh:3.0f} km/h", style="cyan"))
    now.add_row("Drive", f"{bar(view.time_s / view.drive_s)} {view.time_s:3.0f} of {view.drive_s:.0f} s")
    now.add_row(
        "Link", Text(f"● {link_words(view)}", style="green" if view.is_linked and view.is_online else "bold red")
    )
    now.add_row("Agent", Text(view.agent, no_wrap=True, overflow="ellipsis"))
    now.add_row("Records", record_words(view))
    lines = [Text(line, style="bold red" if "crash" in line else "yellow") for line in view.events[-EVENTS_SHOWN:]]
    events = lines or [Text("none yet", style="dim")]
    return Panel(
        Group(grid, Rule(style="dim"), now, Rule("events as they arrive at the subscriber", style="dim"), *events),
        title="tbox demo",
        box=ROUNDED,
        width=92,
    )


def open_screen() -> Screen:
    """The live panel where it can be; else plain lines."""
    if sys.stdout.isatty():
        try:
            return RichScreen()
        except ImportError:
            pass
    return PlainScreen(sys.stdout)
