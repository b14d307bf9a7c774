"""Gated linear attention: a recurrence whose state is a matrix, written and read by keys (Yang 2024), with one decay
a head, as in a selective state space (Dao and Gu 2024, "Transformers are SSMs", section 5).

S_t = a_t S_{t-1} + v_t k_t^T and o_t = S_t q_t, where decay, key, value and query all depend on the input. The state is
of fixed size, `KEY_SIZE` times as wide as the layer. Training goes by chunks: products within them, steps between them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.errors import UserError
from nmt.kernels.lstm import CellState
from nmt.kernels.process import without_autocast
from nmt.models.minimal import Factors, MappedLayer

KEY_SIZE = 16
HEAD_SIZE = 32  # values a head; a smaller layer is one head
CHUNK = 64  # positions that are read as one product
SLOW = 16.0  # the decay's logarithm is divided by it: at first a state lasts for some 20 steps (Yang 2024, section 4.4)


class Maps(NamedTuple):
    """What a layer maps each input to, in fp32: many decays are multiplied."""

    value: Tensor  # (..., heads, V)
    gate: Tensor  # (..., H)
    query: Tensor  # (..., heads, K)
    key: Tensor  # (..., heads, K)
    decay: Tensor  # (..., heads), its logarithm


class GatedLinearLayer(MappedLayer):
    """One layer in one direction, in the contract of `RecurrentLayer`. Its state: the output (B, H), which is there for
    attention to ask with, and the matrix (B, H * KEY_SIZE).
    """

    def __init__(self, input_size: int, size: int):
        if size > HEAD_SIZE and size % HEAD_SIZE:
            raise UserError(f"model.cell=gated_linear: layers of {size} can't be cut into heads of {HEAD_SIZE}")
        heads = max(1, size // HEAD_SIZE)
        keys = heads * KEY_SIZE
        widths = (size, size, keys, keys, heads)  # values, gates, queries, keys, decays
        super().__init__(input_size, size, sum(widths))
        self.heads = heads
        self.widths = widths
        self.leave = nn.Linear(size, size, bias=False)
        nn.init.xavier_uniform_(self.leave.weight)
        nn.init.zeros_(self.maps.bias)
        for weight in self.maps.weight.data.split(self.widths):
            nn.init.xavier_uniform_(weight)

    def initial(self, inputs: Tensor) -> CellState:
        rows = len(inputs)
        output = inputs.new_zeros(rows, self.size)
        matrix = inputs.new_zeros(rows, self.size * KEY_SIZE)
        return output, matrix

    def run(self, inputs: Tensor, lengths: Tensor | None, state: CellState | None = None) -> tuple[Tensor, CellState]:
        """Outputs (B, S, H), undefined at padding, and each row's state after its last real token."""
        _, matrix = state or self.initial(inputs)
        maps = self._maps(self.maps(inputs))  # (B, S, ...)
        key = maps.key
        decay = maps.decay
        if lengths is not None:  # padding neither decays nor writes
            position = torch.arange(inputs.shape[1], device=inputs.device)
            real = position < lengths[:, None]  # (B, S)
            decay = decay * real[..., None]
            key = key * real[..., None, None]
        read, last_matrix = by_chunks(
            maps.query.transpose(1, 2),  # (B, heads, S, K)
            key.transpose(1, 2),
            maps.value.transpose(1, 2),
            decay.transpose(1, 2),
            self._matrix(matrix),
        )
        outputs = self._leave(read.transpose(1, 2), maps.gate)  # (B, S, H)
        last = outputs[:, -1]
        if lengths is not None:
            last = outputs[torch.arange(len(outputs)), lengths - 1]
        return outputs, (last, last_matrix.flatten(1))

    def step(self, gates: Tensor, fed: Tensor | None, state: CellState, weights: Factors) -> CellState:
        """One step from `input_gates` (B, G), the rest of the input ``fed`` (B, F), and `step_weights`."""
        maps = self._maps(self.mapped(gates, fed, weights))
        _, matrix = state
        decay = maps.decay.exp()[..., None, None]  # (B, heads, 1, 1)
        written = maps.value[..., None] * maps.key[..., None, :]  # (B, heads, V, K)
        matrix = decay * self._matrix(matrix) + written
        by_key = matrix * maps.query[..., None, :]
        read = by_key.sum(dim=-1)  # (B, heads, V)
        return self._leave(read, maps.gate), matrix.flatten(1)

    def _maps(self, mapped: Tensor) -> Maps:
        """From the linear maps (..., G) of the input."""
        mapped = mapped.float()
        value, gate, query, key, decay = mapped.split(self.widths, dim=-1)
        by_head = (self.heads, -1)
        return Maps(
            value=value.unflatten(-1, by_head),
            gate=gate,
            query=query.unflatten(-1, by_head) * KEY_SIZE**-0.5,
            key=key.unflatten(-1, by_head),
            decay=F.logsigmoid(decay) / SLOW,
        )

    def _matrix(self, flat: Tensor) -> Tensor:
        """(B, heads, V, K): each output's own KEY_SIZE numbers lie together, so that two directions can be joined."""
        return flat.float().unflatten(-1, (self.heads, -1, KEY_SIZE))

    def _leave(self, read: Tensor, gate: Tensor) -> Tensor:
        """(..., heads, V) to (..., H): each head is brought to one size, then gated."""
        normed = F.rms_norm(read, read.shape[-1:], eps=1e-5)
        gated = normed.flatten(-2) * F.silu(gate)  # (..., H)
        return self.leave(gated)


def by_chunks(query: Tensor, key: Tensor, value: Tensor, decay: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """What each position reads (B, heads, S, V), and the last matrix.

    query and key (B, heads, S, K), value (B, heads, S, V), decay (B, heads, S), a logarithm, matrix (B, heads, V, K).
    """
    reads = []
    with without_autocast(query.device):
        by_chunk = [part.split(CHUNK, dim=2) for part in (query, key, value, decay)]
        for queries, keys, values, decays in zip(*by_chunk, strict=True):
            read, matrix = _one_chunk(queries, keys, values, decays, matrix)
            reads.append(read)
    return torch.cat(reads, dim=2), matrix


def _one_chunk(query: Tensor, key: Tensor, value: Tensor, decay: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """`by_chunks` for C positions: products among them, and with the matrix that they found."""
    since = decay.cumsum(dim=2)  # (B, heads, C): decay from the chunk's beginning
    from_writer = since[..., :, None] - since[..., None, :]  # (B, heads, C, C): until its reader
    later = torch.ones_like(from_writer[0, 0], dtype=torch.bool).triu(1)
    kept = from_writer.masked_fill(later, float("-inf")).exp()
    weights = (query @ key.transpose(-1, -2)) * kept  # (B, heads, C, C)
    from_matrix = query @ matrix.transpose(-1, -2)  # (B, heads, C, V)
    read = weights @ value + since.exp()[..., None] * from_matrix
    last = since[..., -1:]  # (B, heads, 1)
    until_end = (last - since).exp()[..., None]  # (B, heads, C, 1)
    written = (value * until_end).transpose(-1, -2) @ key  # (B, heads, V, K)
    return read, last.exp()[..., None] * matrix + written
