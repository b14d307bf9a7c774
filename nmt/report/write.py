"""A comparison to a folder: page, tables, figures, sentences, TensorBoard."""

from __future__ import annotations

import logging
from pathlib import Path

from nmt.errors import UserError
from nmt.evaluation.results import Comparison, HeatMap
from nmt.report import figures, page
from nmt.report.board import write_board
from nmt.report.documents import markdown_report
from nmt.report.latex import latex_table
from nmt.report.records import csv_text, json_text, jsonl_text

log = logging.getLogger("nmt")

READABLE_WORDS = range(7, 14)  # a sentence whose attention can be read on paper


def readable_maps(comparison: Comparison) -> dict[str, HeatMap]:
    """Of each system with attention, the map of the same sentence: the first of readable length that all have."""
    if not comparison.sentences:
        return {}
    sentences = comparison.sentences[0]
    for row in sentences.shown:
        if len(sentences.sources[row].split()) not in READABLE_WORDS:
            continue
        maps = {system: of_system[row] for system, of_system in sentences.heat_maps.items() if row in of_system}
        if maps and len(maps) == len(sentences.heat_maps):
            return maps
    return {}


def write_report(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Writes every form of the report; returns the paths by file name. Raises UserError where it can't."""
    contents: dict[str, str | bytes] = {
        "report.json": json_text(comparison),
        "scores.csv": csv_text(comparison.rows),
        "report.md": markdown_report(comparison),
    }
    contents |= _figures(comparison)
    for sentences in comparison.sentences:
        contents[f"sentences_{sentences.test_set}.jsonl"] = jsonl_text(sentences)
    try:
        contents["index.html"] = page.html_text(comparison)
    except ModuleNotFoundError as error:
        log.warning("the report has no page index.html: %s is not installed (pip install plotly)", error.name)
    try:
        _write(folder, contents)
        write_board(comparison, folder / "tensorboard")
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror})") from None
    return {name: folder / name for name in contents}


def _figures(comparison: Comparison) -> dict[str, str | bytes]:
    """Curves with their LaTeX tables, and where each system looked in one sentence."""
    contents: dict[str, str | bytes] = {}
    for number, test_set in enumerate(comparison.test_sets):
        end = f"_{test_set}" if number else ""  # the names of the first one's are plain
        for metric in comparison.metrics:
            stem = f"{metric}_by_length{end}"
            figure = figures.by_length(comparison, test_set, metric)
            contents[f"{stem}.png"] = figures.png_bytes(figure)
            contents[f"{stem}.svg"] = figures.svg_text(figure)
            contents[f"{stem}.tex"] = latex_table(comparison, test_set, metric)
    for system, picture in readable_maps(comparison).items():
        figure = figures.heat_map(system, picture)
        contents[f"attention_{system}.png"] = figures.png_bytes(figure)
        contents[f"attention_{system}.svg"] = figures.svg_text(figure)
    return contents


def _write(folder: Path, contents: dict[str, str | bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in [folder / "index.html", *folder.glob("*_by_length*")]:  # of an earlier report, with other measures
        if old.name not in contents:
            old.unlink(missing_ok=True)
    for name, content in contents.items():
        if isinstance(content, str):
            content = content.encode("utf-8", "replace")
        (folder / name).write_bytes(content)
