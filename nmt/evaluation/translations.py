"""A model and a test set in; plain text and scores out, kept in one folder of the run."""

from __future__ import annotations

import json
import math
import os
import time
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nmt.corpus.pair import Pair
from nmt.corpus.text.lines import lines_of
from nmt.corpus.text.links import Link
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.alignment import links
from nmt.evaluation.probes.gradients import gradient_maps
from nmt.evaluation.results import HeatMap, Picture, Row, spread
from nmt.evaluation.scores import EvaluationOptions, Metric, make_metrics
from nmt.progress import Progress

ATTENTION = "attention.npz"
PICTURED = 24  # sentences of up to so many words keep the attention of every head:
PICTURED_WORDS = 25
PROBES = 45  # sentences whose gradients are looked at: some seconds a test set
KEPT = ("shown", "seconds", "scores", "reference_scores", "links", "gradients")  # in evaluation.json as they are


@dataclass(frozen=True)
class Evaluation:
    """Translations of one test set by one run."""

    test_set: str
    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    seconds: float  # spent in search
    shown: list[int]  # sentences spread evenly over lengths, which keep their heat maps
    heat_maps: dict[int, HeatMap]  # by sentence; empty where the model has no attention
    scores: list[float]  # of each output, by the model itself: log-probability under the length penalty
    reference_scores: list[float]  # of each reference, by the same measure
    pictures: dict[int, Picture]  # of a few short ones
    links: dict[int, list[Link]]  # between the words of source and reference, where the model looked; as heat_maps
    gradients: dict[int, list[list[float]]]  # of a few sentences: percent by tenth of target and source
    _statistics: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    def statistics(self, metric: Metric) -> np.ndarray:
        """Of each sentence (N, K); made once, for some metrics are slow."""
        if metric.name not in self._statistics:
            self._statistics[metric.name] = metric.statistics(self.hypotheses, self.references)
        return self._statistics[metric.name]


def evaluate(
    translator: Translator, name: str, pairs: Sequence[Pair], folder: Path, identity: dict[str, Any], shown: int
) -> Evaluation:
    """Translates ``pairs`` and writes source.txt, reference.txt and hypothesis.txt into ``folder``.

    ``identity`` says what made them (checkpoint, search); where the folder already holds the translations of the same
    test set made by the same, they are read instead. ``shown`` sentences keep their attention weights.
    """
    if not pairs:
        raise UserError(f"test set '{name}' is empty; nothing can be scored")
    sources, references = [pair.source for pair in pairs], [pair.target for pair in pairs]
    chosen = spread([len(source.split()) for source in sources], shown)
    known = _read(folder, name, sources, references, chosen, identity)
    if known:
        return known
    start = time.monotonic()
    with Progress(f"translating {name}", "sentences", len(pairs)) as progress:
        translations = translator.translate(sources, attention_for=set(chosen), progress=progress.update)
    seconds = time.monotonic() - start
    heat_maps = {row: HeatMap.of(translations[row]) for row in chosen if translations[row].attention is not None}
    readable = [i for i, pair in enumerate(pairs) if pair.source.strip() and pair.target.strip()]
    probed = [readable[i] for i in spread([len(sources[i].split()) for i in readable], PROBES)]
    maps = gradient_maps(
        translator.model, translator.tokenizer, [sources[i] for i in probed], [references[i] for i in probed]
    )
    forced = translator.force(sources, references, attention_for=set(chosen))
    pictured = _pictured(sources, chosen)
    of_heads = translator.force(
        [sources[i] for i in pictured], [references[i] for i in pictured], range(len(pictured)), heads=True
    )
    pictures = {row: Picture.of(made) for row, made in zip(pictured, of_heads, strict=True) if made.heads is not None}
    evaluation = Evaluation(
        test_set=name,
        sources=sources,
        references=references,
        hypotheses=[translation.text for translation in translations],
        seconds=seconds,
        shown=chosen,
        heat_maps=heat_maps,
        scores=[translation.score for translation in translations],
        reference_scores=[translation.score for translation in forced],
        pictures=pictures,
        links={row: links(forced[row]) for row in chosen if forced[row].attention is not None},
        gradients={row: found.round(2).tolist() for row, found in zip(probed, maps, strict=True)},
    )
    _write(folder, evaluation, identity)
    return evaluation


def _pictured(sources: Sequence[str], shown: Sequence[int]) -> list[int]:
    """The sentences whose heads are kept."""
    short = [i for i in shown if 0 < len(sources[i].split()) <= PICTURED_WORDS]
    return [short[i] for i in spread([len(sources[i].split()) for i in short], PICTURED)]


def write_scores(folder: Path, rows: list[Row], options: EvaluationOptions) -> None:
    """scores.json beside the hypotheses it speaks of."""
    signatures = {metric.name: metric.signature for metric in make_metrics(options.metrics)}
    content = {"signatures": signatures, "options": asdict(options), "scores": [asdict(row) for row in rows]}
    (folder / "scores.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _write(folder: Path, evaluation: Evaluation, identity: dict[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "evaluation.json").unlink(missing_ok=True)
        for name in ("source", "reference", "hypothesis"):
            lines = getattr(evaluation, {"source": "sources", "reference": "references"}.get(name, "hypotheses"))
            (folder / f"{name}.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
        pieces = {row: [m.source_pieces, m.target_pieces] for row, m in evaluation.heat_maps.items()}
        pictures = {row: [p.source_pieces, p.target_pieces, p.heads.shape] for row, p in evaluation.pictures.items()}
        content = {"identity": identity, "pieces": pieces, "pictures": pictures}
        content |= {name: getattr(evaluation, name) for name in KEPT}
        flat = [heat_map.weights.ravel() for heat_map in evaluation.heat_maps.values()]
        heads = [picture.heads.ravel() for picture in evaluation.pictures.values()]
        nothing = np.zeros(0, np.uint8)
        np.savez_compressed(
            folder / ATTENTION, weights=np.concatenate([nothing, *flat]), heads=np.concatenate([nothing, *heads])
        )
        aside = folder / "evaluation.partial"
        aside.write_text(json.dumps(content), encoding="utf-8")
        os.replace(aside, folder / "evaluation.json")  # last: it vouches for the others
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error})") from None


def _read(
    folder: Path, name: str, sources: list[str], references: list[str], shown: list[int], identity: dict[str, Any]
) -> Evaluation | None:
    """What `_write` has written, if it is of this identity and whole."""
    try:
        content = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        texts = [list(lines_of(folder / f"{side}.txt")) for side in ("source", "reference", "hypothesis")]
        enough = set(shown) <= set(content["shown"]) and set(KEPT) <= content.keys()
        if (
            not enough
            or content["identity"] != identity
            or texts[:2] != [sources, references]
            or len(texts[2]) != len(sources)
        ):
            return None
        with np.load(folder / ATTENTION) as stored:
            weights, heads = stored["weights"], stored["heads"]
        heat_maps, pictures, start = {}, {}, 0
        for row, (source_pieces, target_pieces) in content["pieces"].items():
            shape = len(target_pieces), len(source_pieces)
            end = start + shape[0] * shape[1]
            heat_maps[int(row)] = HeatMap(source_pieces, target_pieces, weights[start:end].reshape(shape))
            start = end
        start = 0
        for row, (source_pieces, target_pieces, shape) in content["pictures"].items():
            end = start + math.prod(shape)
            pictures[int(row)] = Picture(source_pieces, target_pieces, heads[start:end].reshape(shape))
            start = end
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, UserError):
        return None
    heat_maps = {row: heat_maps[row] for row in shown if row in heat_maps}
    return Evaluation(
        test_set=name,
        sources=sources,
        references=references,
        hypotheses=texts[2],
        seconds=content["seconds"],
        shown=shown,
        heat_maps=heat_maps,
        scores=content["scores"],
        reference_scores=content["reference_scores"],
        pictures=pictures,
        links={int(row): [(s, t) for s, t in found] for row, found in content["links"].items() if int(row) in shown},
        gradients={int(row): found for row, found in content["gradients"].items()},
    )
