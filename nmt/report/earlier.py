"""The report that lies in a folder already: which files are its own, and whether it is one of the same settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nmt.evaluation.results import Comparison
from nmt.report.board import folder_of

BOARD = "tensorboard"  # the folder of its files
RECORD = "report.json"
ALWAYS = ("index.html", "report.md", "scores.csv", RECORD)
# What any report may hold: of one whose record can't be read, systems and test sets are not known.
PATTERNS = (
    *("*_by_length*.png", "*_by_length*.svg", "*_by_length*.tex"),
    *("attention_*.png", "attention_*.svg", "sentences_*.jsonl", f"{BOARD}/*/events.out.tfevents.*"),
)


def other_settings(comparison: Comparison, folder: Path) -> str:
    """Returns in what the report in ``folder`` is of other settings than ``comparison``.

    Empty where it is of the same baseline, systems, seeds and test sets, or no report is there.
    """
    record = _record_in(folder)
    if record is None:
        is_report = any((folder / name).exists() for name in (RECORD, "report.md", "scores.csv"))
        return "settings that it does not tell" if is_report else ""
    runs = [{"seed": run.seed} for run in comparison.runs]
    now = _settings_of({**vars(comparison), "runs": runs})
    for name, earlier in _settings_of(record).items():
        if earlier != now[name]:
            return f"{name}={_written(earlier)}, not {_written(now[name])}"
    return ""


def files_of_report(comparison: Comparison, folder: Path) -> list[str]:
    """Names the files that a report before may have left: of its own or today's systems, test sets and measures.

    Whatever else lies in the folder is the user's.
    """
    systems = set(comparison.systems)
    test_sets = set(comparison.test_sets)
    metrics = {measure.name for measure in comparison.measures if not measure.explains}
    record = _record_in(folder)
    names = list(ALWAYS)
    if record is not None:
        systems.update(map(str, record["systems"]))
        test_sets.update(map(str, record["test_sets"]))
        metrics.update(map(str, record["metrics"]))
    elif other_settings(comparison, folder):
        for pattern in PATTERNS:
            for path in folder.glob(pattern):
                name = path.relative_to(folder)
                names.append(name.as_posix())
    for metric in metrics:
        stems = [f"{metric}_by_length"]
        for test_set in test_sets:
            stems.append(f"{metric}_by_length_{test_set}")
        for stem in stems:
            names += [
                f"{stem}.png",
                f"{stem}.svg",
                f"{stem}.tex",
            ]
    for test_set in test_sets:
        names.append(f"sentences_{test_set}.jsonl")
    for system in systems:
        stem = f"attention_{system}"
        names += [
            f"{stem}.png",
            f"{stem}.svg",
        ]
    own = [name for name in names if "/" not in name or name.startswith(f"{BOARD}/")]
    own = [name for name in own if ".." not in name.split("/")]  # no name may lead out of the folder
    for system in systems:
        curves = folder / BOARD / folder_of(system)
        for path in curves.glob("events.out.tfevents.*"):
            name = path.relative_to(folder)
            own.append(name.as_posix())
    return own


def _record_in(folder: Path) -> dict[str, Any] | None:
    """Returns what report.json holds; None where there is none that can be read."""
    try:
        text = (folder / RECORD).read_text(encoding="utf-8")
        record: dict[str, Any] = json.loads(text)
        _settings_of(record)
        list(record["metrics"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record


def _settings_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what makes a report another one, of what report.json holds."""
    seeds = {str(run["seed"]) for run in record["runs"]}
    return {
        "baseline": str(record["baseline"]),
        "systems": sorted(map(str, record["systems"])),
        "seeds": sorted(seeds),
        "test_sets": sorted(map(str, record["test_sets"])),
    }


def _written(setting: str | list[str]) -> str:
    if isinstance(setting, str):
        return setting
    return f"[{','.join(setting)}]"
