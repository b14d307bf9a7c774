"""Whole sentences that are right."""

from __future__ import annotations

from nmt.evaluation.measures.measure import Hits


class Exact(Hits):
    """Outputs that are their reference, white space apart."""

    name = "exact"
    label = "exact match"
    signature = "the same words"
    rank = 5

    def count(self, hypothesis: list[str], reference: list[str]) -> tuple[float, float]:
        return float(hypothesis == reference), 1.0
