"""Where to look: which source positions a query may see, and which of them it prefers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from nmt.kernels.softmax import exact
from nmt.models.attention.options import AttentionOptions
from nmt.models.attention.registry import SCOPES


class Scope(nn.Module, ABC):
    """A bias on the scores: minus infinity where a query may not look."""

    name: str
    learns = False  # whether it has parameters of its own

    def __init_subclass__(cls) -> None:
        SCOPES[cls.name] = cls

    def __init__(self, query_size: int, options: AttentionOptions):
        super().__init__()

    @abstractmethod
    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> Tensor | None:
        """Queries (B, T, Q), their target positions (B, T), source mask (B, S): the bias (B, T, S), None for none.

        At least one real token of each sentence stays in sight of each query.
        """


class Global(Scope):
    """All of the source."""

    name = "global"

    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> Tensor | None:
        return None


class LocalMonotonic(Scope):
    """local-m: the window around source position t at target position t (Luong 2015, section 3.2).

    Past the end of the source the window stays at its last token.
    """

    name = "local_m"

    def __init__(self, query_size: int, options: AttentionOptions):
        super().__init__(query_size, options)
        self.window = options.window

    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> Tensor | None:
        last = mask.sum(dim=1, keepdim=True) - 1  # (B, 1)
        centre = torch.minimum(positions, last)  # (B, T)
        distance = _distance(centre[..., None].float(), mask)  # (B, T, S)
        return _window_bias(distance, self.window)


class LocalPredictive(Scope):
    """local-p: the window around a predicted position, nearer ones preferred by a Gaussian (Luong 2015, 3.2).

    p = (S - 1) sigmoid(v · tanh(W q)), from 0 (equation 9), deviation half the window (equation 10). Luong multiplies
    the weights by the Gaussian; here its logarithm is added to the scores, so that the weights still sum to one. The
    window itself has no gradient, the Gaussian has.
    """

    name = "local_p"
    learns = True

    def __init__(self, query_size: int, options: AttentionOptions):
        super().__init__(query_size, options)
        self.window = options.window
        self.hidden = nn.Linear(query_size, options.size, bias=False)
        self.vector = nn.Linear(options.size, 1, bias=False)

    def forward(self, query: Tensor, positions: Tensor, mask: Tensor) -> Tensor | None:
        last = mask.sum(dim=1)[:, None, None] - 1  # (B, 1, 1)
        hidden = torch.tanh(self.hidden(query))
        predicted = exact(self.vector(hidden))  # (B, T, 1)
        centre = last * torch.sigmoid(predicted)
        distance = _distance(centre, mask)  # (B, T, S)
        deviation = self.window / 2
        gaussian = -distance.square() / (2 * deviation**2)
        return _window_bias(distance, self.window + 0.5) + gaussian  # a half more: the nearest token is always seen


def _distance(centre: Tensor, mask: Tensor) -> Tensor:
    """Of every source position to the centre (B, T, 1): (B, T, S)."""
    positions = torch.arange(mask.shape[1], device=mask.device, dtype=centre.dtype)  # (S,)
    return (positions - centre).abs()


def _window_bias(distance: Tensor, window: float) -> Tensor:
    outside = distance.detach() > window
    return torch.zeros_like(distance).masked_fill(outside, float("-inf"))
