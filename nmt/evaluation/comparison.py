"""One test set compared in every respect, and several test sets put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nmt.corpus.text.links import Link
from nmt.corpus.text.writing import Unit
from nmt.evaluation.findings import find
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.places import gradient_rows, recall_by_place
from nmt.evaluation.resampling import Resamplers
from nmt.evaluation.results import (
    ALL,
    BucketInfo,
    DifferenceRow,
    Finding,
    GradientMap,
    PlaceRow,
    Row,
    SentenceSet,
)
from nmt.evaluation.table import compare_on
from nmt.evaluation.translations import Evaluations


@dataclass(frozen=True)
class TestSetResult:
    """All that a comparison says of one test set."""

    __test__ = False  # no test, whatever pytest takes it for

    test_set: str
    unit: Unit  # what lengths of its sources are counted in
    signatures: dict[str, str]  # by measure
    buckets: list[BucketInfo]
    rows: list[Row]
    differences: list[DifferenceRow]
    findings: list[Finding]
    places: list[PlaceRow]
    gradients: list[GradientMap]
    sentences: SentenceSet


def compare_test_set(evaluations: Evaluations, baseline: str, options: EvaluationOptions) -> TestSetResult:
    """Scores, tests and explains one test set of all systems and seeds. Its sentences are resampled once."""
    resamplers = Resamplers(options)
    rows, differences = compare_on(evaluations, baseline, options, resamplers)
    return TestSetResult(
        test_set=evaluations.test_set,
        unit=evaluations.source_unit,
        signatures=options.signatures(evaluations.writing),
        buckets=bucket_infos(evaluations, options),
        rows=rows,
        differences=differences,
        findings=find(evaluations, baseline, options, resamplers),
        places=recall_by_place(evaluations, options, resamplers),
        gradients=gradient_rows(evaluations, options),
        sentences=sentence_set(evaluations, options),
    )


def bucket_infos(evaluations: Evaluations, options: EvaluationOptions) -> list[BucketInfo]:
    """What a report is told of the buckets of a test set; each chosen measure says which are too short for it."""
    measures = options.measures(evaluations.writing)
    any_system = evaluations.any()  # the references are everyone's
    infos = []
    for bucket in evaluations.buckets(options.bucket_bounds):
        rows = list(bucket.sentences)
        too_short: list[str] = []
        if bucket.label != ALL:
            too_short = [m.name for m in measures if m.too_short(any_system.statistics(m)[rows])]
        info = BucketInfo(bucket.label, bucket.low, bucket.high, len(bucket), bucket.end, bucket.place, too_short)
        infos.append(info)
    return infos


def merged(parts: Sequence[TestSetResult]) -> dict[str, Any]:
    """The fields of a comparison that its test sets make."""
    fields: dict[str, Any] = {"test_sets": {}, "buckets": {}, "sentences": [], "units": {}}
    lists = ("rows", "differences", "findings", "places", "gradients")
    fields |= {name: [] for name in lists}
    for result in parts:
        fields["test_sets"][result.test_set] = {bucket.label: bucket.sentences for bucket in result.buckets}
        fields["buckets"][result.test_set] = result.buckets
        fields["sentences"].append(result.sentences)
        if result.unit is not Unit.WORDS:
            fields["units"][result.test_set] = str(result.unit)
        for name in lists:
            fields[name] += getattr(result, name)
    fields["signatures"] = _signatures(parts)
    return fields


def _signatures(parts: Sequence[TestSetResult]) -> dict[str, str]:
    """One signature a measure; where scripts make those of test sets differ, each with the test sets it is of."""
    test_sets: dict[str, dict[str, list[str]]] = {}  # by measure and signature
    for result in parts:
        for measure, signature in result.signatures.items():
            test_sets.setdefault(measure, {}).setdefault(signature, []).append(result.test_set)
    texts = {}
    for measure, by_signature in test_sets.items():
        named = [f"{signature} ({', '.join(names)})" for signature, names in by_signature.items()]
        texts[measure] = "; ".join(named) if len(named) > 1 else next(iter(by_signature))
    return texts


def sentence_set(evaluations: Evaluations, options: EvaluationOptions) -> SentenceSet:
    """The sentences of a test set, with the outputs of every system's first seed and the scores of each."""
    firsts = {system: evaluations.first(system) for system in evaluations.systems}
    shown = evaluations.any()
    scores: dict[str, dict[str, list[float]]] = {}
    for measure in options.measures(evaluations.writing):
        by_system = scores.setdefault(measure.name, {})
        for system, first in firsts.items():
            by_system[system] = measure.scores_of_sentences(first.statistics(measure)).tolist()
    gold: dict[int, list[Link]] = {}
    if shown.known_links is not None:
        for first in firsts.values():
            gold |= {row: list(shown.known_links[row]) for row in first.pictures}
    return SentenceSet(
        test_set=shown.test_set,
        buckets=_bucket_of_each(evaluations, options),
        sources=shown.sources,
        references=shown.references,
        outputs={system: first.hypotheses for system, first in firsts.items()},
        scores=scores,
        shown=shown.shown,
        heat_maps={system: first.heat_maps for system, first in firsts.items() if first.heat_maps},
        pictures={system: first.pictures for system, first in firsts.items() if first.pictures},
        gold=gold,
    )


def _bucket_of_each(evaluations: Evaluations, options: EvaluationOptions) -> list[str]:
    """The label of the bucket that each sentence belongs to."""
    labels = [""] * len(evaluations.any().sources)
    *parts, _ = evaluations.buckets(options.bucket_bounds)
    for bucket in parts:
        for row in bucket.sentences:
            labels[row] = bucket.label
    return labels
