"""Recurrent layers: a whole sequence by the library's fused kernel, or one step by the plain formula."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.kernels.loop import linear, repeat
from nmt.kernels.lstm import CellState, lstm_gates, run_layer
from nmt.models.linear_attention import KEY_SIZE, GatedLinearLayer
from nmt.models.minimal import MINIMAL, Factors, MinimalLayer

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
    count, length = sequence.shape[:2]
    position = torch.arange(length, device=sequence.device)[None]  # (1, S)
    mirrored = lengths[:, None] - 1 - position  # (B, S), below 0 at padding
    index = torch.where(mirrored >= 0, mirrored, position)  # (B, S)
    first = torch.arange(count, device=sequence.device)[:, None] * length  # (B, 1)
    rows = (index + first).flatten()  # of all rows as one sequence
    return sequence.flatten(0, 1).index_select(0, rows).view_as(sequence)


def make_layer(cell: str, input_size: int, size: int) -> RecurrentLayer | MinimalLayer | GatedLinearLayer:
    """One layer in one direction."""
    if cell == "gated_linear":
        return GatedLinearLayer(input_size, size)
    if cell in MINIMAL:
        return MinimalLayer(cell, input_size, size)
    return RecurrentLayer(cell, input_size, size)


class RecurrentLayer(nn.Module):
    """One layer in one direction. `run` and `step` compute the same function."""

    def __init__(self, cell: str, input_size: int, size: int):
        super().__init__()
        self.cell = cell
        self.size = size
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
        """Zeros, for inputs of any shape (B, ...)."""
        rows = len(inputs)
        return tuple(inputs.new_zeros(rows, self.size) for _ in CELLS[self.cell])

    def run(self, inputs: Tensor, lengths: Tensor | None, state: CellState | None = None) -> tuple[Tensor, CellState]:
        """Outputs (B, S, H), undefined at padding, and each row's state after its last real token.

        ``lengths`` None means that the final state is not needed row by row (all rows are run to the end).
        """

        def steps(tail: Tensor, first: int, state: CellState) -> tuple[list[Tensor], CellState]:
            return self._steps(tail, lengths, first, state)

        return run_layer(self.rnn, inputs, lengths, state or self.initial(inputs), steps)

    def _steps(self, inputs: Tensor, lengths: Tensor, first: int, state: CellState) -> tuple[list[Tensor], CellState]:
        """Columns from number ``first`` on, one by one: outputs (B, 1, H) each. Rows that have ended stay."""
        outputs = []
        gates = self.input_gates(inputs)  # (B, S - first, G)
        weights = self.step_weights(0)
        for t, of_step in enumerate(gates.unbind(dim=1), first):
            real = (lengths > t)[:, None]  # (B, 1)
            before_and_after = zip(state, self.step(of_step, None, state, weights), strict=True)
            state = tuple(torch.where(real, after, before) for before, after in before_and_after)
            hidden = state[0]
            outputs.append(hidden[:, None])
        return outputs, state

    def input_gates(self, inputs: Tensor) -> Tensor:
        """The share of the gates that the first columns of the input bring: (..., D) to (..., G)."""
        columns = inputs.shape[-1]
        weight = self.rnn.weight_ih_l0[:, :columns]
        bias = self.rnn.bias_ih_l0
        if self.cell != "gru":  # whose recurrent bias is inside the reset gate
            bias = bias + self.rnn.bias_hh_l0
        return F.linear(inputs, weight, bias)

    def step_weights(self, fed_size: int) -> Factors:
        """The factors of `step`, made once for many steps: the columns of ``fed`` join those of the state."""
        first = self.rnn.input_size - fed_size
        fed_weight = self.rnn.weight_ih_l0[:, first:]
        weight = self.rnn.weight_hh_l0
        if self.cell == "gru":
            return repeat(fed_weight), repeat(weight), self.rnn.bias_hh_l0
        if fed_size:
            weight = torch.cat((fed_weight, weight), dim=1)
        return (repeat(weight),)

    def step(self, gates: Tensor, fed: Tensor | None, state: CellState, weights: Factors) -> CellState:
        """One step from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        hidden = state[0]
        if self.cell == "gru":
            return (_gru(gates, fed, hidden, *weights),)
        joined = hidden if fed is None else torch.cat((fed, hidden), dim=1)
        gates = gates + linear(joined, weights[0])
        if self.cell == "tanh":
            return (torch.tanh(gates),)
        return lstm_gates(gates, state[1])


def _gru(gates: Tensor, fed: Tensor | None, hidden: Tensor, fed_weight: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The library's variant of Cho 2014: the reset gate is applied after the recurrent product."""
    if fed is not None:
        gates = gates + linear(fed, fed_weight)
    reset, update, candidate = gates.chunk(3, dim=1)
    recurrent = linear(hidden, weight, bias)  # (B, 3 H)
    reset_h, update_h, candidate_h = recurrent.chunk(3, dim=1)
    reset = torch.sigmoid(reset + reset_h)
    update = torch.sigmoid(update + update_h)
    candidate = torch.tanh(candidate + reset * candidate_h)
    return candidate + update * (hidden - candidate)
