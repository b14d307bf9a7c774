"""Device and number formats. Models never see them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from nmt.errors import UserError, nearest
from nmt.kernels.process import AUTOCAST, has_bf16, has_format, prepare, products_in


@dataclass(frozen=True)
class Precision:
    """Where and in which format products are made; weights and optimizer are always fp32."""

    device: torch.device
    name: str  # fp32, tf32, bf16 or fp16

    def autocast(self) -> AbstractContextManager:
        """Makes the products of a block in this format."""
        return products_in(self.name, self.device)

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss in fp16, and does nothing elsewhere."""
        return torch.amp.GradScaler(self.device.type, enabled=self.name == "fp16")


DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """``auto`` takes an NVIDIA GPU where there is one; ``mps`` is a Mac's. Raises UserError for one not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device={name}: {nearest(name, DEVICES)}") from None
    if device.type not in DEVICES:
        raise UserError(f"device={name}: not a device this can use; {nearest(name, DEVICES)}")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"device={name}: no such GPU is visible; use device=cpu or device=auto")
    if device.type == "mps" and (not torch.backends.mps.is_available() or device.index):
        raise UserError(f"device={name}: this PyTorch finds no such GPU of a Mac; use device=cpu or device=auto")
    return device


def choose_precision(device: torch.device, name: str) -> Precision:
    """The number format of this name, for which the process is prepared (a side effect, see `prepare`).

    ``auto`` is bf16 where the device has instructions for it, else fp32. Raises UserError as `check_precision` does.
    """
    if name == "auto":
        name = "bf16" if has_bf16(device) else "fp32"
    check_precision(device, name)
    prepare(device, name)
    return Precision(device, name)


def check_precision(device: torch.device, name: str) -> None:
    """Raises UserError for a format that nobody knows, or that the device has not."""
    known = ("auto", *AUTOCAST)
    if name not in known:
        raise UserError(f"trainer.precision={name}: {nearest(name, known)}")
    if name != "auto" and not has_format(name, device):
        raise UserError(f"trainer.precision={name} needs a GPU; use bf16 or fp32 on CPU")
