"""A context for each output step: scores over all encoder states, then their weighted sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt.errors import UserError, nearest
from nmt.models.attention.scores import make_score

QUERIES = ("previous", "current")


@dataclass
class AttentionOptions:
    """Attention of a recurrent decoder."""

    score: str = "additive"  # additive, dot, general or scaled_dot
    size: int = 256  # of the space where additive and scaled_dot compare
    query: str = "previous"  # ask with the state before the step (Bahdanau 2015) or after it (Luong 2015)
    input_feeding: bool = False  # current query only: the last attentional vector enters the next step (Luong, 3.3)


class Attention(nn.Module):
    """Global soft attention: softmax of the scores over real tokens, then the mean of the states under it."""

    def __init__(self, options: AttentionOptions, query_size: int, state_size: int):
        super().__init__()
        if options.query not in QUERIES:
            raise UserError(f"model.attention.query={options.query}: {nearest(options.query, QUERIES)}")
        if options.query == "previous" and options.input_feeding:
            raise UserError(
                "model.attention.input_feeding=true needs model.attention.query=current: "
                "asked with the previous state, the context enters the cell already"
            )
        self.score = make_score(options.score, query_size, state_size, options.size)

    def keys(self, states: Tensor) -> Tensor:
        """What does not depend on the query, once per sentence: (B, S, D) to (B, S, K)."""
        return self.score.keys(states)

    def forward(self, query: Tensor, keys: Tensor, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Contexts (B, T, D) and weights (B, T, S) for queries (B, T, Q); the weights are zero at padding."""
        scores = self.score(query, keys)  # (B, T, S)
        if scores.dtype in (torch.bfloat16, torch.float16):  # too coarse for an exponential
            scores = scores.float()
        weights = torch.softmax(scores.masked_fill(~mask[:, None], float("-inf")), dim=-1).to(states.dtype)
        return weights @ states, weights
