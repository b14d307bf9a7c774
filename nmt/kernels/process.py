"""What PyTorch and the C library keep for the whole process: number formats, kernels, freed memory.

Everything here is a side effect on the process; `prepare` is called once a device and a number format are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# Formats in which products are made. Weights, optimizer and sums are fp32 in all of them.
AUTOCAST = {"fp32": None, "tf32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare(device: torch.device, precision: str) -> None:
    """Sets the process up for products in this format on this device.

    On CUDA, fp32 means fp32: by default PyTorch runs cuDNN's LSTM in TF32 and everything else in fp32, so that the
    same sentence gets two scores. cuDNN's attention is off: it compiles a plan for every new pair of batch and length,
    and nearly every batch of sentences has a new one (pytorch/pytorch, pull request 155958).

    On a CPU, fp32 products go through oneDNN where they are exact, and the process keeps the memory that it frees.
    """
    if device.type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)
        _use_tf32(precision)
    elif device.type == "cpu":
        _use_onednn_products()
        _keep_freed_memory()


@contextmanager
def products_in(precision: str, device: torch.device) -> Iterator[None]:
    """Makes the products of a block in this format, whatever the process was prepared for."""
    kind = AUTOCAST[precision]
    autocast = torch.autocast(device.type, kind or torch.bfloat16, enabled=kind is not None)
    if device.type != "cuda":
        with autocast:
            yield
        return
    lstm_before = torch.backends.cudnn.allow_tf32
    products_before = torch.get_float32_matmul_precision()
    _use_tf32(precision)
    try:
        with autocast:
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = lstm_before
        torch.set_float32_matmul_precision(products_before)


def without_autocast(device: torch.device) -> torch.autocast:
    """Makes the products of a block in the formats of their factors."""
    return torch.autocast(device.type, enabled=False)


def product_kind(tensor: Tensor) -> torch.dtype:
    """The format that products of the tensor are made in: autocast's, where it is on, else the tensor's own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def has_format(precision: str, device: torch.device) -> bool:
    """Whether products can be made in this format on the device."""
    if device.type == "mps":
        return precision in ("fp32", "bf16", "fp16")
    return device.type != "cpu" or precision in ("fp32", "bf16")


def format_of_sums(device: torch.device) -> torch.dtype:
    """Returns the format in which long sums are made: double precision, which Metal has not."""
    if device.type == "mps":
        return torch.float32
    return torch.float64


def synchronize(device: torch.device) -> None:
    """Waits until all that was asked of the device is done, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Puts the random state of the process and of the device back after the block."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def kernels_in_use(device: torch.device) -> str:
    """Names what decides which kernels run: the GPU, or the instructions of the processor that PyTorch uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Metal"
    return torch.backends.cpu.get_cpu_capability()


def has_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for products in bf16. A GPU that only emulates them has not."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return False  # which Macs have them can't be asked
    return torch.cpu._is_avx512_bf16_supported()  # AMX machines have it too


def _use_tf32(precision: str) -> None:
    """Allows TF32, which keeps 10 bits of each factor, where this format is no more exact.

    cuDNN's LSTM knows no bf16 here (autocast would run it in fp16), so in bf16 it takes TF32. Products that a model
    keeps in fp32 on purpose stay in fp32 unless tf32 itself is asked for.
    """
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    products = "high" if precision == "tf32" else "highest"
    torch.set_float32_matmul_precision(products)


def _keep_freed_memory() -> None:
    """Makes glibc keep freed memory. By default it gives large tensors back, to get their pages anew one by one."""
    trim_threshold = -1  # both from malloc.h
    mmap_threshold = -3
    try:
        import ctypes

        set_option = ctypes.CDLL("libc.so.6").mallopt
    except (ImportError, OSError, AttributeError):  # another C library
        return
    # Setting either threshold ends glibc's own adaptation, so the second is set only where the first was accepted:
    # older versions take no more than 32 MiB.
    if set_option(mmap_threshold, 2**31 - 1) or set_option(mmap_threshold, 32 << 20):
        set_option(trim_threshold, 2**31 - 1)


def _use_onednn_products() -> None:
    """Fp32 products by oneDNN are faster on some processors, but made in bf16 on those with AMX: kept if exact."""
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(256, 256, generator=generator)
    right = torch.randn(256, 256, generator=generator)
    exact = left.double() @ right.double()
    torch.set_float32_matmul_precision("medium")
    error = (left @ right - exact).abs().max()
    largest = exact.abs().max()
    if (error / largest).item() > 1e-5:
        torch.set_float32_matmul_precision("highest")
