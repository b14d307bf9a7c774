"""Checks a machine with a GPU: is every path right there, and what does each part cost?

  python scripts/gpu.py check --out FOLDER                 all stages on CUDA
  python scripts/gpu.py check --out FOLDER --device cpu    the same stages at tiny sizes, to try the check itself
  python scripts/gpu.py check --out FOLDER --only steps    one stage alone
  python scripts/gpu.py check --out FOLDER --seconds 165   no longer than that, all stages together
  python scripts/gpu.py measure --out FOLDER               speed of training and search, and Europarl by length

Every stage is a process with a time limit. A stage that fails or hangs doesn't stop the next, and makes the exit code
1; so does a stage for which no time is left. FOLDER/results.json and FOLDER/table.txt have a new row at once after
everything that was tried; FOLDER/STAGE.log holds what a stage printed. What the machine has not is a row "skipped" and
no failure. docs/gpu.md explains the rows.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from gpu_results import Report, Results, Row

ROOT = Path(__file__).resolve().parent.parent
ENDS = "NMT_STAGE_ENDS"  # tells a stage the time (of `time.time`) at which it will be killed


@dataclass(frozen=True)
class Known:
    """A stage by name: the function of that name in this module of scripts/."""

    module: str
    limit: float  # seconds


# In the order in which they run: where time is short, what no other machine can tell comes first.
STAGES = {
    "machine": Known("gpu_kernels", 60),
    "attention": Known("gpu_kernels", 60),
    "steps": Known("gpu_steps", 180),
    "doors": Known("gpu_doors", 180),
    "laws": Known("gpu_laws", 240),
    "resume": Known("gpu_doors", 120),
}
# In the order in which they run: what the project exists for comes last, and takes all the time that is left.
FIGURES = {
    "machine": Known("gpu_kernels", 60),
    "training": Known("gpu_measure", 240),
    "search": Known("gpu_measure", 180),
    "europarl": Known("gpu_measure", 900),
}


@dataclass(frozen=True)
class Stage:
    """A command with a time limit."""

    name: str
    command: list[str]
    limit: float  # seconds


def check(stages: Sequence[Stage], folder: Path, seconds: float = math.inf) -> int:
    """Runs all stages, one after the other, in so many seconds together.

    Returns the exit code: 1 where one has failed, was killed, or had no time left.
    """
    end = time.monotonic() + seconds
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(folder)
    results.clear()
    failed = False
    for stage in stages:
        known = len(results.rows())
        left = end - time.monotonic()
        if left > 0:
            row = run_stage(replace(stage, limit=min(stage.limit, left)), folder)
        else:
            row = Row(stage.name, "whole stage", "skipped", note="no time left")
        results.add(row)
        for new in results.rows()[known:]:
            print(new.line(), flush=True)
        if row.status != "ok":
            failed = True
    return int(failed)


def run_stage(stage: Stage, folder: Path) -> Row:
    """Runs one stage and returns the row that says how it ended. Nothing that it started outlives it."""
    began = time.monotonic()
    log = folder / f"{stage.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            stage.command,
            cwd=ROOT,
            env=_environment(stage.limit),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own, which can be killed as a whole
        )
        try:
            code: int | None = process.wait(timeout=stage.limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill_group(process)
    seconds = time.monotonic() - began
    if code is None:
        note = f"killed after its limit of {stage.limit:.3g} s; see {log.name}"
        return Row(stage.name, "whole stage", "timeout", seconds, "s", note=note)
    if code:
        return Row(stage.name, "whole stage", "failed", seconds, "s", note=f"exit code {code}; see {log.name}")
    return Row(stage.name, "whole stage", "ok", seconds, "s")


def _environment(limit: float) -> dict[str, str]:
    """The repository can be imported, what a stage prints reaches its log at once, and it knows its end."""
    places = [str(ROOT)]
    if "PYTHONPATH" in os.environ:
        places.append(os.environ["PYTHONPATH"])
    ours = {"PYTHONPATH": os.pathsep.join(places), "PYTHONUNBUFFERED": "1", ENDS: str(time.time() + limit)}
    return {**os.environ, **ours}


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stages_of(options: argparse.Namespace, work: str) -> list[Stage]:
    """The stages that were asked for, as calls of this script."""
    known = _known(options.command)
    stages = []
    for name in options.only:
        command = [sys.executable, str(Path(__file__).resolve()), "stage", name]
        command += ["--out", str(options.out), "--device", options.device, "--work", work]
        if options.tiny:
            command.append("--tiny")
        stages.append(Stage(name, command, known[name].limit))
    return stages


def _known(command: str) -> dict[str, Known]:
    if command == "measure":
        return FIGURES
    return STAGES


def run_inside(options: argparse.Namespace) -> int:
    """Runs one stage in this process. Returns the exit code."""
    from gpu_setting import Setting  # late: it needs torch, whose absence is for a stage to tell

    report = Report(Results(options.out), options.name, predicts=not options.tiny)
    ends = float(os.environ.get(ENDS, math.inf))
    setting = Setting(options.device, options.tiny, options.out, Path(options.work), ends)
    stage = getattr(importlib.import_module((STAGES | FIGURES)[options.name].module), options.name)
    stage(setting, report)
    return int(report.failures > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--out", type=Path, required=True, help="the folder of the results")
    shared.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    shared.add_argument("--tiny", action="store_true", help="tiny sizes; always so on a CPU")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("check", "is every path right?"), ("measure", "how fast is it, and how good?")):
        stages = tuple(_known(name))
        whole = commands.add_parser(name, parents=[shared], help=words)
        whole.add_argument(
            "--only", nargs="+", choices=stages, default=list(stages), help="these stages, in this order"
        )
        whole.add_argument(
            "--seconds", type=float, default=math.inf, help="for all stages together (default: no bound)"
        )
    one = commands.add_parser("stage", parents=[shared], help="runs one stage in this process, without a limit")
    one.add_argument("name", choices=tuple(STAGES | FIGURES))
    one.add_argument("--work", required=True, help="a folder for what need not be kept")
    options = parser.parse_args()
    options.out = options.out.absolute()
    options.tiny = options.tiny or options.device == "cpu"
    return options


def _stopped(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Runs what the command line asks for."""
    options = _arguments()
    if options.command == "stage":
        options.out.mkdir(parents=True, exist_ok=True)
        return run_inside(options)
    signal.signal(signal.SIGTERM, _stopped)  # so that the stage under way ends, too
    if options.device == "cpu":
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: a second thread costs more than it brings
    with tempfile.TemporaryDirectory(prefix="nmt-gpu-") as work:
        code = check(stages_of(options, work), options.out, options.seconds)
    print(f"in {options.out}")
    return code


if __name__ == "__main__":
    sys.exit(main())
