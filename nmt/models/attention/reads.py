"""How scores become weights: softly, sparsely, or as one position, sampled or summed over."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from nmt.kernels.softmax import softmax
from nmt.models.attention.registry import READS


class Read(ABC):
    """Scores to weights over the source. It has no parameters."""

    name: str
    samples = False  # one position is drawn in training: its choice must be learnt by its reward
    sums = False  # every position makes a prediction of its own, and these are summed under the weights

    def __init_subclass__(cls) -> None:
        READS[cls.name] = cls

    @abstractmethod
    def __call__(self, scores: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        """Scores (B, T, S), minus infinity out of sight: the weights (B, T, S), and the distribution behind them."""


class Soft(Read):
    """Softmax: every position in sight gets some weight."""

    name = "soft"

    def __call__(self, scores: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        weights = softmax(scores)
        return weights, weights


class Sparse(Read):
    """Sparsemax (Martins and Astudillo 2016, algorithm 1): the nearest distribution, mostly zero."""

    name = "sparse"

    def __call__(self, scores: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        weights = sparsemax(scores)
        return weights, weights


class HardSample(Read):
    """One position, drawn in training and the likeliest in search; learnt by REINFORCE (Xu 2015, section 4.1)."""

    name = "hard_sample"
    samples = True

    def __call__(self, scores: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        weights = softmax(scores)
        if training:
            rows, length, _ = weights.shape
            drawn = torch.multinomial(weights.flatten(0, 1), 1)  # (B * T, 1)
            chosen = drawn.view(rows, length, 1)
        else:
            chosen = weights.argmax(dim=-1, keepdim=True)  # (B, T, 1)
        one_hot = torch.zeros_like(weights).scatter(-1, chosen, 1.0)
        return one_hot, weights


class HardMarginal(Read):
    """One position, summed over: p(y) = sum of p(s) p(y | s), exactly (Wu 2018, equation 5; Deng 2018, section 3)."""

    name = "hard_marginal"
    sums = True

    def __call__(self, scores: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        weights = softmax(scores)
        return weights, weights


def sparsemax(scores: Tensor) -> Tensor:
    """The distribution nearest to the scores in the sum of squares. (..., S)"""
    ordered = scores.sort(dim=-1, descending=True).values
    finite = torch.finfo(scores.dtype).min / 1e6  # for minus infinity, which can't be summed
    ordered = ordered.masked_fill(ordered == float("-inf"), finite)
    length = scores.shape[-1]
    rank = torch.arange(1, length + 1, device=scores.device, dtype=scores.dtype)  # (S,)
    sums = ordered.cumsum(dim=-1)
    support = (1 + rank * ordered > sums).sum(dim=-1, keepdim=True)  # (..., 1)
    threshold = (sums.gather(-1, support - 1) - 1) / support
    return (scores - threshold).clamp(min=0)
