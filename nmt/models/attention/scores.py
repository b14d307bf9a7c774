"""How well a query fits each key. The registry: adding a score is one class, here or in a plugin.

Everything that does not depend on the query is made once per sentence in `keys`. Some scores are fixed: they learn
nothing, and show what learning to score is worth.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nmt.errors import UserError
from nmt.kernels.loop import product
from nmt.models.attention.options import AttentionOptions
from nmt.models.attention.registry import SCORES


class Score(nn.Module, ABC):
    """score(query, key) for every pair of a query and an encoder state."""

    name: str
    learns = True  # whether it has parameters of its own
    uses_query = True
    key_size: int | None = None  # of keys that hold content, to which coverage can be added

    def __init_subclass__(cls) -> None:
        cls.learns = vars(cls).get("learns", True)  # a class that extends one without parameters may have some
        SCORES[cls.name] = cls

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__()

    @abstractmethod
    def keys(self, states: Tensor) -> Tensor:
        """What is scored against: states (B, S, D) to keys (B, S, K)."""

    @abstractmethod
    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        """Queries (B, T, Q), keys (B, S, K) and the queries' target positions (B, T), from 0, to scores (B, T, S)."""


class Additive(Score):
    """v · tanh(W q + U h) (Bahdanau 2015, appendix A.1.2); normed: g v/|v| · tanh(W q + U h + b) (Salimans 2016)."""

    name = "additive"

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__(query_size, state_size, options)
        self.key_size = options.size
        self.query = nn.Linear(query_size, options.size, bias=False)
        self.key = nn.Linear(state_size, options.size)
        self.vector = _vector(options.size)
        self.length = None
        if options.normed:
            self.length = nn.Parameter(torch.tensor(1.0))

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        query = self.query(query)  # (B, T, K)
        mixed = torch.tanh(query[:, :, None] + keys[:, None])  # (B, T, S, K)
        vector: Tensor = self.vector
        if self.length is not None:
            vector = self.length * F.normalize(vector, dim=0)
        return mixed @ vector.to(mixed.dtype)


class Dot(Score):
    """q · h (Luong 2015, section 3.1)."""

    name = "dot"
    learns = False

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__(query_size, state_size, options)
        _same_sizes(self.name, query_size, state_size)
        self.key_size = state_size

    def keys(self, states: Tensor) -> Tensor:
        return states

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        return product(query, keys, transposed=True)


class General(Score):
    """q · W h (Luong 2015, section 3.1)."""

    name = "general"

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__(query_size, state_size, options)
        self.key_size = query_size
        self.key = nn.Linear(state_size, query_size, bias=False)

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        return product(query, keys, transposed=True)


class Concat(Score):
    """v · tanh(W [q; h]) (Luong 2015, section 3.1): additive without an offset, its two products as one matrix."""

    name = "concat"

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__(query_size, state_size, options)
        self.query_size = query_size
        self.key_size = options.size
        self.joint = nn.Linear(query_size + state_size, options.size, bias=False)
        self.vector = _vector(options.size)

    def keys(self, states: Tensor) -> Tensor:
        return F.linear(states, self.joint.weight[:, self.query_size :])

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        mixed = F.linear(query, self.joint.weight[:, : self.query_size])  # (B, T, K)
        mixed = torch.tanh(mixed[:, :, None] + keys[:, None])  # (B, T, S, K)
        return mixed @ self.vector.to(mixed.dtype)


class Location(Score):
    """W q, one row of W for each source position (Luong 2015, equation 8): the keys' content is not looked at."""

    name = "location"

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__(query_size, state_size, options)
        self.position = nn.Linear(query_size, options.max_positions, bias=False)

    def keys(self, states: Tensor) -> Tensor:
        return states[..., :1]  # only how many there are

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        scores = self.position(query)  # (B, T, P)
        positions = torch.arange(keys.shape[1], device=keys.device)  # (S,), of the source
        known = positions.clamp(max=scores.shape[-1] - 1)
        return scores.index_select(2, known)


class ScaledDot(Score):
    """(W q) · (U h) / sqrt(size) (Vaswani 2017, section 3.2.1), with one head."""

    name = "scaled_dot"

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__(query_size, state_size, options)
        self.key_size = options.size
        self.query = nn.Linear(query_size, options.size, bias=False)
        self.key = nn.Linear(state_size, options.size, bias=False)
        self.scale = options.size**-0.5

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        query = self.query(query) * self.scale  # (B, T, K)
        return product(query, keys, transposed=True)


class Cosine(Score):
    """Fixed: sharpness times the cosine of the angle between query and state."""

    name = "cosine"
    learns = False

    def __init__(self, query_size: int, state_size: int, options: AttentionOptions):
        super().__init__(query_size, state_size, options)
        _same_sizes(self.name, query_size, state_size)
        self.sharpness = options.sharpness

    def keys(self, states: Tensor) -> Tensor:
        return F.normalize(states, dim=-1)

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        cosines = product(F.normalize(query, dim=-1), keys, transposed=True)  # (B, T, S)
        return self.sharpness * cosines


class Diagonal(Score):
    """Fixed: minus the distance to the diagonal, in positions.

    Target position t looks at source position t: languages that keep their order would need no more.
    """

    name = "diagonal"
    learns = False
    uses_query = False

    def keys(self, states: Tensor) -> Tensor:
        return states[..., :1]

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        source = torch.arange(keys.shape[1], device=keys.device)  # (S,)
        distance = (source - positions[..., None]).abs()  # (B, T, S)
        return -distance.float()


class Uniform(Score):
    """Fixed: every state the same, so that the context is their mean."""

    name = "uniform"
    learns = False
    uses_query = False

    def keys(self, states: Tensor) -> Tensor:
        return states[..., :1]

    def forward(self, query: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        rows, length, _ = query.shape
        return query.new_zeros(rows, length, keys.shape[1])


def _vector(size: int) -> nn.Parameter:
    """Weights (size,) of a variance of 1 / size."""
    uniform = torch.empty(size).uniform_(-1, 1)
    return nn.Parameter(uniform.mul_(math.sqrt(3 / size)))


def _same_sizes(name: str, query_size: int, state_size: int) -> None:
    if query_size != state_size:
        raise UserError(
            f"model.attention.score={name} multiplies decoder states ({query_size}) by encoder states ({state_size}), "
            "of one size only; match the sizes or use general"
        )
