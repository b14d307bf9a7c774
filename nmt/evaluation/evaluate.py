"""A model and a test set in; plain text and scores out, kept in one folder of the run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nmt.corpus.pairs import Pair, lines_of
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.results import HeatMap, Row
from nmt.evaluation.scores import EvaluationOptions, make_metrics

HEAT_MAP_WORDS = (6, 14)  # source words of sentences whose attention can be read at a glance


@dataclass(frozen=True)
class Evaluation:
    """Translations of one test set by one run."""

    test_set: str
    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    seconds: float  # spent in search
    heat_maps: list[HeatMap]


def evaluate(
    translator: Translator, name: str, pairs: Sequence[Pair], folder: Path, identity: dict[str, Any]
) -> Evaluation:
    """Translates ``pairs`` and writes source.txt, reference.txt and hypothesis.txt into ``folder``.

    ``identity`` says what made them (checkpoint, search); where the folder already holds the translations of the same
    test set made by the same, they are read instead.
    """
    if not pairs:
        raise UserError(f"test set '{name}' is empty; nothing can be scored")
    sources, references = [pair.source for pair in pairs], [pair.target for pair in pairs]
    known = _read(folder, name, sources, references, identity)
    if known:
        return known
    start = time.monotonic()
    with tqdm(total=len(pairs), desc=f"translating {name}", unit=" sentences", leave=False, disable=None) as bar:
        translations = translator.translate(sources, progress=lambda done: bar.update(done - bar.n))
    seconds = time.monotonic() - start
    evaluation = Evaluation(
        name, sources, references, [t.text for t in translations], seconds, _heat_maps(translator, sources)
    )
    _write(folder, evaluation, identity)
    return evaluation


def write_scores(folder: Path, rows: list[Row], options: EvaluationOptions) -> None:
    """scores.json beside the hypotheses it speaks of."""
    signatures = {metric.name: metric.signature for metric in make_metrics(options.metrics)}
    content = {"signatures": signatures, "options": asdict(options), "scores": [asdict(row) for row in rows]}
    (folder / "scores.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _heat_maps(translator: Translator, sources: Sequence[str]) -> list[HeatMap]:
    """Attention of the first sentence of readable length."""
    low, high = HEAT_MAP_WORDS
    chosen = next((s for s in sources if low <= len(s.split()) <= high), None)
    if chosen is None or not translator.model.attends:
        return []
    [translation] = translator.translate([chosen], want_attention=True)
    if translation.attention is None:
        return []
    weights = np.round(translation.attention, 4).tolist()
    return [HeatMap("", list(translation.source_pieces), list(translation.target_pieces), weights)]


def _write(folder: Path, evaluation: Evaluation, identity: dict[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "evaluation.json").unlink(missing_ok=True)
        for name in ("source", "reference", "hypothesis"):
            lines = getattr(evaluation, {"source": "sources", "reference": "references"}.get(name, "hypotheses"))
            (folder / f"{name}.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
        content = {
            "identity": identity,
            "seconds": evaluation.seconds,
            "heat_maps": [asdict(heat_map) for heat_map in evaluation.heat_maps],
        }
        aside = folder / "evaluation.partial"
        aside.write_text(json.dumps(content), encoding="utf-8")
        os.replace(aside, folder / "evaluation.json")  # last: it vouches for the others
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error})") from None


def _read(
    folder: Path, name: str, sources: list[str], references: list[str], identity: dict[str, Any]
) -> Evaluation | None:
    try:
        content = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        texts = [list(lines_of(folder / f"{side}.txt")) for side in ("source", "reference", "hypothesis")]
    except (OSError, ValueError, UserError):
        return None
    if content["identity"] != identity or texts[:2] != [sources, references] or len(texts[2]) != len(sources):
        return None
    heat_maps = [HeatMap(**heat_map) for heat_map in content["heat_maps"]]
    return Evaluation(name, sources, references, texts[2], content["seconds"], heat_maps)
