"""When a record has arrived where it belongs, and what must go again because it is there no more. Pure.

With "puback" a record is done when the broker acknowledged it. With "receipt" it is held until the platform's receipt
covers it as well. A receipt of another epoch, or one that covers less than the one before or than what was delivered
before this start, tells that the platform was restored from a backup: all that is still here goes again, and what is
not is said.
"""

from typing import Literal

from agent.receipt import Ranges, ReceiptError, parse_receipt


class Confirming:
    """Acknowledgements and receipts in, numbers that may be forgotten out."""

    def __init__(self, confirm: Literal["puback", "receipt"], delivered_upto: int) -> None:
        """`delivered_upto`: all up to this number was confirmed before this start (-1: nothing)."""
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
        except ReceiptError as error:
            self.counts["receipts_bad"] += 1
            return False, f"receipt ignored: {error}"
        self.counts["receipts"] += 1
        _, lost = self._stored_there.split(receipt.stored)
        is_restored = bool(lost) or self._epoch not in (None, receipt.epoch)
        self._stored_there, self._epoch = receipt.stored, receipt.epoch
        if is_restored:
            for first, last in lost:
                self.lost.add(first, last)
            return True, "the platform was restored: publishing again all that is still here"
        arrived, self.held = self.held.split(receipt.stored)
        for first, last in arrived:
            self.ready.add(first, last)
        return False, ""

    def take_lost(self) -> list[tuple[int, int]]:
        """What is to be opened again, once."""
        spans, self.lost = list(self.lost), Ranges()
        return spans

    def begin_again(self) -> None:
        """Everything that is here is published once more."""
        self.held, self.ready = Ranges(), Ranges()
