"""What updates leave on the device, read together: a device that is asked makes the process wait for it."""

from __future__ import annotations

import torch
from torch import Tensor


class Unread:
    """Likelihoods and gradient norms of the latest updates, at most ``most`` of them."""

    def __init__(self, most: int):
        self.most = most
        self._numbers: list[Tensor] = []  # likelihood and norm in turn

    def add(self, likelihood: Tensor, norm: Tensor) -> None:
        """Adds those of an update, both numbers on the device."""
        self._numbers += [likelihood.double(), norm.double()]

    @property
    def is_full(self) -> bool:
        return len(self._numbers) >= 2 * self.most

    def read(self) -> list[tuple[float, float]]:
        """Returns likelihood and norm of each update since the last reading, oldest first."""
        if not self._numbers:
            return []
        numbers = torch.stack(self._numbers).tolist()
        self._numbers.clear()
        return list(zip(numbers[::2], numbers[1::2], strict=True))
