"""A plugin of pytest that writes each test's outcome at once, so that a run which is cut short keeps what it found.

NMT_TEST_OUTCOMES=tests.jsonl python -m pytest -p gpu_outcomes ...      with scripts/ in PYTHONPATH
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

FILE = "NMT_TEST_OUTCOMES"  # names the file: a line of JSON for each test


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Writes how a test ended. What passes before and after the test itself is no test."""
    if report.when == "call" or not report.passed:
        _write(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Writes which file could not be read."""
    if report.failed:
        _write(report)


def _write(report: pytest.TestReport | pytest.CollectReport) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:  # the process that started it hears of the test, too
        return
    line = {"test": report.nodeid, "outcome": report.outcome}
    if report.failed:
        line["reason"] = _reason(report)
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The first line of the error's message, or what pytest marks as the error where it gives none."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        lines = crash.message.strip().splitlines()
    else:
        whole = str(report.longrepr).splitlines()
        marked = [line.removeprefix("E").strip() for line in whole if line.startswith("E ")]
        lines = marked or whole
    return (lines or ["no message"])[0][:200]
