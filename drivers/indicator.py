"""From the box to the driver: lights and buzzers by pattern, and a command for anything else (a voice, a screen).

Nothing here decides what the driver is told: agent/power/notice.py does. Nothing here fails: what is absent is counted.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers import sysfs
from drivers.hook import Hook

HELD = 4
"""Patterns that wait for their turn at most; a driver does not count more."""

TIMER = "timer"


@dataclass(frozen=True, slots=True)
class Pattern:
    """So many times on, each this long, with a pause between."""

    times: int
    on_ms: int
    off_ms: int

    @property
    def length_ms(self) -> int:
        """From the first moment to the last."""
        return self.times * (self.on_ms + self.off_ms) - self.off_ms

    def is_on(self, since_ms: int) -> bool:
        """Whether it is on so long after its begin."""
        return 0 <= since_ms < self.length_ms and since_ms % (self.on_ms + self.off_ms) < self.on_ms


PATTERNS = {"short": Pattern(1, 200, 200), "double": Pattern(2, 200, 200), "long": Pattern(1, 1000, 200)}
FIND = Pattern(1, 300, 300)
"""Once; as often as it is asked for."""

BY_SEVERITY = {"low": "short", "medium": "double", "high": "long"}


class Lamp(Protocol):
    """Something that is on or off."""

    def begin(self, pattern: Pattern) -> bool:
        """Let the device play a pattern by itself; False: `turn` must be called."""
        ...

    def turn(self, *, is_on: bool) -> bool:
        """Switch it; False when it is not there."""
        ...


class Light:
    """An LED class device, a buzzer on a GPIO among them: /sys/class/leds/NAME."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, pattern: Pattern) -> bool:
        """The kernel's timer trigger blinks more exactly than we can."""
        if pattern.times < 2 or TIMER not in (sysfs.text(self._folder / "trigger") or "").replace("[", " ").split():
            return False
        return (
            sysfs.put(self._folder / "trigger", TIMER)
            and sysfs.put(self._folder / "delay_on", str(pattern.on_ms))
            and sysfs.put(self._folder / "delay_off", str(pattern.off_ms))
        )

    def turn(self, *, is_on: bool) -> bool:
        """Full brightness or none; whatever else moved it lets go."""
        sysfs.put(self._folder / "trigger", "none")
        most = sysfs.text(self._folder / "max_brightness") or "255"
        return sysfs.put(self._folder / "brightness", most if is_on else "0")


class Tone:
    """A buzzer on a PWM output: /sys/class/pwm/pwmchipN/pwmM."""

    def __init__(self, folder: Path, tone_hz: float) -> None:
        self._folder, self._period_ns = folder, round(1e9 / tone_hz)

    def begin(self, _pattern: Pattern) -> bool:
        """It has no rhythm of its own."""
        return False

    def turn(self, *, is_on: bool) -> bool:
        """Sound, or be silent."""
        if not self._folder.exists():
            sysfs.put(self._folder.parent / "export", self._folder.name.removeprefix("pwm"))
        if is_on:
            sysfs.put(self._folder / "duty_cycle", "0")  # the period may not be set below it
            sysfs.put(self._folder / "period", str(self._period_ns))
            sysfs.put(self._folder / "duty_cycle", str(self._period_ns // 2))
        return sysfs.put(self._folder / "enable", "1" if is_on else "0")


class Indicator:
    """Shows events: `show` takes one, `tend` moves on what is shown. Patterns come one after the other."""

    def __init__(self, lamps: Sequence[Lamp] = (), command: Hook | None = None) -> None:
        self._lamps = list(lamps)
        self._command = command
        self._waiting: deque[Pattern] = deque()
        self._pattern: Pattern | None = None
        self._since_ms = 0
        self._by_hand: list[Lamp] = []
        self._is_on = False
        self._counters = {"shown": 0, "crowded": 0, "absent": 0}

    def show(self, kind: str, severity: str) -> None:
        """Tell the driver of an event: its kind and severity as in records ("harsh_braking", "high")."""
        self._counters["shown"] += 1
        if self._command is not None:
            self._command.start({"kind": kind, "severity": severity})
        if not self._lamps:
            return
        if len(self._waiting) < HELD:
            self._waiting.append(PATTERNS[BY_SEVERITY.get(severity, "short")])
        else:
            self._counters["crowded"] += 1

    def find(self, seconds: int) -> bool:
        """Blink for so long, before all else that waits; False: there is nothing to blink with."""
        if self._command is not None:
            self._command.start({"kind": "find", "severity": "low"})
        if self._lamps and len(self._waiting) < HELD:
            times = max(1, seconds * 1000 // (FIND.on_ms + FIND.off_ms))
            self._waiting.appendleft(Pattern(times, FIND.on_ms, FIND.off_ms))
        return bool(self._lamps) or self._command is not None

    def tend(self, now_s: float) -> None:
        """Called each turn of the loop, with any clock that goes on."""
        if self._command is not None:
            self._command.tend(now_s)
        now_ms = round(now_s * 1000)
        pattern = self._pattern
        if pattern is not None and now_ms - self._since_ms >= pattern.length_ms + pattern.off_ms:
            self._pattern = pattern = None
        if pattern is None and self._waiting:
            self._begin(self._waiting.popleft(), now_ms)
        self._play(now_ms - self._since_ms)

    def counters(self) -> dict[str, int]:
        """Tell events shown, patterns that found no room, switchings of a device that is absent, and the command's."""
        return self._counters | ({} if self._command is None else self._command.counters())

    def close(self) -> None:
        """Everything dark and silent; what the command runs is ended."""
        self._waiting.clear()
        for lamp in self._lamps:
            lamp.turn(is_on=False)
        if self._command is not None:
            self._command.close()

    def _begin(self, pattern: Pattern, now_ms: int) -> None:
        self._pattern, self._since_ms = pattern, now_ms
        self._by_hand = [lamp for lamp in self._lamps if not lamp.begin(pattern)]
        self._is_on = False

    def _play(self, since_ms: int) -> None:
        """Switch by hand what does not blink by itself; at the pattern's end all of it."""
        is_on = self._pattern is not None and self._pattern.is_on(since_ms)
        is_over = self._pattern is None or since_ms >= self._pattern.length_ms
        if is_over and self._by_hand is not self._lamps:
            self._by_hand = self._lamps
            self._switch(is_on=False)
        elif is_on != self._is_on:
            self._switch(is_on=is_on)

    def _switch(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._counters["absent"] += sum(not lamp.turn(is_on=is_on) for lamp in self._by_hand)


def open_indicator(
    lights: Sequence[str] = (),
    *,
    pwm: str = "",
    tone_hz: float = 2700.0,
    command: Sequence[str] = (),
    command_timeout_s: float = 10.0,
    sysfs_root: Path = Path("/sys/class"),
) -> Indicator:
    """Everything that shall tell: LED class devices by name, a PWM buzzer ("pwmchip0/pwm0"), a command. Never fails."""
    lamps: list[Lamp] = [Light(sysfs_root / "leds" / name) for name in lights]
    if pwm:
        lamps.append(Tone(sysfs_root / "pwm" / pwm, tone_hz))
    return Indicator(lamps, Hook(command, timeout_s=command_timeout_s, at_once=2) if command else None)
