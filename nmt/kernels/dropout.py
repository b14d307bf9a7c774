"""Dropout (Srivastava 2014): the library's, and by integers, which is several times cheaper on a CPU.

By integers: every element has a word of bits, all ones where it is kept and all zeros where it is dropped, so that
dropping is one bitwise operation. A random word serves four elements, by itself and multiplied by three `FACTORS`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Found by scripts/dropout_factors.py: whether any two of a 16-bit word's multiples are dropped has a covariance of
# 0.0001 at most.
FACTORS = (1, 26729, -20005, 28471)
INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes


def dropout(inputs: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """As `torch.nn.functional.dropout`. On a CPU NaN and infinity are dropped, too."""
    if not training or p == 0:
        return inputs
    if _has_integers(inputs):
        return dropout_by_integers(inputs, p)
    return F.dropout(inputs, p)


def relu_dropout(inputs: Tensor, p: float = 0.5, training: bool = True) -> tuple[Tensor, float]:
    """Returns dropout(relu(inputs)) without its scale, and the scale. May overwrite ``inputs``.

    Multiply by the scale after a map that makes rows narrower, where it costs less.
    """
    if not training or p == 0:
        return F.relu(inputs), 1.0
    if _has_integers(inputs):
        return relu_dropout_by_integers(inputs, p)
    return F.dropout(F.relu(inputs), p), 1.0


def plain_dropout(inputs: Tensor, p: float) -> Tensor:
    """The formula, with the draws of `dropout_by_integers`."""
    kept = kept_bits(inputs, p) != 0
    return inputs * kept / (1 - p)


def dropout_by_integers(inputs: Tensor, p: float) -> Tensor:
    """A number and all ones is itself; a number and all zeros is 0."""
    return _DropBits.apply(inputs, kept_bits(inputs, p), _scale(p))


def relu_dropout_by_integers(inputs: Tensor, p: float) -> tuple[Tensor, float]:
    """`relu_dropout` over the inputs themselves."""
    return _ReluDropBits.apply(inputs, kept_bits(inputs, p)), _scale(p)


def _has_integers(inputs: Tensor) -> bool:
    return inputs.device.type == "cpu" and not torch.compiler.is_compiling()


def _scale(p: float) -> float:
    """Makes up for what is dropped, so that the mean stays."""
    return 1 / (1 - p)


class _DropBits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kept: Tensor, scale: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return _keep(inputs, kept).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (kept,) = ctx.saved_tensors
        return _keep(gradient, kept).mul_(ctx.scale), None, None


def _keep(numbers: Tensor, kept: Tensor) -> Tensor:
    bits = numbers.view(kept.dtype) & kept
    return bits.view(numbers.dtype)


class _ReluDropBits(torch.autograd.Function):
    """What is positive afterwards was positive before, and was not dropped."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kept: Tensor) -> Tensor:  # type: ignore[override]
        positive = inputs.clamp_min_(0)
        positive.view(kept.dtype).bitwise_and_(kept)
        ctx.mark_dirty(inputs)
        ctx.save_for_backward(inputs)
        return inputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (outputs,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, outputs, 0), None


def kept_bits(inputs: Tensor, p: float) -> Tensor:
    """For each element an integer as wide as it: all zeros with probability ``p`` (to 15 bits), else all ones.

    The four elements of a random word are far from each other. Any two of them are dropped together as often as if
    they were drawn apart.
    """
    width = inputs.element_size()
    kind = INTEGERS[width]
    quarter = (inputs.numel() + 3) // 4
    words = random_words((quarter * width + 3) // 4)  # int32
    words = words.view(kind)[:quarter]
    factors = torch.tensor(FACTORS, dtype=kind)[:, None]
    multiples = (words * factors).view(-1)  # (4 * quarter,)
    bits = multiples[: inputs.numel()].view(inputs.shape)
    half = 2 ** (8 * width - 2)
    bound = round((1 - 2 * p) * half)
    bound = min(bound, half - 1)
    bits.bitwise_right_shift_(1)  # halved, so that a difference of two does not overflow
    bits.sub_(bound)  # negative where kept
    return bits.bitwise_right_shift_(8 * width - 1)  # copies the sign to all bits


@lru_cache(maxsize=4)  # layers of several widths take turns
def _places(count: int) -> Tensor:
    """(count,) int32, far from each other."""
    return torch.arange(count, dtype=torch.int32).mul_(-0x61C88647)


def random_words(count: int) -> Tensor:
    """(count,) random int32: a hash of their places (lowbias32, Wellons 2018), by two seeds of the library's generator.

    Made of vector operations, it is many times faster than drawing every word from the generator.
    """
    seeds = torch.empty(2, dtype=torch.int64)
    first, second = seeds.random_(-(2**31), 2**31).tolist()
    power_of_two = 1 << max(count - 1, 1).bit_length()
    words = _places(power_of_two)[:count] + first
    shifted = torch.empty_like(words)

    def mix(shift: int) -> None:
        torch.bitwise_right_shift(words, shift, out=shifted)
        shifted.bitwise_and_((1 << (32 - shift)) - 1)  # no copies of the sign
        words.bitwise_xor_(shifted)

    mix(16)
    words.mul_(0x7FEB352D).add_(second)
    mix(15)
    words.mul_(-0x7B935975)
    mix(16)
    return words
