"""Each fast piece against its plain one, forward and backward, alternating in one run: how many times as long the plain
one takes, the median of all turns.

python scripts/benchmark_kernels.py
"""

# ruff: noqa: E402
from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from nmt.environment import prepare_libraries

prepare_libraries()  # before torch is imported
import torch
from torch import Tensor
from torch.nn import functional as F

from nmt.kernels import loop as repeated
from nmt.models import cells
from nmt.models.attention.reads import softmax
from nmt.models.embedding import Dropout
from nmt.training.loss import ChunkedCrossEntropy, plain_cross_entropy
from nmt.training.precision import choose_precision

Case = Callable[[], Tensor]  # makes what is summed and differentiated
TURNS = 11


def loss(kind: torch.dtype) -> tuple[Case, Case]:
    """Cross-entropy of 2,048 rows over 8,000 words."""
    hidden, weight = torch.randn(2048, 256, requires_grad=True), torch.randn(8000, 256, requires_grad=True)
    bias, target = torch.zeros(8000, requires_grad=True), torch.randint(0, 8000, (2048,))
    return (
        lambda: plain_cross_entropy(hidden, weight, bias, target, 0.1)[0],
        lambda: ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, kind)[0],
    )


def loop(kind: torch.dtype) -> tuple[Case, Case]:
    """An LSTM of 15 steps with dot attention, 256 rows: products one by one, or their gradients after the loop."""
    weight, states = torch.randn(1024, 512, requires_grad=True), torch.randn(256, 15, 256, requires_grad=True)
    gates = torch.randn(256, 15, 1024)

    def run(prepare: Callable[[Tensor], Tensor], of_gates: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Tensor:
        own, keys = prepare(0.03 * weight), prepare(states)
        hidden = memory = context = torch.zeros(256, 256)
        for t in range(gates.shape[1]):
            joined = torch.cat((context.to(hidden.dtype), hidden), dim=1)
            hidden, memory = of_gates(gates[:, t] + repeated.product(joined, own, transposed=True), memory)
            weights = torch.softmax(repeated.product(hidden[:, None], keys, transposed=True), dim=-1)
            context = repeated.product(weights, keys)[:, 0]
        return hidden.float().sum() + context.float().sum()

    return (
        lambda: run(lambda matrix: matrix, cells.plain_lstm_gates),
        lambda: run(repeated.repeat, cells.LstmGates.apply),
    )


def dropout(kind: torch.dtype) -> tuple[Case, Case]:
    """Of (4,096, 1,024)."""
    inputs, layer = torch.randn(4096, 1024, dtype=kind, requires_grad=True), Dropout(0.1)
    return lambda: F.dropout(inputs, 0.1).sum(), lambda: layer(inputs).sum()


def narrow(kind: torch.dtype) -> tuple[Case, Case]:
    """Softmax of 16,368 rows of 12, as short sentences have them."""
    scores, direction = torch.randn(341, 4, 12, 12, dtype=kind, requires_grad=True), torch.randn(12)
    return (
        lambda: (torch.softmax(scores, dim=-1) * direction).sum(),
        lambda: (softmax(scores.float()) * direction).sum(),
    )


def rows(kind: torch.dtype) -> tuple[Case, Case]:
    """Real tokens out of 341 rows of 12."""
    hidden, mask = torch.randn(341, 12, 256, dtype=kind, requires_grad=True), torch.rand(341, 12) < 0.99
    return (
        lambda: hidden[mask].sum(),
        lambda: hidden.flatten(0, 1).index_select(0, mask.flatten().nonzero()[:, 0]).sum(),
    )


def seconds(case: Case) -> float:
    start = time.perf_counter()
    case().backward()
    return time.perf_counter() - start


def main() -> None:
    choose_precision(torch.device("cpu"), "fp32")
    torch.manual_seed(0)
    for kind in (torch.float32, torch.bfloat16):
        for make in (loss, loop, dropout, narrow, rows):
            plain, fast = make(kind)
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
                ratios = [seconds(plain) / seconds(fast) for _ in range(TURNS)]
            print(f"{make.__name__:8} {str(kind).removeprefix('torch.'):9} {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
