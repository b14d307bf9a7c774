"""Runs the results of README.md and docs/results.md again, as far as minutes and device allow, and rewrites them.

  python scripts/reproduce.py                        all that this machine has the data for
  python scripts/reproduce.py --minutes 30           as far as 30 minutes go; the same command goes on from there
  python scripts/reproduce.py --only demo multi30k   these alone

A comparison that is cut keeps what it has: its systems go on from their last checkpoints. A table is rewritten when
its comparison has come to its report.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from update_readme import ROOT, update

DATA = Path(os.environ.get("NMT_DATA", ROOT / "../shared/data"))

# By name of the comparison: the folder that it needs under NMT_DATA.
EVIDENCE = {
    "attentions": "",
    "capacity_copy": "",
    "capacity_recall": "",
    "guided": "",
    "fixed_states": "",
    "length_generalisation": "",
    "precision": "",
    "scan": "scan",
}


def results(device: str) -> dict[str, tuple[list[str], str]]:
    """Name of each comparison: the command that makes it, and the folder that it needs under NMT_DATA."""
    compare = [sys.executable, "-m", "nmt.compare"]
    gpu = device == "cuda"
    europarl = ["scripts/europarl.sh", *(("3", "cuda") if gpu else ("8", "cpu", "decoding.beam_size=1"))]
    return {
        "demo": ([*compare, "+comparison=demo", f"device={device}"], ""),
        "multi30k": ([*compare, "+comparison=multi30k", f"device={device}"], "multi30k"),
        "europarl" if gpu else "europarl-cpu": (europarl, "europarl-en-fr"),
        **{name: ([*compare, f"+comparison={name}", f"device={device}"], data) for name, data in EVIDENCE.items()},
    }


def main() -> int:
    """Exit code 0 when all is done, 3 when time ran out, else that of the command that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="wall clock for all (no limit)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="demo, multi30k, europarl, capacity_copy, ...")
    asked = parser.parse_args()
    device = asked.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    known = results(device)
    for name in asked.only or ():
        if name not in known:
            parser.error(f"--only {name}: on {device} there are {', '.join(known)}")
    end = time.monotonic() + 60 * asked.minutes
    for name, (command, data) in known.items():
        if asked.only and name not in asked.only:
            continue
        if data and not (DATA / data).is_dir():
            print(f"{name}: left out, {DATA / data} is not there; set NMT_DATA to the folder that holds it")
            continue
        code = run(name, command, end)
        if code:
            return code
        update(ROOT / "runs" / name)
        print(f"{name}: its table is rewritten")
    return 0


def run(name: str, command: list[str], end: float) -> int:
    """The command until the end of the time, when it is asked to save and stop."""
    print(f"{name}: {' '.join(command)}", flush=True)
    environment = {**os.environ, "PYTHON": sys.executable}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    left = end - time.monotonic()
    try:
        return process.wait(timeout=None if left == float("inf") else max(left, 0.0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        process.wait()
        print(f"{name}: the time is up; the same command goes on from there")
        return 3


if __name__ == "__main__":
    sys.exit(main())
