"""What a run measures of itself between two reports."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import torch

from nmt.corpus.batches.batch import Batch
from nmt.models.interface import Model
from nmt.training.ranks import Ranks
from nmt.training.sharding import whole


@torch.no_grad()
def part_norms(model: Model) -> dict[str, float]:
    """The norm of the gradient of each part of the model. Collective: every rank must call it."""
    norms = {}
    for name, part in model.named_children():
        gradients = [parameter.grad for parameter in part.parameters() if parameter.grad is not None]
        if gradients:
            norms_of_tensors = [whole(norm) for norm in torch._foreach_norm(gradients)]
            norm = torch.linalg.vector_norm(torch.stack(norms_of_tensors))
            norms[name] = float(norm)
    return norms


def peak_memory(device: torch.device) -> float:
    """The most memory in use so far, in GB: of the GPU where there is one, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    with contextlib.suppress(OSError):  # Linux; what the system counts below would be the parent's where that had more
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                kilobytes = float(line.split()[1])
                return kilobytes * 1024 / 1e9
    try:
        import resource
    except ImportError:  # not on every system
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024  # what the system counts in
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


class Meter:
    """Means since the last reading."""

    def __init__(self) -> None:
        self.part_norms: dict[str, float] = {}
        self.restart()

    def count(self, batches: list[Batch]) -> None:
        """Counts the tokens of an update."""
        for batch in batches:
            self.tokens += batch.tokens
            self.cells += batch.cells
            self.real += batch.tokens + int(batch.source_mask.sum())

    def add(self, likelihood: float, norm: float) -> None:
        """Adds what an update has found. ``likelihood``: negative, summed over this process's tokens."""
        self.losses += likelihood
        self.norms += norm
        self.updates += 1

    def read(self, ranks: Ranks) -> dict[str, float]:
        """The means over all processes. Collective: every rank must call it."""
        seconds = time.monotonic() - self.clock
        sums = ranks.gather([self.losses, self.tokens, self.cells, self.real], "means").sum(dim=0)
        losses, tokens, cells, real = sums.tolist()
        values = {
            "loss": losses / max(tokens, 1),
            "gradient_norm": self.norms / max(self.updates, 1),
            "tokens_per_second": tokens / max(seconds, 1e-9),
            "padding": 1 - real / max(cells, 1),
        }
        self.restart()
        return values

    def restart(self) -> None:
        """Leaves out the time spent elsewhere, as in validation."""
        self.losses = 0.0  # of all target tokens
        self.tokens = 0  # of targets
        self.cells = 0  # places in batches, padding included
        self.real = 0  # of them those with a token
        self.norms = 0.0  # of the gradients
        self.updates = 0
        self.clock = time.monotonic()
