"""How long certificates still hold: the end of validity out of PEM files, read by hand.

Python's ssl tells the dates of authorities only, and cryptography is not loaded on a small box. A certificate is DER
(X.690), a tree of tag, length, content; its dates lie at a fixed place (RFC 5280, 4.1):

    Certificate  30   TBSCertificate  30   version  A0 (may be left out)
                                           serial   02
                                           signature 30   issuer 30
                                           validity 30    notBefore 17|18   notAfter 17|18
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path

FILE_BYTES_MAX = 1 << 20
CERTIFICATES_MAX = 1000

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _LONG_TIME = 0x30, 0xA0, 0x17, 0x18
_LENGTH_BYTES_MAX = 4


class CertificateError(ValueError):
    """A file that holds no sound certificate; the text says what is wrong."""


def ends_in(path: Path) -> list[datetime]:
    """When each certificate of a PEM file stops being valid, in the file's order. CertificateError, OSError."""
    with path.open("rb") as file:
        text = file.read(FILE_BYTES_MAX).decode("ascii", "replace")
    found = [piece.partition(_END)[0] for piece in text.split(_BEGIN)[1 : CERTIFICATES_MAX + 1]]
    if not found:
        raise CertificateError("it holds no certificate in PEM")
    return [not_after(_der(f"{_BEGIN}{piece}{_END}")) for piece in found]


def not_after(der: bytes) -> datetime:
    """The end of validity of one certificate in DER. CertificateError."""
    try:
        _, certificate, _ = _element(der)
        _, body, _ = _element(certificate)
        tag, _, rest = _element(body)
        after_serial = _element(rest)[2] if tag == _VERSION else rest
        after_issuer = _element(_element(after_serial)[2])[2]
        tag, validity, _ = _element(after_issuer)
        tag, moment, _ = _element(_element(validity)[2])
        return _moment(tag, moment)
    except (IndexError, ValueError) as why:
        raise CertificateError(f"it is no sound certificate: {why}") from None


def _der(pem: str) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(pem)
    except ValueError as why:
        raise CertificateError(f"it is no sound PEM: {why}") from None


def _element(raw: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what comes behind it. IndexError, ValueError."""
    tag, size, at = raw[0], raw[1], 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= _LENGTH_BYTES_MAX:
            raise ValueError("a length that no certificate has")
        size, at = int.from_bytes(raw[2 : 2 + count], "big"), 2 + count
    if at + size > len(raw):
        raise ValueError("it is cut off")
    return tag, raw[at : at + size], raw[at + size :]


def _moment(tag: int, told: bytes) -> datetime:
    """YYMMDDHHMMSSZ of the years 1950 to 2049, or YYYYMMDDHHMMSSZ (RFC 5280, 4.1.2.5)."""
    text = told.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _LONG_TIME:
        raise ValueError("no date where the validity ends")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
