"""What stands beside a score and may explain it: one number for each bucket, from texts, scores, links and gradients.

Each is a ratio of sums over sentences, so that it has a band as a score has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nmt.corpus.text.links import Link
from nmt.evaluation.alignment import error_counts, merge
from nmt.evaluation.recall import recalled
from nmt.evaluation.translations import Evaluation

Gold = Sequence[Sequence[Link]]  # the known links of every sentence between source and reference
REPEATED_WORDS = 4  # in a row
Count = Callable[[Evaluation, int, Gold], tuple[float, float]]


@dataclass(frozen=True)
class Diagnosis:
    """``count`` gives part and whole of one sentence: (0, 0) where there is nothing to see, as without known links."""

    count: Count
    of_ratio: Callable[[np.ndarray], np.ndarray]  # from part over whole
    needs_gold: bool = False

    def statistics(self, evaluation: Evaluation, gold: Gold | None) -> np.ndarray:
        """Part and whole of every sentence (N, 2)."""
        count = len(evaluation.sources)
        if self.needs_gold and gold is None:
            return np.zeros((count, 2))
        return np.array([self.count(evaluation, i, gold or ()) for i in range(count)], dtype=np.float64)

    def many(self, totals: np.ndarray) -> np.ndarray:
        """Of sums (R, 2): (R,)."""
        return self.of_ratio(totals[:, 0] / np.maximum(totals[:, 1], 1e-9))


def _length(evaluation: Evaluation, row: int, gold: Gold) -> tuple[float, float]:
    return len(evaluation.hypotheses[row].split()), len(evaluation.references[row].split())


def _brevity_penalty(ratio: np.ndarray) -> np.ndarray:
    """What brevity alone multiplies BLEU with (Papineni 2002, section 2.3), over words."""
    return np.where(ratio >= 1, 1.0, np.exp(1 - 1 / np.maximum(ratio, 1e-3)))


def _repetition(evaluation: Evaluation, row: int, gold: Gold) -> tuple[float, float]:
    """4-grams of an output that stood in it before (Welleck 2020, section 6.1: seq-rep-4)."""
    words = evaluation.hypotheses[row].split()
    count = max(len(words) - REPEATED_WORDS + 1, 0)
    return count - len({tuple(words[i : i + REPEATED_WORDS]) for i in range(count)}), count


def _recall(evaluation: Evaluation, row: int, gold: Gold) -> tuple[float, float]:
    """Source words whose translation appears."""
    hits = recalled(evaluation.references[row], evaluation.hypotheses[row], gold[row]).values()
    return sum(hits), len(hits)


def _search_error(evaluation: Evaluation, row: int, gold: Gold) -> tuple[float, float]:
    """Sentences whose reference the model itself likes better than what search found: the search's fault.

    Of the others, the model's (Stahlberg and Byrne 2019, section 2, with the reference for the global optimum: a lower
    bound). An output of the reference's own words is no error, whatever rounding did to two scores of one text.
    """
    if evaluation.hypotheses[row].split() == evaluation.references[row].split():
        return 0, 1
    return evaluation.reference_scores[row] > evaluation.scores[row] + 1e-6, 1


def _alignment_error(evaluation: Evaluation, row: int, gold: Gold) -> tuple[float, float]:
    """Of the links read off attention over the reference, where the model attends."""
    if row not in evaluation.links:
        return 0, 0
    hits, total = error_counts(evaluation.links[row], gold[row], gold[row])
    return total - hits, total


def _attention_entropy(evaluation: Evaluation, row: int, gold: Gold) -> tuple[float, float]:
    """Nats, of the weights over source words, summed over output words."""
    if row not in evaluation.heat_maps:
        return 0, 0
    picture = evaluation.heat_maps[row]
    weights = merge(picture.source_pieces, picture.target_pieces, picture.weights / 255)
    return float(-(weights * np.log(np.maximum(weights, 1e-12))).sum()), len(weights)


def _gradient_near(evaluation: Evaluation, row: int, gold: Gold) -> tuple[float, float]:
    """The share of an output word's gradient within a tenth of its own place; 0.28 if it were spread evenly."""
    if row not in evaluation.gradients:
        return 0, 0
    shares = np.array(evaluation.gradients[row])  # percent, by tenth of target and source
    place = np.arange(len(shares))
    near = np.abs(place[:, None] - place) <= 1
    return float(shares[near].sum() / (100 * len(place))), 1


def _plain(ratio: np.ndarray) -> np.ndarray:
    return ratio


def _percent(ratio: np.ndarray) -> np.ndarray:
    return 100 * ratio


DIAGNOSES: dict[str, Diagnosis] = {
    "length_ratio": Diagnosis(_length, _plain),
    "brevity_penalty": Diagnosis(_length, _brevity_penalty),
    "repetition": Diagnosis(_repetition, _percent),
    "recall": Diagnosis(_recall, _percent, needs_gold=True),
    "search_error": Diagnosis(_search_error, _percent),
    "alignment_error": Diagnosis(_alignment_error, _percent, needs_gold=True),
    "attention_entropy": Diagnosis(_attention_entropy, _plain),
    "gradient_near": Diagnosis(_gradient_near, _percent),
}
