"""The stage of `scripts/gpu.py` about the laws: the tests of models, loss, search and gradients, on the device."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from xml.etree import ElementTree

from gpu_results import Report
from gpu_setting import Setting

LAWS = [
    "tests/models/test_laws.py",
    "tests/models/test_cells.py",
    "tests/kernels",
    "tests/models/test_attention.py",
    "tests/models/test_hard_attention.py",
    "tests/models/test_transformer.py",
    "tests/training/test_loss.py",
    "tests/decoding/test_search.py",
    "tests/evaluation/test_gradients.py",
]
# Of the 104 systems under the laws, a few of every family.
FEW = "not test_laws or fixed-lstm or fixed-gru or additive-previous or general-current-fed or transformer-sinusoidal"
SHOWN = 40  # failed tests with a row of their own


def laws(setting: Setting, report: Report) -> None:
    """Runs the tests of models, loss, search and gradients on the device."""
    junit = setting.out / "tests.xml"
    command = [sys.executable, "-m", "pytest", *LAWS, "-p", "no:cacheprovider", f"--maxfail={SHOWN}"]
    command.append(f"--junitxml={junit}")
    if _has("xdist") and not setting.tiny:
        command += ["-n", "6"]
    if _has("pytest_timeout"):
        command.append("--timeout=60")
    if setting.tiny:
        command += ["-k", FEW]
    junit.unlink(missing_ok=True)
    environment = {**os.environ, "NMT_TEST_DEVICE": setting.device}
    code = subprocess.run(command, env=environment, check=False).returncode
    if not junit.is_file():
        report.fail("pytest", f"exit code {code} and no tests.xml")
        return
    cases = list(ElementTree.parse(junit).getroot().iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    passed = len(cases) - len(failed) - len(skipped)
    report.figure("tests passed", passed, "tests", note=f"{len(failed)} failed, {len(skipped)} skipped")
    for case in failed[:SHOWN]:
        report.fail(_name(case), _reason(case))
    if code and not failed:
        report.fail("pytest", f"exit code {code}; see laws.log")


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _name(case: ElementTree.Element) -> str:
    file = case.attrib["classname"].rpartition(".")[2]
    return f"{file}: {case.attrib['name']}"


def _reason(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        element = case.find(kind)
        if element is not None:
            message = element.attrib.get("message", "").strip() or "no message"
            return message.splitlines()[0][:200]
    return ""
