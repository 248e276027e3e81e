"""The checklist of a wired bench, from the wire to the broker: each PASS, FAIL with its fix, or SKIP with the reason.

car's interface        it is there, up, and no controller of it is off the bus
terminal's interface   the same, when the terminal runs here
bit rate               the same at both ends
error counters         at zero before anything is sent
a frame gets there     what the car sends is received at the other end; a box elsewhere acknowledges it
after it               error counters are still at zero: termination and wiring are good
supply                 as it was measured and given
broker                 it can be reached where the terminal is told to look for it
terminal reports       a device says that it is online, and it is the one that is meant
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import can

from hil.wires import controller
from hil.wires.controller import Link, LinkError
from hil.wires.site import Site
from hil.wires.wire import End, EndError, open_end

PROBE_ID = 0x1FFFFFF0
"""Nobody's, and of the lowest priority but fifteen."""
PROBE_S = 1.0
SUPPLY_V = (11.0, 16.0)
WIRING = "hil/WIRING.md"
TERMINATE = f"measure 60 ohm between CAN-H and CAN-L with everything off ({WIRING})"
BAD_STATES = ("ERROR-WARNING", "ERROR-PASSIVE", "BUS-OFF")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of it."""

    name: str
    verdict: str
    """PASS, FAIL or SKIP."""
    words: str
    fix: str = ""


def passed(name: str, words: str) -> Check:
    """It holds."""
    return Check(name, "PASS", words)


def failed(name: str, words: str, fix: str) -> Check:
    """It does not, and what helps."""
    return Check(name, "FAIL", words, fix)


def skipped(name: str, words: str) -> Check:
    """It cannot be told here, and why."""
    return Check(name, "SKIP", words)


def check_wire(site: Site, look: Callable[[str], Link] = controller.look) -> Iterator[Check]:
    """Everything on the wire; nothing is sent when an interface cannot be used, or already counts errors."""
    ends = [("car's interface", site.car)]
    ends += [] if site.is_box else [("terminal's interface", site.terminal)]
    found = [check_end(name, end, look) for name, end in ends]
    yield from (check for check, _ in found)
    links = [link for _, link in found if link is not None]
    yield check_rates(site, links)
    before = check_counters("error counters", links)
    yield before
    if any(check.verdict == "FAIL" for check in (before, *(check for check, _ in found))):
        yield skipped("a frame gets there", "not before the lines above pass")
        return
    yield check_frame(site, links)
    yield check_counters("after it", [look(link.channel) for link in links])


def check_end(name: str, end: End, look: Callable[[str], Link]) -> tuple[Check, Link | None]:
    """Whether it can be used; how its link stands, where it has one."""
    if not end.is_link:
        return _openable(name, end), None
    try:
        link = look(end.channel)
    except LinkError as why:
        return failed(
            name, str(why), f"is the adapter plugged in, its driver loaded? `ip link` tells what {end} is"
        ), None
    up = f"ip link set {end.channel} up" + ("" if link.kind in ("vcan", "vxcan") else " type can bitrate 500000")
    if not link.is_up:
        return failed(name, f"{end} is down", up), link
    return passed(name, f"{end}: {link.words}"), link


def _openable(name: str, end: End) -> Check:
    """An interface that only python-can knows."""
    try:
        open_end(end).shutdown()
    except (can.CanError, OSError, ValueError, TypeError) as why:
        return failed(name, f"{end}: {why}", "is it plugged in, and its library installed? See python-can's page on it")
    return passed(name, f"{end} can be opened")


def check_rates(site: Site, links: list[Link]) -> Check:
    """The same bit rate at both ends, where both tell."""
    name, rates = "bit rate", {link.bitrate for link in links if link.bitrate}
    rates |= {end.bitrate for end in (site.car, site.terminal) if end.bitrate and not end.is_link}
    if not rates:
        return skipped(name, "none is known: a virtual interface has none")
    if len(rates) > 1:
        told = " and ".join(f"{rate} bit/s" for rate in sorted(rates))
        low, *_ = sorted(rates)
        return failed(name, told, f"set both ends to one, down first: ip link set NAME up type can bitrate {low}")
    (rate,) = rates
    if site.is_box or len(links) < 2:
        return passed(name, f"{rate} bit/s here; the other end must have the same")
    return passed(name, f"{rate} bit/s at both ends")


def check_counters(name: str, links: list[Link]) -> Check:
    """No controller counts errors, or has taken itself off the bus."""
    counting = [link for link in links if link.state]
    if not counting:
        return skipped(name, "none is counted: a virtual interface has none")
    for link in counting:
        words = f"{link.channel}: {link.state}, {link.tx_errors} sending, {link.rx_errors} receiving"
        if link.state in BAD_STATES or link.tx_errors or link.rx_errors:
            fix = f"both ends at one bit rate, H to H and L to L, ground joined; {TERMINATE}; then down and up again"
            return failed(name, words, fix)
    return passed(name, ", ".join(f"{link.channel}: {link.state}, 0 and 0" for link in counting))


def check_frame(site: Site, links: list[Link]) -> Check:
    """One frame from the car to the other end, or acknowledged by it."""
    name, data = "a frame gets there", os.urandom(8)
    quiet = [link for link in links if link.listens_only]
    if site.is_box and not site.car.is_link:
        return skipped(name, f"{site.car} does not tell when a frame was acknowledged")
    other = site.car if site.is_box else site.terminal
    fix = (
        f"{quiet[0].channel} listens only and acknowledges nothing: put a third node on the wire that does ({WIRING})"
        if quiet
        else f"nobody acknowledges: is the other end on, at the same bit rate, not listen-only? {TERMINATE}"
    )
    try:
        took_s = send(site.car, other, data, hears_itself=site.is_box)
    except (can.CanError, OSError, ValueError, EndError) as why:
        return failed(name, str(why), fix)
    if took_s is None:
        return failed(name, f"sent from {site.car}, not {'acknowledged' if site.is_box else f'heard on {other}'}", fix)
    how = "acknowledged" if site.is_box else f"heard on {other}"
    return passed(name, f"from {site.car}, {how} after {1000 * took_s:.1f} ms")


def send(car: End, other: End, data: bytes, *, hears_itself: bool) -> float | None:
    """How long a frame of the car took to the other end, or back to itself once it was on the wire; None: too long."""
    with open_end(other, hears_itself=hears_itself) as far:
        near = far if hears_itself else open_end(car)
        try:
            begin_s = time.monotonic()
            near.send(can.Message(arbitration_id=PROBE_ID, is_extended_id=True, data=data), timeout=PROBE_S)
            while (left_s := begin_s + PROBE_S - time.monotonic()) > 0:
                heard = far.recv(left_s)
                if heard and not heard.is_error_frame and (heard.arbitration_id, bytes(heard.data)) == (PROBE_ID, data):
                    return time.monotonic() - begin_s
        finally:
            if near is not far:
                near.shutdown()
    return None


def check_supply(measured_v: float | None) -> Check:
    """Pin 16 against pins 4 and 5, as somebody measured it."""
    name, (least, most) = "supply", SUPPLY_V
    if measured_v is None:
        return skipped(
            name, f"measure pin 16 against pin 4, the terminal on, and say --supply VOLTS: {least:g} to {most:g}"
        )
    words = f"{measured_v:g} V"
    if not least <= measured_v <= most:
        fix = f"set the supply to 13.8 V, its limit to 2 A; fuse and polarity: {WIRING}"
        return failed(name, f"{words}, not within {least:g} and {most:g} V", fix)
    return passed(name, words)
