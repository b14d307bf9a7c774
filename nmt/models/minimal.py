"""Minimal recurrent layers (Feng 2024, "Were RNNs All We Needed?"): their gates see the input alone, so that a whole
sequence is one parallel scan, and a step costs one product. The state is of fixed size all the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.kernels.loop import linear, repeat
from nmt.kernels.lstm import CellState

MINIMAL = {"min_gru": 2, "min_lstm": 3}  # how many linear maps of the input a layer has
Factors = tuple[Tensor, ...]  # of the products of a step, prepared for many steps


class MappedLayer(nn.Module):
    """A layer whose gates see the input alone, by one linear map."""

    def __init__(self, input_size: int, size: int, width: int):
        super().__init__()
        self.size = size
        self.maps = nn.Linear(input_size, width)

    def input_gates(self, inputs: Tensor) -> Tensor:
        """The share of the maps that the first columns of the input bring: (..., D) to (..., G)."""
        columns = inputs.shape[-1]
        weight = self.maps.weight[:, :columns]
        return F.linear(inputs, weight, self.maps.bias)

    def step_weights(self, fed_size: int) -> Factors:
        """The columns of what is fed at each step."""
        first = self.maps.in_features - fed_size
        return (repeat(self.maps.weight[:, first:]),)

    def mapped(self, gates: Tensor, fed: Tensor | None, weights: Factors) -> Tensor:
        """All maps of one step, from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        if fed is None:
            return gates
        return gates + linear(fed, weights[0])


class MinimalLayer(MappedLayer):
    """One layer in one direction, in the contract of `RecurrentLayer`: `run` and `step` compute the same function."""

    def __init__(self, cell: str, input_size: int, size: int):
        super().__init__(input_size, size, MINIMAL[cell] * size)
        self.cell = cell
        nn.init.xavier_uniform_(self.maps.weight)
        nn.init.zeros_(self.maps.bias)
        remember = -1.0 if cell == "min_gru" else 1.0  # at first
        with torch.no_grad():
            self.maps.bias[:size] = remember

    def initial(self, inputs: Tensor) -> CellState:
        return (inputs.new_zeros(len(inputs), self.size),)

    def run(self, inputs: Tensor, lengths: Tensor | None, state: CellState | None = None) -> tuple[Tensor, CellState]:
        """Outputs (B, S, H), undefined at padding, and each row's state after its last real token."""
        keep, add = self._coefficients(self.maps(inputs))  # (B, S, H) each
        (start,) = state or self.initial(inputs)
        start = start.to(add.dtype)[:, None]  # (B, 1, H)
        first = add[:, :1] + keep[:, :1] * start
        add = torch.cat((first, add[:, 1:]), dim=1)
        outputs = scan(keep, add)  # (B, S, H)
        if lengths is None:
            return outputs, (outputs[:, -1],)
        last = (lengths - 1)[:, None, None]  # (B, 1, 1)
        final = outputs.gather(1, last.expand(-1, 1, self.size))  # (B, 1, H)
        return outputs, (final[:, 0],)

    def step(self, gates: Tensor, fed: Tensor | None, state: CellState, weights: Factors) -> CellState:
        """One step from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        keep, add = self._coefficients(self.mapped(gates, fed, weights))
        hidden = state[0].to(keep.dtype)
        return (keep * hidden + add,)

    def _coefficients(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """What is kept of the state and what is added to it, each (..., H): in fp32, as many of them are multiplied."""
        maps = maps.float()
        if self.cell == "min_gru":  # section 3.1.2: h = (1 - z) h + z c
            update, candidate = maps.chunk(2, dim=-1)
            update = torch.sigmoid(update)
            return 1 - update, update * candidate
        # Section 3.2.3: f and i made to sum to one; by logarithms, for both may be too small to divide by.
        forget, enter, candidate = maps.chunk(3, dim=-1)
        difference = F.logsigmoid(forget) - F.logsigmoid(enter)
        forget = torch.sigmoid(difference)
        return forget, (1 - forget) * candidate


def scan(keep: Tensor, add: Tensor) -> Tensor:
    """h_t = keep_t h_{t-1} + add_t from h_0 = 0, all t at once in log2(S) rounds (Hillis and Steele 1986). (B, S, H)

    After each round, ``add`` holds what twice as many steps add up to, and ``keep`` what they keep of what was before.
    """
    reach = 1
    while reach < add.shape[1]:
        earlier = (0, 0, reach, 0)  # so many steps; nothing before the first
        add_before = F.pad(add[:, :-reach], earlier)
        keep_before = F.pad(keep[:, :-reach], earlier, value=1.0)
        add = add + keep * add_before
        keep = keep * keep_before
        reach *= 2
    return add
