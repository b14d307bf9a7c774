"""Where a model looks: how often at the wrong word, and how widely."""

from __future__ import annotations

import numpy as np

from nmt.evaluation.alignment import error_counts, merge
from nmt.evaluation.measures.groups import WORDS
from nmt.evaluation.measures.measure import Need, Ratio
from nmt.evaluation.translations import Evaluation


class AlignmentError(Ratio):
    """Error rate (Och and Ney 2003) of the links read off attention over the reference, where the model attends."""

    name = "alignment_error"
    label = "alignment error"
    unit = "%"
    higher_is_better = False
    needs = frozenset({Need.LINKS, Need.KNOWN_LINKS})
    rank = 16
    group = WORDS
    about = "links read off attention over the reference, against the known ones."
    in_summary = True

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        if row not in evaluation.links:
            return 0, 0
        known = evaluation.links_known_of(row)
        hits, total = error_counts(evaluation.links[row], known, known)
        return total - hits, total


class AttentionEntropy(Ratio):
    """Entropy of the weights over source words, summed over output words."""

    name = "attention_entropy"
    label = "attention entropy"
    unit = "nats"
    digits = 2
    higher_is_better = None
    needs = frozenset({Need.ATTENTION})
    rank = 17
    group = WORDS
    about = "how widely a word looks."

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        if row not in evaluation.heat_maps:
            return 0, 0
        picture = evaluation.heat_maps[row]
        tag = evaluation.tag_of(row)
        weights = merge(picture.source_pieces, picture.target_pieces, picture.weights / 255, tag)  # (T, S) words
        logarithms = np.log(np.maximum(weights, 1e-12))
        return float(-(weights * logarithms).sum()), len(weights)
