"""The translations of a test set in one folder of the run: texts that people read, and what else an evaluation holds.

`evaluation.json` vouches for the other files and is written last.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nmt.corpus.text.lines import lines_of
from nmt.corpus.text.links import Link
from nmt.errors import UserError
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.results import HeatMap, Picture, Row
from nmt.evaluation.translations import Evaluation, KnownLinks

ATTENTION = "attention.npz"  # one array a sentence: weights.17, and heads.17 of a few
KEPT = ("shown", "seconds", "scores", "reference_scores", "links", "gradients")  # in evaluation.json as they are
# What a file may do that is cut short, damaged or of an older form; the translations are then made again.
UNREADABLE = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error),
    *(ValueError, KeyError, TypeError, AttributeError),  # JSON of another form
    UserError,
)


def write_scores(folder: Path, evaluation: Evaluation, rows: list[Row], options: EvaluationOptions) -> None:
    """scores.json beside the hypotheses it speaks of."""
    content = {
        "signatures": options.signatures(evaluation.writing),
        "unit": evaluation.source_unit,
        "options": asdict(options),
        "scores": [asdict(row) for row in rows],
    }
    text = json.dumps(content, indent=1)
    (folder / "scores.json").write_text(text, encoding="utf-8")


def write_evaluation(folder: Path, evaluation: Evaluation, identity: dict[str, Any]) -> None:
    """Replaces what the folder held. ``identity`` says what made the translations. Raises UserError where it can't."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "evaluation.json").unlink(missing_ok=True)
        _write_texts(folder, evaluation)
        _write_attention(folder, evaluation)
        aside = folder / "evaluation.partial"
        text = json.dumps(_content(evaluation, identity))
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, folder / "evaluation.json")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error})") from None


def _write_texts(folder: Path, evaluation: Evaluation) -> None:
    texts = {
        "source": evaluation.sources,
        "reference": evaluation.references,
        "hypothesis": evaluation.hypotheses,
    }
    for name, lines in texts.items():
        text = "".join(line + "\n" for line in lines)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")


def _write_attention(folder: Path, evaluation: Evaluation) -> None:
    arrays: dict[str, np.ndarray] = {}
    for row, heat_map in evaluation.heat_maps.items():
        arrays[f"weights.{row}"] = heat_map.weights
    for row, picture in evaluation.pictures.items():
        arrays[f"heads.{row}"] = picture.heads
    np.savez_compressed(folder / ATTENTION, **arrays)  # type: ignore[arg-type]


def _content(evaluation: Evaluation, identity: dict[str, Any]) -> dict[str, Any]:
    """What evaluation.json holds."""
    content: dict[str, Any] = {
        "identity": identity,
        "pieces": {row: _pieces(heat_map) for row, heat_map in evaluation.heat_maps.items()},
        "pictures": {row: _pieces(picture) for row, picture in evaluation.pictures.items()},
    }
    for name in KEPT:
        content[name] = getattr(evaluation, name)
    return content


def _pieces(shown: HeatMap | Picture) -> list[list[str]]:
    return [shown.source_pieces, shown.target_pieces]


def read_evaluation(
    folder: Path,
    name: str,
    sources: list[str],
    references: list[str],
    shown: list[int],
    identity: dict[str, Any],
    known_links: KnownLinks | None,
) -> Evaluation | None:
    """What `write_evaluation` has written, if it is whole, of these texts and of this identity; None otherwise."""
    try:
        content = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        hypotheses = list(lines_of(folder / "hypothesis.txt", ours=True))
        same_sources = list(lines_of(folder / "source.txt", ours=True)) == sources
        same_references = list(lines_of(folder / "reference.txt", ours=True)) == references
        whole = len(hypotheses) == len(sources) and set(KEPT) <= content.keys()
        if not (whole and same_sources and same_references):
            return None
        enough_shown = set(shown) <= set(content["shown"])
        if not enough_shown or content["identity"] != identity:
            return None
        heat_maps, pictures = _read_attention(folder, content)
    except UNREADABLE:
        return None
    links: dict[int, list[Link]] = {}
    for row, of_row in content["links"].items():
        if int(row) in shown:
            links[int(row)] = [(source, target) for source, target in of_row]
    return Evaluation(
        test_set=name,
        sources=sources,
        references=references,
        hypotheses=hypotheses,
        seconds=content["seconds"],
        shown=shown,
        heat_maps={row: heat_maps[row] for row in shown if row in heat_maps},
        scores=content["scores"],
        reference_scores=content["reference_scores"],
        pictures=pictures,
        links=links,
        gradients={int(row): shares for row, shares in content["gradients"].items()},
        known_links=known_links,
    )


def _read_attention(folder: Path, content: dict[str, Any]) -> tuple[dict[int, HeatMap], dict[int, Picture]]:
    """Raises one of `UNREADABLE` where an array is not there."""
    heat_maps: dict[int, HeatMap] = {}
    pictures: dict[int, Picture] = {}
    with np.load(folder / ATTENTION) as arrays:
        for row, (source_pieces, target_pieces) in content["pieces"].items():
            weights = arrays[f"weights.{row}"].reshape(len(target_pieces), len(source_pieces))
            heat_maps[int(row)] = HeatMap(source_pieces, target_pieces, weights)
        for row, (source_pieces, target_pieces) in content["pictures"].items():
            heads = arrays[f"heads.{row}"]
            pictures[int(row)] = Picture(source_pieces, target_pieces, heads)
    return heat_maps, pictures
