"""Ledger and uplink of a terminal, opened: with the device's key, what the driver agreed to, and names for trips."""

import os
from pathlib import Path
from random import Random
from typing import Any

from agent import __version__
from agent.capture.ring_places import Thinned
from agent.ledger import pseudonym
from agent.ledger.key import Signer
from agent.ledger.key_chain import Chain, told_of
from agent.ledger.ledger import Identity, Ledger
from agent.ledger.privacy import Blur
from agent.outbox.budget import islands
from agent.outbox.key_files import certificate_of, open_key, place_of
from agent.outbox.outbox import Outbox
from agent.settings import Settings, settings_id
from agent.settings import Uplink as UplinkSettings
from agent.uplink.uplink import Uplink
from agent.vehicle import Table


def open_ledger(settings: Settings, table: Table, outbox: Outbox) -> tuple[Signer, Ledger]:
    """Goes on where the outbox ends. SettingsError, StorageError: a secret is damaged, or of another store."""
    state_dir = Path(settings.device.state_dir)
    key, chain = open_key(place_of(settings.device.key, state_dir), state_dir, outbox)
    return key, ledger_of(settings, table, outbox, key, chain)


def ledger_of(settings: Settings, table: Table, outbox: Outbox, key: Signer, chain: Chain) -> Ledger:
    """The same with a key that is open already."""
    state_dir = Path(settings.device.state_dir)
    certificate = certificate_of(state_dir)
    vouched: dict[str, Any] = {"chain": told_of(chain.links)} if chain.links else {}
    vouched |= {"certificate": certificate.told()} if certificate else {}
    return Ledger(
        key,
        outbox.boot,
        outbox.tail(),
        Identity(f"tbox {__version__}", settings_id(settings), vouched),
        blur=Blur(settings.privacy, Thinned.of(table)),
        trip_id=pseudonym.load_or_make(state_dir / pseudonym.SECRET_NAME).trip_id,
    )


def open_uplink(settings: UplinkSettings, outbox: Outbox, device: bytes) -> Uplink:
    """Goes on where the outbox ends; where the platform's key is known, only receipts it signed for us count."""
    stored_upto, upto = outbox.tail().next_seq - 1, outbox.delivered_upto
    rng = Random(os.urandom(8))  # noqa: S311  (spreads a fleet, hides nothing)
    uplink = Uplink(settings, stored_upto=stored_upto, delivered_upto=upto, rng=rng)
    uplink.confirming.was_confirmed(outbox.within(lambda store: islands(store, upto)))
    if settings.platform_key:
        uplink.confirming.demand(bytes.fromhex(settings.platform_key), device)
    return uplink
