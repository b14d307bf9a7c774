"""What happens where in a sentence: words translated and gradients, by tenth of the sentence."""

from __future__ import annotations

import numpy as np

from nmt.evaluation.measures.measure import Share
from nmt.evaluation.measures.recall import FEWEST, PARTS, counts_by_part
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.resampling import Resamplers, score
from nmt.evaluation.results import GradientMap, PlaceRow
from nmt.evaluation.translations import Evaluations


def recall_by_place(
    evaluations: Evaluations, options: EvaluationOptions, resamplers: Resamplers | None = None
) -> list[PlaceRow]:
    """Returns the percentage of words translated for each bucket and tenth of the source, over all seeds.

    Empty where the corpus knows no links. A tenth with fewer than `FEWEST` words has no row.
    """
    if evaluations.any().known_links is None:
        return []
    resamplers = resamplers or Resamplers(options)
    counts = {}
    for system in evaluations.systems:
        counts[system] = [counts_by_part(evaluation) for evaluation in evaluations.of(system)]
    share = Share()
    rows = []
    for bucket in evaluations.buckets(options.bucket_bounds):
        if not resamplers.enough(len(bucket)):
            continue
        resampler = resamplers.of(len(bucket))
        for system, by_seed in counts.items():
            in_bucket = [of_seed[list(bucket.sentences)] for of_seed in by_seed]  # (N, PARTS, 2) each
            for place in range(PARTS):
                statistics = [of_seed[:, place] for of_seed in in_bucket]  # (N, 2) each
                words = int(statistics[0][:, 1].sum())
                if words < FEWEST:
                    continue
                band = resampler.band(share, statistics)
                row = PlaceRow(
                    system=system,
                    test_set=evaluations.test_set,
                    bucket=bucket.label,
                    place=place + 1,
                    words=words,
                    score=score(share, statistics),
                    low=band.low,
                    high=band.high,
                )
                rows.append(row)
    return rows


def gradient_rows(evaluations: Evaluations, options: EvaluationOptions) -> list[GradientMap]:
    """In each bucket, how far output words reach back: the mean over its probed sentences and all seeds."""
    rows = []
    for bucket in evaluations.buckets(options.bucket_bounds):
        for system in evaluations.systems:
            by_seed = evaluations.of(system)
            maps = [one.gradients[i] for one in by_seed for i in bucket.sentences if i in one.gradients]
            if not maps:
                continue
            shares = np.mean(maps, axis=0).round(2).tolist()
            probes = len(maps) // len(by_seed)
            rows.append(GradientMap(system, evaluations.test_set, bucket.label, probes, shares))
    return rows
