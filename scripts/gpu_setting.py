"""Where and at what sizes the stages of `scripts/gpu.py` run, and how they measure time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from nmt.kernels.process import synchronize


@dataclass(frozen=True)
class Setting:
    """What a stage is told."""

    device: str  # cuda or cpu
    tiny: bool
    out: Path  # for what comes back
    work: Path  # for what need not be kept
    ends: float = math.inf  # when the stage will be killed, as `time.time` counts

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.device)

    @property
    def cuda(self) -> bool:
        return self.device == "cuda"


def seconds_each(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The mean seconds of a call, of several calls that follow each other without a wait."""
    synchronize(device)
    began = time.perf_counter()
    for _ in range(repeats):
        run()
    synchronize(device)
    return (time.perf_counter() - began) / repeats
