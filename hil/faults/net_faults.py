"""Faults of the network between the terminal and its broker, and of who the broker says it is.

slow_network          all of the loopback has 150 ms more each way and loses 3 % (netem; changes its kernel)
dns_failure           the broker's name is not known, and nobody is there to be asked; `what` = "silent": there is
                      somebody, who does not answer (changes its kernel). A connection that stands is not touched
certificate_expired   the broker is restarted with a certificate that has ended, and at the end with a good one
certificate_wrong     the same; `what` = "name": it is for another one, "authority": nobody known vouches for it
"""

import socket
from functools import partial
from pathlib import Path

from hil import kernel
from hil.faults.switch import Stage, Switch, call
from hil.scenes.scenario_table import FaultTable
from hil.wires import tls
from hil.wires.tls import BROKER_NAME

CATCH_UP_S = 10.0
NETEM = "net/sched/sch_netem"
DNS_PORT = 53
LOCAL = "127.0.0.1 localhost\n"
KNOWN = f"{LOCAL}127.0.0.1 {BROKER_NAME}\n"
FILES = {"hosts": KNOWN, "resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: files dns\n"}
"""What the resolver reads in /etc (hosts(5), resolv.conf(5), nsswitch.conf(5)); two tries of five seconds each."""
SHOWN = {"name": tls.OTHER_NAME, "authority": tls.UNKNOWN}


def switches(live: Stage) -> dict[str, Switch]:
    """Each by its name."""
    names = Names(live.terminal.state.parent)
    good = partial(show, live, tls.GOOD)
    return {
        "slow_network": Switch(lambda _: slow_down(), lambda _: call("tc", "qdisc", "del", "dev", "lo", "root")),
        "dns_failure": Switch(names.forget, names.know, names.mount, names.unmount),
        "certificate_expired": Switch(
            lambda _: show(live, tls.EXPIRED), lambda _: good(), partial(make, live, tls.EXPIRED)
        ),
        "certificate_wrong": Switch(
            lambda fault: show(live, SHOWN[fault.what]), lambda _: good(), partial(make, live, *SHOWN.values())
        ),
    }


def slow_down() -> None:
    """A mobile network: 300 ms there and back, 3 % lost."""
    kernel.load(NETEM)
    call("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "150ms", "20ms", "loss", "3%")


def make(live: Stage, *names: str) -> None:
    """Have these certificates before the drive, for making them takes seconds in a kernel that comes along."""
    for name in names:
        live.broker.doors.lines(name)


def show(live: Stage, certificate: str) -> None:
    """Let the broker begin anew with this certificate; the terminal finds it when the bench listens there again."""
    was_whole = live.relay.is_whole
    live.relay.cut()
    live.subscriber.catch_up(CATCH_UP_S)
    live.subscriber.close()
    live.broker.stop()
    live.broker = live.broker.again(certificate)
    live.subscribe()
    if was_whole:
        live.relay.mend()


class Names:
    """How names become addresses in this kernel: files of the bench's own in the place of the machine's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked: socket.socket | None = None

    def mount(self) -> None:
        """Put them over the machine's."""
        for name, text in FILES.items():
            (self._folder / name).write_text(text, encoding="ascii")
            call("mount", "--bind", str(self._folder / name), f"/etc/{name}")

    def unmount(self) -> None:
        """Let the machine's be seen again."""
        for name in FILES:
            call("umount", f"/etc/{name}")

    def forget(self, fault: FaultTable) -> None:
        """Nobody knows the broker; who is asked for it refuses, or is silent."""
        if fault.what == "silent":
            self._asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._asked.bind(("127.0.0.1", DNS_PORT))
        (self._folder / "hosts").write_text(LOCAL, encoding="ascii")

    def know(self, _: FaultTable) -> None:
        """It is known again."""
        (self._folder / "hosts").write_text(KNOWN, encoding="ascii")
        if self._asked is not None:
            self._asked.close()
            self._asked = None
