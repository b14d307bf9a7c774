"""How well a query fits each key. The registry: adding a score is one class here and one YAML.

Everything that does not depend on the query is made once per sentence in `keys`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from nmt.errors import UserError, nearest

SCORES: dict[str, type[Score]] = {}


class Score(nn.Module, ABC):
    """score(query, key) for every pair of a query and an encoder state."""

    name: str

    def __init_subclass__(cls) -> None:
        SCORES[cls.name] = cls

    def __init__(self, query_size: int, state_size: int, size: int):
        super().__init__()

    @abstractmethod
    def keys(self, states: Tensor) -> Tensor:
        """What is scored against: states (B, S, D) to keys (B, S, K)."""

    @abstractmethod
    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Queries (B, T, Q) and keys (B, S, K) to scores (B, T, S)."""


class Additive(Score):
    """v · tanh(W q + U h) (Bahdanau 2015, appendix A.1.2)."""

    name = "additive"

    def __init__(self, query_size: int, state_size: int, size: int):
        super().__init__(query_size, state_size, size)
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(state_size, size)
        self.vector = nn.Parameter(torch.empty(size).uniform_(-1, 1) * math.sqrt(3 / size))

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        mixed = torch.tanh(self.query(query)[:, :, None] + keys[:, None])  # (B, T, S, K)
        return mixed @ self.vector.to(mixed.dtype)


class Dot(Score):
    """q · h (Luong 2015, section 3.1)."""

    name = "dot"

    def __init__(self, query_size: int, state_size: int, size: int):
        super().__init__(query_size, state_size, size)
        if query_size != state_size:
            raise UserError(
                f"model.attention.score=dot multiplies decoder states ({query_size}) by encoder states ({state_size}), "
                "of one size only; match the sizes or use general"
            )

    def keys(self, states: Tensor) -> Tensor:
        return states

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class General(Score):
    """q · W h (Luong 2015, section 3.1)."""

    name = "general"

    def __init__(self, query_size: int, state_size: int, size: int):
        super().__init__(query_size, state_size, size)
        self.key = nn.Linear(state_size, query_size, bias=False)

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.transpose(1, 2)


class ScaledDot(Score):
    """(W q) · (U h) / sqrt(size) (Vaswani 2017, section 3.2.1), with one head."""

    name = "scaled_dot"

    def __init__(self, query_size: int, state_size: int, size: int):
        super().__init__(query_size, state_size, size)
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(state_size, size, bias=False)
        self.scale = size**-0.5

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        return (self.query(query) * self.scale) @ keys.transpose(1, 2)


def make_score(name: str, query_size: int, state_size: int, size: int) -> Score:
    """Raises UserError for a name that is not registered, or sizes that the score can't join."""
    if name not in SCORES:
        raise UserError(f"model.attention.score={name}: {nearest(name, SCORES)}; your own by NMT_PLUGINS")
    return SCORES[name](query_size, state_size, size)
