"""The service page's own certificate: made on a box on first use, known by its SHA-256, vouched for by nobody else.

The key is ECDSA on P-256, which every browser takes (Ed25519, which the box signs with, none does). It is valid from
2020 to 2049, because a box in a yard may not know what day it is; what a technician trusts is the fingerprint beside
the QR.
"""

import datetime as dt
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.errors import SettingsError, StorageError
from agent.files import replace_file

FILE_NAME = "service.pem"
FROM, UNTIL = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2049, 12, 31, tzinfo=dt.UTC)
OWNER_ONLY = 0o077
COMMON_NAME_MAX = 64


@dataclass(frozen=True, slots=True)
class Certificate:
    """A file with key and certificate; `fingerprint` is the SHA-256 of the certificate in DER, 64 hex digits."""

    path: Path
    fingerprint: str

    def context(self) -> ssl.SSLContext:
        """What a server needs: TLS 1.2 at least. SettingsError: key and certificate are no pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.path)
        except (OSError, ssl.SSLError):
            raise _damaged(self.path) from None
        return context


def open_certificate(folder: Path, name: str) -> Certificate:
    """The certificate in this folder; where there is none, a new one for this name. SettingsError, StorageError."""
    path = folder / FILE_NAME
    try:
        if not path.exists():
            replace_file(path, make(name))
        if path.stat().st_mode & OWNER_ONLY:
            raise SettingsError(f"{path}: others may read this key: chmod 600 {path}")
        pem = path.read_bytes()
    except OSError as why:
        raise StorageError(f"{path}: {why.strerror}; as which user does tbox run?") from None
    try:
        der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    except ValueError:
        raise _damaged(path) from None
    return Certificate(path, hashlib.sha256(der).hexdigest())


def make(name: str) -> bytes:
    """A new key and its certificate, PEM, for the box of this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"tbox {name}"[:COMMON_NAME_MAX])])
    built = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), FROM, UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("tbox.local")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    certificate = built.sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(pem)


def _damaged(path: Path) -> SettingsError:
    return SettingsError(f"{path}: no sound key and certificate: delete it, and a new one is made (a new fingerprint)")
