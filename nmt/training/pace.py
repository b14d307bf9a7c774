"""How fast a model is trained here: real updates on batches of all lengths, for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from nmt.corpus.batches.ahead import made_ahead
from nmt.corpus.batches.batch import Batch
from nmt.corpus.batches.batcher import Batcher
from nmt.kernels.limits import limits
from nmt.kernels.process import synchronize
from nmt.models.interface import Model
from nmt.training.average import copy_weights, update_average
from nmt.training.checkpoints.state import Tensors
from nmt.training.optim import OptimizerOptions, learning_rate, make_optimizer
from nmt.training.precision import Precision
from nmt.training.ranks import Ranks
from nmt.training.trainer_options import TrainerOptions
from nmt.training.update import Objective, Update

WARM_UP = 3  # updates that are not timed, unless they last long
WARM_UP_SECONDS = 4.0
SECONDS = 10.0  # after which no more updates are timed
FEW_UPDATES = 20  # as many are enough ...
FEW_SECONDS = 4.0  # ... where they last so long
GOLDEN = (5**0.5 - 1) / 2  # its multiples, without their whole parts, lie evenly between 0 and 1, however many


@dataclass(frozen=True)
class Pace:
    """What was measured."""

    seconds: float
    updates: int
    epoch_updates: int  # of an epoch of the batcher's pairs

    @property
    def epoch_seconds(self) -> float:
        """Seconds of updates in an epoch of the batcher's pairs."""
        return self.epoch_updates * self.seconds / self.updates


def measure_pace(
    model: Model, batcher: Batcher, options: TrainerOptions, optimizer_options: OptimizerOptions, precision: Precision
) -> Pace:
    """Trains ``model`` for a few seconds, and measures how long updates take.

    The updates are those of the first epoch, drawn evenly over their lengths, since short and long sentences take
    unlike times for a token. All are as likely, and batches are alike full: their mean stands for an epoch, and varied
    less than the time for a token or a cell did. The weights are spoilt. Raises UserError where one pair does not fit
    into memory, as training does.
    """
    trained = _Trained(model, options, optimizer_options, precision)
    groups = _groups(batcher, options.accumulate)
    order = spread([group.length for group in groups])
    sizes = limits(precision.device)
    made = made_ahead(_with_batches(batcher, groups, order), sizes.batches_ahead)
    with closing(made):
        model.train()
        _warm_up(trained, made)
        synchronize(precision.device)
        begin = time.monotonic()
        seconds = 0.0
        updates = 0
        while not _is_enough(seconds, updates):
            for _ in range(sizes.unread_updates):  # a device works while more is asked of it, as in training
                trained.update_by(next(made))
                updates += 1
            synchronize(precision.device)
            seconds = time.monotonic() - begin
    return Pace(seconds, updates, len(groups))


def _warm_up(trained: _Trained, made: Iterator[list[Batch]]) -> None:
    """Makes the first updates, which take longer: memory is found, kernels are chosen."""
    begin = time.monotonic()
    for _ in range(WARM_UP):
        trained.update_by(next(made))
        if time.monotonic() - begin > WARM_UP_SECONDS:
            return


def _is_enough(seconds: float, updates: int) -> bool:
    if seconds >= SECONDS:
        return True
    return updates >= FEW_UPDATES and seconds >= FEW_SECONDS


class _Trained:
    """A model, and all that an update of it needs."""

    def __init__(
        self, model: Model, options: TrainerOptions, optimizer_options: OptimizerOptions, precision: Precision
    ):
        objective = Objective(model, options.label_smoothing, options.guided_alignment, options.compile)
        optimizer = make_optimizer(model, optimizer_options)
        ranks = Ranks(device=precision.device)
        self.model = model
        self.options = options
        self.optimizer_options = optimizer_options
        self.step = 0
        self.update = Update(objective, optimizer, precision, ranks, options.clip_norm, sharded=False)
        self.average: Tensors = {}
        if options.average_decay:
            self.average = copy_weights(model)

    def update_by(self, batches: list[Batch]) -> None:
        """Makes the update that the trainer would make by these batches."""
        self.step += 1
        tokens = sum(batch.tokens for batch in batches)
        rate = learning_rate(self.optimizer_options, self.step, 0.0, 0)
        self.update.gradients(batches, tokens, f"gradients of update {self.step}")
        self.update.apply(rate)
        if self.average:
            update_average(self.average, self.model, self.options.average_decay, self.step)


@dataclass(frozen=True)
class _Group:
    """The batches of one update."""

    rows: list[np.ndarray]  # of each batch
    length: float  # of a target on average


def _groups(batcher: Batcher, accumulate: int) -> list[_Group]:
    """Returns the batches of each update of the first epoch."""
    plan = batcher.plan(0)
    groups = []
    for start in range(0, len(plan), accumulate):
        rows = plan[start : start + accumulate]
        lengths = batcher.target_lengths[np.concatenate(rows)]
        group = _Group(rows, float(lengths.mean()))
        groups.append(group)
    return groups


def spread(lengths: Sequence[float]) -> list[int]:
    """Returns the numbers of the lengths in an order of which any beginning is spread evenly from short to long."""
    count = len(lengths)
    places = GOLDEN * np.arange(count) % 1  # between short (0) and long (1), of each turn
    turns = np.empty(count, dtype=np.int64)
    turns[np.argsort(places)] = np.arange(count)
    by_length = np.argsort(lengths, kind="stable")
    return by_length[turns].tolist()


def _with_batches(
    batcher: Batcher,
    groups: list[_Group],
    order: list[int],
) -> Generator[list[Batch]]:
    """Yields, forever, the batches of the groups."""
    while True:
        for number in order:
            group = groups[number]
            yield [batcher.batch(rows) for rows in group.rows]
