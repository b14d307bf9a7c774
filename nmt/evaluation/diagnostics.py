"""What stands beside a score and may explain it: one number for each bucket, from texts, scores and links."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from nmt.evaluation.alignment import Link, error_counts, error_rate, merge
from nmt.evaluation.evaluate import Evaluation
from nmt.evaluation.recall import recalled

Texts = Sequence[str]
Rows = Sequence[int]  # sentences of a bucket
Gold = Sequence[Sequence[Link]]  # the known links of every sentence between source and reference
REPEATED_WORDS = 4  # in a row


def length_ratio(hypotheses: Texts, references: Texts) -> float:
    """Output words over reference words: below 1, things are left out."""
    return _words(hypotheses) / max(_words(references), 1)


def brevity_penalty(hypotheses: Texts, references: Texts) -> float:
    """What brevity alone multiplies BLEU with (Papineni 2002, section 2.3), over words."""
    ratio = length_ratio(hypotheses, references)
    return 1.0 if ratio >= 1 else math.exp(1 - 1 / ratio) if ratio > 0 else 0.0


def repetition(hypotheses: Texts) -> float:
    """Percent of the 4-grams of an output that stood in it before (Welleck 2020, section 6.1: seq-rep-4)."""
    grams = repeated = 0
    for hypothesis in hypotheses:
        words = hypothesis.split()
        seen = {tuple(words[i : i + REPEATED_WORDS]) for i in range(len(words) - REPEATED_WORDS + 1)}
        count = max(len(words) - REPEATED_WORDS + 1, 0)
        grams, repeated = grams + count, repeated + count - len(seen)
    return 100 * repeated / max(grams, 1)


def _words(texts: Texts) -> int:
    return sum(len(text.split()) for text in texts)


def _texts(evaluation: Evaluation, rows: Rows) -> tuple[list[str], list[str]]:
    return [evaluation.hypotheses[i] for i in rows], [evaluation.references[i] for i in rows]


def _search_error(evaluation: Evaluation, rows: Rows, gold: Gold | None) -> float | None:
    """Percent of sentences whose reference the model itself likes better than what search found: the search's fault.

    Of the others, the model's (Stahlberg and Byrne 2019, section 2, with the reference for the global optimum: a lower
    bound).
    """
    if not rows:
        return None
    return 100 * float(np.mean([evaluation.reference_scores[i] > evaluation.scores[i] + 1e-6 for i in rows]))


def _alignment_error(evaluation: Evaluation, rows: Rows, gold: Gold | None) -> float | None:
    """Percent, of the links read off attention over the reference; where links are known and the model attends."""
    linked = [i for i in rows if i in evaluation.links]
    if gold is None or not linked:
        return None
    return error_rate([error_counts(evaluation.links[i], gold[i], gold[i]) for i in linked])


def _attention_entropy(evaluation: Evaluation, rows: Rows, gold: Gold | None) -> float | None:
    """Nats, of the weights over source words, averaged over output words."""
    found = [merge(evaluation.heat_maps[i]) for i in rows if i in evaluation.heat_maps]
    entropies = [-(w * np.log(np.maximum(w, 1e-12))).sum(axis=1) for w in found if w.size]
    return float(np.concatenate(entropies).mean()) if entropies else None


def _recall(evaluation: Evaluation, rows: Rows, gold: Gold | None) -> float | None:
    """Percent of source words whose translation appears, where links are known."""
    if gold is None:
        return None
    hits = [hit for i in rows for hit in recalled(evaluation.references[i], evaluation.hypotheses[i], gold[i]).values()]
    return 100 * float(np.mean(hits)) if hits else None


def _gradient_near(evaluation: Evaluation, rows: Rows, gold: Gold | None) -> float | None:
    """Percent of an output word's gradient that falls within a tenth of its own place; 28 if it were spread evenly."""
    maps = [np.array(evaluation.gradients[i]) for i in rows if i in evaluation.gradients]
    if not maps:
        return None
    place = np.arange(maps[0].shape[0])
    near = np.abs(place[:, None] - place) <= 1
    return float(np.mean([found[near].sum() / len(place) for found in maps]))


Diagnosis = Callable[[Evaluation, Rows, Gold | None], float | None]
DIAGNOSES: dict[str, Diagnosis] = {
    "length_ratio": lambda evaluation, rows, gold: length_ratio(*_texts(evaluation, rows)),
    "brevity_penalty": lambda evaluation, rows, gold: brevity_penalty(*_texts(evaluation, rows)),
    "repetition": lambda evaluation, rows, gold: repetition(_texts(evaluation, rows)[0]),
    "recall": _recall,
    "search_error": _search_error,
    "alignment_error": _alignment_error,
    "attention_entropy": _attention_entropy,
    "gradient_near": _gradient_near,
}
