"""Whole sentences that are right."""

from __future__ import annotations

from nmt.evaluation.measures.measure import Hits


class Exact(Hits):
    """Outputs that are their reference, white space apart."""

    name = "exact"
    label = "exact match"
    rank = 5

    @property
    def signature(self) -> str:
        """Names what is compared."""
        return f"the same {self.counted_in}"

    def count(self, hypothesis: list[str], reference: list[str]) -> tuple[float, float]:
        return float(hypothesis == reference), 1.0
