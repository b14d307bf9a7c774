"""Recurrent layers: whole sequences by the library's fused kernels (LSTM, GRU, tanh), and the gates of one step.

On a CPU the fused kernel takes no lengths, and a packed sequence leaves it for a loop in C++. cuDNN takes packed ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nmt.kernels.process import without_autocast

CellState = tuple[Tensor, ...]  # the output (B, H), and what else a cell keeps: an LSTM its memory (B, H)
# Goes on by steps: inputs (B, S, D), the number of the first of these columns, and the state before it.
Steps = Callable[[Tensor, int, CellState], tuple[list[Tensor], CellState]]


def run_layer(
    rnn: nn.RNNBase, inputs: Tensor, lengths: Tensor | None, state: CellState, steps: Steps
) -> tuple[Tensor, CellState]:
    """One layer in one direction over inputs (B, S, D): outputs (B, S, H), and the state after each row's last token.

    Outputs at padding are undefined. ``lengths`` (B,) None runs all rows to the end. ``steps`` runs the last columns,
    where some rows are padding, on a device whose kernel takes no lengths.
    """
    columns = inputs.shape[1]
    shortest = columns if lengths is None else int(lengths.min())
    if lengths is None or shortest == columns:
        return run_whole(rnn, inputs, state)
    if inputs.device.type != "cpu":
        return run_packed(rnn, inputs, lengths, state)
    # Batches hold sentences of about one length: few columns are left for the steps.
    outputs = []
    if shortest > 0:
        head, state = run_whole(rnn, inputs[:, :shortest], state)
        outputs.append(head)
    tail, state = steps(inputs[:, shortest:], shortest, state)
    return torch.cat([*outputs, *tail], dim=1), state


def run_whole(rnn: nn.RNNBase, inputs: Tensor, state: CellState) -> tuple[Tensor, CellState]:
    """All rows to the end, by the library's fused kernel."""
    if inputs.device.type == "cpu":
        outputs, final = rnn(inputs.contiguous(), _to_library(rnn, state, None))
        return outputs, _from_library(final)
    with without_autocast(inputs.device):  # it would run cuDNN in fp16, whatever format was asked for
        inputs = inputs.float().contiguous()
        outputs, final = rnn(inputs, _to_library(rnn, state, torch.float32))
    return outputs, _from_library(final)


def run_packed(rnn: nn.RNNBase, inputs: Tensor, lengths: Tensor, state: CellState) -> tuple[Tensor, CellState]:
    """Every row to its own length, by the library's packed sequences. Outputs at padding are zero."""
    with without_autocast(inputs.device):  # as in `run_whole`
        packed = nn.utils.rnn.pack_padded_sequence(
            inputs.float(), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        packed_outputs, final = rnn(packed, _to_library(rnn, state, torch.float32))
    outputs, _ = nn.utils.rnn.pad_packed_sequence(packed_outputs, batch_first=True, total_length=inputs.shape[1])
    return outputs, _from_library(final)


def _to_library(rnn: nn.RNNBase, state: CellState, kind: torch.dtype | None) -> Tensor | CellState:
    """(1, B, H) each; a cell with one tensor takes it by itself."""
    tensors = []
    for part in state:
        tensor = part[None].to(kind or part.dtype)
        tensors.append(tensor.contiguous())
    return tuple(tensors) if isinstance(rnn, nn.LSTM) else tensors[0]


def _from_library(final: Tensor | CellState) -> CellState:
    if isinstance(final, Tensor):
        return (final[0],)
    return tuple(part[0] for part in final)


def plain_lstm(rnn: nn.LSTM, inputs: Tensor, lengths: Tensor | None, state: CellState) -> tuple[Tensor, CellState]:
    """The formula, step by step: what `run_layer` gives for an LSTM, with zeros at padding."""
    if lengths is None:
        lengths = torch.full((len(inputs),), inputs.shape[1], device=inputs.device)
    weight, recurrent_weight, bias, recurrent_bias = rnn.all_weights[0]
    hidden, memory = state
    outputs = []
    for t, column in enumerate(inputs.unbind(dim=1)):
        of_column = F.linear(column, weight, bias)
        gates = of_column + F.linear(hidden, recurrent_weight, recurrent_bias)  # (B, 4 H)
        next_hidden, next_memory = plain_lstm_gates(gates, memory)
        real = (lengths > t)[:, None]  # (B, 1)
        outputs.append(next_hidden * real)
        hidden = torch.where(real, next_hidden, hidden)
        memory = torch.where(real, next_memory, memory)
    return torch.stack(outputs, dim=1), (hidden, memory)


def lstm_gates(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The gates of one step (B, 4 H) and the old memory (B, H), to the output (B, H) and the new memory."""
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return LstmGates.apply(gates, memory)
    return plain_lstm_gates(gates, memory)


def plain_lstm_gates(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The formula (Hochreiter 1997), with the forget gate of Gers 2000."""
    enter, forget, candidate, leave = gates.chunk(4, dim=1)
    kept = torch.sigmoid(forget) * memory
    entered = torch.sigmoid(enter) * torch.tanh(candidate)
    memory = kept + entered
    output = torch.sigmoid(leave) * torch.tanh(memory)
    return output, memory


class LstmGates(torch.autograd.Function):
    """The formula with its gradient by hand, in half the kernels."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        size = memory.shape[1]
        third = slice(2 * size, 3 * size)  # the candidate's, the only one with a tanh
        active = torch.sigmoid(gates)
        torch.tanh(gates[:, third], out=active[:, third])
        enter, forget, candidate, leave = active.chunk(4, dim=1)
        following = torch.addcmul(forget * memory, enter, candidate)
        bounded = torch.tanh(following)
        ctx.save_for_backward(active, memory, bounded)
        return leave * bounded, following

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_output: Tensor, of_memory: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        active, memory, bounded = ctx.saved_tensors
        enter, forget, candidate, leave = active.chunk(4, dim=1)
        slope_of_bounded = 1 - bounded * bounded
        of_following = torch.addcmul(of_memory, of_output * leave, slope_of_bounded)
        slope = torch.addcmul(active, active, active, value=-1)  # of the sigmoid: a - a^2
        of_enter, of_forget, of_candidate, of_leave = slope.chunk(4, dim=1)
        of_enter.mul_(candidate)
        of_enter.mul_(of_following)
        of_forget.mul_(memory)
        of_forget.mul_(of_following)
        torch.addcmul(of_following, of_following, candidate * candidate, value=-1, out=of_candidate)
        of_candidate.mul_(enter)
        of_leave.mul_(bounded)
        of_leave.mul_(of_output)
        return slope, of_following * forget
