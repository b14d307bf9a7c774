"""Tokens, positions, tying, and dropout as a module."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nmt.errors import UserError
from nmt.kernels.dropout import dropout, relu_dropout
from nmt.models.interface import Vocabulary
from nmt.tokens import PADDING

POSITIONS = ("sinusoidal", "learned", "rotary", "alibi", "none")
TYING = ("none", "target", "all")


class Dropout(nn.Module):
    """Drops numbers in training, by whatever is fast on their device."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, inputs: Tensor) -> Tensor:
        return dropout(inputs, self.probability, self.training)

    def after_relu(self, inputs: Tensor) -> tuple[Tensor, float]:
        """Of the positive part of the inputs, which may be written over; and a factor still to be applied."""
        return relu_dropout(inputs, self.probability, self.training)


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
    vocabulary: Vocabulary, size: int, tying: str, scaled: bool
) -> tuple[TokenEmbedding, TokenEmbedding, nn.Linear]:
    """Source embedding, target embedding and output projection, sharing weights as ``tying`` says.

    ``target`` ties the output to the target embedding (Press and Wolf 2017); ``all`` ties the source embedding too.
    Raises UserError where the languages have no vocabulary in common for that.
    """
    if tying == "all" and not vocabulary.joint:
        raise UserError("model.tie_embeddings=all needs one vocabulary for both languages; set tokenizer.joint=true")
    target = TokenEmbedding(vocabulary.target, size, scaled, shared=tying != "none")
    source = target
    if tying != "all":
        source = TokenEmbedding(vocabulary.source, size, scaled, shared=False)
    output = nn.Linear(size, vocabulary.target)
    nn.init.normal_(output.weight, std=size**-0.5)
    nn.init.zeros_(output.bias)
    if tying != "none":
        output.weight = target.weight
    return source, target, output


def sinusoids(length: int, size: int, first: int = 0, device: torch.device | None = None) -> Tensor:
    """Vaswani 2017, section 3.5: sines in the even columns, cosines in the odd ones. (length, size)"""
    position = torch.arange(first, first + length, device=device, dtype=torch.float32)
    angle = position[:, None] * _rates(size, device)  # (length, size/2)
    table = torch.zeros(length, size, device=device)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle)
    return table


def _rates(size: int, device: torch.device | None) -> Tensor:
    """By how much the angle of each pair of columns grows from position to position: (size/2,)"""
    even = torch.arange(0, size, 2, device=device)
    return torch.exp(even * (-math.log(10_000.0) / size))


class AbsolutePositions(nn.Module):
    """Vectors added to embeddings: sinusoids, a learned table, or nothing (rotary and ALiBi enter in attention)."""

    def __init__(self, kind: str, size: int, max_positions: int):
        super().__init__()
        self.kind = kind
        self.size = size
        self.table: nn.Embedding | None = None
        if kind == "learned":
            self.table = nn.Embedding(max_positions, size)
            nn.init.normal_(self.table.weight, std=size**-0.5)

    def forward(self, embedded: Tensor, first: int = 0) -> Tensor:
        """(B, T, E) whose first column is position ``first``. Past a learned table's end its last row is repeated."""
        length = embedded.shape[1]
        if self.table is not None:
            positions = torch.arange(first, first + length, device=embedded.device)  # (T,)
            known = positions.clamp(max=self.table.num_embeddings - 1)
            return embedded + self.table(known)
        if self.kind == "sinusoidal":
            table = sinusoids(length, self.size, first, embedded.device)  # (T, E)
            return embedded + table.to(embedded.dtype)
        return embedded


def rotate(heads: Tensor, first: int = 0) -> Tensor:
    """Rotary positions (Su 2021, equation 34) for queries or keys (B, H, T, D), the first at position ``first``."""
    length, size = heads.shape[-2:]
    position = torch.arange(first, first + length, device=heads.device)
    angle = position[:, None] * _rates(size, heads.device)  # (T, D/2)
    cosine = angle.cos().to(heads.dtype)
    sine = angle.sin().to(heads.dtype)
    left, right = heads.chunk(2, dim=-1)  # (B, H, T, D/2) each
    rotated_left = left * cosine - right * sine
    rotated_right = left * sine + right * cosine
    return torch.cat((rotated_left, rotated_right), dim=-1)


def distance_bias(heads: int, length: int, first: int, keys: int, device: torch.device) -> Tensor:
    """ALiBi (Press 2022, section 3): minus the distance, steeper from head to head; on both sides for an encoder.

    For queries from position ``first`` and keys from 0: (H, T, S).
    """
    numbers = torch.arange(1, heads + 1, device=device)
    slopes = 2.0 ** (-8.0 * numbers / heads)  # (H,)
    of_queries = torch.arange(first, first + length, device=device)
    of_keys = torch.arange(keys, device=device)
    distance = (of_queries[:, None] - of_keys).abs()  # (T, S)
    return -slopes[:, None, None] * distance
