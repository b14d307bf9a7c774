"""Words that are right at their place."""

from __future__ import annotations

from nmt.evaluation.measures.measure import Hits


class Accuracy(Hits):
    """The words of output or reference, whichever is longer, that are the same at the same place."""

    name = "accuracy"
    label = "accuracy"
    signature = "same word at the same place, of the longer side"
    rank = 4

    def count(self, hypothesis: list[str], reference: list[str]) -> tuple[float, float]:
        same = sum(ours == theirs for ours, theirs in zip(hypothesis, reference, strict=False))
        return same, max(len(hypothesis), len(reference))
