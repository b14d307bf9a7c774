"""Which validation is the best so far, and what a row of worse ones leads to: a lower rate, the end of the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nmt.errors import UserError
from nmt.training.checkpoints.state import Counters
from nmt.training.optim import OptimizerOptions
from nmt.training.trainer_options import TrainerOptions


@dataclass(frozen=True)
class Selection:
    """The rule of a run. It has no state: what it counts is kept in the run's counters, and so in checkpoints."""

    select_by: str
    patience: int  # validations without improvement that end the run; 0: none do
    plateau_patience: int  # validations without improvement between two reductions of the learning rate
    warmup_steps: int  # up to this step no validation counts against the run
    lowers_rate: bool  # whether the learning rate follows the reductions

    @classmethod
    def of(cls, options: TrainerOptions, optimizer: OptimizerOptions) -> Selection:
        lowers_rate = optimizer.schedule == "plateau"
        return cls(options.select_by, options.patience, optimizer.plateau_patience, optimizer.warmup_steps, lowers_rate)

    def judge(self, progress: Counters, scores: Mapping[str, float]) -> bool:
        """Returns whether these are the best scores so far, and counts them in ``progress``.

        A validation within the warm-up may be the best, but counts neither against patience nor as a plateau. Raises
        UserError where the scores lack the one to select by.
        """
        score = self._score(scores)
        loss = scores.get("loss", math.nan)
        is_best = _is_better(score, loss, progress)
        if is_best:
            progress.best_score = score
            progress.best_loss = loss if math.isfinite(loss) else None
            progress.best_step = progress.step
        if progress.step <= self.warmup_steps:
            progress.stale = 0
            progress.reductions = 0
        elif is_best:
            progress.stale = 0
        else:
            progress.stale += 1
            if progress.stale % self.plateau_patience == 0:
                progress.reductions += 1
        return is_best

    def _score(self, scores: Mapping[str, float]) -> float:
        """The score to select by, such that higher is better."""
        if self.select_by not in scores:
            raise UserError(f"trainer.select_by={self.select_by}: validation gives {', '.join(scores)}")
        score = scores[self.select_by]
        return -score if self.select_by == "loss" else score

    def is_out_of_patience(self, progress: Counters) -> bool:
        return bool(self.patience and progress.stale >= self.patience)

    def end(self, progress: Counters) -> str:
        """Says that patience ended the run; empty where it did not."""
        if not self.is_out_of_patience(progress):
            return ""
        return f"ended by trainer.patience={self.patience} at step {progress.step} (best at {progress.best_step})"

    def waits_for_warmup(self, progress: Counters) -> bool:
        """Whether the warm-up keeps validations from counting that would count after it."""
        counts = self.patience > 0 or self.lowers_rate
        return counts and progress.step < self.warmup_steps


def _is_better(score: float, loss: float, progress: Counters) -> bool:
    """Whether a score is above the best so far; of equal scores, the one with the lower validation loss is better."""
    if not math.isfinite(score):
        return False
    if progress.best_score is None or score > progress.best_score:
        return True
    if score < progress.best_score or not math.isfinite(loss):
        return False
    # Checkpoints of earlier versions do not know the loss of the best.
    return progress.best_loss is not None and loss < progress.best_loss
