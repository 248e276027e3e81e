"""The checklist's end: the bench's broker, and the terminal that reports to it."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from hil.subscriber import Subscriber
from hil.terminal import Plug, Terminal, TerminalError
from hil.wired.box import BoxInbox
from hil.wired.checks import WIRING, Check, failed, passed
from hil.wires import broker as brokers
from hil.wires.relay import Relay
from hil.wires.site import Site

REPORTS_S = 90.0
"""A box may still be starting, on a machine that does other things before it."""
TURN_S = 0.05
BROKER, REPORTS = "broker", "terminal reports"


def check_report(site: Site, wait_s: float = REPORTS_S) -> Iterator[Check]:
    """A broker where the terminal looks for it, then the terminal's word that it is online."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tbox-hil-")))
        inbox, host = BoxInbox(site.device), site.listen[0]
        try:
            broker = brokers.start(folder)
            stack.callback(broker.stop)
            relay = Relay(broker.port, *site.listen)
            stack.callback(relay.close)
            subscriber = Subscriber(host, relay.port, broker.version, lambda _: None, inbox)
            stack.callback(subscriber.close)
        except brokers.BrokerError as why:
            yield failed(BROKER, str(why), "install mosquitto")
            return
        except OSError as why:
            fix = "HOST must be an address of this machine (`ip addr`), PORT free"
            yield failed(BROKER, f"{host}:{site.listen[1]}: cannot listen there: {why.strerror}", fix)
            return
        where = f"{host}:{relay.port}"
        if not subscriber.wait_until_subscribed(wait_s):
            yield failed(BROKER, f"{broker.name} on {where} does not answer", "is a firewall between?")
            return
        yield passed(BROKER, f"{broker.name} on {where}")
        if not site.is_box:
            terminal = Terminal(folder, Plug(end=site.terminal), relay.port, {})
            stack.callback(terminal.close)
            terminal.start()
            yield _own(terminal, inbox, wait_s)
        else:
            yield _box(site, inbox, where, wait_s)


def _own(terminal: Terminal, inbox: BoxInbox, wait_s: float) -> Check:
    """The terminal's program, started here."""
    give_up_s = time.monotonic() + wait_s
    try:
        while not (terminal.is_ready() and inbox.reporting()):
            if time.monotonic() > give_up_s:
                return failed(REPORTS, f"not within {wait_s:.0f} s", f"what it said: {_last(terminal.log())}")
            time.sleep(TURN_S)
    except TerminalError as why:
        return failed(REPORTS, "tbox run ended", f"what it said: {_last(str(why))}")
    return passed(REPORTS, f"device {inbox.reporting()[0]}")


def _box(site: Site, inbox: BoxInbox, where: str, wait_s: float) -> Check:
    """A box elsewhere."""
    give_up_s = time.monotonic() + wait_s
    while not (inbox.is_reporting() if site.device else inbox.reporting()):
        if time.monotonic() > give_up_s:
            who = " and ".join(inbox.reporting()) or "nobody"
            fix = f"on the box: mqtt.host, mqtt.port and mqtt.tls as in {WIRING}; can it reach {where}?"
            return failed(
                REPORTS, f"{who} within {wait_s:.0f} s" + (f", not {site.device}" if site.device else ""), fix
            )
        time.sleep(TURN_S)
    found = [site.device] if site.device else inbox.reporting()
    if len(found) > 1:
        return failed(REPORTS, f"several: {', '.join(found)}", f"say which: --device {found[0]}")
    return passed(REPORTS, f"device {found[0]}")


def _last(words: str) -> str:
    """The last line of a log."""
    return (words.strip().splitlines() or ["nothing"])[-1]
