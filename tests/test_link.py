"""A SocketCAN link set up by ourselves: what `ip` is told, and what is said when it refuses."""

from pathlib import Path

import pytest

from drivers.bus import link
from drivers.errors import DeviceError


def ip(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """An `ip` of our own, which notes what it is told."""
    told = folder / "told"
    (folder / "ip").write_text(f'#!/bin/sh\necho "$@" >>{told}\n{script}\n')
    (folder / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return told


@pytest.mark.parametrize(("listen_only", "mode"), [(True, "on"), (False, "off")])
def test_a_link_goes_down_and_comes_up_as_it_is_wanted(
    listen_only: bool, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ip(tmp_path, monkeypatch, "")
    link.set_up("can0", 250_000, listen_only=listen_only)
    assert told.read_text().splitlines() == [
        "link set can0 down",
        f"link set can0 up type can bitrate 250000 restart-ms 1000 listen-only {mode}",
    ]


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        pytest.param("RTNETLINK answers: Operation not permitted", "needs CAP_NET_ADMIN", id="not allowed"),
        pytest.param("RTNETLINK answers: Numerical argument out of domain", "cannot have this bit rate", id="bit rate"),
        pytest.param(
            "RTNETLINK answers: Operation not supported", "does not know one of these modes", id="listen-only"
        ),
        pytest.param('Cannot find device "can0"', "is it plugged in", id="not there"),
    ],
)
def test_a_link_that_cannot_be_set_up_is_told_with_what_helps(
    said: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ip(tmp_path, monkeypatch, f"echo '{said}' >&2; exit 2")
    with pytest.raises(
        DeviceError, match=rf"can0: cannot be set up: {said}: .*{fix}.*can\.setup = false, and: ip link"
    ):
        link.set_up("can0", 500_000, listen_only=True)


def test_without_ip_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="iproute2"):
        link.set_up("can0", 500_000, listen_only=True)
