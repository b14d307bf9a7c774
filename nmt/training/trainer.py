"""The loop: one trainer for every model."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import torch
from torch import Tensor

from nmt.corpus.batch import Batch
from nmt.corpus.batcher import Batcher, Position
from nmt.errors import UserError, nearest
from nmt.models.interface import Model
from nmt.training import checkpoint as ck
from nmt.training.checkpoint import Checkpoints, Progress, TrainState
from nmt.training.journal import Journal, Look
from nmt.training.loss import guided_loss, token_loss
from nmt.training.meter import Meter, part_norms, peak_memory
from nmt.training.optim import FALLING, OptimizerOptions, learning_rate, make_optimizer
from nmt.training.precision import Precision

log = logging.getLogger("nmt")

Validate = Callable[[Model], dict[str, float]]
SELECTION = ("loss", "bleu")


@dataclass
class TrainerOptions:
    """How long, how, and what is kept. At least one budget must be set; the first one spent ends the run."""

    max_steps: int = 0  # optimizer updates; 0 sets no bound, here and below
    max_epochs: float = 0.0
    max_tokens: int = 0  # real target tokens
    max_minutes: float = 0.0  # wall clock, validation included, summed over resumed parts
    precision: str = "auto"  # fp32, bf16 or fp16; auto is bf16 where the device has instructions for it, else fp32
    accumulate: int = 1  # batches per update
    clip_norm: float = 1.0  # 0 does not clip
    label_smoothing: float = 0.1
    guided_alignment: float = 0.0  # weight of what attention is taught by known word links (Chen 2016); 0: nothing
    average_decay: float = 0.0  # exponential moving average of the weights (0: none), used wherever weights are judged
    validate_every: int = 500  # updates
    select_by: str = "loss"  # the best checkpoint by validation loss or bleu
    patience: int = 0  # validations without improvement before stopping; 0 never stops early
    keep_checkpoints: int = 3
    log_every: int = 50  # updates
    compile: bool = False  # torch.compile
    threads: int = 0  # of the processor; 0 leaves it to the library


class Interrupted(Exception):
    """A signal ended the run after its checkpoint was written."""

    def __init__(self, number: int, step: int):
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step}, checkpoint written")
        self.exit_code = 128 + number


class Trainer:
    """Trains ``model`` on ``batcher`` within the budget, keeps checkpoints, and can go on from the last one."""

    def __init__(
        self,
        model: Model,
        batcher: Batcher,
        validate: Validate,
        options: TrainerOptions,
        optimizer_options: OptimizerOptions,
        precision: Precision,
        checkpoints: Checkpoints,
        journal: Callable[[int], Journal],
        look: Callable[[Model], Look] | None = None,
    ):
        _check(options)
        self.model, self.batcher, self.validate = model, batcher, validate
        self.options, self.optimizer_options, self.precision = options, optimizer_options, precision
        self.checkpoints, self.open_journal, self.look = checkpoints, journal, look
        self.optimizer = make_optimizer(model, optimizer_options)
        self.scaler = precision.scaler()
        self.average = {n: w.clone() for n, w in ck.weights_of(model).items()} if options.average_decay else {}
        self.forward = torch.compile(model) if options.compile else model
        self.progress = Progress()
        self.meter = Meter()
        self.signal = 0

    def fit(self) -> Progress:
        """Trains until a budget is spent or patience runs out. Raises Interrupted on SIGINT and SIGTERM."""
        self._resume()
        progress, options = self.progress, self.options
        if progress.finished and (self._share() >= 1 or self._out_of_patience()):
            log.info("already trained: %d steps, %s tokens", progress.step, f"{progress.tokens:,}")
            return progress
        if progress.finished and self.optimizer_options.schedule in FALLING:
            log.warning("the run had ended: with more budget, its learning rate rises again")
        progress.finished = False
        journal = self.open_journal(progress.step)
        self.model.train()
        try:
            with self._signals():
                clock = time.monotonic()
                self.meter.restart()
                for batches, position in self._groups():
                    loss, norm = self._update(batches)
                    progress.position = position
                    progress.seconds += time.monotonic() - clock
                    clock = time.monotonic()
                    self.meter.add(loss, norm, batches)
                    if progress.step % options.log_every == 0:
                        self._report(journal)
                    ended = self._share() >= 1
                    if ended or progress.step % options.validate_every == 0:
                        ended = self._validate(journal, clock, ended)
                    elif self.signal:
                        self.checkpoints.save(self._state(), is_best=False)
                    if self.signal and not ended:
                        raise Interrupted(self.signal, progress.step)
                    if ended or progress.step % options.validate_every == 0:
                        self.meter.restart()
                        clock = time.monotonic()
                    if ended:
                        break
        finally:
            journal.close()
        return progress

    def _groups(self) -> Iterator[tuple[list[Batch], Position]]:
        """The batches of one update, and the position after them. A group does not cross into the next epoch."""
        group: list[Batch] = []
        for batch, position in self.batcher.batches(self.progress.position):
            group.append(batch)
            if len(group) == self.options.accumulate or position.batch == 0:
                yield group, position
                group = []

    def _update(self, batches: list[Batch]) -> tuple[float, float]:
        """One optimizer update: negative log-likelihood per token and gradient norm."""
        progress, tokens = self.progress, sum(batch.tokens for batch in batches)
        total = 0.0
        for batch in batches:
            total += self._backward(batch.to(self.precision.device), tokens)
        self.scaler.unscale_(self.optimizer)
        if (progress.step + 1) % self.options.log_every == 0:
            self.meter.part_norms = part_norms(self.model)
        limit = self.options.clip_norm or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        progress.step += 1
        progress.tokens += tokens
        rate = learning_rate(self.optimizer_options, progress.step, self._share(), progress.reductions)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if math.isfinite(norm) or self.scaler.is_enabled():
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self._update_average()
        else:
            self._skip()
        self.optimizer.zero_grad(set_to_none=True)
        return total / tokens, norm

    def _backward(self, batch: Batch, tokens: int) -> float:
        """Adds the gradient of the batch's summed loss over ``tokens``, the count of the whole update."""
        with self.precision.autocast():
            guided = self.options.guided_alignment
            output = self.forward(batch.source, batch.source_mask, batch.target_in, guided > 0)
            loss, likelihood = token_loss(
                self.model.output, output, batch.target_out, batch.target_mask, self.options.label_smoothing
            )
            if guided and batch.links is not None:
                if output.attention is None or not output.attention.requires_grad:
                    raise UserError("trainer.guided_alignment teaches attention weights, and this model learns none")
                loss = loss + guided * guided_loss(output.attention, batch.links)
        self.scaler.scale(loss / tokens).backward()
        return float(likelihood)

    def _skip(self) -> None:
        self.progress.skipped += 1
        log.warning("step %d: the gradient is not finite; update left out", self.progress.step)
        if self.progress.skipped >= 20:
            raise UserError(
                f"{self.progress.skipped} updates had no finite gradient; lower optimizer.learning_rate, or use "
                "trainer.precision=fp32, and start again from the last checkpoint"
            )

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average:
            # Early on the average follows closely, so that the first weights are soon forgotten.
            decay = min(self.options.average_decay, (1 + self.progress.step) / (10 + self.progress.step))
            torch._foreach_lerp_(list(self.average.values()), list(ck.weights_of(self.model).values()), 1 - decay)

    def _share(self) -> float:
        """The share of the budget spent: of the budget that is nearest its end."""
        progress, options = self.progress, self.options
        epochs = float(progress.position.epoch)
        if options.max_epochs and epochs < options.max_epochs:
            epochs += progress.position.batch / len(self.batcher.plan(progress.position.epoch))
        spent = (
            (progress.step, options.max_steps),
            (epochs, options.max_epochs),
            (progress.tokens, options.max_tokens),
            (progress.seconds, 60 * options.max_minutes),
        )
        return max(amount / budget for amount, budget in spent if budget)

    def _report(self, journal: Journal) -> None:
        progress = self.progress
        values = self.meter.read()
        rate = self.optimizer.param_groups[0]["lr"]
        journal.event(
            "train",
            progress.step,
            epoch=progress.position.epoch,
            learning_rate=rate,
            seconds=progress.seconds,
            tokens=progress.tokens,
            memory_gigabytes=peak_memory(self.precision.device),
            gradient_norm_of=self.meter.part_norms,
            **values,
        )
        journal.progress(
            min(self._share(), 1.0),
            f"step {progress.step}  loss {values['loss']:.3f}  {values['tokens_per_second']:,.0f} tok/s",
        )

    def _validate(self, journal: Journal, clock: float, ended: bool) -> bool:
        """Scores the weights, keeps a checkpoint, and says whether the run is over."""
        progress = self.progress
        with self._judged_weights():
            self.model.eval()
            scores = self.validate(self.model)
            self.model.train()
        is_best = self._judge(scores)
        progress.seconds += time.monotonic() - clock
        progress.finished = ended = ended or self._out_of_patience()
        told = "  ".join(f"{name} {value:.{3 if name == 'loss' else 1}f}" for name, value in scores.items())
        journal.event("valid", progress.step, **scores, seconds=progress.seconds, tokens=progress.tokens)
        journal.say("step %d  valid %s%s", progress.step, told, "  (best)" if is_best else "")
        self.checkpoints.save(self._state(), is_best)
        if self.look:  # outside the clock: a model without attention has less to show, and must not gain time by it
            with self._judged_weights():
                self.model.eval()
                journal.look(self.look(self.model), progress.step)
                self.model.train()
        return ended

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
    def _judged_weights(self) -> Iterator[None]:
        """The moving average in the model's place, where there is one."""
        if not self.average:
            yield
            return
        own = {name: weight.clone() for name, weight in ck.weights_of(self.model).items()}
        ck.load_weights(self.model, self.average, self.checkpoints.folder)
        try:
            yield
        finally:
            ck.load_weights(self.model, own, self.checkpoints.folder)

    def _state(self) -> TrainState:
        tensors: dict[str, Tensor] = {}
        parts = {
            "model": ck.weights_of(self.model),
            "average": self.average,
            "optimizer": ck.optimizer_tensors(self.model, self.optimizer),
            "scaler": {n: torch.tensor(v, dtype=torch.float64) for n, v in self.scaler.state_dict().items()},
            "random": ck.random_tensors(),
        }
        for prefix, named in parts.items():
            tensors |= {f"{prefix}.{name}": tensor for name, tensor in named.items()}
        return TrainState(self.progress, tensors)

    def _resume(self) -> None:
        state = self.checkpoints.latest()
        if state is None:
            return
        ck.load_weights(self.model, ck.part(state.tensors, "model"), self.checkpoints.folder)
        ck.load_optimizer(self.model, self.optimizer, ck.part(state.tensors, "optimizer"))
        ck.load_random(ck.part(state.tensors, "random"))
        for name, tensor in ck.part(state.tensors, "average").items():
            if name in self.average:
                self.average[name].copy_(tensor)
        if self.scaler.is_enabled():
            scaler = {name: tensor.item() for name, tensor in ck.part(state.tensors, "scaler").items()}
            counts = {name: int(scaler[name]) for name in ("growth_interval", "_growth_tracker")}
            self.scaler.load_state_dict(scaler | counts)
        self.progress = state.progress
        log.info("going on from step %d", self.progress.step)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the run after the update in hand; a second one ends it at once."""

        def note(number: int, _: FrameType | None) -> None:
            self.signal = number
            for caught in before:
                signal.signal(caught, before[caught])

        numbers = (signal.SIGINT, signal.SIGTERM)
        try:
            before = {number: signal.signal(number, note) for number in numbers}
        except ValueError:  # only the main thread may set handlers
            yield
            return
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, before[number])


def _check(options: TrainerOptions) -> None:
    if not any((options.max_steps, options.max_epochs, options.max_tokens, options.max_minutes)):
        raise UserError("trainer: no budget; set one of trainer.max_steps, max_epochs, max_tokens, max_minutes")
    for name in (
        "max_steps",
        "max_epochs",
        "max_tokens",
        "max_minutes",
        "clip_norm",
        "guided_alignment",
        "patience",
        "threads",
    ):
        if getattr(options, name) < 0:
            raise UserError(f"trainer.{name}={getattr(options, name)}: must not be negative")
    for name in ("accumulate", "validate_every", "log_every", "keep_checkpoints"):
        if getattr(options, name) < 1:
            raise UserError(f"trainer.{name}={getattr(options, name)}: must be 1 or more")
    if options.select_by not in SELECTION:
        raise UserError(f"trainer.select_by={options.select_by}: {nearest(options.select_by, SELECTION)}")
    if not 0 <= options.average_decay < 1:
        raise UserError(f"trainer.average_decay={options.average_decay}: must be at least 0 and below 1")
    if not 0 <= options.label_smoothing < 1:
        raise UserError(f"trainer.label_smoothing={options.label_smoothing}: must be at least 0 and below 1")
