"""Softmax over short rows, such as the scores of one query against the words of a sentence."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

VECTOR = 16  # fp32 numbers in the widest register of a CPU


def softmax(scores: Tensor, dim: int = -1) -> Tensor:
    """As `torch.softmax`, for scores of fp32 or more."""
    on_cpu = scores.device.type == "cpu"
    if on_cpu and dim == -1 and scores.shape[-1] < VECTOR:
        return widened_softmax(scores)
    return plain_softmax(scores, dim)


def plain_softmax(scores: Tensor, dim: int = -1) -> Tensor:
    """The library's kernel."""
    return torch.softmax(scores, dim=dim)


def widened_softmax(scores: Tensor) -> Tensor:
    """Softmax over the last dimension (..., S), S below `VECTOR`, of rows made as wide as a register.

    The library's CPU kernel takes a register's width of numbers at once, and narrower rows one number at a time: the
    wider rows are several times as fast.
    """
    missing = VECTOR - scores.shape[-1]
    wide = F.pad(scores, (0, missing), value=float("-inf"))  # (..., VECTOR)
    return torch.softmax(wide, dim=-1)[..., :-missing]


def exact(scores: Tensor) -> Tensor:
    """Scores in fp32 or more: half precision is too coarse for positions and exponentials."""
    is_half = scores.dtype in (torch.bfloat16, torch.float16)
    return scores.float() if is_half else scores
