"""A context for each output step: scores over all encoder states, then their weighted sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.errors import UserError
from nmt.kernels.loop import product
from nmt.kernels.softmax import exact
from nmt.models.attention.options import AttentionOptions
from nmt.models.attention.reads import READS
from nmt.models.attention.scopes import SCOPES
from nmt.models.attention.scores import SCORES, Score
from nmt.models.interface import Choice


@dataclass(frozen=True)
class Reading:
    """The outcome of attention for queries (B, T, Q)."""

    context: Tensor  # (B, T, D); where predictions are summed, not contexts: the states (B, S, D)
    heads: Tensor  # (B, H, T, S), the weights of each head
    choice: Choice | None = None

    @property
    def weights(self) -> Tensor:
        """(B, T, S), a mean over heads."""
        if self.heads.shape[1] == 1:
            return self.heads[:, 0]
        return self.heads.mean(dim=1)


class Head(nn.Module):
    """One score, one scope, one read: queries and keys to weights."""

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__()
        self.score = SCORES[options.score](query_size, state_size, options)
        self.scope = SCOPES[options.scope](query_size, options)
        self.read = READS[options.read]()

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (B, T, S), zero at padding and out of scope, summing to one, and the distribution behind them."""
        scores = exact(self.score(query, keys, positions))  # (B, T, S)
        bias = self.scope(query, positions, mask)
        if bias is not None:
            scores = scores + bias
        padding = ~mask[:, None]  # (B, 1, S)
        scores = scores.masked_fill(padding, float("-inf"))
        return self.read(scores, self.training)


class Attention(nn.Module):
    """Weights over all encoder states in scope, then the mean of the states under them.

    With several heads each has its own weights over its own share of the (linearly mapped) states.
    """

    def __init__(self, options: AttentionOptions, query_size: int, state_size: int):
        super().__init__()
        if state_size % options.heads:
            raise UserError(
                f"model.attention.heads={options.heads} must divide the encoder states' width ({state_size})"
            )
        self.options = options
        self.read = READS[options.read]()
        heads = [Head(query_size, state_size, options) for _ in range(options.heads)]
        self.heads = nn.ModuleList(heads)
        self.values = None
        if options.heads > 1:
            self.values = nn.Linear(state_size, state_size, bias=False)
        self.baseline = None
        if self.read.samples:
            self.baseline = nn.Linear(query_size, 1)
        self.coverage = None
        if options.coverage:
            key_sizes = [_key_size(head.score) for head in self.heads]
            self.coverage = nn.Parameter(torch.zeros(sum(key_sizes)))

    def keys(self, states: Tensor) -> Tensor:
        """What does not depend on the query, once per sentence: (B, S, D) to (B, S, K), the heads' side by side."""
        keys = [head.score.keys(states) for head in self.heads]
        if self.values is None:
            return keys[0]
        return torch.cat([*keys, self.values(states)], dim=-1)

    def forward(
        self,
        query: Tensor,
        keys: Tensor,
        states: Tensor,
        mask: Tensor,
        positions: Tensor,
        covered: Tensor | None = None,
    ) -> Reading:
        """For queries (B, T, Q) at target ``positions`` (B, T); ``covered`` (B, S) is the sum of all weights before."""
        if self.coverage is not None and covered is not None:
            keys = keys + self._of_coverage(covered, keys)
        if self.values is None:
            return self._read_by_one(query, keys, states, mask, positions)
        widths = self._widths(keys.shape[-1], states.shape[-1])
        *of_heads, values = keys.split(widths, dim=-1)
        shares = values.chunk(len(of_heads), dim=-1)  # (B, S, D/H) each
        all_weights = []
        contexts = []
        for head, head_keys, share in zip(self.heads, of_heads, shares, strict=True):
            weights, _ = head(query, head_keys, positions, mask)  # (B, T, S)
            all_weights.append(weights.to(states.dtype))
            contexts.append(all_weights[-1] @ share)
        return Reading(torch.cat(contexts, dim=-1), torch.stack(all_weights, dim=1))

    def _read_by_one(self, query: Tensor, keys: Tensor, states: Tensor, mask: Tensor, positions: Tensor) -> Reading:
        """`forward` with a single head, which may choose or sum predictions."""
        weights, distribution = self.heads[0](query, keys, positions, mask)  # (B, T, S)
        choice = self._choice(query, weights, distribution)
        weights = weights.to(states.dtype)
        context = states if self.read.sums else product(weights, states)
        return Reading(context, weights[:, None], choice)

    def _of_coverage(self, covered: Tensor, keys: Tensor) -> Tensor:
        """What is added to the keys (B, S, K) for how much each position has been looked at."""
        missing = keys.shape[-1] - len(self.coverage)
        direction = F.pad(self.coverage, (0, missing))  # (K,): values are left alone
        covered = covered[..., None].to(keys.dtype)  # (B, S, 1)
        return covered * direction.to(keys.dtype)

    def _choice(self, query: Tensor, weights: Tensor, distribution: Tensor) -> Choice | None:
        if self.baseline is None:
            return None
        options = self.options
        logarithms = distribution.clamp(min=1e-30).log()  # (B, T, S)
        return Choice(
            log_probability=(weights * logarithms).sum(dim=-1),  # the weights are one at what was drawn
            entropy=-(distribution * logarithms).sum(dim=-1),
            baseline=self.baseline(query.detach())[..., 0],
            entropy_weight=options.entropy_weight,
            lasting=options.query == "previous" or options.input_feeding or options.coverage,
        )

    def _widths(self, all_keys: int, state_size: int) -> list[int]:
        """Of each head's keys, then of the values."""
        count = len(self.heads)
        key_size = (all_keys - state_size) // count
        return [key_size] * count + [state_size]


def _key_size(score: Score) -> int:
    if score.key_size is None:
        raise UserError(f"model.attention.coverage=true enters learnt keys, and score={score.name} has none")
    return score.key_size
