"""The loop: one trainer for every model."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch

from nmt.corpus.batches.batch import Batch
from nmt.corpus.batches.batcher import Batches, Position
from nmt.errors import UserError
from nmt.models.interface import Model
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.state import Counters, load_weights, restore, take, take_weights, weights_of
from nmt.training.journal import Journal, Look
from nmt.training.meter import Meter, part_norms, peak_memory
from nmt.training.optim import FALLING, OptimizerOptions, learning_rate, make_optimizer
from nmt.training.precision import Precision
from nmt.training.ranks import Ranks
from nmt.training.sharding import local_part, shard, whole_in_all
from nmt.training.signals import Broken, Interrupted, Signals
from nmt.training.trainer_options import TrainerOptions
from nmt.training.update import Objective, Update

log = logging.getLogger("nmt")

ROLLBACKS = 2  # how often a run goes back to its last checkpoint with half the learning rate


class Validate(Protocol):
    """What judges a model, in two parts, so that processes share the work."""

    def sums(self, model: Model) -> list[float]:
        """Over this process's share; what all have found is added up."""

    def scores(self, sums: Sequence[float]) -> dict[str, float]:
        """Of the sums over all."""


class Trainer:
    """Trains ``model`` on ``batches`` within the budget, keeps checkpoints, and can go on from the last one.

    ``replica`` makes another model of the same kind, to be judged in the place of one that is spread over processes.
    """

    def __init__(
        self,
        model: Model,
        batches: Batches,
        validate: Validate,
        options: TrainerOptions,
        optimizer_options: OptimizerOptions,
        precision: Precision,
        checkpoints: Checkpoints,
        journal: Callable[[int], Journal],
        look: Callable[[Model], Look] | None = None,
        ranks: Ranks | None = None,
        replica: Callable[[], Model] | None = None,
    ):
        if not any((options.max_steps, options.max_epochs, options.max_tokens, options.max_minutes)):
            raise UserError("trainer: no budget; set one of trainer.max_steps, max_epochs, max_tokens, max_minutes")
        self.model, self.batches, self.validate = model, batches, validate
        self.options, self.optimizer_options, self.device = options, optimizer_options, precision.device
        self.checkpoints, self.open_journal, self.look = checkpoints, journal, look
        self.ranks = ranks or Ranks(device=precision.device)
        self.replica, sharded = replica, options.sharding == "full" and self.ranks.count > 1
        objective = Objective(model, options.label_smoothing, options.guided_alignment, options.compile)
        if sharded:
            shard(objective, model, self.ranks)
        self.optimizer = make_optimizer(model, optimizer_options)
        self.update = Update(objective, self.optimizer, precision, self.ranks, options.clip_norm, sharded)
        self.average = {n: w.clone() for n, w in weights_of(model).items()} if options.average_decay else {}
        self.progress = Counters()
        self.meter = Meter()
        self.signals = Signals()
        self.stop = 0  # the signal that ends the run, once all processes know of it
        self.saved = 0.0  # seconds of training at the last checkpoint

    def fit(self) -> Counters:
        """Trains until a budget is spent or patience runs out. Raises Interrupted on SIGINT, SIGTERM and Slurm's."""
        self._resume()
        progress = self.progress
        if progress.finished and (self._share() >= 1 or self._out_of_patience()):
            log.info("already trained: %d steps, %s tokens", progress.step, f"{progress.tokens:,}")
            return progress
        if progress.finished and self.optimizer_options.schedule in FALLING:
            log.warning("the run had ended: with more budget, its learning rate rises again")
        progress.finished = False
        with self.signals:
            try:
                with self.ranks.working(lambda: f"step {self.progress.step + 1}"):
                    while not self._part():
                        self._roll_back()
            except Exception:  # such as that another process does not answer
                self.checkpoints.give_up()
                raise
            finally:
                self.checkpoints.wait()
        return self.progress

    def _part(self) -> bool:
        """Trains to the end of the budget, or until the run must go back: False."""
        progress, options = self.progress, self.options
        journal = self.open_journal(progress.step)
        self.model.train()
        try:
            self._start_clock()
            if self._owes_validation() and self._validate(journal, self._share() >= 1):
                return True
            self._start_clock()
            with contextlib.closing(self.batches.groups(progress.position, options.accumulate)) as groups:
                for batches, position in groups:
                    self._step(batches, position)
                    if progress.nonfinite >= options.skip_limit:
                        self._give_up(batches)
                        return False
                    if progress.step % options.log_every == 0:
                        self._report(journal)
                    ended = self._share() >= 1
                    if ended or self._due(progress.step):
                        ended = self._validate(journal, ended)
                        self._start_clock()
                    elif self.stop or self._checkpoint_due():
                        self._save()
                    if ended:
                        break
                    if self.stop:
                        self._interrupt(self.stop)
        finally:
            journal.close()
        return True

    def _start_clock(self) -> None:
        """Leaves out the time that was spent elsewhere."""
        self.clock = time.monotonic()
        self.meter.restart()

    def _tick(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self.clock
        self.clock = now

    def _due(self, step: int) -> bool:
        return step % self.options.validate_every == 0

    def _owes_validation(self) -> bool:
        """Whether it was broken off after the latest update."""
        step = self.progress.step
        return self.progress.judged < step and (self._due(step) or self._share() >= 1)

    def _checkpoint_due(self) -> bool:
        return bool(self.options.checkpoint_minutes) and (
            self.progress.seconds - self.saved > 60 * self.options.checkpoint_minutes and not self.progress.nonfinite
        )

    def _step(self, batches: list[Batch], position: Position) -> None:
        """One optimizer update."""
        progress, place = self.progress, f"step {self.progress.step + 1}"
        self._tick()
        tokens, most = self._agree(batches, place)
        likelihood = self.update.gradients(batches, tokens, f"gradients of {place}", most)
        if (progress.step + 1) % self.options.log_every == 0:
            self.meter.part_norms = part_norms(self.model)
        progress.step += 1
        progress.tokens += tokens
        rate = learning_rate(self.optimizer_options, progress.step, self._share(), progress.reductions)
        norm = self.update.apply(rate * 0.5**progress.rollbacks)
        if math.isfinite(norm):
            progress.nonfinite = 0
            self._update_average()
        else:
            progress.skipped += 1
            progress.nonfinite += 1
            log.warning("step %d: the gradient is not finite; update left out", progress.step)
        progress.position, progress.largest_batch = position, self.update.largest
        self.meter.add(likelihood, norm, batches)
        if self.ranks.count == 1:
            self._tick()
            self.stop = self.signals.number

    def _agree(self, batches: list[Batch], place: str) -> tuple[int, int]:
        """The target tokens of all processes, and the most batches that one has; from here on they have one clock, and
        stop at one step.
        """
        tokens = sum(batch.tokens for batch in batches)
        if self.ranks.count == 1:
            return tokens, len(batches)
        told = self.ranks.gather([tokens, len(batches), self.progress.seconds, self.signals.number], place)
        self.progress.seconds = float(told[0, 2])
        self.stop = int(told[:, 3].max())
        return int(told[:, 0].sum()), int(told[:, 1].max())

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average:
            # Early on the average follows closely, so that the first weights are soon forgotten.
            decay = min(self.options.average_decay, (1 + self.progress.step) / (10 + self.progress.step))
            own, new = ([local_part(w) for w in kept.values()] for kept in (self.average, weights_of(self.model)))
            torch._foreach_lerp_(own, new, 1 - decay)

    def _give_up(self, batches: list[Batch]) -> None:
        """Before the run goes back. Raises UserError where it has been back often enough."""
        progress = self.progress
        scale = self.update.scaler.get_scale() if self.update.scaler.is_enabled() else None
        told = f"{progress.nonfinite} updates in a row had no finite gradient"
        told += f" (fp16: the scale of the loss fell to {scale:g})" if scale is not None else ""
        folder = self.checkpoints.folder.parent
        if progress.rollbacks < ROLLBACKS:
            log.warning("%s: back to the last checkpoint, with half the learning rate", told)
            return
        path = folder / f"not-finite-{progress.step}-{self.ranks.number}.json"
        rows = [{"pair": row, "source": s.tolist(), "target": t.tolist()} for b in batches for row, s, t in b.pairs()]
        path.write_text(json.dumps(rows), encoding="utf-8")
        raise UserError(
            f"{told}, and half the learning rate did not help {ROLLBACKS} times; the last batch is in {path}; begin "
            f"another run.dir with finetuning.run={folder} and a lower optimizer.learning_rate"
        )

    def _roll_back(self) -> None:
        """The last good weights, with half the learning rate from there on."""
        rollbacks, skipped = self.progress.rollbacks + 1, self.progress.skipped
        if not self._resume():  # no checkpoint yet: no update was made of a gradient that was not finite
            self.optimizer.state.clear()
        self.progress.rollbacks, self.progress.skipped, self.progress.nonfinite = rollbacks, skipped, 0

    def _share(self) -> float:
        """The share of the budget spent: of the budget that is nearest its end."""
        progress, options = self.progress, self.options
        spent = (
            (progress.step, options.max_steps),
            (self.batches.epochs(progress.position) if options.max_epochs else 0.0, options.max_epochs),
            (progress.tokens, options.max_tokens),
            (progress.seconds, 60 * options.max_minutes),
        )
        return max(amount / budget for amount, budget in spent if budget)

    def _report(self, journal: Journal) -> None:
        progress = self.progress
        values = self.meter.read(self.ranks)
        rate = self.optimizer.param_groups[0]["lr"]
        journal.event(
            "train",
            progress.step,
            epoch=progress.position.epoch,
            learning_rate=rate,
            seconds=progress.seconds,
            tokens=progress.tokens,
            memory_gigabytes=peak_memory(self.device),
            gradient_norm_of=self.meter.part_norms,
            **values,
        )
        journal.progress(
            min(self._share(), 1.0),
            f"step {progress.step}  loss {values['loss']:.3f}  {values['tokens_per_second']:,.0f} tok/s",
        )

    def _validate(self, journal: Journal, ended: bool) -> bool:
        """Scores the weights, keeps a checkpoint, and says whether the run is over.

        Raises Interrupted where a signal broke it off; it is done again when the run goes on.
        """
        progress = self.progress
        with self._judged() as model:
            sums = self._sums(model)
        told = self.ranks.all_tell([sums, progress.seconds], f"validation of step {progress.step}")
        progress.seconds = told[0][1]
        if any(sums is None for sums, _ in told):
            self._save()
            self._interrupt(self.signals.number or signal.SIGTERM)
        scores = self.validate.scores([sum(column) for column in zip(*(sums for sums, _ in told), strict=True)])
        is_best = self._judge(scores)
        progress.judged = progress.step
        progress.finished = ended = ended or self._out_of_patience()
        shown = "  ".join(f"{name} {value:.{3 if name == 'loss' else 1}f}" for name, value in scores.items())
        journal.event("valid", progress.step, **scores, seconds=progress.seconds, tokens=progress.tokens)
        journal.say("step %d  valid %s%s", progress.step, shown, "  (best)" if is_best else "")
        self._save(is_best)
        if self.look and _is_shown(progress.step // self.options.validate_every):
            # Outside the clock: a model without attention has less to show.
            with self._judged() as model:
                if self.ranks.first:
                    journal.look(self.look(model), progress.step)
        return ended

    def _sums(self, model: Model) -> list[float] | None:
        """What this process found; None where a signal broke it off."""
        if self.stop or self.signals.number:
            return None
        try:
            self.signals.breaks = True
            sums = self.validate.sums(model)
            self.signals.breaks = False
        except Broken:
            return None
        self._tick()
        return sums

    def _save(self, is_best: bool = False) -> None:
        """The first process writes a checkpoint; where weights are spread, each its part."""
        told, sharded = (self.update, self.average, self.progress, self.ranks), self.update.sharded
        state = take(*told)
        best = take_weights(*told) if is_best and sharded else None
        self.saved = self.progress.seconds
        if self.ranks.first or sharded:
            self.checkpoints.save(state, is_best, best)

    def _interrupt(self, number: int) -> None:
        """Ends the run, once its checkpoint is written: torchrun ends all processes as soon as one has ended so."""
        self.ranks.first_tells(self.checkpoints.wait, "the last checkpoint")
        raise Interrupted(number, self.progress.step)

    def _out_of_patience(self) -> bool:
        return bool(self.options.patience and self.progress.stale >= self.options.patience)

    def _judge(self, scores: dict[str, float]) -> bool:
        """Whether this is the best so far; counts patience and plateaus otherwise."""
        progress, options = self.progress, self.options
        if options.select_by not in scores:
            raise UserError(f"trainer.select_by={options.select_by}: validation gives {', '.join(scores)}")
        score = scores[options.select_by] * (-1 if options.select_by == "loss" else 1)
        if math.isfinite(score) and (progress.best_score is None or score > progress.best_score):
            progress.best_score, progress.best_step, progress.stale = score, progress.step, 0
            return True
        progress.stale += 1
        if progress.stale % self.optimizer_options.plateau_patience == 0:
            progress.reductions += 1
        return False

    @contextmanager
    def _judged(self) -> Iterator[Model]:
        """The model in evaluation mode, with the moving average for its weights where there is one."""
        own, place = weights_of(self.model), self.checkpoints.folder
        if self.update.sharded and self.replica:
            with torch.random.fork_rng(devices=[]):  # its first weights are drawn for nothing
                model = self.replica()
            load_weights(model, whole_in_all(self.average or own), place)
            yield model.to(self.device).eval()
            return
        kept = {name: weight.clone() for name, weight in own.items()} if self.average else {}
        if kept:
            load_weights(self.model, self.average, place)
        self.model.eval()
        try:
            yield self.model
        finally:
            self.model.train()
            if kept:
                load_weights(self.model, kept, place)

    def _resume(self) -> bool:
        """Whether there was a checkpoint to go on from."""
        state = self.checkpoints.latest(self.ranks, sharded=self.update.sharded)
        if state is None:
            return False
        restore(state, self.update, self.average, self.ranks, self.checkpoints.folder)
        self.progress, self.saved = state.progress, state.progress.seconds
        log.info("going on from step %d", self.progress.step)
        return True


def _is_shown(validation: int) -> bool:
    """Each of the first twenty, then ten in each doubling: what is kept of a long run stays small."""
    return validation % (1 << max(0, (validation // 10).bit_length() - 1)) == 0
