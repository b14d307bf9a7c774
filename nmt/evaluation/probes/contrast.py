"""Does a model like the right form better than a wrong one? Forced scores of both, by where they part.

After LingEval97 (Sennrich 2017): each source has a right translation and one with a single mistake, such as a verb that
does not agree with its subject.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.resampling import Resampler
from nmt.evaluation.results import Row
from nmt.evaluation.scores import EvaluationOptions, make_buckets
from nmt.evaluation.table import Share


def parting(right: str, wrong: str) -> int:
    """How many words both begin with: the place of the mistake, from 0."""
    pairs = zip(right.split(), wrong.split(), strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(right.split()), len(wrong.split())))


def contrast(
    translator: Translator,
    sources: Sequence[str],
    right: Sequence[str],
    wrong: Sequence[str],
    system: str,
    options: EvaluationOptions,
) -> list[Row]:
    """Percent of triples whose right side has the higher probability, with bands: by source length (metric
    ``preferred``), and by the place of the mistake in the target, from 1 (``preferred_by_place``).

    Raises UserError where there is nothing to compare.
    """
    if not sources:
        raise UserError("no triples to compare: the files are empty")
    for number, (one, other) in enumerate(zip(right, wrong, strict=True), 1):
        if not sources[number - 1].strip():
            raise UserError(f"line {number}: an empty source")
        if one.split() == other.split():
            raise UserError(f"line {number}: the right and the wrong side are the same ('{one[:60]}')")
    better = [
        a.score > b.score
        for a, b in zip(translator.force(sources, right), translator.force(sources, wrong), strict=True)
    ]
    statistics = np.array([[hit, 1] for hit in better], dtype=np.float64).reshape(-1, 2)
    # Texts as long as the place of the mistake is far, so that buckets of length are buckets of place.
    places = ["w " * (parting(a, b) + 1) for a, b in zip(right, wrong, strict=True)]
    rows = []
    for metric, texts in (("preferred", sources), ("preferred_by_place", places)):
        for bucket in make_buckets(texts, options.bucket_bounds):
            own, count = statistics[list(bucket.sentences)], len(bucket.sentences)
            value, low, high = float(100 * own[:, 0].mean()), None, None
            if count >= options.min_sentences:
                band = Resampler(count, options.resamples, options.confidence, options.seed).band(Share(), [own])
                low, high = band.low, band.high
            rows.append(Row(system, "", "contrast", bucket.label, count, metric, value, low, high))
    return rows
