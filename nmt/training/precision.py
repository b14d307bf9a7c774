"""Device and number formats. Models never see them."""

from __future__ import annotations

import contextlib
import ctypes
import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from nmt.errors import UserError, nearest

log = logging.getLogger("nmt")

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """Where and in which format products are made; weights and optimizer are always fp32."""

    device: torch.device
    name: str  # fp32, bf16 or fp16

    def autocast(self) -> AbstractContextManager:
        kind = DTYPES[self.name]
        return torch.autocast(self.device.type, kind) if kind else contextlib.nullcontext()

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss in fp16, and does nothing elsewhere."""
        return torch.amp.GradScaler(self.device.type, enabled=self.name == "fp16")


def choose_device(name: str) -> torch.device:
    """``auto`` takes a GPU where there is one. Raises UserError for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device={name}: {nearest(name, ('auto', 'cpu', 'cuda'))}") from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device={name}: not a device this can use; {nearest(name, ('auto', 'cpu', 'cuda'))}")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"device={name}: no such GPU is visible; use device=cpu or device=auto")
    return device


def choose_precision(device: torch.device, name: str) -> Precision:
    """``auto`` is bf16 where the device has instructions for it, else fp32.

    On a CPU it also turns on fp32 products through oneDNN where they are exact, and lets the process keep freed memory.
    """
    if name == "auto":
        name = "bf16" if _has_bf16(device) else "fp32"
    if name not in DTYPES:
        raise UserError(f"trainer.precision={name}: {nearest(name, ('auto', *DTYPES))}")
    if name == "fp16" and device.type == "cpu":
        raise UserError("trainer.precision=fp16 needs a GPU; use bf16 or fp32 on CPU")
    if device.type == "cpu":
        _use_onednn_products()
        _keep_freed_memory()
    return Precision(device, name)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported()  # AMX machines have it too


def _keep_freed_memory() -> None:
    """Tensors come and go by the megabyte: glibc would give each back, and be given its pages anew one by one."""
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    try:
        set_option = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return
    # Either turns off what adapts by itself, so the second is left alone where the first is refused: older ones take no
    # more than 32 MiB.
    if set_option(mmap_threshold, 2**31 - 1) or set_option(mmap_threshold, 32 << 20):
        set_option(trim_threshold, 2**31 - 1)


def _use_onednn_products() -> None:
    """Fp32 products by oneDNN are faster on some processors, but made in bf16 on those with AMX: kept if exact."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(256, 256, generator=generator) for _ in range(2))
    exact = left.double() @ right.double()
    torch.set_float32_matmul_precision("medium")
    error = ((left @ right - exact).abs().max() / exact.abs().max()).item()
    if error > 1e-5:
        torch.set_float32_matmul_precision("highest")
