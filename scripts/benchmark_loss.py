"""The chunked cross-entropy against the plain formula, forward and backward, alternating in one run.

python scripts/benchmark_loss.py
"""

from __future__ import annotations

import statistics
import time

import torch

from nmt.training.loss import ChunkedCrossEntropy, plain_cross_entropy
from nmt.training.precision import choose_precision


def seconds(function, inputs) -> float:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    function(*inputs)[0].backward()
    return time.perf_counter() - start


def main(rows: int = 2048, size: int = 256, vocabulary: int = 8000, repeats: int = 11) -> None:
    cpu = torch.device("cpu")
    choose_precision(cpu, "fp32")
    torch.manual_seed(0)
    hidden = torch.randn(rows, size, requires_grad=True)
    weight = torch.randn(vocabulary, size, requires_grad=True)
    bias = torch.zeros(vocabulary, requires_grad=True)
    target = torch.randint(0, vocabulary, (rows,))

    def plain(hidden, weight, bias):  # type: ignore[no-untyped-def]
        return plain_cross_entropy(hidden, weight, bias, target, 0.1)

    for kind in (torch.float32, torch.bfloat16):

        def chunked(hidden, weight, bias, kind=kind):  # type: ignore[no-untyped-def]
            return ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, kind)

        ratios = []
        for _ in range(repeats):
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
                ratios.append(seconds(plain, (hidden, weight, bias)) / seconds(chunked, (hidden, weight, bias)))
        print(
            f"{kind}: plain takes {statistics.median(ratios):.2f} times as long ({rows} rows, vocabulary {vocabulary})"
        )


if __name__ == "__main__":
    main()
