"""Every fast form beside its plain one. One test holds each pair equal, and scripts/benchmark_kernels.py times it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.kernels.attention import fused_attention, plain_attention
from nmt.kernels.cross_entropy import ChunkedCrossEntropy, plain_cross_entropy, real_rows
from nmt.kernels.dropout import dropout_by_integers, plain_dropout, relu_dropout_by_integers
from nmt.kernels.loop import product, repeat
from nmt.kernels.lstm import LstmGates, plain_lstm, plain_lstm_gates, run_packed, run_whole
from nmt.kernels.process import product_kind
from nmt.kernels.softmax import exact, plain_softmax, widened_softmax

Form = Callable[..., Tensor | tuple[Tensor, ...]]
EVERYWHERE = ("cpu", "cuda")
SMOOTHING = 0.1
DROPPED = 0.1


@dataclass(frozen=True)
class Pair:
    """Two forms of one function. With the same seed of the library's generator they give the same."""

    file: str  # of this folder, where both stand
    name: str
    plain: Form
    fast: Form
    devices: tuple[str, ...]  # types of those where the fast form runs
    examples: Callable[[bool], tuple[Any, ...]]  # inputs, small for a test or (True) as large as they are in training
    tolerance: float = 1e-5  # in fp32: the largest difference, as a share of the largest number
    library: Form | None = None  # what the fast form is timed against, where the plain form is only there for the test


def _softmax_examples(large: bool) -> tuple[Any, ...]:
    """Scores of short sentences."""
    rows = 16_368 if large else 10
    return (torch.randn(rows, 12),)


def _fast_softmax(scores: Tensor) -> Tensor:
    return widened_softmax(exact(scores))


def _attention_examples(large: bool) -> tuple[Any, ...]:
    """Query, key and value (B, H, T, D), and a mask of sentences of unequal lengths."""
    batch, heads, length, width = (64, 4, 40, 64) if large else (3, 2, 5, 4)
    query, key, value = torch.randn(3, batch, heads, length, width).unbind()
    lengths = torch.randint(1, length + 1, (batch,))
    allowed = torch.arange(length) < lengths[:, None]  # (B, S)
    return query, key, value, allowed[:, None, None]


def _biased_attention_examples(large: bool) -> tuple[Any, ...]:
    """The same with a bias (B, H, T, S) on the scores, minus infinity where a query may not look."""
    query, key, value, allowed = _attention_examples(large)
    bias = torch.randn(*query.shape[:3], key.shape[2])
    return query, key, value, bias.masked_fill(~allowed, float("-inf"))


def _free_attention_examples(large: bool) -> tuple[Any, ...]:
    """The same where every query may look everywhere."""
    query, key, value, _ = _attention_examples(large)
    return query, key, value


def _plain_context(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    context, _ = plain_attention(query, key, value, attn_mask)
    return context


def _dropout_examples(large: bool) -> tuple[Any, ...]:
    return (torch.randn(4096, 1024),) if large else (torch.randn(9, 13),)


def _plain_dropout(inputs: Tensor) -> Tensor:
    return plain_dropout(inputs, DROPPED)


def _fast_dropout(inputs: Tensor) -> Tensor:
    return dropout_by_integers(inputs, DROPPED)


def _library_dropout(inputs: Tensor) -> Tensor:
    return F.dropout(inputs, DROPPED)


def _plain_relu_dropout(inputs: Tensor) -> Tensor:
    return plain_dropout(F.relu(inputs), DROPPED)


def _fast_relu_dropout(inputs: Tensor) -> Tensor:
    outputs, scale = relu_dropout_by_integers(inputs.clone(), DROPPED)  # it writes over its inputs
    return outputs * scale


def _library_relu_dropout(inputs: Tensor) -> Tensor:
    return F.dropout(F.relu(inputs), DROPPED)


def _gates_examples(large: bool) -> tuple[Any, ...]:
    """Gates (B, 4 H) and memory (B, H)."""
    rows, size = (256, 256) if large else (5, 3)
    return torch.randn(rows, 4 * size), torch.randn(rows, size)


def _layer_examples(large: bool) -> tuple[Any, ...]:
    """A layer, inputs (B, S, D), lengths (B,) and a state of two tensors (B, H)."""
    rows, columns, size = (128, 20, 256) if large else (4, 6, 3)
    layer = nn.LSTM(size, size, batch_first=True)
    lengths = torch.randint(1, columns + 1, (rows,))
    inputs = torch.randn(rows, columns, size)
    hidden = torch.randn(rows, size)
    memory = torch.randn(rows, size)
    return layer, inputs, lengths, hidden, memory


def _flat(outputs: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (outputs, *state)


def _plain_whole(layer: nn.LSTM, inputs: Tensor, lengths: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    return _flat(*plain_lstm(layer, inputs, None, state))


def _fast_whole(layer: nn.LSTM, inputs: Tensor, lengths: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    return _flat(*run_whole(layer, inputs, state))


def _plain_rows(layer: nn.LSTM, inputs: Tensor, lengths: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    return _flat(*plain_lstm(layer, inputs, lengths, state))


def _fast_rows(layer: nn.LSTM, inputs: Tensor, lengths: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    return _flat(*run_packed(layer, inputs, lengths, state))


def _loop_examples(large: bool) -> tuple[Any, ...]:
    """Weight (4 H, 2 H), encoder states (B, S, H), and gates of each step (B, T, 4 H)."""
    rows, steps, size = (256, 15, 256) if large else (3, 4, 5)
    weight = torch.randn(4 * size, 2 * size) * 0.5 * size**-0.5
    states = torch.randn(rows, steps, size)
    gates = torch.randn(rows, steps, 4 * size)
    return weight, states, gates


def _loop(weight: Tensor, states: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
    """An LSTM with dot attention: hidden and context (B, H) after the last step."""
    hidden = memory = context = torch.zeros_like(states[:, 0])
    for of_step in gates.unbind(dim=1):
        joined = torch.cat((context.to(hidden.dtype), hidden), dim=1)
        hidden, memory = plain_lstm_gates(of_step + product(joined, weight, transposed=True), memory)
        scores = product(hidden[:, None], states, transposed=True)  # (B, 1, S)
        context = product(torch.softmax(scores, dim=-1), states)[:, 0]
    return hidden, context


def _prepared_loop(weight: Tensor, states: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
    return _loop(repeat(weight), repeat(states), gates)


def _loss_examples(large: bool) -> tuple[Any, ...]:
    """Hidden (N, E), weight (V, E), bias (V,), and labels (N,)."""
    rows, size, words = (2048, 256, 8000) if large else (7, 5, 11)
    hidden = torch.randn(rows, size)
    weight = torch.randn(words, size)
    bias = torch.randn(words)
    target = torch.randint(0, words, (rows,))
    return hidden, weight, bias, target


def _plain_loss(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    return plain_cross_entropy(hidden, weight, bias, target, SMOOTHING)


def _chunked_loss(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    return ChunkedCrossEntropy.apply(hidden, weight, bias, target, SMOOTHING, product_kind(hidden))


def _rows_examples(large: bool) -> tuple[Any, ...]:
    """Hidden (B, T, E), and a mask with a little padding."""
    rows, length, size = (341, 12, 256) if large else (4, 5, 3)
    return torch.randn(rows, length, size), torch.rand(rows, length) < 0.9


def _rows_by_mask(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[mask]


def _rows_by_number(hidden: Tensor, mask: Tensor) -> Tensor:
    return real_rows(hidden, mask.flatten().nonzero()[:, 0])


PAIRS = (
    Pair("softmax", "widened", plain_softmax, _fast_softmax, EVERYWHERE, _softmax_examples),
    Pair("attention", "fused", _plain_context, fused_attention, EVERYWHERE, _attention_examples),
    Pair("attention", "fused, bias", _plain_context, fused_attention, EVERYWHERE, _biased_attention_examples),
    Pair("attention", "fused, no mask", _plain_context, fused_attention, EVERYWHERE, _free_attention_examples),
    Pair(
        "dropout",
        "by integers",
        _plain_dropout,
        _fast_dropout,
        ("cpu",),
        _dropout_examples,
        library=_library_dropout,
    ),
    Pair(
        "dropout",
        "after relu",
        _plain_relu_dropout,
        _fast_relu_dropout,
        ("cpu",),
        _dropout_examples,
        library=_library_relu_dropout,
    ),
    Pair("lstm", "gates", plain_lstm_gates, LstmGates.apply, EVERYWHERE, _gates_examples),
    Pair("lstm", "whole", _plain_whole, _fast_whole, EVERYWHERE, _layer_examples),
    Pair("lstm", "packed", _plain_rows, _fast_rows, EVERYWHERE, _layer_examples),
    Pair("loop", "products", _loop, _prepared_loop, EVERYWHERE, _loop_examples),
    Pair("cross_entropy", "chunked", _plain_loss, _chunked_loss, EVERYWHERE, _loss_examples),
    Pair("cross_entropy", "rows", _rows_by_mask, _rows_by_number, EVERYWHERE, _rows_examples),
)
