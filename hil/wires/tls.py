"""Certificates of the bench: an authority it trusts and one it does not, brokers' and a terminal's. Needs openssl.

Made when first asked for, in one folder, and good for that run only. No secret of anybody's: the keys go with the
folder.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

AUTHORITY, STRANGER = "authority", "stranger"
CLIENT = "terminal"
BROKER_NAME = "broker.test"
"""The broker's, beside its address."""
GOOD, EXPIRED, OTHER_NAME, UNKNOWN = "good", "expired", "other-name", "unknown"
BROKERS = {
    GOOD: (AUTHORITY, f"subjectAltName=DNS:localhost,DNS:{BROKER_NAME},IP:127.0.0.1", 2),
    EXPIRED: (AUTHORITY, f"subjectAltName=DNS:localhost,DNS:{BROKER_NAME},IP:127.0.0.1", -1),
    OTHER_NAME: (AUTHORITY, "subjectAltName=DNS:broker.example", 2),
    UNKNOWN: (STRANGER, f"subjectAltName=DNS:localhost,DNS:{BROKER_NAME},IP:127.0.0.1", 2),
}
"""What a broker may show: who vouches for it, for which name, for how many days from now."""
AUTHORITY_DAYS = 3


class TlsError(Exception):
    """No certificate could be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """All of them, as PEM files in `folder`; a key is its owner's alone."""

    folder: Path

    def cert(self, name: str) -> Path:
        """The certificate of this name: an authority's, one of BROKERS, or CLIENT. TlsError."""
        path = self.folder / f"{name}.crt"
        if not path.exists():
            if name in (AUTHORITY, STRANGER):
                self._vouch(name)
            else:
                self._make(name, *BROKERS.get(name, (AUTHORITY, "keyUsage=digitalSignature", 2)))
        return path

    def key(self, name: str) -> Path:
        """Its private key. TlsError."""
        self.cert(name)
        return self.folder / f"{name}.key"

    def listener(self, shown: str) -> str:
        """Lines of a mosquitto's settings: it shows this one, and wants the terminal's."""
        files = f"cafile {self.cert(AUTHORITY)}\ncertfile {self.cert(shown)}\nkeyfile {self.key(shown)}\n"
        return f"{files}require_certificate true\n"

    def settings(self) -> dict[str, str | bool]:
        """The terminal's, by dotted key."""
        return {
            "mqtt.tls": True,
            "mqtt.ca_file": str(self.cert(AUTHORITY)),
            "mqtt.cert_file": str(self.cert(CLIENT)),
            "mqtt.key_file": str(self.key(CLIENT)),
        }

    def _vouch(self, name: str) -> None:
        """An authority: a certificate that signs itself."""
        made = ("-subj", f"/CN={name}", "-days", str(AUTHORITY_DAYS), "-out", str(self.folder / f"{name}.crt"))
        _openssl("req", "-x509", *self._new_key(name), *made)

    def _make(self, name: str, authority: str, extension: str, days: int) -> None:
        """A key, and a certificate for it by an authority; days < 0: it ended so many days ago."""
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(extension, encoding="ascii")
        _openssl("req", *self._new_key(name), "-subj", f"/CN={name}", "-out", str(request))
        signer = ("-CA", str(self.cert(authority)), "-CAkey", str(self.key(authority)), "-CAcreateserial")
        files = ("-in", str(request), "-extfile", str(extensions), "-out", str(self.folder / f"{name}.crt"))
        _openssl("x509", "-req", *files, *signer, "-days", str(days))

    def _new_key(self, name: str) -> tuple[str, ...]:
        key = self.folder / f"{name}.key"
        key.touch(mode=0o600)
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key))


def _openssl(*words: str) -> None:
    """One command of openssl. TlsError."""
    program = shutil.which("openssl")
    if program is None:
        raise TlsError("certificates are made by openssl, which is not installed: apt-get install openssl")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)  # noqa: S603 # our own words
    if done.returncode:
        raise TlsError(f"openssl {words[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
