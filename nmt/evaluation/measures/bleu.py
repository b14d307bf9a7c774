"""BLEU (Papineni 2002), as sacreBLEU computes it (Post 2018)."""

from __future__ import annotations

from typing import Self

import numpy as np
from sacrebleu.metrics import BLEU

from nmt.corpus.text.writing import Writing
from nmt.evaluation.measures.sacrebleu_measure import OfSacrebleu

ORDERS = 4  # n-grams of up to so many words
FEWEST = 100  # 4-grams of a bucket's references: with fewer, perfect outputs may score 0 and one word decides
# The columns of sacreBLEU's statistics: two lengths, then for each order the n-grams that match, then all n-grams.
CORRECT = 2
TOTAL = CORRECT + ORDERS


class Bleu(OfSacrebleu):
    """0 to 100."""

    name = "bleu"
    label = "BLEU"
    by_default = True
    rank = 1

    def __init__(self, tokenize: str = "13a") -> None:
        super().__init__(BLEU(tokenize=tokenize, force=True))  # force: no warning about text that looks tokenised

    @classmethod
    def for_texts(cls, writing: Writing) -> Self:
        return cls(writing.tokenize)

    def too_short(self, statistics: np.ndarray) -> bool:
        words = statistics[:, 1]  # of each reference (N,)
        longest = np.maximum(words - ORDERS + 1, 0)  # 4-grams (N,)
        return bool(longest.sum() < FEWEST)

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        return _scores_up_to(sums, ORDERS)

    def scores_of_sentences(self, statistics: np.ndarray) -> np.ndarray:
        """With effective order: n-grams longer than the output do not count (sacreBLEU's sentence_bleu)."""
        # An output of W words has n-grams of up to W words: the orders with a total above 0.
        effective = (statistics[:, TOTAL:] > 0).sum(axis=1)  # (N,)
        scores = np.zeros(len(statistics))
        for order in range(1, ORDERS + 1):
            longest = effective == order
            scores[longest] = _scores_up_to(statistics[longest], order)
        return scores


def _scores_up_to(sums: np.ndarray, orders: int) -> np.ndarray:
    """BLEU of n-grams up to ``orders``: (R, K) to (R,)."""
    hypothesis = sums[:, 0]
    reference = sums[:, 1]
    correct = sums[:, CORRECT : CORRECT + orders]  # (R, orders)
    total = sums[:, TOTAL : TOTAL + orders]  # (R, orders)
    with np.errstate(divide="ignore", invalid="ignore"):
        penalty = np.exp(1 - reference / hypothesis)
        brevity = np.where(hypothesis < reference, penalty, 1.0)
        # Exponential smoothing: the i-th order without a match counts as 1 / 2^i matches.
        without_match = (correct == 0) & (total > 0)
        empty = np.cumsum(without_match, axis=1)
        matches = np.where(correct > 0, correct, 0.5**empty)
        precision = matches / total
        logarithms = np.log(precision)
        scores = 100 * brevity * np.exp(logarithms.mean(axis=1))
    some_match = correct.sum(axis=1) > 0
    all_orders = (total > 0).all(axis=1)
    return np.where(some_match & all_orders, scores, 0.0)
