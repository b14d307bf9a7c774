"""Stages of `scripts/gpu.py` about the machine: its ceilings, and what each kernel of attention costs."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from gpu_results import Report
from gpu_setting import Setting, seconds_each
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from nmt.kernels.process import has_bf16, prepare

NEW_SHAPES = 5
QUESTION = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm", "--format=csv"]


@dataclass(frozen=True)
class Sizes:
    """How large the ceilings' work is."""

    floats: int  # copied
    side: int  # of a square matrix
    rows: int  # of a matrix as in training
    launches: int


REAL_SIZES = Sizes(floats=2**28, side=8192, rows=25_000, launches=10_000)
TINY_SIZES = Sizes(floats=2**22, side=512, rows=1_000, launches=1_000)


@dataclass(frozen=True)
class HeadSizes:
    """The shape of one attention: about 900 sentences of 28 tokens, as in training."""

    rows: int
    length: int
    heads: int
    width: int


REAL_HEADS = HeadSizes(rows=900, length=28, heads=8, width=64)
TINY_HEADS = HeadSizes(rows=6, length=7, heads=2, width=16)


def machine(setting: Setting, report: Report) -> None:
    """Tells the card and the libraries, and measures what nothing can be faster than."""
    device = setting.torch_device
    with report.trying("commit"):
        from nmt.run import git_commit  # late: it needs Hydra, which the rest of this file does not

        report.fact("commit", git_commit() or "unknown: set NMT_COMMIT")
    with report.trying("nvidia-smi"):
        _nvidia_smi(report)
    report.fact("python and torch", f"Python {platform.python_version()}, torch {torch.__version__}")
    if setting.cuda:
        if not torch.cuda.is_available():
            report.fail("CUDA", "torch sees no GPU")
            return
        report.fact("device", f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
        report.fact("bf16 has instructions of its own", str(has_bf16(device)), "True")
        report.fact("cuDNN", str(torch.backends.cudnn.version()), "91600 or more")
    else:
        report.skip("cuDNN", "a CPU has none")
    with report.trying("order of attention's kernels"):
        _priority_order(report)
    with report.trying("ceilings"):
        _ceilings(setting, report)


def _nvidia_smi(report: Report) -> None:
    if shutil.which("nvidia-smi") is None:
        report.skip("nvidia-smi", "not on this machine")
        return
    done = subprocess.run(QUESTION, capture_output=True, text=True, timeout=20, check=True)
    for line in done.stdout.strip().splitlines()[1:]:
        report.fact("nvidia-smi", line)


def _priority_order(report: Report) -> None:
    """PyTorch asks the kernels in this order which of them takes a call; nmt turns cuDNN's off."""
    if not hasattr(torch._C, "_get_sdp_priority_order"):
        report.skip("order of attention's kernels", f"torch {torch.__version__} doesn't tell")
        return
    names = {int(backend): name for name, backend in SDPBackend.__members__.items()}
    order = [names[number] for number in torch._C._get_sdp_priority_order()]
    report.fact("order of attention's kernels", ", ".join(order), "cuDNN first")


def _ceilings(setting: Setting, report: Report) -> None:
    kind = torch.float32
    if setting.cuda:
        kind = torch.bfloat16
    sizes = REAL_SIZES
    if setting.tiny:
        sizes = TINY_SIZES
    _copy(setting, report, sizes.floats)
    _product(setting, report, kind, (sizes.side, sizes.side, sizes.side), "790-800")
    _product(setting, report, kind, (sizes.rows, 512, 512), "500-600")
    one = torch.zeros(1, device=setting.torch_device)
    seconds = _warm_seconds(lambda: one.add_(1), setting, sizes.launches)
    report.figure(f"one of {sizes.launches:,} launches of a kernel that does nothing", seconds * 1e6, "us", "6-7 us")


def _copy(setting: Setting, report: Report, floats: int) -> None:
    source = torch.empty(floats, device=setting.torch_device)
    target = torch.empty_like(source)
    seconds = _warm_seconds(lambda: target.copy_(source), setting, 10)
    moved = 2 * 4 * floats  # read and written
    report.figure(f"copy of {4 * floats >> 20} MiB", moved / seconds / 1e12, "TB/s", "3.0 (H100), 4.3 (H200)")


def _product(setting: Setting, report: Report, kind: torch.dtype, shape: tuple[int, int, int], predicted: str) -> None:
    rows, inner, columns = shape
    left = torch.randn(rows, inner, device=setting.torch_device, dtype=kind)
    right = torch.randn(inner, columns, device=setting.torch_device, dtype=kind)
    seconds = _warm_seconds(lambda: left @ right, setting, 20)
    operations = 2 * rows * inner * columns
    what = f"product {rows} x {inner} x {columns}, {str(kind).removeprefix('torch.')}"
    report.figure(what, operations / seconds / 1e12, "TFLOP/s", predicted)


def _warm_seconds(run: Callable[[], object], setting: Setting, repeats: int) -> float:
    seconds_each(run, setting.torch_device, 3)
    return seconds_each(run, setting.torch_device, repeats)


@dataclass(frozen=True)
class Heads:
    """The inputs of one attention, laid out in memory as the Transformer's own."""

    query: Tensor  # (B, T, H, D), as key and value
    key: Tensor
    value: Tensor
    mask: Tensor  # (B, 1, 1, T); True means a real token


@dataclass(frozen=True)
class Kernel:
    """A way to attend, with what is expected of it at about (900, 8, 28, 64)."""

    name: str
    attend: Callable[[Heads], Tensor]
    new_shape: str = ""  # predicted time of the first forward with a shape
    known_shape: str = ""  # and of the forwards after it
    needs_cuda: bool = False


def attention(setting: Setting, report: Report) -> None:
    """Measures each attention kernel: the first call with a new shape, and the calls after it."""
    prepare(setting.torch_device, "bf16")  # as nmt sets the process up
    for kernel in _kernels(report):
        if kernel.needs_cuda and not setting.cuda:
            report.skip(kernel.name, "for GPUs only")
            continue
        with report.trying(kernel.name):
            _measure(setting, report, kernel)


def _kernels(report: Report) -> list[Kernel]:
    def cudnn(heads: Heads) -> Tensor:
        torch.backends.cuda.enable_cudnn_sdp(True)  # nmt has turned it off
        try:
            with sdpa_kernel([SDPBackend.CUDNN_ATTENTION]):
                return _masked(heads)
        finally:
            torch.backends.cuda.enable_cudnn_sdp(False)

    def flash(heads: Heads) -> Tensor:
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
            return _causal(heads)

    def efficient(heads: Heads) -> Tensor:
        with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION]):
            return _masked(heads)

    kernels = [
        Kernel("as nmt sets it, padding mask", _masked, "below 1 ms: no kernel builds plans", "100-150 us"),
        Kernel("cuDNN, padding mask", cudnn, "20-500 ms", needs_cuda=True),
        Kernel("flash, causal", flash, known_shape="60-90 us"),
        Kernel("memory-efficient, padding mask", efficient, known_shape="100-150 us", needs_cuda=True),
    ]
    varlen = "variable length, packed"
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        report.skip(varlen, f"torch {torch.__version__} has none")
        return kernels

    def packed(heads: Heads) -> Tensor:
        rows, length, _, _ = heads.query.shape
        starts = torch.arange(0, rows * length + 1, length, dtype=torch.int32, device=heads.query.device)  # (B + 1,)
        query = heads.query.flatten(0, 1)  # (B * T, H, D)
        key = heads.key.flatten(0, 1)
        value = heads.value.flatten(0, 1)
        return varlen_attn(query, key, value, starts, starts, length, length)  # (B * T, H, D)

    return [*kernels, Kernel(varlen, packed, known_shape="60-90 us", needs_cuda=True)]


def _masked(heads: Heads) -> Tensor:
    return F.scaled_dot_product_attention(*_rows_of_heads(heads), attn_mask=heads.mask)


def _causal(heads: Heads) -> Tensor:
    return F.scaled_dot_product_attention(*_rows_of_heads(heads), is_causal=True)


def _rows_of_heads(heads: Heads) -> list[Tensor]:
    """Query, key and value, (B, H, T, D) each."""
    return [tensor.transpose(1, 2) for tensor in (heads.query, heads.key, heads.value)]


def _measure(setting: Setting, report: Report, kernel: Kernel) -> None:
    """Adds the rows of one kernel. A kernel that this machine has not is skipped."""
    device = setting.torch_device
    name = kernel.name
    first_forward = []
    first_both = []
    forward = []
    both = []
    finite = True
    for number in range(NEW_SHAPES):
        heads = _heads(setting, number)
        run = partial(kernel.attend, heads)
        run_both = partial(_both_ways, kernel, heads)
        try:
            first_forward.append(seconds_each(run, device, 1))
        except RuntimeError as error:
            if "No available kernel" not in str(error):
                raise
            report.skip(name, "PyTorch has no such kernel for these inputs here")
            return
        first_both.append(seconds_each(run_both, device, 1))
        forward.append(seconds_each(run, device, 10))
        both.append(seconds_each(run_both, device, 10))
        finite = finite and bool(heads.query.grad.isfinite().all())
    note = ""
    if not finite:
        note = "its gradients are NOT finite"
    # The very first call loads libraries: it is left out of the medians.
    report.figure(f"{name}: new shape, forward", 1e3 * median(first_forward[1:]), "ms", kernel.new_shape)
    report.figure(f"{name}: then forward and backward", 1e3 * median(first_both[1:]), "ms")
    report.figure(f"{name}: known shape, forward", 1e6 * median(forward), "us", kernel.known_shape)
    report.figure(f"{name}: known shape, both", 1e6 * median(both), "us", note=note)


def _both_ways(kernel: Kernel, heads: Heads) -> None:
    kernel.attend(heads).sum().backward()


def _heads(setting: Setting, number: int) -> Heads:
    """Inputs of random numbers, each number with a shape of its own; every other row ends in padding."""
    sizes = REAL_HEADS
    if setting.tiny:
        sizes = TINY_HEADS
    rows = sizes.rows - number
    length = sizes.length + number
    device = setting.torch_device
    kind = torch.float32
    if setting.cuda:
        kind = torch.bfloat16
    tensors = []
    for _ in range(3):
        tensor = torch.randn(rows, length, sizes.heads, sizes.width, device=device, dtype=kind)
        tensors.append(tensor.requires_grad_())
    mask = torch.ones(rows, 1, 1, length, dtype=torch.bool, device=device)
    mask[::2, ..., -(length // 10 + 1) :] = False
    return Heads(*tensors, mask)
