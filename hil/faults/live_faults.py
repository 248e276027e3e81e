"""Faults around a running terminal, by name. Each really does what it says; what needs a kernel of its own says so.

kill_agent      SIGKILL, as a power cut; started anew at its end
freeze_agent    it gets no processor time at all (SIGSTOP) until its end
broker_restart  the broker ends; at its end another begins on the same port, with no memory of anybody
link_cut        every connection to the broker is reset, new ones are refused
half_open       the network forgets the connections there are: they stand, pass nothing on; new ones work

More: net_faults.py, disk_faults.py, box_faults.py, clock_faults.py.
"""

import signal
from collections.abc import Sequence

from hil.faults import box_faults, clock_faults, disk_faults, flash, net_faults
from hil.faults.switch import Stage, Switch
from hil.scenes.scenario_table import LIVE_FAULTS, FaultTable

ON_DISK = ("disk_full", "sync_stall", "read_only", "power_cut", "drop_writes")
ON_CLOCK = ("clock_step", "ntp_step", "rtc_1970")
ALONE = ("slow_network", "dns_failure", *ON_CLOCK, *ON_DISK, "low_memory")
"""These change the machine they run on: only in a kernel that comes along."""


def refusal(faults: Sequence[FaultTable], place: str) -> str:
    """Why a scenario with these faults cannot run there; empty: it can."""
    names = sorted({fault.name for fault in faults if fault.name in ALONE})
    if names and place != "kernel":
        return f"{' and '.join(names)} would change this machine: run it with --place kernel"
    names = sorted({fault.name for fault in faults if fault.name in ON_DISK})
    if len(names) > 1:
        return f"{' and '.join(names)} each need a disk of their own: make it two scenarios"
    return flash.missing() if names and names != ["disk_full"] else ""


def switches(live: Stage) -> dict[str, Switch]:
    """All of them, by name."""
    terminal, relay = live.terminal, live.relay
    return {
        "kill_agent": Switch(lambda _: terminal.kill(), lambda _: terminal.start()),
        "freeze_agent": Switch(
            lambda _: terminal.send_signal(signal.SIGSTOP), lambda _: terminal.send_signal(signal.SIGCONT)
        ),
        "broker_restart": Switch(lambda _: end_broker(live), lambda _: begin_broker(live)),
        "link_cut": Switch(lambda _: relay.cut(), lambda _: relay.mend()),
        "half_open": Switch(lambda _: relay.forget()),
        **clock_faults.switches(live),
        **net_faults.switches(live),
        **disk_faults.switches(live),
        **box_faults.switches(live),
    }


class LiveFaults:
    """Begins and ends each when the drive is there."""

    def __init__(self, faults: Sequence[FaultTable], live: Stage) -> None:
        self._planned = [fault for fault in faults if fault.name in LIVE_FAULTS]
        self._active: list[tuple[float, FaultTable]] = []
        self._live = live
        known = switches(live)
        self._switches = {fault.name: known[fault.name] for fault in self._planned}
        self._prepared: list[Switch] = []

    def prepare(self) -> None:
        """What must be so before the terminal starts."""
        for switch in self._switches.values():
            switch.prepare()
            self._prepared.append(switch)

    def close(self) -> None:
        """Take away what `prepare` made, once nobody uses it."""
        while self._prepared:
            self._prepared.pop().close()

    def step(self, now_s: float) -> None:
        """Begin what is due, end what is over."""
        for fault in [fault for fault in self._planned if fault.from_s <= now_s and self._may_begin(fault)]:
            self._planned.remove(fault)
            self._switches[fault.name].begin(fault)
            until_s = now_s + fault.until_s - fault.from_s if fault.after else fault.until_s
            self._active.append((until_s, fault))
        for until_s, fault in [one for one in self._active if one[0] <= now_s]:
            self._active.remove((until_s, fault))
            self._switches[fault.name].end(fault)

    def waiting(self, now_s: float) -> list[str]:
        """What should have begun by now and waits for a record, in words."""
        late = [fault for fault in self._planned if fault.from_s <= now_s]
        return [f"{fault.name} never began: no {fault.after} record arrived" for fault in late]

    def end(self) -> None:
        """End what still is."""
        for _, fault in self._active:
            self._switches[fault.name].end(fault)
        self._active = []

    def _may_begin(self, fault: FaultTable) -> bool:
        """Whether the record that it waits for is there."""
        if not fault.after:
            return True
        with self._live.subscriber.lock:
            return bool(self._live.subscriber.inbox.bodies(fault.after))


def end_broker(live: Stage) -> None:
    """It goes, and with it whoever listened there; what it has taken, and promised, it hands on before."""
    live.relay.cut()
    live.subscriber.catch_up(net_faults.CATCH_UP_S)
    live.subscriber.close()
    live.broker.stop()


def begin_broker(live: Stage) -> None:
    """A new one; the terminal is let in when the subscriber is there again, as a platform's session would be."""
    live.broker = live.broker.again()
    live.subscribe()
    live.relay.mend()
