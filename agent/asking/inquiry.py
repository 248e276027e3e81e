"""What is known of the car's control units, and which questions follow from what they tell. Pure."""

from collections.abc import Iterable

from agent.asking.agenda import NEVER_US, Agenda, Task
from agent.asking.flight import DATA
from agent.asking.wants import Want, WantData
from agent.obd.answers import is_answer
from agent.obd.ecu import Ecu
from agent.obd.findings import BITMAP_PIDS, Codes, Finding, FramePart, Monitors, Supported
from agent.obd.freeze import CODE_PID, FreezeReader

VALUES, FREEZE, TEXTS = 0x01, 0x02, 0x09
CODES = (0x03, 0x07, 0x0A)
INFO_TYPES = (0x02, 0x04, 0x0A)
MONITORS = 0x01
BASE_MAX = 0xE0

ECUS_MAX = 16
"""ISO 15765-4 knows eight units that answer; a bus of nonsense could name more."""

SURVEY_US = 30_000_000
"""Between two looks at who is there: a unit may wake late, or its answer have been lost."""

MONITORS_US = 10_000_000
"""Between two looks at the lamp and the number of codes."""

CONFIRM_US = 10_000_000
"""Codes that differ from the read before are read again after this."""


class Inquiry:
    """The units by the identifier they answer on, in order, and the agenda."""

    def __init__(self, wants: Iterable[Want], data: Iterable[WantData], codes_us: int) -> None:
        self.ecus: dict[int, Ecu] = {}
        self.agenda = Agenda()
        self._freezes: dict[int, FreezeReader] = {}
        self.agenda.add(Task(VALUES, b"\0", SURVEY_US, 0))
        for want in wants:
            self.agenda.add(Task(VALUES, bytes([want.pid]), want.period_us, NEVER_US))
        self.agenda.add(Task(VALUES, bytes([MONITORS]), MONITORS_US, NEVER_US))
        for service in CODES:
            self.agenda.add(Task(service, b"", codes_us, NEVER_US))
        for item in data:
            self.agenda.add(Task(DATA, item.identifier.to_bytes(2, "big"), item.period_us, 0, item.to))

    def renew(self, now_us: int) -> None:
        """A new ignition cycle: bitmaps, texts and codes are read again; values go on as they are known."""
        for ecu in self.ecus.values():
            ecu.renew()
        for task in self.agenda:
            if task.service in CODES or task.key == (VALUES, b"\0", 0):
                task.due_us, task.tries = now_us, 0
        if self.ecus:
            self.agenda.add(Task(TEXTS, b"\0", 0, now_us))

    def wake(self, now_us: int) -> None:
        """Whatever kept units from answering may be over: none rests, and no task waits longer than its period."""
        for ecu in self.ecus.values():
            ecu.wake()
        self.agenda.hasten(now_us)

    def able(self, task: Task) -> list[Ecu]:
        """The units that can answer this."""
        ecus = self.ecus.values()
        if task.ecu:
            return [ecu for ecu in ecus if ecu.identifier == task.ecu]
        if task.service == TEXTS and not self._tells_texts():
            return [ecu for ecu in ecus if not ecu.refuses(TEXTS, task.data)]
        if task.pid >= 0:
            return [ecu for ecu in ecus if ecu.supports(task.service, task.pid)]
        return [ecu for ecu in ecus if not ecu.refuses(task.service, b"")]

    def follow(self, now_us: int, told: Finding) -> list[Finding]:
        """What a finding brings about; gives back what is news to others."""
        match told:
            case Supported():
                return self._supported(now_us, told)
            case FramePart():
                return self._frame_part(now_us, told)
            case Codes():
                self._codes(now_us, told)
            case Monitors():
                self._monitors(now_us, told)
        return [told]

    def closed(self, now_us: int, task: Task) -> list[Finding]:
        """What was wanted once was answered, or never will be: the task goes, and what waited for it goes on."""
        self.agenda.drop(task)
        if task.service == TEXTS and task.pid == 0 and not self._tells_texts():
            self._ask_once(now_us, TEXTS, INFO_TYPES)
        if task.service == FREEZE and task.ecu in self._freezes:
            self._freezes[task.ecu].leave(task.pid)
            return self._frame(task.ecu)
        return []

    def _tells_texts(self) -> bool:
        """Whether any unit told which texts it has."""
        return any((TEXTS, 0) in ecu.told for ecu in self.ecus.values())

    def _ask_once(self, now_us: int, service: int, pids: Iterable[int]) -> None:
        for pid in pids:
            self.agenda.add(Task(service, bytes([pid]), 0, now_us))

    def _supported(self, now_us: int, told: Supported) -> list[Finding]:
        """A unit told one of its bitmaps: the next one follows, and what waited for somebody who has it."""
        ecu = self._known(now_us, told)
        if ecu is None:
            return []
        is_news = ecu.tell(told)
        if told.service == TEXTS:
            self._ask_once(now_us, TEXTS, [pid for pid in INFO_TYPES if pid in told.pids])
            return [told] if is_news else []
        after = told.base + BITMAP_PIDS
        if after in told.pids and after <= BASE_MAX and (VALUES, after) not in ecu.told:
            self._ask_once(now_us, VALUES, [after])
        self.agenda.unpark(now_us)
        return [told] if is_news else []

    def _known(self, now_us: int, told: Supported) -> Ecu | None:
        """The unit; it becomes known with its first PIDs, and is then asked who it is."""
        ecu = self.ecus.get(told.ecu)
        if ecu is None and told.service == VALUES and is_answer(told.ecu) and len(self.ecus) < ECUS_MAX:
            ecu = Ecu(told.ecu)
            self.ecus = dict(sorted([*self.ecus.items(), (told.ecu, ecu)]))
            self._ask_once(now_us, TEXTS, [0])
        return ecu

    def _codes(self, now_us: int, told: Codes) -> None:
        """Codes that differ from the read before are read once more; a new stored one has a freeze frame."""
        ecu = self.ecus.get(told.ecu)
        if ecu is None:
            return
        ecu.services.add(int(told.service, 16))
        before = ecu.codes.get(told.service)
        ecu.codes[told.service] = told.codes
        if before != told.codes:
            self._read_codes(now_us + CONFIRM_US)
        if told.service == "03" and set(told.codes) - set(before or ()) and told.ecu not in self._freezes:
            self._freezes[told.ecu] = FreezeReader(told.ecu)
            self._ask_frame(now_us, told.ecu, [CODE_PID])

    def _monitors(self, now_us: int, told: Monitors) -> None:
        """Another lamp or number of codes: which codes they are is read at once."""
        ecu = self.ecus.get(told.ecu)
        if ecu is None:
            return
        lamp = (told.is_lamp_on, told.count)
        if ecu.lamp not in (None, lamp):
            self._read_codes(now_us)
        ecu.lamp = lamp

    def _read_codes(self, at_us: int) -> None:
        for task in self.agenda:
            if task.service in CODES:
                task.due_us = min(task.due_us, at_us)

    def _frame_part(self, now_us: int, told: FramePart) -> list[Finding]:
        reader = self._freezes.get(told.ecu)
        if reader is None:
            return []
        self._ask_frame(now_us, told.ecu, reader.take(told))
        return self._frame(told.ecu)

    def _ask_frame(self, now_us: int, ecu: int, pids: Iterable[int]) -> None:
        for pid in pids:
            self.agenda.add(Task(FREEZE, bytes([pid, 0]), 0, now_us, ecu=ecu))

    def _frame(self, ecu: int) -> list[Finding]:
        """The freeze frame of this unit, once all of it was read."""
        if self._freezes[ecu].open:
            return []
        frame = self._freezes.pop(ecu).frame()
        return [frame] if frame is not None else []
