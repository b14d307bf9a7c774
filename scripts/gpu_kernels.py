"""Stages of `scripts/gpu.py` about the machine: its ceilings, and what each kernel of attention costs."""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import torch
from gpu_results import Report, one_line
from gpu_setting import Setting, seconds_each
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from nmt.kernels.process import has_bf16, prepare

NEW_SHAPES = 5
QUESTION = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm", "--format=csv"]


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
    floats, side, rows, launches = 2**28, 8192, 25_000, 10_000
    if setting.tiny:
        floats, side, rows, launches = 2**22, 512, 1_000, 1_000
    _copy(setting, report, floats)
    _product(setting, report, kind, (side, side, side), "790-800")
    _product(setting, report, kind, (rows, 512, 512), "500-600")
    one = torch.zeros(1, device=setting.torch_device)
    seconds = _warm_seconds(lambda: one.add_(1), setting, launches)
    report.figure(f"one of {launches:,} launches of a kernel that does nothing", seconds * 1e6, "us", "6-7 us")


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
    """The inputs of one attention."""

    query: Tensor  # (B, H, T, D), as key and value
    key: Tensor
    value: Tensor
    mask: Tensor  # (B, 1, 1, T); True means a real token


Attend = Callable[[Heads], Tensor]


def attention(setting: Setting, report: Report) -> None:
    """Measures each attention kernel: the first call with a new shape, and the calls after it."""
    device = setting.torch_device
    kind = torch.float32
    if setting.cuda:
        kind = torch.bfloat16
    prepare(device, "bf16")  # as nmt sets the process up
    first = "60-90 us forward"
    _measure(setting, report, kind, "as nmt sets it, padding mask", _masked, "no kernel builds plans")
    if setting.cuda:
        torch.backends.cuda.enable_cudnn_sdp(True)
        cudnn = _by(SDPBackend.CUDNN_ATTENTION, _masked)
        _measure(setting, report, kind, "cuDNN, padding mask", cudnn, "20-500 ms for a new shape")
        torch.backends.cuda.enable_cudnn_sdp(False)
    else:
        report.skip("cuDNN, padding mask", "a CPU has no cuDNN")
    _measure(setting, report, kind, "flash, causal", _by(SDPBackend.FLASH_ATTENTION, _causal), first)
    efficient = _by(SDPBackend.EFFICIENT_ATTENTION, _masked)
    if setting.cuda:
        _measure(setting, report, kind, "memory-efficient, padding mask", efficient, "100-150 us forward")
    else:
        report.skip("memory-efficient, padding mask", "for GPUs only")
    _measure_varlen(setting, report, kind)


def _measure_varlen(setting: Setting, report: Report, kind: torch.dtype) -> None:
    what = "variable length, packed"
    if not setting.cuda:
        report.skip(what, "for GPUs only")
        return
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        report.skip(what, f"torch {torch.__version__} has none")
        return

    def packed(heads: Heads) -> Tensor:
        rows, _, length, _ = heads.query.shape
        starts = torch.arange(0, rows * length + 1, length, dtype=torch.int32, device=heads.query.device)  # (B + 1,)
        flat = [tensor.transpose(1, 2).flatten(0, 1) for tensor in (heads.query, heads.key, heads.value)]
        return varlen_attn(*flat, starts, starts, length, length)  # (B * T, H, D)

    _measure(setting, report, kind, what, packed, "60-90 us forward and the packing")


def _masked(heads: Heads) -> Tensor:
    return F.scaled_dot_product_attention(heads.query, heads.key, heads.value, attn_mask=heads.mask)


def _causal(heads: Heads) -> Tensor:
    return F.scaled_dot_product_attention(heads.query, heads.key, heads.value, is_causal=True)


def _by(backend: SDPBackend, attend: Attend) -> Attend:
    def run(heads: Heads) -> Tensor:
        with sdpa_kernel([backend]):
            return attend(heads)

    return run


def _measure(setting: Setting, report: Report, kind: torch.dtype, what: str, attend: Attend, predicted: str) -> None:
    """Adds the rows of one kernel. A kernel that refuses these inputs is skipped, with its reason."""
    device = setting.torch_device
    first_forward, first_both, forward, both = [], [], [], []
    try:
        for number in range(NEW_SHAPES):
            heads = _heads(setting, number, kind)
            first_forward.append(seconds_each(lambda heads=heads: attend(heads), device, 1))
            first_both.append(seconds_each(lambda heads=heads: _both_ways(attend, heads), device, 1))
            forward.append(seconds_each(lambda heads=heads: attend(heads), device, 10))
            both.append(seconds_each(lambda heads=heads: _both_ways(attend, heads), device, 10))
    except RuntimeError as error:
        report.skip(what, one_line(error))
        return
    # The very first call loads libraries: it is left out of the medians.
    report.figure(f"{what}: new shape, forward", 1e3 * statistics.median(first_forward[1:]), "ms", predicted)
    report.figure(f"{what}: then forward and backward", 1e3 * statistics.median(first_both[1:]), "ms")
    report.figure(f"{what}: known shape, forward", 1e6 * statistics.median(forward), "us")
    report.figure(f"{what}: known shape, both", 1e6 * statistics.median(both), "us")


def _both_ways(attend: Attend, heads: Heads) -> None:
    attend(heads).sum().backward()


def _heads(setting: Setting, number: int, kind: torch.dtype) -> Heads:
    """About (900, 8, 28, 64), each number with a shape of its own; a tenth of each row is padding."""
    rows, heads, length, width = 900 - 7 * number, 8, 28 + number, 64
    if setting.tiny:
        rows, heads, length, width = 6 - number, 2, 7 + number, 16
    device = setting.torch_device
    tensors = []
    for _ in range(3):
        tensor = torch.randn(rows, heads, length, width, device=device, dtype=kind)
        tensors.append(tensor.requires_grad_())
    mask = torch.ones(rows, 1, 1, length, dtype=torch.bool, device=device)
    mask[::2, ..., -(length // 10 + 1) :] = False
    return Heads(*tensors, mask)
