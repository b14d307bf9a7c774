"""A comparison to a folder: page, tables, figures, sentences, TensorBoard."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from nmt.errors import UserError
from nmt.evaluation.results import Comparison, HeatMap, length_in
from nmt.report import figures, page
from nmt.report.board import folder_of, write_board
from nmt.report.documents import markdown_report
from nmt.report.latex import latex_table
from nmt.report.records import csv_text, json_text, jsonl_text
from nmt.report.swap import write_aside

log = logging.getLogger("nmt")

BOARD = "tensorboard"  # the folder of its files
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

    Files of the earlier report go, the user's own stay. Raises UserError where it can't, and leaves the earlier one.
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

    try:
        write_aside(folder, write, lambda: _outdated(comparison, folder))
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
    for name, content in contents.items():
        if isinstance(content, str):
            content = content.encode("utf-8", "replace")
        (folder / name).write_bytes(content)


def _outdated(comparison: Comparison, folder: Path) -> list[str]:
    """Names the files that a report before may have left: of its own or today's systems, test sets and measures.

    Whatever else lies in the folder is the user's.
    """
    systems = set(comparison.systems)
    test_sets = set(comparison.test_sets)
    metrics = {measure.name for measure in comparison.measures if not measure.explains}
    try:
        text = (folder / "report.json").read_text(encoding="utf-8")
        earlier = json.loads(text)
        systems.update(map(str, earlier["systems"]))
        test_sets.update(map(str, earlier["test_sets"]))
        metrics.update(map(str, earlier["metrics"]))
    except (OSError, ValueError, KeyError, TypeError):
        log.debug("%s: no earlier report that can be read", folder)
    names = ["index.html"]
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
    outdated = [name for name in names if "/" not in name]  # no name may lead out of the folder
    for system in systems:
        curves = folder / BOARD / folder_of(system)
        for path in curves.glob("events.out.tfevents.*"):
            name = path.relative_to(folder)
            outdated.append(name.as_posix())
    return outdated
