"""Recurrent layers: a whole sequence by the library's fused kernel, or one step by the plain formula."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nmt.kernels.loop import linear, repeat
from nmt.models.linear_attention import KEY_SIZE, GatedLinearLayer
from nmt.models.minimal import MINIMAL, CellState, MinimalLayer

# The tensors of a state, each so many times as wide as the layer.
CELLS = {
    "lstm": (1, 1),
    "gru": (1,),
    "tanh": (1,),
    "min_gru": (1,),
    "min_lstm": (1,),
    "gated_linear": (1, KEY_SIZE),
}
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "tanh": nn.RNN}


def flip(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Reverses (B, S, ...) within each row's length; padding stays at the end."""
    position = torch.arange(sequence.shape[1], device=sequence.device)[None]  # (1, S)
    mirrored = lengths[:, None] - 1 - position
    index = torch.where(mirrored >= 0, mirrored, position)  # (B, S)
    rows = index + sequence.shape[1] * torch.arange(len(sequence), device=sequence.device)[:, None]
    return sequence.flatten(0, 1).index_select(0, rows.flatten()).view_as(sequence)


def make_layer(cell: str, input_size: int, size: int) -> RecurrentLayer | MinimalLayer | GatedLinearLayer:
    """One layer in one direction."""
    if cell == "gated_linear":
        return GatedLinearLayer(input_size, size)
    return (MinimalLayer if cell in MINIMAL else RecurrentLayer)(cell, input_size, size)


class RecurrentLayer(nn.Module):
    """One layer in one direction. `run` and `step` compute the same function."""

    def __init__(self, cell: str, input_size: int, size: int):
        super().__init__()
        self.cell, self.size = cell, size
        self.rnn = MODULES[cell](input_size, size, batch_first=True)
        for name, parameter in self.rnn.named_parameters():
            if name.startswith("weight_hh"):
                for gate in parameter.data.split(size):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight"):
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
        if cell == "lstm":
            self.rnn.bias_ih_l0.data[size : 2 * size] = 1.0  # remember at first (Jozefowicz 2015, section 2.2)

    def initial(self, inputs: Tensor) -> CellState:
        return tuple(inputs.new_zeros(len(inputs), self.size) for _ in CELLS[self.cell])

    def run(self, inputs: Tensor, lengths: Tensor | None, state: CellState | None = None) -> tuple[Tensor, CellState]:
        """Outputs (B, S, H), undefined at padding, and each row's state after its last real token.

        ``lengths`` None means that the final state is not needed row by row (all rows are run to the end).
        """
        state = state or self.initial(inputs)
        shortest = inputs.shape[1] if lengths is None else int(lengths.min())
        if shortest == inputs.shape[1]:
            return self._fused(inputs, state)
        if inputs.device.type != "cpu":
            return self._packed(inputs, lengths, state)
        return self._fused_then_steps(inputs, lengths, shortest, state)

    def _fused(self, inputs: Tensor, state: CellState) -> tuple[Tensor, CellState]:
        if inputs.device.type != "cpu":  # autocast would run cuDNN in fp16, whatever format was asked for
            with torch.autocast(inputs.device.type, enabled=False):
                outputs, final = self.rnn(inputs.float().contiguous(), self._to_library(state, torch.float32))
            return outputs, self._from_library(final)
        outputs, final = self.rnn(inputs.contiguous(), self._to_library(state))
        return outputs, self._from_library(final)

    def _packed(self, inputs: Tensor, lengths: Tensor, state: CellState) -> tuple[Tensor, CellState]:
        with torch.autocast(inputs.device.type, enabled=False):  # as in _fused
            packed = nn.utils.rnn.pack_padded_sequence(
                inputs.float(), lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            outputs, final = self.rnn(packed, self._to_library(state, torch.float32))
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
        return outputs, self._from_library(final)

    def _fused_then_steps(
        self, inputs: Tensor, lengths: Tensor, shortest: int, state: CellState
    ) -> tuple[Tensor, CellState]:
        """The columns where every row is real by the fused kernel, which takes no lengths; the few others step by step.

        On CPU a packed sequence leaves the fused kernel for a loop; batches hold sentences of about one length.
        """
        outputs = []
        if shortest > 0:
            head, state = self._fused(inputs[:, :shortest], state)
            outputs.append(head)
        gates = self.input_gates(inputs[:, shortest:])  # (B, S - shortest, G)
        weights = self.step_weights(0)
        for t, of_step in enumerate(gates.unbind(dim=1), shortest):
            real = (lengths > t)[:, None]  # (B, 1)
            following = self.step(of_step, None, state, weights)
            state = tuple(torch.where(real, new, old) for new, old in zip(following, state, strict=True))
            outputs.append(state[0][:, None])
        return torch.cat(outputs, dim=1), state

    def input_gates(self, inputs: Tensor) -> Tensor:
        """The share of the gates that the first columns of the input bring: (..., D) to (..., G)."""
        weight = self.rnn.weight_ih_l0[:, : inputs.shape[-1]]
        bias = self.rnn.bias_ih_l0 if self.cell == "gru" else self.rnn.bias_ih_l0 + self.rnn.bias_hh_l0
        return F.linear(inputs, weight, bias)

    def step_weights(self, fed_size: int) -> tuple[Tensor, ...]:
        """What `step` multiplies with, made once for many steps: the columns of ``fed`` join those of the state."""
        fed = self.rnn.weight_ih_l0[:, self.rnn.input_size - fed_size :]
        if self.cell == "gru":
            return repeat(fed), repeat(self.rnn.weight_hh_l0), self.rnn.bias_hh_l0
        return (repeat(torch.cat((fed, self.rnn.weight_hh_l0), dim=1) if fed_size else self.rnn.weight_hh_l0),)

    def step(self, gates: Tensor, fed: Tensor | None, state: CellState, weights: tuple[Tensor, ...]) -> CellState:
        """One step from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        hidden = state[0]
        if self.cell == "gru":
            return (_gru(gates, fed, hidden, *weights),)
        joined = hidden if fed is None else torch.cat((fed, hidden), dim=1)
        gates = gates + linear(joined, weights[0])
        if self.cell == "tanh":
            return (torch.tanh(gates),)
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return LstmGates.apply(gates, state[1])
        return plain_lstm_gates(gates, state[1])

    def _to_library(self, state: CellState, kind: torch.dtype | None = None) -> Tensor | CellState:
        parts = tuple(part[None].to(kind or part.dtype).contiguous() for part in state)
        return parts if self.cell == "lstm" else parts[0]

    def _from_library(self, final: Tensor | CellState) -> CellState:
        return tuple(part[0] for part in (final if self.cell == "lstm" else (final,)))


def plain_lstm_gates(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Hochreiter 1997 with the forget gate of Gers 2000: gates (B, 4 H) and the old memory (B, H) to output, memory."""
    enter, forget, candidate, leave = gates.chunk(4, dim=1)
    memory = torch.sigmoid(forget) * memory + torch.sigmoid(enter) * torch.tanh(candidate)
    return torch.sigmoid(leave) * torch.tanh(memory), memory


class LstmGates(torch.autograd.Function):
    """The same with its gradient by hand, in half the kernels."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        size = memory.shape[1]
        active = torch.sigmoid(gates)
        torch.tanh(gates[:, 2 * size : 3 * size], out=active[:, 2 * size : 3 * size])
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
        of_following = torch.addcmul(of_memory, of_output * leave, 1 - bounded * bounded)
        slope = torch.addcmul(active, active, active, value=-1)  # of the sigmoid: a - a^2
        of_enter, of_forget, of_candidate, of_leave = slope.chunk(4, dim=1)
        of_enter.mul_(candidate).mul_(of_following)
        of_forget.mul_(memory).mul_(of_following)
        torch.addcmul(of_following, of_following, candidate * candidate, value=-1, out=of_candidate).mul_(enter)
        of_leave.mul_(bounded).mul_(of_output)
        return slope, of_following * forget


def _gru(gates: Tensor, fed: Tensor | None, hidden: Tensor, fed_weight: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The library's variant of Cho 2014: the reset gate is applied after the recurrent product."""
    if fed is not None:
        gates = gates + linear(fed, fed_weight)
    reset, update, candidate = gates.chunk(3, dim=1)
    reset_h, update_h, candidate_h = linear(hidden, weight, bias).chunk(3, dim=1)
    update = torch.sigmoid(update + update_h)
    candidate = torch.tanh(candidate + torch.sigmoid(reset + reset_h) * candidate_h)
    return candidate + update * (hidden - candidate)
