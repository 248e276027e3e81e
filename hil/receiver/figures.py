"""What a receiver counts, for OpenMetrics: on a loopback port, when it is asked for."""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from hil.receiver.batch import Judged

STORED = Counter("tbox_records_stored", "Records stored")
AGAIN = Counter("tbox_records_again", "Records that were there before")
REFUSED = Counter("tbox_messages_refused", "Messages in the dead-letter table")
RECEIPTS = Counter("tbox_receipts", "Receipts the broker took")
BATCHES = Counter("tbox_batches", "Transactions")
WAITED = Histogram(
    "tbox_store_seconds", "From a message's arrival to its commit", buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10)
)
FAULTS = Counter("tbox_faults", "Broker or database that was not there", ["which"])
UP = Gauge("tbox_up", "Whether the receiver takes records")


def serve(port: int) -> None:
    """On http://127.0.0.1:port/metrics. OSError: the port is taken."""
    start_http_server(port, addr="127.0.0.1")


def count(judged: Judged, oldest_s: float) -> None:
    """A batch was committed; its oldest message waited so long."""
    BATCHES.inc()
    STORED.inc(len(judged.kept))
    AGAIN.inc(judged.again)
    REFUSED.inc(len(judged.refused))
    WAITED.observe(oldest_s)
