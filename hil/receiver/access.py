"""How a broker proves itself to a receiver, and a receiver to a broker: TLS, a certificate, a login."""

import argparse
import os
import re
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from agent.errors import SettingsError, UsageError

_SECRET = re.compile(r"(?<=:)[^@/]+(?=@)|(?<=password=)[^\s&]+")
PASSWORD = "TBOX_RECEIVER_PASSWORD"  # noqa: S105  (where it stands, not what it is)


@dataclass(frozen=True, slots=True)
class Access:
    """`context` None: no TLS; `user` empty: no login. `has_cert`: we show a certificate."""

    context: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    has_cert: bool = False

    @classmethod
    def read(cls, asked: argparse.Namespace) -> Self:
        """As the options say that `add_to` made. UsageError; SettingsError names the option and its file."""
        if bool(asked.cert) != bool(asked.cert_key):
            raise UsageError("--cert and --cert-key go together; give both or neither")
        if asked.password_file and not asked.user:
            raise UsageError("--password-file: there is no password without a --user")
        return cls(_context(asked), asked.user, _password(asked), bool(asked.cert))


def add_to(parser: argparse.ArgumentParser) -> None:
    """The options. A password is none of them: everybody on a machine can read its command lines."""
    group = parser.add_argument_group("trust and login, of all brokers named")
    group.add_argument("--tls", action="store_true", help="TLS, with the authorities this machine knows")
    group.add_argument("--ca", type=Path, metavar="FILE", help="TLS, with the authority in this PEM file")
    group.add_argument("--cert", type=Path, metavar="FILE", help="the certificate we show, PEM; and its")
    group.add_argument("--cert-key", type=Path, metavar="FILE", help="key, its owner's alone (chmod 600)")
    group.add_argument("--user", default="", metavar="NAME", help="log in; the password is the first line of")
    group.add_argument(
        "--password-file", type=Path, metavar="FILE", help=f"this file (chmod 600), or stands in {PASSWORD}"
    )


def hidden(text: str) -> str:
    """The same with `***` for the password of a database's address in it."""
    return _SECRET.sub("***", text)


def _context(asked: argparse.Namespace) -> ssl.SSLContext | None:
    if not (asked.tls or asked.ca or asked.cert):
        return None
    try:
        context = ssl.create_default_context(cafile=asked.ca)
    except OSError as why:
        raise SettingsError(f"--ca {asked.ca}: {_why(why)}; give certificates in PEM") from None
    if asked.cert:
        _check_secret("--cert-key", asked.cert_key)
        try:
            context.load_cert_chain(asked.cert, asked.cert_key, password="")  # never ask at a terminal
        except OSError as why:
            raise SettingsError(f"--cert {asked.cert}, --cert-key {asked.cert_key}: {_why(why)}") from None
    return context


def _password(asked: argparse.Namespace) -> str:
    if not asked.password_file:
        return os.environ.get(PASSWORD, "") if asked.user else ""
    _check_secret("--password-file", asked.password_file)
    try:
        return str(asked.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r"))
    except UnicodeDecodeError:
        raise SettingsError(f"--password-file {asked.password_file}: is not UTF-8 text") from None


def _check_secret(option: str, path: Path) -> None:
    """It is there, and its owner's alone."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        path.open("rb").close()
    except OSError as why:
        raise SettingsError(f"{option} {path}: {_why(why)}") from None
    if mode & 0o077:
        raise SettingsError(f"{option} {path}: others may read it (mode {mode:03o}); chmod 600 {path}")


def _why(error: OSError) -> str:
    """What is wrong with a file, without its content."""
    if isinstance(error, ssl.SSLError):
        return "the key is not this certificate's" if "MISMATCH" in str(error.reason) else "cannot be used"
    return error.strerror or "cannot be read"
