"""A comparison to a folder: page, tables, figures, sentences, TensorBoard."""

from __future__ import annotations

import logging
from pathlib import Path

from nmt.errors import UserError
from nmt.evaluation.results import Comparison, HeatMap
from nmt.report import figures, page, tables
from nmt.report.board import write_board

log = logging.getLogger("nmt")

READABLE_WORDS = range(7, 14)  # a sentence whose attention can be read on paper


def readable_maps(comparison: Comparison) -> dict[str, HeatMap]:
    """Of each system with attention, the map of the same sentence: the first of readable length that all have."""
    for sentences in comparison.sentences[:1]:
        for i in sentences.shown:
            maps = {system: found[i] for system, found in sentences.heat_maps.items() if i in found}
            if maps and len(maps) == len(sentences.heat_maps) and len(sentences.sources[i].split()) in READABLE_WORDS:
                return maps
    return {}


def write_report(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Writes every form of the report; returns the paths by file name. Raises UserError where it can't."""
    contents: dict[str, str | bytes] = {
        "report.json": tables.json_text(comparison),
        "scores.csv": tables.csv_text(comparison.rows),
        "report.md": tables.markdown_report(comparison),
    }
    for number, test_set in enumerate(comparison.test_sets):
        for metric in comparison.metrics:
            stem = f"{metric}_by_length" + (f"_{test_set}" if number else "")  # the first one's names are plain
            figure = figures.by_length(comparison, test_set, metric)
            contents[f"{stem}.png"] = figures.png_bytes(figure)
            contents[f"{stem}.svg"] = figures.svg_text(figure)
            contents[f"{stem}.tex"] = tables.latex_table(comparison, test_set, metric)
    for system, picture in readable_maps(comparison).items():
        figure = figures.heat_map(system, picture)
        contents[f"attention_{system}.png"] = figures.png_bytes(figure)
        contents[f"attention_{system}.svg"] = figures.svg_text(figure)
    for sentences in comparison.sentences:
        contents[f"sentences_{sentences.test_set}.jsonl"] = tables.jsonl_text(sentences)
    try:
        contents["index.html"] = page.html_text(comparison)
    except ModuleNotFoundError as error:
        log.warning("the report has no page index.html: %s is not installed (pip install plotly)", error.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if "index.html" not in contents:
            (folder / "index.html").unlink(missing_ok=True)  # of an earlier report
        for name, content in contents.items():
            (folder / name).write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
        write_board(comparison, folder / "tensorboard")
    except OSError as error:
        raise UserError(f"{folder}: the report cannot be written ({error.strerror})") from None
    return {name: folder / name for name in contents}
