"""Tokens, positions, tying, and dropout."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nmt.errors import UserError, nearest
from nmt.models.interface import Vocabulary
from nmt.tokens import PADDING

POSITIONS = ("sinusoidal", "learned", "rotary", "alibi", "none")
TYING = ("none", "target", "all")
# Found by search: whether any two of a 16-bit word's multiples fall below a bound is correlated by 0.0002 at most.
FACTORS = (1, 26729, -20005, 28471)


class Dropout(nn.Module):
    """Dropout; on CPU by integers, several times cheaper than nn.Dropout, where even what is no number is dropped."""

    def __init__(self, probability: float):
        super().__init__()
        if not 0 <= probability < 1:
            raise UserError(f"dropout={probability}: must be at least 0 and below 1")
        self.probability = probability

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return inputs
        if inputs.device.type != "cpu" or torch.compiler.is_compiling():
            return F.dropout(inputs, self.probability)
        return _DropBits.apply(inputs, *self._drawn(inputs))

    def after_relu(self, inputs: Tensor) -> tuple[Tensor, float]:
        """Of the positive part of the inputs, which may be written over them; and the factor still to be applied.

        After a linear map that makes rows narrower it costs less than before.
        """
        if not self.training or self.probability == 0:
            return F.relu(inputs), 1.0
        if inputs.device.type != "cpu" or torch.compiler.is_compiling():
            return F.dropout(F.relu(inputs), self.probability), 1.0
        kept, scale = self._drawn(inputs)
        return _ReluDropBits.apply(inputs, kept), scale

    def _drawn(self, inputs: Tensor) -> tuple[Tensor, float]:
        """What is kept, and what makes up for the rest."""
        return kept_bits(inputs, self.probability), 1 / (1 - self.probability)


class _DropBits(torch.autograd.Function):
    """A number and all ones is itself; a number and all zeros is 0."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kept: Tensor, scale: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return (inputs.view(kept.dtype) & kept).view(inputs.dtype).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (kept,) = ctx.saved_tensors
        return (gradient.view(kept.dtype) & kept).view(gradient.dtype).mul_(ctx.scale), None, None


class _ReluDropBits(torch.autograd.Function):
    """What is positive afterwards was positive before, and was not dropped."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kept: Tensor) -> Tensor:  # type: ignore[override]
        inputs.clamp_min_(0).view(kept.dtype).bitwise_and_(kept)
        ctx.mark_dirty(inputs)
        ctx.save_for_backward(inputs)
        return inputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (outputs,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, outputs, 0), None


def kept_bits(inputs: Tensor, probability: float) -> Tensor:
    """For each element an integer as wide as it: all zeros with this probability (to 15 bits), else all ones.

    A random word serves four elements, far from each other: as it is, and multiplied by three numbers, such that any
    two of the four are dropped together as often as if they were drawn apart.
    """
    width = inputs.element_size()
    kind = {2: torch.int16, 4: torch.int32, 8: torch.int64}[width]
    quarter = (inputs.numel() + 3) // 4
    words = random_words((quarter * width + 3) // 4).view(kind)[:quarter]
    bits = (words * torch.tensor(FACTORS, dtype=kind)[:, None]).view(-1)[: inputs.numel()].view(inputs.shape)
    half = 2 ** (8 * width - 2)  # halved, so that a difference of two does not overflow
    bound = min(round((1 - 2 * probability) * half), half - 1)
    return bits.bitwise_right_shift_(1).sub_(bound).bitwise_right_shift_(8 * width - 1)


@lru_cache(maxsize=4)  # layers of several widths take turns
def _places(count: int) -> Tensor:
    """(count,) int32, far from each other."""
    return torch.arange(count, dtype=torch.int32).mul_(-0x61C88647)


def random_words(count: int) -> Tensor:
    """(count,) random int32: a hash of their places (lowbias32, Wellons 2018), by two seeds of the library's generator.

    Made of vector operations, it is many times faster than drawing every word from there.
    """
    first, second = torch.empty(2, dtype=torch.int64).random_(-(2**31), 2**31).tolist()
    words = _places(1 << max(count - 1, 1).bit_length())[:count] + first
    shifted = torch.empty_like(words)

    def mix(shift: int) -> None:
        torch.bitwise_right_shift(words, shift, out=shifted)
        words.bitwise_xor_(shifted.bitwise_and_((1 << (32 - shift)) - 1))  # no copies of the sign

    mix(16)
    words.mul_(0x7FEB352D).add_(second)
    mix(15)
    words.mul_(-0x7B935975)
    mix(16)
    return words


class TokenEmbedding(nn.Embedding):
    """Token vectors, scaled by sqrt(size) where asked (Vaswani 2017, section 3.4).

    ``shared`` with the output projection, weights start small; else at a size that a recurrent layer learns from.
    """

    def __init__(self, vocabulary_size: int, size: int, scaled: bool, shared: bool):
        self.deviation = size**-0.5 if scaled or shared else 0.5
        super().__init__(vocabulary_size, size, padding_idx=PADDING)
        self.scale = math.sqrt(size) if scaled else 1.0

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=self.deviation)
        with torch.no_grad():
            self.weight[PADDING].zero_()

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens) * self.scale  # (B, T, E)


def make_embeddings(
    vocabulary: Vocabulary, size: int, hidden: int, tying: str, scaled: bool
) -> tuple[TokenEmbedding, TokenEmbedding, nn.Linear]:
    """Source embedding, target embedding and output projection, sharing weights as ``tying`` says.

    ``target`` ties the output to the target embedding (Press and Wolf 2017); ``all`` ties the source embedding too,
    which needs a joint vocabulary. Raises UserError where the sizes don't allow it.
    """
    if tying not in TYING:
        raise UserError(f"model.tie_embeddings={tying}: {nearest(tying, TYING)}")
    if tying == "all" and not vocabulary.joint:
        raise UserError("model.tie_embeddings=all needs one vocabulary for both languages; set tokenizer.joint=true")
    if tying != "none" and size != hidden:
        raise UserError(f"model.tie_embeddings={tying} needs output vectors ({hidden}) as wide as embeddings ({size})")
    target = TokenEmbedding(vocabulary.target, size, scaled, shared=tying != "none")
    source = target if tying == "all" else TokenEmbedding(vocabulary.source, size, scaled, shared=False)
    output = nn.Linear(hidden, vocabulary.target)
    nn.init.normal_(output.weight, std=hidden**-0.5)
    nn.init.zeros_(output.bias)
    if tying != "none":
        output.weight = target.weight
    return source, target, output


def sinusoids(length: int, size: int, first: int = 0, device: torch.device | None = None) -> Tensor:
    """Vaswani 2017, section 3.5: sines in the even columns, cosines in the odd ones. (length, size)"""
    position = torch.arange(first, first + length, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, size, 2, device=device) * (-math.log(10_000.0) / size))
    table = torch.zeros(length, size, device=device)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate)
    return table


class AbsolutePositions(nn.Module):
    """What is added to embeddings: sinusoids, a learned table, or nothing (rotary and ALiBi enter in attention)."""

    def __init__(self, kind: str, size: int, max_positions: int):
        super().__init__()
        if kind not in POSITIONS:
            raise UserError(f"model.positions={kind}: {nearest(kind, POSITIONS)}")
        self.kind, self.size = kind, size
        self.table = nn.Embedding(max_positions, size) if kind == "learned" else None
        if self.table is not None:
            nn.init.normal_(self.table.weight, std=size**-0.5)

    def forward(self, embedded: Tensor, first: int = 0) -> Tensor:
        """(B, T, E) whose first column is position ``first``. Past a learned table's end its last row is repeated."""
        length = embedded.shape[1]
        if self.table is not None:
            positions = torch.arange(first, first + length, device=embedded.device)
            return embedded + self.table(positions.clamp(max=self.table.num_embeddings - 1))
        if self.kind == "sinusoidal":
            return embedded + sinusoids(length, self.size, first, embedded.device).to(embedded.dtype)
        return embedded


def rotate(heads: Tensor, first: int = 0) -> Tensor:
    """Rotary positions (Su 2021, equation 34) for queries or keys (B, H, T, D), the first at position ``first``."""
    length, size = heads.shape[-2:]
    rate = torch.exp(torch.arange(0, size, 2, device=heads.device) * (-math.log(10_000.0) / size))
    angle = torch.arange(first, first + length, device=heads.device)[:, None] * rate  # (T, D/2)
    cosine, sine = angle.cos().to(heads.dtype), angle.sin().to(heads.dtype)
    left, right = heads.chunk(2, dim=-1)  # (B, H, T, D/2) each
    return torch.cat((left * cosine - right * sine, left * sine + right * cosine), dim=-1)


def distance_bias(heads: int, length: int, first: int, keys: int, device: torch.device) -> Tensor:
    """ALiBi (Press 2022, section 3): minus the distance, steeper from head to head; on both sides for an encoder.

    For queries from position ``first`` and keys from 0: (H, T, S).
    """
    slopes = 2.0 ** (-8.0 * torch.arange(1, heads + 1, device=device) / heads)  # (H,)
    positions = torch.arange(first, first + length, device=device)
    distance = (positions[:, None] - torch.arange(keys, device=device)).abs()  # (T, S)
    return -slopes[:, None, None] * distance
