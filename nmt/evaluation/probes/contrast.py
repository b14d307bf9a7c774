"""Does a model like the right form better than a wrong one? Forced scores of both, by where they part.

After LingEval97 (Sennrich 2017): each source has a right translation and one with a single mistake, such as a verb that
does not agree with its subject.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nmt.corpus.text.lines import is_blank
from nmt.corpus.text.writing import Unit, Writing
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.buckets import Bucket, make_buckets
from nmt.evaluation.measures.measure import Share
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.resampling import Resamplers
from nmt.evaluation.results import MeasureInfo, Row

PREFERRED = MeasureInfo("preferred", "right form preferred", "%")
PREFERRED_BY_PLACE = MeasureInfo("preferred_by_place", "right form preferred", "%")


def parting(right: str, wrong: str, unit: Unit = Unit.WORDS) -> int:
    """How many words, or characters, both begin with: the place of the mistake, from 0."""
    pairs = zip(unit.of(right), unit.of(wrong), strict=False)
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
    return sum(1 for _ in alike)


def contrast(
    translator: Translator,
    sources: Sequence[str],
    right: Sequence[str],
    wrong: Sequence[str],
    system: str,
    options: EvaluationOptions,
    sentences: Sequence[str] = (),
) -> list[Row]:
    """Percent of triples whose right side has the higher probability, with bands: by source length (`PREFERRED`), and
    by the place of the mistake in the target, from 1 (`PREFERRED_BY_PLACE`); each side in words, or in characters
    where its script has no spaces. ``sentences``: the sources without tags, where they have some.

    Raises UserError where there is nothing to compare.
    """
    unit = Writing.of(right).unit
    _check(sources, right, wrong, unit)
    hits = []
    forced_right = translator.force(sources, right)
    forced_wrong = translator.force(sources, wrong)
    for right_one, wrong_one in zip(forced_right, forced_wrong, strict=True):
        hit = right_one.score > wrong_one.score
        hits.append([hit, 1])
    statistics = np.array(hits, dtype=np.float64)  # (N, 2)
    resamplers = Resamplers(options)
    counted = sentences or sources
    lengths = Writing.of(counted).unit.lengths(counted)
    places = [parting(one, other, unit) + 1 for one, other in zip(right, wrong, strict=True)]
    rows = []
    for measure, of_sentences in ((PREFERRED, lengths), (PREFERRED_BY_PLACE, places)):
        for bucket in make_buckets(of_sentences, options.bucket_bounds):
            in_bucket = statistics[list(bucket.sentences)]
            rows.append(_row(system, measure, bucket, in_bucket, resamplers))
    return rows


def _check(sources: Sequence[str], right: Sequence[str], wrong: Sequence[str], unit: Unit) -> None:
    if not sources:
        raise UserError("no triples to compare: the files are empty")
    for number, (source, right_one, wrong_one) in enumerate(zip(sources, right, wrong, strict=True), 1):
        if is_blank(source):
            raise UserError(f"line {number}: an empty source")
        if unit.of(right_one) == unit.of(wrong_one):
            raise UserError(f"line {number}: the right and the wrong side are the same ('{right_one[:60]}')")


def _row(system: str, measure: MeasureInfo, bucket: Bucket, statistics: np.ndarray, resamplers: Resamplers) -> Row:
    """Of the hits and ones (N, 2) of a bucket."""
    value = float(100 * statistics[:, 0].mean())
    row = Row(system, "", "contrast", bucket.label, len(bucket), measure.name, value)
    if not resamplers.enough(len(bucket)):
        return row
    resampler = resamplers.of(len(bucket))
    band = resampler.band(Share(), [statistics])
    return replace(row, low=band.low, high=band.high)
