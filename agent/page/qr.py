"""QR codes, for a screen of text, a page and a file. The library is loaded when one is asked for."""

import io
from typing import TYPE_CHECKING

from agent.errors import SettingsError

if TYPE_CHECKING:
    import segno

BORDER = 2
"""Modules of white around it: what telephones need; the standard wants 4 on paper."""


def text(content: str) -> str:
    """For a terminal: half blocks, dark on light by escape sequences."""
    out = io.StringIO()
    _make(content).terminal(out=out, border=BORDER, compact=True)
    return out.getvalue()


def svg(content: str, *, inline: bool = False) -> str:
    """A picture that scales; `inline`: to stand within a page."""
    made = _make(content)
    if inline:
        return str(made.svg_inline(border=4, scale=4, light="#fff", dark="#000", omitsize=True))
    out = io.BytesIO()
    made.save(out, kind="svg", border=4, scale=8, light="#fff", dark="#000")
    return out.getvalue().decode()


def _make(content: str) -> "segno.QRCode":
    """SettingsError: the library is missing."""
    try:
        import segno  # noqa: PLC0415  (a running terminal has no use for it)
    except ImportError:
        raise SettingsError("a QR code needs segno: pip install segno") from None
    return segno.make(content, error="m", micro=False)
