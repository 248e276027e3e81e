"""When a record has arrived where it belongs, and what must go again because it is there no more. Pure.

With "puback" a record is done when the broker acknowledged it. With "receipt" it is held until the platform's receipt
covers it as well. A receipt of another epoch, or one that covers less than the one before or than what was delivered
before this start, tells that the platform was restored from a backup: all that is still here goes again, and what is
not is said. What a broker took may never reach the platform (nobody had subscribed yet): where no receipt comes for the
oldest of them, all goes again after `again_s`, and after twice as long, up to AGAIN_S_MAX.

Where the platform's key is known, only receipts it signed for this device count, and the newest is worth keeping.
"""

import math
from collections.abc import Iterable
from typing import Literal

from agent.ledger.receipt import Ranges, Receipt, ReceiptError, parse_receipt

AGAIN_S_MAX = 86_400.0
KEEP_S = 600.0
"""So often the newest signed receipt is kept on flash: whoever connects gets the one that the broker retains anyway."""


class Confirming:
    """Acknowledgements and receipts in, numbers that may be forgotten out."""

    def __init__(self, confirm: Literal["puback", "receipt"], delivered_upto: int, again_s: float) -> None:
        """`delivered_upto`: all up to this number was confirmed before this start (-1: nothing)."""
        self._signed: tuple[bytes, bytes] | None = None
        self._newest: tuple[tuple[int, int], bytes] = ((-1, -1), b"")
        self._kept, self._keep_at_s = (-1, -1), -math.inf
        self._again_s = self._wait_s = again_s
        self._oldest, self._since_s = -1, 0.0
        self._needs_receipt = confirm == "receipt"
        self._stored_there = Ranges([(0, delivered_upto)] if delivered_upto >= 0 else [])
        self._epoch: int | str | None = None
        self.ready = Ranges()
        """Delivered, to be forgotten here."""
        self.held = Ranges()
        """Acknowledged by the broker, not yet stored by the platform."""
        self.lost = Ranges()
        """Stored there once and not any more: to be opened again here."""
        self.counts = dict.fromkeys(("receipts", "receipts_bad"), 0)

    def was_confirmed(self, spans: Iterable[tuple[int, int]]) -> None:
        """Before this start, beyond what was up to `delivered_upto`: lanes overtake each other."""
        for first, last in spans:
            self._stored_there.add(first, last)

    def demand(self, platform: bytes, device: bytes) -> None:
        """From now on only receipts count that the holder of this public key signed for this device."""
        self._signed = platform, device

    def is_in_vain(self, now_s: float) -> bool:
        """Whether the oldest that is held has waited so long that all should go again; to be asked now and then."""
        oldest = next((first for first, _ in self.held), -1)
        if oldest < 0 or oldest > self._oldest:
            self._since_s = now_s
        if oldest > self._oldest:
            self._oldest, self._wait_s = oldest, self._again_s
        if now_s - self._since_s < self._wait_s:
            return False
        self._since_s, self._wait_s = now_s, min(2 * self._wait_s, AGAIN_S_MAX)
        return True

    def acked(self, seq: int) -> None:
        """The broker has it: done, or held until the platform has it too."""
        is_done = not self._needs_receipt or seq in self._stored_there
        (self.ready if is_done else self.held).add(seq)

    def receipt(self, payload: bytes, upto_max: int) -> tuple[bool, str]:
        """Whether the platform was restored, and a sentence for the log where there is something to say."""
        if not self._needs_receipt:
            return False, ""
        try:
            receipt = parse_receipt(payload, upto_max=upto_max)
            self._check_word(receipt, payload)
        except ReceiptError as error:
            self.counts["receipts_bad"] += 1
            return False, f"receipt ignored: {error}"
        self.counts["receipts"] += 1
        stored = Ranges([*receipt.stored, *self._stored_there.within(receipt.told_upto + 1, upto_max)])
        before, epoch = self._stored_there, self._epoch
        self._stored_there, self._epoch = stored, receipt.epoch
        if before.split(stored)[1] or epoch not in (None, receipt.epoch):
            self._stored_there = receipt.stored
            for first, last in before.split(receipt.stored)[1]:
                self.lost.add(first, last)
            self.ready = self.ready.split(receipt.stored)[0]
            return True, "the platform was restored: publishing again all that is still here"
        arrived, self.held = self.held.split(stored)
        for first, last in arrived:
            self.ready.add(first, last)
        return False, ""

    def to_keep(self, now_s: float) -> bytes | None:
        """The newest signed receipt of those that say most, once, when it is time to keep it."""
        says, payload = self._newest
        if says <= self._kept or now_s < self._keep_at_s:
            return None
        self._kept, self._keep_at_s = says, now_s + KEEP_S
        return payload

    def take_lost(self) -> list[tuple[int, int]]:
        """What is to be opened again, once."""
        spans, self.lost = list(self.lost), Ranges()
        return spans

    def begin_again(self) -> None:
        """Everything that is here is published once more."""
        self.held, self.ready = Ranges(), Ranges()

    def _check_word(self, receipt: Receipt, payload: bytes) -> None:
        """ReceiptError: it is not signed as it must be."""
        if self._signed is None:
            return
        if not receipt.is_by(*self._signed):
            raise ReceiptError("it is not signed for this device by uplink.platform_key")
        assert receipt.word is not None
        self._newest = max(self._newest, ((receipt.upto, receipt.word.time_us), payload))
