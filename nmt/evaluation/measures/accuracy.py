"""Words, or characters of a script without spaces, that are right at their place."""

from __future__ import annotations

from nmt.evaluation.measures.measure import Hits


class Accuracy(Hits):
    """The words (characters) of output or reference, whichever is longer, that are the same at the same place."""

    name = "accuracy"
    label = "accuracy"
    rank = 4

    @property
    def signature(self) -> str:
        """Names what is counted."""
        one = self.counted_in.removesuffix("s")
        return f"same {one} at the same place, of the longer side"

    def count(self, hypothesis: list[str], reference: list[str]) -> tuple[float, float]:
        same = sum(ours == theirs for ours, theirs in zip(hypothesis, reference, strict=False))
        return same, max(len(hypothesis), len(reference))
