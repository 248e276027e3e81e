"""What the Debian package is made of: hardened units, maintainer scripts, and the exact versions that it carries."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config"
DEBIAN = CONFIG / "debian"
SCRIPTS = sorted(path for path in DEBIAN.iterdir() if path.read_bytes().startswith(b"#!/bin/sh"))
UNITS = sorted(CONFIG.glob("*.service"))

EXPOSURE_MAX = {"tbox.service": 2.0, "tbox-service.service": 2.0, "tbox-stick@.service": 2.4}
"""What `systemd-analyze security` may say: 0 nothing is exposed, 10 everything. The stick's unit mounts a device first,
so it has no list of devices and no users of its own."""
DENIED = ("setpriority", "sched_setscheduler", "chown", "setuid", "mount", "reboot", "clock_settime", "ptrace", "bpf")
NEEDED = (
    "adjtimex",
    "clock_adjtime",
    "prlimit64",
    "execve",
    "recvmmsg",
    "fsync",
    "renameat2",
    "flock",
    "inotify_init1",
)

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze`, without a manager."""
    around = os.environ | {"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_LOG_LEVEL": "info"}
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, env=around, check=False)


def pinned(name: str) -> dict[str, str]:
    """Package -> exact version, of one of the lists that the build reads."""
    lines = (line.partition("#")[0].strip() for line in (DEBIAN / name).read_text().splitlines())
    pairs = (line.split("==") for line in lines if line)
    return {plain(package): version for package, version in pairs}


def plain(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def filter_of(unit: Path) -> set[str]:
    """The system calls that a unit's filter lets through: its lines in their order, groups opened."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.MULTILINE):
        named = {call for word in line.removeprefix("~").split() for call in opened(word)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed | opened("@default")


def opened(word: str) -> set[str]:
    """A group's calls; a call itself."""
    if not word.startswith("@"):
        return {word}
    lines = [line.strip() for line in analyze("syscall-filter", word).stdout.splitlines()[1:]]
    return {call for line in lines if line and not line.startswith("#") for call in opened(line)}


def test_each_unit_has_a_bound() -> None:
    assert {unit.name for unit in UNITS} == set(EXPOSURE_MAX)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_exposes_no_more_than_it_may(unit: Path) -> None:
    bound = str(round(EXPOSURE_MAX[unit.name] * 10))
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={bound}", str(unit))
    assert done.returncode == 0, done.stdout.splitlines()[-1:] or done.stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_says_only_what_systemd_knows(unit: Path, tmp_path: Path) -> None:
    """With a program that is there in place of the one that the package will put there."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/tbox/bin/tbox", "/bin/true"))
    done = analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_filter_lets_through_what_the_agent_needs_and_not_what_only_root_does(unit: Path) -> None:
    allowed = filter_of(unit)
    assert sorted(set(NEEDED) - allowed) == []
    assert sorted(set(DENIED) & allowed) == []


def test_the_package_carries_exact_versions_within_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["service"]]
    main, elm = pinned("requirements.txt"), pinned("requirements-elm327.txt")
    for one in asked:
        version = (elm if one.name == "obd" else main).get(plain(one.name))
        assert version is not None, f"{one.name} is in no list"
        assert one.specifier.contains(version), f"{one.name} {version} is not in {one.specifier}"


def test_what_is_under_gpl_is_only_in_the_package_for_adapters() -> None:
    main, elm = pinned("requirements.txt"), pinned("requirements-elm327.txt")
    assert "obd" in elm
    assert sorted(set(main) & set(elm)) == []
    assert sorted({"obd", "pint"} & set(main)) == []


@pytest.mark.parametrize("shell", ["sh", "dash"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_maintainer_script_is_plain_sh(script: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", [one for one in SCRIPTS if one.name != "build"], ids=lambda script: script.name)
def test_a_maintainer_script_stops_at_its_first_fault(script: Path) -> None:
    assert "\nset -e\n" in script.read_text()


def test_each_udev_rule_matches_before_it_does() -> None:
    """Of udev's grammar what a slip of the hand breaks: pairs of key, operator and quoted value, a match in each line."""
    text = (CONFIG / "70-tbox.rules").read_text().replace("\\\n", "")
    rules = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pair = re.compile(r'\s*[A-Z_]+(\{[^}]+\})?(==|!=|\+=|:=|=)"[^"]*"\s*(,|$)')
    for rule in rules:
        assert pair.sub("", rule) == ""
        assert "==" in rule.partition(",")[0]
