"""Where and at what sizes the stages of `scripts/gpu.py` run, and how they measure time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Setting:
    """What a stage is told."""

    device: str  # cuda or cpu
    tiny: bool
    out: Path  # for what comes back
    work: Path  # for what need not be kept

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.device)

    @property
    def cuda(self) -> bool:
        return self.device == "cuda"


def synchronize(device: torch.device) -> None:
    """Waits until the device has done all that it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_each(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The mean seconds of a call, of several calls that follow each other without a wait."""
    synchronize(device)
    began = time.perf_counter()
    for _ in range(repeats):
        run()
    synchronize(device)
    return (time.perf_counter() - began) / repeats
