"""Minimal recurrent layers (Feng 2024, "Were RNNs All We Needed?"): their gates see the input alone, so that a whole
sequence is one parallel scan, and a step costs one product. The state is of fixed size all the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.kernels.loop import linear, repeat

MINIMAL = {"min_gru": 2, "min_lstm": 3}  # how many linear maps of the input a layer has
CellState = tuple[Tensor, ...]  # the first is what the layer puts out (B, H); the others may be wider


class MappedLayer(nn.Module):
    """A layer whose gates see the input alone, by one linear map."""

    def __init__(self, input_size: int, size: int, width: int):
        super().__init__()
        self.size = size
        self.maps = nn.Linear(input_size, width)

    def input_gates(self, inputs: Tensor) -> Tensor:
        """The share of the maps that the first columns of the input bring: (..., D) to (..., G)."""
        return F.linear(inputs, self.maps.weight[:, : inputs.shape[-1]], self.maps.bias)

    def step_weights(self, fed_size: int) -> tuple[Tensor, ...]:
        """The columns of what is fed at each step."""
        return (repeat(self.maps.weight[:, self.maps.in_features - fed_size :]),)

    def mapped(self, gates: Tensor, fed: Tensor | None, weights: tuple[Tensor, ...]) -> Tensor:
        """All maps of one step, from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        return gates if fed is None else gates + linear(fed, weights[0])


class MinimalLayer(MappedLayer):
    """One layer in one direction, in the contract of `RecurrentLayer`: `run` and `step` compute the same function."""

    def __init__(self, cell: str, input_size: int, size: int):
        super().__init__(input_size, size, MINIMAL[cell] * size)
        self.cell = cell
        nn.init.xavier_uniform_(self.maps.weight)
        nn.init.zeros_(self.maps.bias)
        with torch.no_grad():  # remember at first
            self.maps.bias[:size] = -1.0 if cell == "min_gru" else 1.0

    def initial(self, inputs: Tensor) -> CellState:
        return (inputs.new_zeros(len(inputs), self.size),)

    def run(self, inputs: Tensor, lengths: Tensor | None, state: CellState | None = None) -> tuple[Tensor, CellState]:
        """Outputs (B, S, H), undefined at padding, and each row's state after its last real token."""
        keep, add = self._coefficients(self.maps(inputs))
        start = (state or self.initial(inputs))[0].to(add.dtype)
        first = add[:, :1] + keep[:, :1] * start[:, None]
        outputs = scan(keep, torch.cat((first, add[:, 1:]), dim=1))  # (B, S, H)
        if lengths is None:
            return outputs, (outputs[:, -1],)
        last = (lengths - 1)[:, None, None].expand(-1, 1, self.size)
        return outputs, (outputs.gather(1, last)[:, 0],)

    def step(self, gates: Tensor, fed: Tensor | None, state: CellState, weights: tuple[Tensor, ...]) -> CellState:
        """One step from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        keep, add = self._coefficients(self.mapped(gates, fed, weights))
        return (keep * state[0].to(keep.dtype) + add,)

    def _coefficients(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """What is kept of the state and what is added to it, each (..., H): in fp32, as many of them are multiplied."""
        parts = maps.float().chunk(MINIMAL[self.cell], dim=-1)
        if self.cell == "min_gru":  # section 3.1.2: h = (1 - z) h + z c
            update = torch.sigmoid(parts[0])
            return 1 - update, update * parts[1]
        # Section 3.2.3: f and i made to sum to one; by logarithms, for both may be too small to divide by.
        forget = torch.sigmoid(F.logsigmoid(parts[0]) - F.logsigmoid(parts[1]))
        return forget, (1 - forget) * parts[2]


def scan(keep: Tensor, add: Tensor) -> Tensor:
    """h_t = keep_t h_{t-1} + add_t from h_0 = 0, all t at once in log2(S) rounds (Hillis and Steele 1986). (B, S, H)

    After each round, ``add`` holds what twice as many steps add up to, and ``keep`` what they keep of what was before.
    """
    length, reach = add.shape[1], 1
    while reach < length:
        before_add = F.pad(add[:, :-reach], (0, 0, reach, 0))  # reach steps earlier; nothing before the first
        before_keep = F.pad(keep[:, :-reach], (0, 0, reach, 0), value=1.0)
        add, keep = add + keep * before_add, keep * before_keep
        reach *= 2
    return add
