"""Runs the comparisons of docs/results.md again, as far as minutes and device allow, and rewrites their tables.

  python scripts/reproduce.py                        all; corpora that are not here are fetched
  python scripts/reproduce.py --minutes 30           as far as 30 minutes go; the same command continues
  python scripts/reproduce.py --only demo multi30k   these alone

A comparison whose corpus can't be fetched is left out. An interrupted one keeps its runs, which continue from their
last checkpoints. A table is rewritten once its comparison has written a report.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time

import torch
from update_results import ROOT, update

CANNOT = 2  # exit code of a command that can't do what it is asked to

# Name of each comparison: the corpus that it needs ("" needs none).
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
    """Maps the name of each comparison to its command and to the corpus that it needs."""

    def compare(comparison: str, *options: str) -> list[str]:
        return [sys.executable, "-m", "nmt.compare", f"+comparison={comparison}", *options, f"device={device}"]

    commands = {"demo": (compare("demo"), ""), "multi30k": (compare("multi30k"), "multi30k_en_de")}
    if device == "cuda":
        commands["europarl"] = (compare("europarl"), "europarl_en_fr")
    else:
        commands["europarl-cpu"] = (compare("europarl_cpu"), "europarl_en_fr")
    for name, corpus in EVIDENCE.items():
        commands[name] = (compare(name), corpus)
    return commands


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
    for name, (command, corpus) in known.items():
        if asked.only and name not in asked.only:
            continue
        code = run(name, fetching(corpus), end) if corpus else 0
        if code == CANNOT:
            print(f"{name}: left out, {corpus} could not be fetched")
            continue
        if code:
            return code
        code = run(name, command, end)
        if code:
            return code
        update(ROOT / "runs" / name)
        print(f"{name}: its table is rewritten")
    return 0


def fetching(corpus: str) -> list[str]:
    """Returns the command that fetches a corpus, and does nothing where it is here."""
    return [sys.executable, "-m", "nmt.data", f"corpus={corpus}"]


def run(name: str, command: list[str], end: float) -> int:
    """Runs the command, asks it to save and stop when the time is up, and returns its exit code (3 if time ran out)."""
    print(f"{name}: {' '.join(command)}", flush=True)
    process = subprocess.Popen(command, cwd=ROOT)
    left = end - time.monotonic()
    try:
        return process.wait(timeout=None if left == float("inf") else max(left, 0.0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        process.wait()
        print(f"{name}: the time is up; the same command continues from here")
        return 3


if __name__ == "__main__":
    sys.exit(main())
