"""nmt under the clock that the peers are measured with: the target tokens and cells of every batch are told."""

from __future__ import annotations

import bench_run  # of the side-by-side benchmark; on its path

from nmt import train
from nmt.corpus.batch import Batch
from nmt.training.trainer import Trainer


def main() -> None:
    backward = Trainer._backward

    def counted(self: Trainer, batch: Batch, tokens: int) -> float:
        bench_run.count(batch.tokens, batch.target_out.numel())
        return backward(self, batch, tokens)

    Trainer._backward = counted
    train.main()
