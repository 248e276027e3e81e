"""Nothing reaches a bus but past the guard: one place in Python, one in C, and no way round them in the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OPENED_BY = {"drivers/bus/can.py", "drivers/bus/socketcan.py"}
"""Files that have a bus of python-can in their hands."""

SENDERS = {"send", "send_periodic", "sendto", "sendmsg", "sendall", "Notifier", "ThreadSafeBus", "CyclicSendTask"}
A_BUS = re.compile(r"can$|can\.(Bus|ThreadSafe|Cyclic|Notifier|bus|interface|notifier|broadcast|\*)")
SYSTEM_CALLS = re.compile(r"\b(send|sendto|sendmsg|sendmmsg|write|writev|pwrite|splice)\s*\(")


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the daemon and its drivers."""
    for folder in ("drivers", "agent"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def names(tree: ast.AST) -> set[str]:
    """What a file imports, by its whole name."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def calls(tree: ast.AST) -> list[tuple[int, str]]:
    """Line and text of every call that could send."""
    return [
        (node.lineno, ast.unparse(node.func))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDERS
    ]


def test_only_two_files_can_open_a_bus() -> None:
    assert {name for name, tree in sources() if any(map(A_BUS.match, names(tree)))} == OPENED_BY


def test_no_file_opens_a_can_socket_by_itself() -> None:
    with_one = [path.name for path in (ROOT / "drivers").rglob("*.py") if re.search(r"\b[AP]F_CAN\b", path.read_text())]
    assert with_one == []


def test_python_writes_to_a_bus_in_one_place_right_behind_the_verdict() -> None:
    found = [(name, call) for name, tree in sources() if name in OPENED_BY for _, call in calls(tree)]
    assert found == [("drivers/bus/can.py", "self._bus.send")]
    tree = ast.parse((ROOT / "drivers" / "bus" / "can.py").read_text())
    send = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "send")
    verdict = next(at for at, node in enumerate(send.body) if "self._guard.frame(" in ast.unparse(node))
    written = next(at for at, node in enumerate(send.body) if "self._bus.send(" in ast.unparse(node))
    assert ast.unparse(send.body[verdict]).startswith("if (reason := self._guard.frame(t_us, identifier, data)):")
    assert verdict < written
    assert ast.unparse(send.body[1]).startswith("if self._guard is None:")


def test_c_writes_to_a_socket_in_one_place_behind_the_verdict() -> None:
    found = {path.name: SYSTEM_CALLS.findall(path.read_text()) for path in sorted((ROOT / "native").glob("*.c"))}
    assert {name: used for name, used in found.items() if used} == {"socketcan.c": ["send"]}
    text = (ROOT / "native" / "socketcan.c").read_text()
    function = text[text.index("int tbox_can_send(") :]
    assert (
        function.index("tbox_guard_send(guard,")
        < function.index("if (reason != TBOX_GUARD_PASSES) {")
        < function.index("send(self->fd")
    )


@pytest.mark.parametrize("word", ["guard", "transmit"])
def test_no_setting_is_about_the_guard(word: str) -> None:
    keys = re.findall(r"^#? ?\[?([\w.]+)\]? *=?", (ROOT / "config" / "tbox.toml").read_text(), re.MULTILINE)
    assert [key for key in keys if word in key] == []
