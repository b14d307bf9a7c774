"""Gated linear attention: a recurrence whose state is a matrix, written and read by keys (Yang 2024), with one decay
a head, as in a selective state space (Dao and Gu 2024, "Transformers are SSMs", section 5).

S_t = a_t S_{t-1} + v_t k_t^T and o_t = S_t q_t, where decay, key, value and query all depend on the input. The state is
of fixed size, `KEY_SIZE` times as wide as the layer. Training goes by chunks: products within them, steps between them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.errors import UserError
from nmt.kernels.process import without_autocast
from nmt.models.minimal import CellState, MappedLayer

KEY_SIZE = 16
HEAD_SIZE = 32  # values a head; a smaller layer is one head
CHUNK = 64  # positions that are read as one product
SLOW = 16.0  # the decay's logarithm is divided by it: at first a state lasts for some 20 steps (Yang 2024, section 4.4)


class GatedLinearLayer(MappedLayer):
    """One layer in one direction, in the contract of `RecurrentLayer`. Its state: the output (B, H), which is there for
    attention to ask with, and the matrix (B, H * KEY_SIZE).
    """

    def __init__(self, input_size: int, size: int):
        if size > HEAD_SIZE and size % HEAD_SIZE:
            raise UserError(f"model.cell=gated_linear: layers of {size} can't be cut into heads of {HEAD_SIZE}")
        heads = max(1, size // HEAD_SIZE)
        widths = (size, size, heads * KEY_SIZE, heads * KEY_SIZE, heads)  # values, gates, queries, keys, decays
        super().__init__(input_size, size, sum(widths))
        self.heads, self.widths = heads, widths
        self.leave = nn.Linear(size, size, bias=False)
        nn.init.xavier_uniform_(self.leave.weight)
        nn.init.zeros_(self.maps.bias)
        for part in self.maps.weight.data.split(self.widths):
            nn.init.xavier_uniform_(part)

    def initial(self, inputs: Tensor) -> CellState:
        return inputs.new_zeros(len(inputs), self.size), inputs.new_zeros(len(inputs), self.size * KEY_SIZE)

    def run(self, inputs: Tensor, lengths: Tensor | None, state: CellState | None = None) -> tuple[Tensor, CellState]:
        """Outputs (B, S, H), undefined at padding, and each row's state after its last real token."""
        _, matrix = state or self.initial(inputs)
        value, gate, query, key, decay = self._parts(self.maps(inputs))  # (B, S, heads, ...)
        if lengths is not None:  # padding neither decays nor writes
            real = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]  # (B, S)
            decay, key = decay * real[..., None], key * real[..., None, None]
        query, key, value, decay = (part.transpose(1, 2) for part in (query, key, value, decay))  # (B, heads, S, ...)
        read, matrix = by_chunks(query, key, value, decay, self._matrix(matrix))
        outputs = self._leave(read.transpose(1, 2), gate)  # (B, S, H)
        last = outputs[:, -1] if lengths is None else outputs[torch.arange(len(outputs)), lengths - 1]
        return outputs, (last, matrix.flatten(1))

    def step(self, gates: Tensor, fed: Tensor | None, state: CellState, weights: tuple[Tensor, ...]) -> CellState:
        """One step from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        value, gate, query, key, decay = self._parts(self.mapped(gates, fed, weights))
        matrix = decay.exp()[..., None, None] * self._matrix(state[1]) + value[..., None] * key[..., None, :]
        read = (matrix * query[..., None, :]).sum(dim=-1)  # (B, heads, V)
        return self._leave(read, gate), matrix.flatten(1)

    def _parts(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Values (..., heads, V), gates (..., H), queries and keys (..., heads, K), logarithms of decays (..., heads).

        In fp32: many decays are multiplied.
        """
        value, gate, query, key, decay = maps.float().split(self.widths, dim=-1)
        value, query, key = (part.unflatten(-1, (self.heads, -1)) for part in (value, query, key))
        return value, gate, query * KEY_SIZE**-0.5, key, F.logsigmoid(decay) / SLOW

    def _matrix(self, flat: Tensor) -> Tensor:
        """(B, heads, V, K): each output's own KEY_SIZE numbers lie together, so that two directions can be joined."""
        return flat.float().unflatten(-1, (self.heads, -1, KEY_SIZE))

    def _leave(self, read: Tensor, gate: Tensor) -> Tensor:
        """(..., heads, V) to (..., H): each head is brought to one size, then gated."""
        return self.leave(F.rms_norm(read, read.shape[-1:], eps=1e-5).flatten(-2) * F.silu(gate))


def by_chunks(query: Tensor, key: Tensor, value: Tensor, decay: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """What each position reads (B, heads, S, V), and the last matrix.

    query and key (B, heads, S, K), value (B, heads, S, V), decay (B, heads, S), a logarithm, matrix (B, heads, V, K).
    """
    found = []
    with without_autocast(query.device):
        for q, k, v, d in zip(*(part.split(CHUNK, dim=2) for part in (query, key, value, decay)), strict=True):
            since = d.cumsum(dim=2)  # (B, heads, C): decay from the chunk's beginning
            between = since[..., :, None] - since[..., None, :]  # (B, heads, C, C): from a writer to its reader
            later = torch.ones_like(between[0, 0], dtype=torch.bool).triu(1)
            weights = (q @ k.transpose(-1, -2)) * between.masked_fill(later, float("-inf")).exp()
            found.append(weights @ v + since.exp()[..., None] * (q @ matrix.transpose(-1, -2)))
            left = (since[..., -1:] - since).exp()[..., None]  # (B, heads, C, 1): until the chunk's end
            matrix = since[..., -1, None, None].exp() * matrix + (v * left).transpose(-1, -2) @ k
    return torch.cat(found, dim=2), matrix
