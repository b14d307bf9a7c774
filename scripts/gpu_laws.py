"""The stage of `scripts/gpu.py` about the laws: the tests of models, loss, search and gradients, on the device."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from gpu_outcomes import FILE
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
SHOWN = 40  # failed tests, each of which has a row of its own
# Seconds before the end of the stage at which the tests are stopped, and of those the seconds to tell the tracebacks.
MARGIN = 10.0
FAREWELL = 5.0


def laws(setting: Setting, report: Report) -> None:
    """Runs the tests of models, loss, search and gradients on the device, until all are done or time is short."""
    outcomes = Outcomes(setting.out / "tests.jsonl", report)
    process = subprocess.Popen(_command(setting), env=_environment(setting, outcomes.path))
    began = time.time()
    stop = setting.ends - MARGIN
    is_stopped = False
    while process.poll() is None:
        if time.time() >= stop:
            _stop(process)
            is_stopped = True
        outcomes.read()
        time.sleep(0.2)
    outcomes.read()
    counts = outcomes.counts
    note = f"{counts['failed']} failed, {counts['skipped']} skipped"
    report.figure("tests passed", counts["passed"], "tests", note=note)
    if is_stopped:
        seconds = time.time() - began
        so_far = f"{counts['passed']} passed and {counts['failed']} failed so far"
        report.fail("pytest", f"stopped after {seconds:.0f} s: {so_far}; see laws.log")
    elif process.returncode and not counts["failed"]:
        report.fail("pytest", f"exit code {process.returncode}; see laws.log")


def _command(setting: Setting) -> list[str]:
    command = [sys.executable, "-m", "pytest", *LAWS, "-p", "no:cacheprovider", "-p", "gpu_outcomes"]
    command.append(f"--maxfail={SHOWN}")
    if _has("xdist") and not setting.tiny:
        command += ["-n", "6"]
    if _has("pytest_timeout"):
        command.append("--timeout=60")
    if setting.tiny:
        command += ["-k", FEW]
    return command


def _environment(setting: Setting, outcomes: Path) -> dict[str, str]:
    places = [str(Path(__file__).resolve().parent)]
    if "PYTHONPATH" in os.environ:
        places.append(os.environ["PYTHONPATH"])
    ours = {"NMT_TEST_DEVICE": setting.device, "PYTHONPATH": os.pathsep.join(places), FILE: str(outcomes)}
    return {**os.environ, **ours}


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupts pytest, which then tells the tracebacks so far. One that waits for the device can't, and is killed."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Outcomes:
    """The file that pytest writes: each failed test becomes a row, all are counted."""

    def __init__(self, path: Path, report: Report):
        self.path = path
        self.report = report
        self.counts: Counter[str] = Counter()  # by outcome: passed, failed, skipped
        path.write_text("", encoding="utf-8")

    def read(self) -> None:
        """Takes up the lines that are new since the last call."""
        text = self.path.read_text(encoding="utf-8")
        whole_lines = text[: text.rfind("\n") + 1].splitlines()
        for line in whole_lines[self.counts.total() :]:
            test = json.loads(line)
            self.counts[test["outcome"]] += 1
            if test["outcome"] == "failed":
                self.report.fail(_name(test["test"]), test["reason"])


def _name(test: str) -> str:
    """``tests/models/test_laws.py::test_law[gru]`` as ``test_laws: test_law[gru]``."""
    file, _, name = test.partition("::")
    return f"{Path(file).stem}: {name}"
