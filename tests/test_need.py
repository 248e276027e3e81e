"""What `make` says on a machine where something is missing: one apt line, run where it may be."""

import os
import subprocess
from pathlib import Path

import pytest

NEED = Path(__file__).resolve().parent.parent / ".ci" / "need"
LINE = "apt-get install -y --no-install-recommends python3-dev python3-venv"

PYTHON = """
case "$*" in
    *version_info*) [ ! -e {folder}/old ]; exit ;;
    -V) echo Python 3.9.2; exit ;;
esac
[ -e {folder}/installed ]
"""
"""A python3 without venv and headers until apt-get was here."""


class Machine:
    """A machine of made-up commands, put before the real ones on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command("python3", PYTHON.format(folder=folder))
        self.command("id", "echo 1000")
        self.command("sudo", "exit 1")
        self.command("apt-get", f'echo "$@" >>{folder}/asked; touch {folder}/installed')

    def command(self, name: str, script: str) -> None:
        """Make a command that does this."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def need(self, what: str = "build") -> tuple[int, str]:
        """Exit code and words of `need`."""
        around = os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}", "PYTHON": "python3"}
        done = subprocess.run(["sh", NEED, what], env=around, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stderr

    def asked(self) -> list[str]:
        """What apt-get was asked for."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_who_may_not_install_is_told_the_exact_line(machine: Machine) -> None:
    code, said = machine.need()
    assert (code, said) == (1, f"missing: python3-dev python3-venv\ntype:    sudo {LINE}\n")
    assert machine.asked() == []


def test_root_has_it_installed(machine: Machine) -> None:
    machine.command("id", "echo 0")
    code, said = machine.need()
    assert (code, said) == (0, f"missing: python3-dev python3-venv; running: {LINE}\n")
    assert machine.asked() == [LINE.removeprefix("apt-get ")]


def test_sudo_without_a_password_is_used(machine: Machine) -> None:
    machine.command("sudo", 'shift; exec "$@"')
    code, said = machine.need()
    assert (code, said) == (0, f"missing: python3-dev python3-venv; running: sudo -n {LINE}\n")


def test_stale_package_lists_are_renewed_once(machine: Machine) -> None:
    machine.command("id", "echo 0")
    folder = machine.folder
    machine.command(
        "apt-get", f"echo $1 >>{folder}/asked; [ $1 = update ] && touch {folder}/installed; [ -e {folder}/installed ]"
    )
    assert machine.need()[0] == 0
    assert machine.asked() == ["install", "update", "install"]


def test_apt_that_fails_is_quoted_with_the_line_to_type(machine: Machine) -> None:
    machine.command("id", "echo 0")
    machine.command("apt-get", "echo 'E: no network'; exit 100")
    code, said = machine.need()
    assert code == 1
    assert said.splitlines()[1:] == ["E: no network", f"that failed; type: sudo {LINE}"]


def test_a_python_that_debian_cannot_complete_is_named(machine: Machine) -> None:
    machine.command("id", "echo 0")
    machine.command("apt-get", "exit 0")
    code, said = machine.need()
    assert code == 1
    assert said.splitlines()[-1] == f"still missing after that, for {machine.folder}/python3: python3-dev python3-venv"


def test_an_old_python_is_named_with_the_way_out(machine: Machine) -> None:
    for name in ("old", "installed"):
        (machine.folder / name).touch()
    code, said = machine.need()
    assert (code, said) == (
        1,
        "tbox needs Python 3.11 or newer, python3 is Python 3.9.2; name another: make PYTHON=python3.12\n",
    )


def test_a_complete_machine_is_not_spoken_of(machine: Machine) -> None:
    (machine.folder / "installed").touch()
    assert machine.need() == (0, "")
    assert machine.asked() == []
