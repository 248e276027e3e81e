"""`python -m tests.debian`: the Debian packages built twice, then installed, used, upgraded, removed and purged; some minutes.

In a root of its own (debootstrap, minbase) under a temporary folder; each command there runs in namespaces of its own, so
that nothing stays mounted or running. The empty root is kept in out/debian between runs; it and what the packages depend
on come from the mirror that apt knows here. What holds is printed line by line; 1 when something does not. Needs root.
"""

import filecmp
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.test_package import filter_of

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "debian"
RELEASE = "bookworm"
DRIVE = ROOT / "tests" / "golden" / "emergency-stop.csv"
SHIPPED_NEXT = "\n# a line of the next version\n"
PYTHON = "/opt/tbox/bin/python3"
STATE = "/var/lib/tbox"


RUN_S = 120
UNTIL_READ = """
until grep -q "all of it was read" /root/said; do kill -0 $! || { cat /root/said >&2; exit 1; }; sleep 0.2; done
kill $!; wait $!
"""
CONFINED = """
import ctypes, os, sys
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
rules = ctypes.c_void_p(library.seccomp_init(0x00050000 | 1))
for name in open("/root/allowed").read().split():
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        assert library.seccomp_rule_add(rules, 0x7FFF0000, number, 0) == 0, name
os.initgroups("tbox", int(sys.argv[2]))
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
os.umask(0o077)
assert library.seccomp_load(rules) == 0
try:
    os.nice(1)
except PermissionError:
    os.execv("/usr/bin/tbox", ["tbox", *sys.argv[3:]])
sys.exit("the filter does not hold")
"""
"""The unit's filter of system calls as systemd sets it (EPERM for the rest), for a user of these numbers, then tbox."""


class WrongError(Exception):
    """Something does not hold; the text says what was found."""


class Box:
    """A small Debian in a folder, and the packages for it."""

    def __init__(self, folder: Path, packages: Path) -> None:
        self.folder, self.packages = folder, packages

    def try_(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in there, in namespaces that end with it."""
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.folder}/proc"]
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        proxies = {name: text for name, text in os.environ.items() if name.lower().endswith("_proxy")}
        command = [*alone, "chroot", str(self.folder), *words]
        return subprocess.run(command, env=path | proxies, capture_output=True, text=True, check=False)

    def run(self, *words: str) -> str:
        """What it says. WrongError when it fails."""
        done = self.try_(*words)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-3:]
            raise WrongError(f"{' '.join(words[:4])} exits {done.returncode}: {' / '.join(last)}")
        return done.stdout

    def path(self, name: str) -> Path:
        """A path in there, from here."""
        return self.folder / name.lstrip("/")

    def apt(self, verb: str, *names: str) -> None:
        """apt-get, asking nothing, and keeping what was changed by hand."""
        options = ("-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold")
        self.run("apt-get", verb, *options, *names)

    def bring(self, name: str) -> str:
        """Copy a package in there: its path in there."""
        (found,) = self.packages.glob(f"{name}_*.deb")
        shutil.copy(found, self.folder / "root")
        return f"/root/{found.name}"


def expect(what: str, found: object, wanted: object) -> None:
    """WrongError unless they are the same."""
    if found != wanted:
        raise WrongError(f"{what}: {found!r}, not {wanted!r}")


def owned(box: Box, path: str) -> str:
    """Mode, user and group of a path in there."""
    return box.run("stat", "-c", "%a %U:%G", path).strip()


def install(box: Box) -> None:
    """Apt installs it with what it depends on; its user and folders are made, nothing is started."""
    box.apt("install", box.bring("tbox"))
    expect("state", owned(box, STATE), "700 tbox:tbox")
    expect("settings", owned(box, "/etc/tbox/tbox.toml"), "644 root:root")
    home, shell = box.run("getent", "passwd", "tbox").strip().split(":")[5:]
    expect("user", (home, shell), (STATE, "/usr/sbin/nologin"))
    box.run("test", "-e", "/lib/systemd/system/tbox.service")
    box.run("test", "-n", box.run("find", "/opt/tbox/lib", "-path", "*/agent/cli/__pycache__/__init__.*.pyc").strip())


def use(box: Box) -> None:
    """It tells its version, finds its settings good and an event in a recording; its user cannot change it."""
    version = box.run("dpkg-query", "-W", "-f", "${Version}", "tbox")
    expect("version", box.run("tbox", "--version").split(), ["tbox", version])
    box.run("tbox", "config", "check", "/etc/tbox/tbox.toml")
    shutil.copy(DRIVE, box.folder / "root")
    lines = box.run("tbox", "replay", "--json", "-", f"/root/{DRIVE.name}").splitlines()
    records = [json.loads(line) for line in lines]
    events = [record["event"] for record in records if record["record"] == "event"]
    expect("events", events, ["harsh_braking"])
    expect("may write", box.try_("setpriv", "--reuid=tbox", "--clear-groups", "test", "-w", "/opt/tbox").returncode, 1)


def confined(box: Box) -> None:
    """Under the unit's filter of system calls, as its user, the daemon keeps a drive that verifies."""
    box.path("/root/allowed").write_text("\n".join(sorted(filter_of(ROOT / "config" / "tbox.service"))))
    shutil.copy(DRIVE, box.path("/tmp"))
    box.path("/tmp/drive.toml").write_text(f'[device]\nstate_dir = "{STATE}"\n')
    box.path("/root/confined.py").write_text(CONFINED)
    numbers = box.run("id", "-u", "tbox").strip(), box.run("id", "-g", "tbox").strip()
    start = ("python3", "/root/confined.py", *numbers)
    run = shlex.join([*start, "run", "--config", "/tmp/drive.toml", "--recorded", f"/tmp/{DRIVE.name}"])
    box.run("timeout", str(RUN_S), "sh", "-c", f"{run} >/root/said 2>&1 & {UNTIL_READ}")
    box.run(*start, "verify", STATE)


def adapters(box: Box) -> None:
    """python-OBD is there with the package for adapters, and not without; nothing of it stays."""
    ask = (PYTHON, "-c", "import obd")
    expect("without", box.try_(*ask).returncode, 1)
    box.apt("install", box.bring("tbox-elm327"))
    box.run(*ask)
    box.apt("remove", "tbox-elm327")
    expect("after", box.try_(*ask).returncode, 1)
    expect("left", box.run("find", "/opt/tbox/lib", "-ipath", "*site-packages/pint*").split(), [])


def upgrade(box: Box) -> None:
    """The next version comes with other settings: those changed by hand stay, state too, and the new ones lie beside."""
    settings = box.path("/etc/tbox/tbox.toml")
    by_hand = settings.read_text() + "\n# by hand\n"
    settings.write_text(by_hand)
    box.path(STATE).joinpath("kept").touch()
    following = later(box)
    box.apt("install", following)
    expect("settings", settings.read_text() == by_hand, True)
    beside = settings.with_name("tbox.toml.dpkg-dist")
    expect("new settings beside", beside.exists() and beside.read_text().endswith(SHIPPED_NEXT), True)
    expect("state", box.path(STATE).joinpath("kept").exists(), True)
    expect("mode", owned(box, STATE), "700 tbox:tbox")
    box.run("tbox", "config", "check", "/etc/tbox/tbox.toml")


def later(box: Box) -> str:
    """The same package as a later version with other settings: its path in there."""
    (package,) = box.packages.glob("tbox_*.deb")
    with tempfile.TemporaryDirectory(prefix="tbox-deb-") as made:
        tree = Path(made) / "tree"
        subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
        control = tree / "DEBIAN" / "control"
        lines = control.read_text().splitlines()
        control.write_text(
            "".join(f"{line}+later\n" if line.startswith("Version: ") else f"{line}\n" for line in lines)
        )
        with (tree / "etc" / "tbox" / "tbox.toml").open("a") as file:
            file.write(SHIPPED_NEXT)
        words = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree), str(box.folder / "root" / "later.deb")]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return "/root/later.deb"


def remove(box: Box) -> None:
    """Removed, it leaves settings and state, and nothing of the program."""
    box.apt("remove", "tbox")
    expect("program", box.path("/opt/tbox").exists(), False)
    expect("state", box.path(STATE).joinpath("kept").exists(), True)
    expect("settings", box.path("/etc/tbox/tbox.toml").exists(), True)


def purge(box: Box) -> None:
    """Purged, it leaves nothing: no file, no folder, no user, no group."""
    box.apt("purge", "tbox")
    found = box.run("find", "/", "-xdev", "-iname", "*tbox*", "-not", "-path", "/root/*", "-not", "-path", "/proc/*")
    left = [path for path in found.split() if not path.startswith("/var/cache/apt")]
    expect("left", left, [])
    expect("user", box.try_("getent", "passwd", "tbox").returncode, 2)
    expect("group", box.try_("getent", "group", "tbox").returncode, 2)


CHECKS: tuple[Callable[[Box], None], ...] = (install, use, confined, adapters, upgrade, remove, purge)


def same(first: Path, second: Path) -> None:
    """Two builds give the same bytes."""
    names = sorted(path.name for path in first.glob("*.deb"))
    expect("packages", sorted(path.name for path in second.glob("*.deb")), names)
    _, differing, faulty = filecmp.cmpfiles(first, second, names, shallow=False)
    expect("differing", differing + faulty, [])


def build(source: Path, folder: Path) -> Path:
    """Make the packages; what the build says is shown when it fails. WrongError."""
    begin_s = time.monotonic()
    words = ["sh", str(source / "config" / "debian" / "build"), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WrongError(f"the build exits {done.returncode}: {done.stderr.strip()[-600:]}")
    print(f"built {folder.name} ({time.monotonic() - begin_s:.0f} s)", flush=True)
    return folder


def empty_root() -> Path:
    """A Debian with nothing in it that it does not need itself, made once. WrongError."""
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    root, unfinished = OUT / f"{RELEASE}-{arch}", OUT / f"{RELEASE}-{arch}.unfinished"
    if not root.exists():
        asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {RELEASE}"]
        mirrors = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        if not mirrors:
            raise WrongError(f"apt knows no mirror of {RELEASE} here")
        print(f"a root of {RELEASE} is made, once", flush=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        words = ["debootstrap", "--variant=minbase", RELEASE, str(unfinished), mirrors[0]]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WrongError(f"debootstrap exits {done.returncode}: {(done.stdout + done.stderr).strip()[-600:]}")
        unfinished.rename(root)
    return root


def main() -> int:
    """Two builds, then one check after the other."""
    if os.geteuid() != 0:
        print("a root of Debian is made here, which only root may do: sudo make deb-test", file=sys.stderr)
        return 2
    if shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        print("debootstrap is not installed: apt-get install debootstrap", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="tbox-deb-") as made:
            return _checked(Path(made))
    except KeyboardInterrupt:
        return 130


def _checked(folder: Path) -> int:
    """How many do not hold, as an exit code; a stage that the following ones need ends it."""
    try:
        source = shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(".*", "out", "*.so"))
        first = build(source, folder / "first")
        wrong = not _holds(same, first, build(source, folder / "second"))
        subprocess.run(["cp", "-a", empty_root(), folder / "root"], check=True)
    except WrongError as why:
        print(f"WRONG {why}", file=sys.stderr)
        return 1
    box = Box(folder / "root", first)
    shutil.copy("/etc/resolv.conf", box.path("/etc/resolv.conf"))
    box.run("apt-get", "-qq", "update")
    for check in CHECKS:
        wrong += not _holds(check, box)
    return bool(wrong)


def _holds(check: Callable[..., None], *given: object) -> bool:
    """Say whether it does."""
    begin_s, fault = time.monotonic(), ""
    try:
        check(*given)
    except WrongError as error:
        fault = f": {error}"
    print(f"{'WRONG' if fault else 'holds'} {check.__doc__} ({time.monotonic() - begin_s:.1f} s){fault}", flush=True)
    return not fault


if __name__ == "__main__":
    sys.exit(main())
