"""Trains one system, or goes on with it.

  python -m nmt.train +experiment=demo/attention
  python -m nmt.train +experiment=multi30k/transformer trainer.max_minutes=20 seed=2

What people change most:
  run.dir=FOLDER                   where the run lies (runs/<experiment>/seed-<seed>)
  trainer.max_minutes=20           how long; also max_steps, max_epochs, max_tokens
  optimizer.learning_rate=0.001    the highest rate
  batching.tokens=4096             size of a batch, in tokens of one side
  model.dropout=0.2                and all else of the model: see configs/model/

The same command again goes on from the last checkpoint. --cfg job prints the whole configuration without running it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.door import open_door
from nmt.environment import rank_and_count
from nmt.errors import typed_as

if TYPE_CHECKING:  # imported late, so that --help is instant
    from nmt.schemas import TrainConfig


def main() -> None:
    with open_door("train", __doc__, _train) as run:
        run()


def _train(config: TrainConfig) -> None:
    import logging

    from nmt.jobs.beforehand import below_warmup
    from nmt.jobs.train import open_training

    log = logging.getLogger("nmt")
    message = below_warmup(config, {"max_steps": config.trainer.max_steps})
    rank, _ = rank_and_count()
    if message and not rank:
        log.warning("%s", message)
    with open_training(config) as (run, trainer):
        progress = trainer.fit()
    log.info(
        "done: %d steps, %s tokens, %.1f minutes; best at step %d; next: python -m nmt.evaluate %s",
        progress.step,
        f"{progress.tokens:,}",
        progress.seconds / 60,
        progress.best_step,
        typed_as("run", str(run.folder)),
    )


if __name__ == "__main__":
    main()
