"""What a recurrent decoder's attention is made of: score, scope and read, each by name."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.errors import UserError
from nmt.models.attention.registry import READS, SCOPES, SCORES
from nmt.models.checks import check_known, check_positive

QUERIES = ("previous", "current")
PLACES = ("top", "first", "each")


@dataclass
class AttentionOptions:
    """Attention = score x scope x read."""

    score: str = "additive"  # additive, general, concat, location, scaled_dot; fixed: dot, cosine, diagonal, uniform
    scope: str = "global"  # global, local_m or local_p (Luong 2015, section 3.2)
    read: str = "soft"  # soft (softmax), sparse (sparsemax), hard_sample (REINFORCE) or hard_marginal (summed over)
    size: int = 256  # of the space where additive, concat and scaled_dot compare
    heads: int = 1  # several read in parallel, each with its own score, scope and share of the states
    normed: bool = False  # additive only: its vector has a learnt length, its sum an offset (Salimans 2016)
    max_positions: int = 256  # location only: source positions with a weight of their own; later ones share the last
    window: int = 10  # local scopes: so many positions on either side (Luong's D)
    sharpness: float = 8.0  # cosine only: what the cosine is multiplied with
    entropy_weight: float = 0.01  # hard_sample only: keeps it from settling too early
    query: str = "previous"  # ask with the state before the step (Bahdanau 2015) or after it (Luong 2015)
    place: str = (
        "top"  # which decoder layer asks: top, first (for all above it: Wu 2016, section 3) or each; current only
    )
    coverage: bool = False  # how much each position has been looked at enters its key (Tu 2016, section 3.1.1)
    input_feeding: bool = False  # current query only: the last attentional vector enters the next step (Luong, 3.3)

    def __post_init__(self) -> None:
        """Raises UserError for what makes no sense, with the reason."""
        check_known("model.attention.scope", self.scope, SCOPES)
        check_known("model.attention.read", self.read, READS)
        check_known("model.attention.query", self.query, QUERIES)
        check_known("model.attention.place", self.place, PLACES)
        check_positive("model.attention", self, ("size", "heads", "max_positions", "window"))

    def check_together(self) -> None:
        """Raises UserError for what can't go together, with the reason. A model without attention never asks."""
        check_known("model.attention.score", self.score, SCORES, "; your own by NMT_PLUGINS")
        for refused, reason in self._refusals():
            if refused:
                raise UserError(f"model.attention.{reason}")

    def _refusals(self) -> list[tuple[bool, str]]:
        """What can't go together: whether it is asked for, and why it can't."""
        score = SCORES[self.score]
        read = READS[self.read]
        learns = score.learns or SCOPES[self.scope].learns
        can_aim = score.uses_query or SCOPES[self.scope].learns
        previous = self.query == "previous"
        return [
            (
                self.normed and self.score != "additive",
                f"normed=true is for model.attention.score=additive, not {self.score}",
            ),
            (
                self.place != "top" and previous,
                f"place={self.place} asks as a step goes up the layers: it needs model.attention.query=current",
            ),
            (
                previous and self.input_feeding,
                "input_feeding=true needs model.attention.query=current: asked with the previous state, the context "
                "enters the cell already",
            ),
            (
                read.sums and (previous or self.input_feeding),
                f"read={self.read} sums predictions, so no context may enter the next step: "
                "it needs model.attention.query=current and no input feeding",
            ),
            (
                (read.sums or read.samples) and self.place != "top",
                f"read={self.read} is for model.attention.place=top",
            ),
            (
                self.place == "each" and self.coverage,
                "coverage=true keeps one account, and model.attention.place=each has several",
            ),
            (
                read.sums and self.coverage,
                f"read={self.read} reads all steps at once, and coverage goes step by step",
            ),
            (
                (read.sums or read.samples) and self.heads > 1,
                f"read={self.read} chooses one position: model.attention.heads must be 1",
            ),
            (
                read.samples and not can_aim,
                f"read={self.read} learns where to look, and score={self.score} can't learn",
            ),
            (
                self.heads > 1 and not learns,
                f"heads={self.heads}: every head of {self.score} would be the same",
            ),
        ]
