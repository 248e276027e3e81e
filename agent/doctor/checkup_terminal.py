"""Is this box well installed? Its own part: flash, clock, certificates, and the way to the broker and back. Pure."""

from collections.abc import Sequence
from datetime import datetime

from agent.doctor.checkup import Check, failed, passed, skipped
from agent.ledger.receipt import ReceiptError, parse_receipt
from agent.uplink.roundtrip import Trip
from agent.world.clock import Reading

SYNC_MS_MAX = 500.0
"""Longer, and the journal of five seconds is written late."""

CLOCK_S_MAX = 1.0
DAYS_MIN = 14.0


def check_clock(reading: Reading, *, has_gnss: bool) -> Check:
    """Whether somebody vouches for UTC."""
    if reading.u_us is None:
        way = "let chrony take the receiver's time (gpsd, SHM 0)" if has_gnss else "run chrony or systemd-timesyncd"
        return failed("clock", "nobody vouches for it", f"{way}; until then trips have no date")
    words = f"right to {reading.u_us / 1000:.0f} ms by {reading.source}"
    if reading.u_us > CLOCK_S_MAX * 1e6:
        return failed("clock", words, "wait until the network is up, or name nearer time servers")
    return passed("clock", words)


def check_store(folder: str, written_ms: float | None, why_not: str) -> Check:
    """Whether records reach the flash."""
    if written_ms is None:
        return failed("store", f"{folder}: {why_not}", "give the folder to the user who runs tbox, mount it writable")
    words = f"{folder}: written and synced in {written_ms:.0f} ms"
    if written_ms > SYNC_MS_MAX:
        return failed("store", words, "the card is slow or worn out: replace it")
    return passed("store", words)


def check_disk(free_bytes: int, used_bytes: int, budget_bytes: int) -> Check:
    """Whether the store may grow to its budget."""
    needs_bytes = max(0, budget_bytes - used_bytes)
    words = f"{free_bytes / 1e6:.0f} MB free, the store may take {needs_bytes / 1e6:.0f} MB more"
    if free_bytes < needs_bytes:
        return failed("disk", words, "free some space, or lower store.budget_mb")
    return passed("disk", words)


def check_camera(source: str, why_not: str) -> Check:
    """Whether a picture came from the camera."""
    if "busy" in why_not:
        return skipped("camera", f"{source}: somebody else films with it, perhaps tbox run: health tells how it is")
    if why_not:
        return failed(
            "camera", f"{source}: {why_not}", "apt install ffmpeg; check camera.source, login_file and its plug"
        )
    return passed("camera", f"{source}: a picture came")


def check_certificate(name: str, ends: Sequence[datetime], now: datetime, why_not: str = "") -> Check:
    """How long the certificate of a file holds; of several the one that ends first."""
    if why_not:
        return failed(name, why_not, "put a certificate in PEM there")
    days = (min(ends) - now).total_seconds() / 86_400
    words = f"{days:.0f} days left" if days >= 0 else f"expired {-days:.0f} days ago"
    if days < DAYS_MIN:
        return failed(name, words, "renew it, or, where it is new, set this terminal's clock")
    return passed(name, words)


def check_broker(trip: Trip) -> Check:
    """Whether a message goes out and comes back."""
    if trip.failure:
        words, _, fix = trip.failure.partition("; ")
        is_ours = trip.failure.startswith("mqtt.")
        return failed("broker", words, fix or ("set that right" if is_ours else "see the broker's log"))
    assert trip.back_ms is not None
    return passed("broker", f"{trip.broker}, MQTT {trip.version}, there and back in {trip.back_ms:.0f} ms")


def check_receipt(payload: bytes | None, *, confirm: str, made: int) -> Check:
    """Whether the platform says what it stored; `made`: at least as many records as were ever numbered here."""
    if confirm != "receipt":
        return skipped("receipt", 'uplink.confirm = "puback": the broker\'s word is enough')
    if payload is None:
        if not made:
            return skipped("receipt", "nothing was ever recorded here")
        fix = 'let the platform publish receipts, or set uplink.confirm = "puback"'
        return failed("receipt", "the platform says nothing", fix)
    try:
        receipt = parse_receipt(payload, upto_max=made - 1)
    except ReceiptError as why:
        return failed("receipt", f"it makes no sense: {why}", "see the log of the platform that publishes it")
    last = max((last for _, last in receipt.stored), default=-1)
    return passed("receipt", f"the platform stored up to record {last}, epoch {receipt.epoch}")
