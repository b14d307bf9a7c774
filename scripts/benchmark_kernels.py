"""Each fast form against its plain one, forward and backward, alternating in one run: how many times as long the plain
one takes, the median of all turns. The pairs are those of nmt/kernels/registry.py.

python scripts/benchmark_kernels.py
"""

# ruff: noqa: E402
from __future__ import annotations

import statistics
import time
from typing import Any

from nmt.environment import prepare_libraries

prepare_libraries()  # before torch is imported
import torch
from torch import Tensor, nn

from nmt.kernels.process import prepare, products_in
from nmt.kernels.registry import PAIRS, Form, Pair

TURNS = 11
DEVICE = torch.device("cpu")
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def inputs_of(pair: Pair, kind: torch.dtype) -> list[Any]:
    """Inputs as large as in training, numbers in this format; weights of layers stay in fp32."""
    inputs: list[Any] = []
    for value in pair.examples(True):
        if isinstance(value, Tensor) and value.is_floating_point():
            inputs.append(value.to(DEVICE, kind).requires_grad_())
        elif isinstance(value, Tensor | nn.Module):
            inputs.append(value.to(DEVICE))
        else:
            inputs.append(value)
    return inputs


def seconds(form: Form, inputs: list[Any]) -> float:
    """One pass forward and one backward."""
    start = time.perf_counter()
    outputs = form(*inputs)
    if isinstance(outputs, Tensor):
        outputs = (outputs,)
    total = torch.stack([output.float().sum() for output in outputs if output.requires_grad]).sum()
    total.backward()
    return time.perf_counter() - start


def main() -> None:
    prepare(DEVICE, "fp32")
    torch.manual_seed(0)
    for precision, kind in FORMATS.items():
        for pair in PAIRS:
            if DEVICE.type not in pair.devices:
                continue
            inputs = inputs_of(pair, kind)
            plain = pair.library or pair.plain
            with products_in(precision, DEVICE):
                ratios = [seconds(plain, inputs) / seconds(pair.fast, inputs) for _ in range(TURNS)]
            print(f"{pair.file:13} {pair.name:11} {precision} {statistics.median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
