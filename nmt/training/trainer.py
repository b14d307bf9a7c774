"""The loop: one trainer for every model."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol

from nmt.corpus.batches.ahead import made_ahead
from nmt.corpus.batches.batch import Batch, write_batches
from nmt.corpus.batches.batcher import Batches
from nmt.errors import UserError
from nmt.kernels.limits import limits
from nmt.models.interface import Model
from nmt.training.average import copy_weights, evaluation_mode, update_average
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.state import Counters, Tensors, restore, take, take_weights
from nmt.training.clock import Clock
from nmt.training.journal import Journal, Look, in_words, is_shown
from nmt.training.meter import Meter, part_norms, peak_memory
from nmt.training.optim import FALLING, OptimizerOptions, learning_rate, make_optimizer
from nmt.training.precision import Precision
from nmt.training.ranks import Ranks
from nmt.training.selection import Selection
from nmt.training.sharding import shard
from nmt.training.signals import Broken, Interrupted, Signals
from nmt.training.terms import Terms, parts_from
from nmt.training.trainer_options import TrainerOptions
from nmt.training.unread import Unread
from nmt.training.update import Objective, Update

log = logging.getLogger("nmt")

ROLLBACKS = 2  # how often a run goes back to its last checkpoint with half the learning rate


class Validate(Protocol):
    """Evaluates a model in two parts, so that ranks share the work."""

    def sums(self, model: Model) -> dict[str, list[float]]:
        """Sums over this rank's share of the validation set: columns of numbers by name."""

    def scores(self, shares: Sequence[dict[str, list[float]]]) -> dict[str, float]:
        """Scores by name, from the sums of every rank, added up column by column."""


class Trainer:
    """Trains ``model`` on ``batches`` within the budget, keeps checkpoints, and can go on from the last one.

    ``journal`` opens a journal at a step. ``look`` gives what a person may look at after a validation. ``replica``
    makes another model of the same kind, which is evaluated in the place of one that is sharded. ``after_step`` is
    called after each update, before anything is logged, validated or saved.
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
        after_step: Callable[[Counters], None] | None = None,
        terms: Terms | None = None,
    ):
        options.check_budget()
        self.model = model
        self.batches = batches
        self.validate = validate
        self.options = options
        self.optimizer_options = optimizer_options
        self.selection = Selection.of(options, optimizer_options)
        self.device = precision.device
        self.checkpoints = checkpoints
        self.open_journal = journal
        self.look = look
        self.ranks = ranks or Ranks(device=precision.device)
        self.after_step = after_step  # called with the counters after every update: tests look at a run through it
        self.terms = terms  # kept with the updates that are made under them

        objective = Objective(model, options.label_smoothing, options.guided_alignment, options.compile)
        sharded = options.sharding == "full" and self.ranks.count > 1
        if sharded:
            shard(objective, model, self.ranks)
        self.replica = replica if sharded else None
        self.optimizer = make_optimizer(model, optimizer_options)
        self.update = Update(objective, self.optimizer, precision, self.ranks, options.clip_norm, sharded)
        self.average: Tensors = copy_weights(model) if options.average_decay else {}
        self.progress = Counters()
        self.meter = Meter()
        sizes = limits(self.device)
        self.unread = Unread(min(sizes.unread_updates, options.log_every, options.skip_limit))
        self.ahead = sizes.batches_ahead if self.ranks.count == 1 else 0  # several ranks agree on a stream's blocks
        self.signals = Signals()
        self.stop = 0  # the signal that ends the run, once all ranks know of it
        self.saved = 0.0  # seconds of training at the last checkpoint
        self.clock = Clock()

    def fit(self) -> Counters:
        """Trains until a budget is spent or patience runs out. Raises Interrupted on SIGINT, SIGTERM and Slurm's."""
        self._resume()
        progress = self.progress
        if progress.finished and self._is_over():
            log.info("already trained: %d steps, %s tokens", progress.step, f"{progress.tokens:,}")
            if self._budget_spent() < 1:
                log.info("%s: to go on, raise trainer.patience", self.selection.end(progress))
            return progress
        if progress.finished and self.optimizer_options.schedule in FALLING:
            log.warning("the run had ended: with more budget, its learning rate rises again")
        progress.finished = False
        if self.selection.waits_for_warmup(progress):
            log.info(
                "no validation counts against the run before optimizer.warmup_steps=%d", self.selection.warmup_steps
            )
        with self._interruptible():
            while not self._train_until_end_or_rollback():
                self._roll_back()
        return self.progress

    def _train_until_end_or_rollback(self) -> bool:
        """Trains to the end of the run: True; or until too many gradients in a row are not finite: False."""
        progress = self.progress
        options = self.options
        progress.parts = parts_from(progress.parts, progress.step, self.terms)
        groups = made_ahead(self.batches.groups(progress.position, options.accumulate), self.ahead)
        with closing(self.open_journal(progress.step)) as journal, closing(groups):
            self.model.train()
            self._restart_clock()
            # A signal may have broken off the validation of the step that the run goes on from.
            if self._missed_validation() and self._validate(journal):
                return True
            journal.progress(min(self._budget_spent(), 1.0), f"step {progress.step}")
            self._restart_clock()
            for batches, position in self.clock.waiting_for(groups):
                step = progress.step + 1
                seconds_before = progress.seconds
                self._count_seconds()
                # Ranks agree before the gradient, which is divided by the tokens of all of them.
                tokens, most = self._agree(batches, f"step {step}")
                likelihood = self.update.gradients(batches, tokens, f"gradients of step {step}", most)
                if step % options.log_every == 0:
                    self.meter.part_norms = part_norms(self.model)  # here, since clipping changes them
                progress.step = step
                progress.tokens += tokens
                # The position is still the old one, so a schedule over epochs begins at 0.
                rate = learning_rate(self.optimizer_options, step, self._budget_spent(), progress.reductions)
                norm = self.update.apply(rate * 0.5**progress.rollbacks)
                if self.average:
                    update_average(self.average, self.model, options.average_decay, step)
                progress.move(position, self.batches.epochs(position), tokens)
                self.meter.count(batches)
                self.unread.add(likelihood, norm)
                if self.unread.is_full:
                    self._read_updates()
                if self.after_step:
                    self.after_step(progress)
                if self.ranks.count == 1:  # several ranks count and look when they agree, to stay together
                    self._count_seconds()
                    self.stop = self.signals.number
                progress.update_seconds = progress.seconds - seconds_before

                if progress.nonfinite >= options.skip_limit:
                    self._end_where_rollbacks_are_spent(batches)
                    return False
                if step % options.log_every == 0:
                    self._report(journal)
                journal.progress(min(self._budget_spent(), 1.0), f"step {step}{self.meter.in_words}")
                if self._budget_spent() >= 1 or self._validation_due():
                    if self._validate(journal):
                        return True
                    self._restart_clock()
                elif self.stop or self._checkpoint_due():
                    self._save()
                if self.stop:
                    self._interrupt(self.stop)
        raise AssertionError("batches never end")

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Notes signals while the run trains, and ends it, however it ends, with its last checkpoint on disk."""
        with self.signals:
            try:
                with self.ranks.working(lambda: f"step {self.progress.step + 1}"):
                    yield
            except Exception:  # such as that another process does not answer
                self.checkpoints.give_up()
                raise
            finally:
                self.checkpoints.wait()

    def _restart_clock(self) -> None:
        """Leaves out the time that was spent elsewhere."""
        self.clock.restart()
        self.meter.restart()

    def _count_seconds(self, is_usual: bool = True) -> None:
        """Adds the seconds since it was last called. ``is_usual``: they are those of a step."""
        self.progress.seconds += self.clock.lap(is_usual)
        if self.ranks.count == 1:
            self._leave_out(self.clock.idle)

    def _leave_out(self, idle: float) -> None:
        """Takes back the seconds in which all processes were stopped, or waited for one that was."""
        self.clock.idle = 0.0
        self.progress.seconds -= idle
        if idle and self.ranks.first:
            step = self.progress.step
            log.warning("step %d: %.0f seconds without work (was the process stopped?) do not count", step, idle)

    def _validation_due(self) -> bool:
        return self.progress.step % self.options.validate_every == 0

    def _missed_validation(self) -> bool:
        """Whether the validation after the latest update was broken off."""
        if self.progress.judged >= self.progress.step:
            return False
        return self._validation_due() or self._budget_spent() >= 1

    def _checkpoint_due(self) -> bool:
        minutes = self.options.checkpoint_minutes
        if not minutes or self.progress.seconds - self.saved <= 60 * minutes:
            return False
        self._read_updates()
        return not self.progress.nonfinite

    def _is_over(self) -> bool:
        return self._budget_spent() >= 1 or self.selection.is_out_of_patience(self.progress)

    def _budget_spent(self) -> float:
        """The share of the budget that is spent (1: all of it), of the budget that is nearest its end."""
        progress = self.progress
        options = self.options
        shares = []
        if options.max_steps:
            shares.append(progress.step / options.max_steps)
        if options.max_epochs:
            shares.append(self.batches.epochs(progress.position) / options.max_epochs)
        if options.max_tokens:
            shares.append(progress.tokens / options.max_tokens)
        if options.max_minutes:
            shares.append(progress.seconds / (60 * options.max_minutes))
        return max(shares)

    def _agree(self, batches: list[Batch], place: str) -> tuple[int, int]:
        """The target tokens of all ranks, and the most batches that one has.

        From here on the ranks have one clock, and stop at one step. Collective.
        """
        progress = self.progress
        tokens = sum(batch.tokens for batch in batches)
        if self.ranks.count == 1:
            return tokens, len(batches)
        own = [tokens, len(batches), progress.seconds, self.clock.idle, self.signals.number]
        all_tokens, all_batches, seconds, idle, signals = self.ranks.gather(own, place).unbind(dim=1)  # (ranks,) each
        progress.seconds = float(seconds[0])
        self._leave_out(float(idle.min()))
        self.stop = int(signals.max())
        return int(all_tokens.sum()), int(all_batches.max())

    def _read_updates(self) -> None:
        """Reads what the latest updates left on the device: before whatever looks at it."""
        self.progress.largest_batch = self.update.largest
        self.unread.read(self.progress, self.meter)

    def _end_where_rollbacks_are_spent(self, batches: list[Batch]) -> None:
        """Raises UserError where the run has been back often enough, and keeps the last batch in a file."""
        progress = self.progress
        reason = f"{progress.nonfinite} updates in a row had no finite gradient"
        if self.update.scaler.is_enabled():
            reason += f" (fp16: the scale of the loss fell to {self.update.scaler.get_scale():g})"
        if progress.rollbacks < ROLLBACKS:
            log.warning("%s: back to the last checkpoint, with half the learning rate", reason)
            return
        folder = self.checkpoints.folder.parent
        path = folder / f"not-finite-{progress.step}-{self.ranks.number}.json"
        write_batches(path, batches)
        raise UserError(
            f"{reason}, and half the learning rate did not help {ROLLBACKS} times; the last batch is in {path}; begin "
            f"another run.dir with finetuning.run={folder} and a lower optimizer.learning_rate"
        )

    def _roll_back(self) -> None:
        """Takes the last good weights, with half the learning rate from there on."""
        rollbacks = self.progress.rollbacks + 1
        skipped = self.progress.skipped
        self.unread.drop()
        if not self._resume():  # no checkpoint yet: no update was made of a gradient that was not finite
            self.optimizer.state.clear()
        self.progress.rollbacks = rollbacks
        self.progress.skipped = skipped
        self.progress.nonfinite = 0

    def _report(self, journal: Journal) -> None:
        self._read_updates()
        progress = self.progress
        values = self.meter.read(self.ranks)
        journal.event(
            "train",
            progress.step,
            epoch=self.batches.epochs(progress.position),
            learning_rate=self.optimizer.param_groups[0]["lr"],
            seconds=progress.seconds,
            tokens=progress.tokens,
            memory_gigabytes=peak_memory(self.device),
            gradient_norm_of=self.meter.part_norms,
            **values,
        )

    def _validate(self, journal: Journal) -> bool:
        """Evaluates the weights, keeps a checkpoint, and says whether the run is over. Collective.

        Raises Interrupted where a signal broke it off; it is done again when the run goes on.
        """
        self._read_updates()
        progress = self.progress
        seconds_before = progress.seconds
        with self._evaluated() as model:
            sums = self._sums(model)
        own = [sums, progress.seconds, self.clock.idle]
        answers = self.ranks.all_tell(own, f"validation of step {progress.step}")
        shares, seconds, idle = zip(*answers, strict=True)  # of each rank
        progress.seconds = seconds[0]
        self._leave_out(min(idle))
        if None in shares:
            self._save()
            self._interrupt(self.signals.number or signal.SIGTERM)
        progress.validation_seconds = progress.seconds - seconds_before
        budget_spent = self._budget_spent() >= 1  # perhaps by this very validation
        scores = self.validate.scores(shares)
        is_best = self.selection.judge(progress, scores)
        progress.judged = progress.step
        progress.finished = budget_spent or self.selection.is_out_of_patience(progress)
        journal.event("valid", progress.step, **scores, seconds=progress.seconds, tokens=progress.tokens)
        journal.say("step %d  valid %s%s", progress.step, in_words(scores), "  (best)" * is_best)
        if progress.finished and not budget_spent:
            journal.say("%s", self.selection.end(progress))
        self._save(is_best)
        if self.look and is_shown(progress.step // self.options.validate_every):
            # Outside the clock: a model without attention has less to show.
            with self._evaluated() as model:
                if self.ranks.first:
                    journal.look(self.look(model), progress.step)
        return progress.finished

    @contextmanager
    def _evaluated(self) -> Iterator[Model]:
        """The model as it is evaluated: see `evaluation_mode`."""
        with evaluation_mode(self.model, self.average, self.checkpoints.folder, self.replica) as model:
            yield model

    def _sums(self, model: Model) -> dict[str, list[float]] | None:
        """This rank's sums over the validation set; None where a signal broke it off."""
        if self.stop or self.signals.number:
            return None
        try:
            self.signals.breaks = True
            sums = self.validate.sums(model)
            self.signals.breaks = False
        except Broken:
            return None
        self._count_seconds(is_usual=False)
        return sums

    def _save(self, is_best: bool = False) -> None:
        """Writes a checkpoint on the first rank; where weights are sharded, each rank its part. Collective."""
        self._read_updates()
        sharded = self.update.sharded
        state = take(self.update, self.average, self.progress, self.ranks)
        best = None
        if is_best and sharded:
            best = take_weights(self.update, self.average, self.progress, self.ranks)
        self.saved = self.progress.seconds
        if self.ranks.first or sharded:
            with self.clock.at_work():  # until the checkpoint before is written
                self.checkpoints.save(state, is_best, best)

    def _interrupt(self, number: int) -> None:
        """Ends the run, once its checkpoint is written: torchrun ends all processes as soon as one has ended so."""
        self.ranks.first_tells(self.checkpoints.wait, "the last checkpoint")
        raise Interrupted(number, self.progress.step)

    def _resume(self) -> bool:
        """Whether there was a checkpoint to go on from."""
        state = self.checkpoints.latest(self.ranks, sharded=self.update.sharded)
        if state is None:
            return False
        restore(state, self.update, self.average, self.ranks, self.checkpoints.folder)
        self.progress = state.progress
        self.progress.epochs = self.batches.epochs(state.progress.position)
        self.saved = state.progress.seconds
        log.info("going on from step %d", self.progress.step)
        return True
