"""What updates leave on the device, read together: a device that is asked makes the process wait for it."""

from __future__ import annotations

import logging
import math

import torch
from torch import Tensor

from nmt.training.checkpoints.state import Counters
from nmt.training.meter import Meter

log = logging.getLogger("nmt")


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

    def drop(self) -> None:
        """Forgets them, where the run goes back to a checkpoint."""
        self._numbers.clear()

    def read(self, progress: Counters, meter: Meter) -> None:
        """Reads all, and counts the updates whose gradient was not finite. They left the weights as they were.

        ``progress`` stands at the last of them.
        """
        if not self._numbers:
            return
        numbers = torch.stack(self._numbers).tolist()
        self._numbers.clear()
        likelihoods = numbers[::2]
        norms = numbers[1::2]
        first = progress.step - len(norms) + 1
        for step, (likelihood, norm) in enumerate(zip(likelihoods, norms, strict=True), first):
            meter.add(likelihood, norm)
            if math.isfinite(norm):
                progress.nonfinite = 0
            else:
                progress.skipped += 1
                progress.nonfinite += 1
                log.warning("step %d: the gradient is not finite; update left out", step)
