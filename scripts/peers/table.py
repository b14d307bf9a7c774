"""Markdown of a side-by-side benchmark's results, for scripts/update_results.py.

  python scripts/peers/table.py $LAB/results runs/peers

Every file PEER.CONF[.KIND].ROUND.json holds the clock of one training run, every line of decode.tsv a search. Told are
medians over all windows of five steps of all rounds, the first ten steps of each left out.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path

from nmt.report.tables import markdown_table
from nmt.run import git_commit, machine

WARM, WINDOW = 10, 5
NAMES = {
    "nmt": "**nmt**",
    "ct2": "CTranslate2 alone",
    "eole": "Eole",
    "hf": "Hugging Face Marian",
    "joeynmt": "JoeyNMT",
    "onmt": "OpenNMT-py",
    "sockeye": "Sockeye",
}
KINDS = {"ct2": "through CTranslate2"}


def windows(run: dict) -> list[float]:
    """Target tokens a second, without padding."""
    times, tokens = run["times"], run["tokens"]
    starts = range(WARM, len(times) - WINDOW + 1, WINDOW)
    return [sum(tokens[i : i + WINDOW]) / (times[i + WINDOW - 1] - times[i - 1]) for i in starts]


def label(stem: str) -> tuple[str, str]:
    """nmt.tsmall.fp32 to configuration and system."""
    peer, configuration, *kind = stem.split(".")
    kind = [KINDS.get(part, part) for part in kind if part != "beam5"]
    return configuration, ", ".join(filter(None, [NAMES.get(peer, peer), " ".join(kind)]))


def training(folder: Path) -> list[list[str]]:
    runs: dict[str, list[dict]] = {}
    for path in sorted(folder.glob("*.json")):
        runs.setdefault(re.sub(r"\.\d+$", "", path.stem), []).append(json.loads(path.read_text(encoding="utf-8")))
    rows = []
    for stem, found in runs.items():
        rates = [rate for run in found for rate in windows(run)]
        if not rates:
            continue
        padding = 100 * (1 - sum(map(sum, (r["tokens"] for r in found))) / sum(map(sum, (r["cells"] for r in found))))
        first = statistics.median(run["times"][0] - run["t0"] for run in found)
        memory = statistics.median(run["rss_kb"] for run in found) / 1024
        told = f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
        row = [*label(stem), told, f"{padding:.1f}", f"{first:.1f}", f"{memory:,.0f}", str(len(found))]
        rows.append((row[0], -statistics.median(rates), row))
    return [row for *_, row in sorted(rows)]  # by model, the fastest first


def searching(path: Path) -> list[list[str]]:
    found: dict[str, list[float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        name, rate, *_ = line.split("\t")
        found.setdefault(name, []).append(float(rate.split(" ")[0]))
    rows = [[*label(name), f"{statistics.median(rates):.1f}"] for name, rates in found.items()]
    return sorted(rows, key=lambda row: (row[0], -float(row[2])))


def main() -> None:
    results, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    header = ["model", "system", "target tokens/s", "padding, %", "first step after, s", "peak memory, MB", "rounds"]
    parts = ["Training:", markdown_table(header, training(results))]
    parts += [
        "Beam search of 5:",
        markdown_table(["model", "system", "sentences/s"], searching(results / "decode.tsv")),
    ]
    parts.append(
        f"In brackets: the lowest and the highest of five steps. Commit: `{git_commit()}`. Machine: `{machine()}`."
    )
    (output / "benchmark.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
