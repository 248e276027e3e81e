"""What the box prints or shows of its service page: address, PIN, fingerprint, and all three as a QR."""

import base64

from agent.page import qr
from agent.service.run import Shown


def qr_words(page: Shown, pin: str) -> str:
    """What the QR says. Behind the # so that no browser sends it to anybody; the fingerprint is base64url."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(page.fingerprint)).rstrip(b"=").decode()
    return f"{page.url}#sha256={digest}&pin={pin.replace(' ', '')}"


def pairs_of(fingerprint: str) -> str:
    """A fingerprint as browsers show it: "AB:CD:..."."""
    return ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()


def card(name: str, page: Shown, pin: str, *, minutes: float) -> str:
    """The card, for a terminal or a file. SettingsError: segno is missing."""
    pairs = pairs_of(page.fingerprint)
    half = len(pairs) // 2 + 1
    return "\n".join(
        [
            f"Service page of {name}",
            "",
            f"  address      {page.url}",
            f"  PIN          {pin}   good for one login",
            f"  certificate  {pairs[:half]}",
            f"               {pairs[half:]}",
            "",
            qr.text(qr_words(page, pin)),
            "The browser will say that nobody vouches for the certificate: compare its SHA-256 with the one above.",
            f"The page ends by itself {minutes:g} minutes after the last touch.",
        ]
    )
