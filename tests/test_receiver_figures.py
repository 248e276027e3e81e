"""What a receiver counts, read over HTTP as Prometheus does: in OpenMetrics when asked for it, and it grows with the work."""

import urllib.request
from pathlib import Path

import pytest
from prometheus_client import parser as plain_text
from prometheus_client.openmetrics import parser as openmetrics

from tests.accounts import two_boots
from tests.brokers import Mosquitto, Subscriber, free_port
from tests.test_receiver import CAR
from tests.test_receiver_access import receiver, until

WHOLE = 18
ASKED = "application/openmetrics-text; version=1.0.0"


def scraped(port: int, accept: str) -> tuple[str, str]:
    """Content type and text."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.headers["Content-Type"]), answer.read().decode()


def figures(port: int) -> dict[str, float]:
    """Each sample by its name; the parser refuses what is not OpenMetrics."""
    kind, text = scraped(port, ASKED)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    families = list(openmetrics.text_string_to_metric_families(text))
    return {one.name: one.value for family in families for one in family.samples if family.name.startswith("tbox_")}


@pytest.fixture
def broker(tmp_path: Path) -> Mosquitto:
    return Mosquitto(tmp_path, ("allow_anonymous true", "max_inflight_messages 0"))


def test_counters_grow_with_what_is_stored_had_before_and_refused(tmp_path: Path, broker: Mosquitto) -> None:
    port, seen = free_port(), dict[str, float]()

    def has(**wanted: float) -> bool:
        seen.update(figures(port))
        return all(seen[f"tbox_{name}"] >= value for name, value in wanted.items())

    with (
        broker,
        Subscriber(broker.port, f"tbox/v1/{CAR}/receipt") as terminal,
        receiver(tmp_path, broker.port, "--metrics", str(port)) as process,
    ):
        assert process.stderr is not None
        assert "taking records" in process.stderr.readline()
        assert figures(port)["tbox_records_stored_total"] == 0
        for record in two_boots():
            terminal.publish(f"tbox/v1/{CAR}/{record.lane}", record.raw)
        until(lambda: has(records_stored_total=WHOLE, receipts_total=1))
        terminal.publish(f"tbox/v1/{CAR}/{two_boots()[4].lane}", two_boots()[4].raw)
        terminal.publish(f"tbox/v1/{CAR}/event", b"no record")
        until(lambda: has(records_again_total=1, messages_refused_total=1))
        kind, text = scraped(port, "*/*")
    assert (seen["tbox_records_stored_total"], seen["tbox_messages_refused_total"], seen["tbox_up"]) == (WHOLE, 1, 1)
    assert 2 <= seen["tbox_batches_total"] == seen["tbox_store_seconds_count"] <= WHOLE + 2
    assert kind.startswith("text/plain")
    assert any(family.name == "tbox_up" for family in plain_text.text_string_to_metric_families(text))
