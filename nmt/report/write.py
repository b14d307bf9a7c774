"""A comparison to a folder: page, tables, figures, sentences, TensorBoard."""

from __future__ import annotations

import logging
from pathlib import Path

from nmt.errors import not_written
from nmt.evaluation.results import Comparison, HeatMap, length_in
from nmt.report import figures, page
from nmt.report.board import write_board
from nmt.report.documents import markdown_report
from nmt.report.earlier import BOARD, files_of_report, other_settings
from nmt.report.latex import latex_table
from nmt.report.records import csv_text, json_text, jsonl_text
from nmt.swap import write_aside

log = logging.getLogger("nmt")

READABLE = range(7, 14)  # words, or characters, of a sentence whose attention can be read on paper


def readable_maps(comparison: Comparison) -> dict[str, HeatMap]:
    """Of each system with attention, the map of the same sentence: the first of readable length that all have."""
    if not comparison.sentences:
        return {}
    sentences = comparison.sentences[0]
    unit = comparison.unit(sentences.test_set)
    for row in sentences.shown:
        if length_in(unit, sentences.sources[row]) not in READABLE:
            continue
        maps = {system: of_system[row] for system, of_system in sentences.heat_maps.items() if row in of_system}
        if maps and len(maps) == len(sentences.heat_maps):
            return maps
    return {}


def write_report(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Writes every form of the report in the place of an earlier one; returns the paths by file name.

    Files of the earlier report go, the user's own stay. An earlier report of another baseline, of other systems, seeds
    or test sets is moved into a folder ``<folder>-N`` first, and a line says so. Raises NotKept on a read-only disk and
    another UserError where it can't be written, and leaves the earlier one.
    """
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

    def write(place: Path) -> None:
        _write(place, contents)
        write_board(comparison, place / BOARD)

    others: list[str] = []

    def keep() -> bool:
        other = other_settings(comparison, folder)
        others.append(other)
        return bool(other)

    try:
        kept = write_aside(folder, write, lambda: files_of_report(comparison, folder), keep)
    except OSError as error:
        raise not_written(error, folder) from None
    if kept:
        log.warning("%s: held a report of %s; it lies in %s now", folder, others[-1], kept)
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
    for name, content in contents.items():
        if isinstance(content, str):
            content = content.encode("utf-8", "replace")
        (folder / name).write_bytes(content)
