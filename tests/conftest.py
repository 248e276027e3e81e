"""On CI a skip that is not in this list fails: something that should have been tried was not."""

import os
import socket
from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest

EXPECTED_SKIPS = (
    "the contract is not beside the project",
    "the recordings are not beside the project",
    "asammdf is not installed",  # the extra mf4: numpy and pandas for one format
)


def has_vcan() -> bool:
    """Whether this kernel has CAN, and a link to try it on."""
    try:
        with closing(socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)) as raw:
            raw.bind(("vcan0",))
    except OSError:
        return False
    return True


collect_ignore = [] if has_vcan() else ["kernel"]


def judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn an unexpected skip into a failure that says why."""
    if not report.skipped or hasattr(report, "wasxfail") or not os.environ.get("CI"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(EXPECTED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"skipped on CI, and not expected in tests/conftest.py: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    judge(report)
    return report
