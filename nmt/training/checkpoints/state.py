"""What a resumed run needs: its counters and every tensor by name, taken from a run in training and put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from nmt.corpus.batches.position import Position
from nmt.errors import UserError
from nmt.training.checkpoints.origin import Origin
from nmt.training.ranks import Ranks
from nmt.training.sharding import is_sharded, local_part, placed, rows_of, whole_in_first
from nmt.training.terms import Part
from nmt.training.update import Update

Tensors = dict[str, Tensor]


@dataclass
class Counters:
    """How far a run has come."""

    step: int = 0  # optimizer updates
    tokens: int = 0  # real target tokens seen
    seconds: float = 0.0  # spent in training, validation included
    position: Position = field(default_factory=Position)
    best_score: float | None = None  # of the selection metric; higher is better
    best_loss: float | None = None  # validation loss of the best: of equal scores, the lower is better
    best_step: int = 0
    stale: int = 0  # validations since the best
    reductions: int = 0  # of the learning rate on a plateau
    skipped: int = 0  # updates left out for a gradient that was not finite
    nonfinite: int = 0  # of them in a row, up to now
    rollbacks: int = 0  # times that the run went back to a checkpoint with half the learning rate
    judged: int = 0  # the last step that was validated
    largest_batch: int = 0  # cells that memory holds, once it was short
    finished: bool = False
    epochs: float = 0.0  # readings of the text, with their fraction
    parts: tuple[Part, ...] = ()  # the terms that it was trained under
    # What the last update and the last validation added: a budget is spent within them.
    update_tokens: int = 0
    update_epochs: float = 0.0
    update_seconds: float = 0.0
    validation_seconds: float = 0.0

    def move(self, position: Position, epochs: float, tokens: int) -> None:
        """Notes where an update of so many target tokens has come to in the text."""
        self.update_tokens = tokens
        self.update_epochs = epochs - self.epochs
        self.epochs = epochs
        self.position = position


@dataclass
class TrainState:
    """Counters, and every tensor by name: model., average., optimizer., scaler., random.

    Where weights are sharded, ``tensors`` has the rows that lie in this process, and ``first_rows`` the number of the
    first of them, for each sharded tensor.
    """

    progress: Counters
    tensors: Tensors
    number: int = 0  # of the process whose part this is
    count: int = 1  # of processes that have a part
    first_rows: dict[str, int] = field(default_factory=dict)
    origin: Origin | None = None  # None: the checkpoint is of a version that kept none


def take(update: Update, average: Tensors, progress: Counters, ranks: Ranks) -> TrainState:
    """The state of a run, with the rows of sharded tensors that lie in this process. Collective: every rank must call
    it, since the random generators of all are kept.
    """
    scaler = {}
    for name, value in update.scaler.state_dict().items():
        scaler[name] = torch.tensor(value, dtype=torch.float64)
    tensors = _named("model", weights_of(update.model))
    tensors |= _named("average", average)
    tensors |= _named("optimizer", optimizer_tensors(update.model, update.optimizer))
    tensors |= _named("scaler", scaler)
    tensors |= _named("random", _generators(ranks))
    if not update.sharded:
        return TrainState(progress, tensors)
    first_rows = {}
    for name, tensor in tensors.items():
        if is_sharded(tensor):
            rows = rows_of(len(tensor), ranks.number, ranks.count)
            first_rows[name] = rows.start
    parts = {name: local_part(tensor) for name, tensor in tensors.items()}
    return TrainState(progress, parts, ranks.number, ranks.count, first_rows)


def take_weights(update: Update, average: Tensors, progress: Counters, ranks: Ranks) -> TrainState:
    """Gathers the weights used for evaluation on the first rank. Collective: every rank must call it."""
    weights = _named("average", average) if average else _named("model", weights_of(update.model))
    return TrainState(progress, whole_in_first(weights, ranks))


def restore(state: TrainState, update: Update, average: Tensors, ranks: Ranks, place: Path) -> None:
    """Puts a state back into model, optimizer, scaler, average and random generators.

    Raises UserError, which names ``place``, when the weights are those of another model.
    """
    load_weights(update.model, tensors_under("model", state.tensors), place)
    load_optimizer(update.model, update.optimizer, tensors_under("optimizer", state.tensors))
    for name, tensor in tensors_under("average", state.tensors).items():
        if name in average:
            average[name].copy_(placed(tensor, average[name]))
    if update.scaler.is_enabled():
        scaler = {}
        for name, tensor in tensors_under("scaler", state.tensors).items():
            is_count = name in ("growth_interval", "_growth_tracker")
            scaler[name] = int(tensor) if is_count else float(tensor)
        update.scaler.load_state_dict(scaler)
    update.largest = state.progress.largest_batch
    _set_generators(tensors_under("random", state.tensors), ranks)


def weights_of(model: nn.Module) -> Tensors:
    """Parameters and buffers by name, shared ones once."""
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    buffers = {name: buffer.detach() for name, buffer in model.named_buffers()}
    return weights | buffers


def copied(state: TrainState) -> TrainState:
    """Returns a copy in the processor's memory, which training does not touch."""
    tensors = {}
    for name, tensor in state.tensors.items():
        tensors[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return replace(state, progress=replace(state.progress), tensors=tensors)


def evaluated_weights(state: TrainState) -> Tensors:
    """Returns the running average where the run keeps one, else the weights."""
    return tensors_under("average", state.tensors) or tensors_under("model", state.tensors)


def mean(checkpoints: Iterable[Tensors]) -> Tensors:
    """Returns the mean of each tensor over checkpoints, summed in double precision."""
    checkpoints = list(checkpoints)
    means = {}
    for name, tensor in checkpoints[0].items():
        stacked = torch.stack([weights[name].double() for weights in checkpoints])
        means[name] = stacked.mean(0).to(tensor.dtype)
    return means


def load_weights(model: nn.Module, weights: Tensors, place: Path) -> None:
    """Copies ``weights`` into the model. Raises UserError, which names ``place``, when they are of another model."""
    targets = weights_of(model)
    different = sorted(targets.keys() ^ weights.keys())
    for name, target in targets.items():
        fitting = (target.shape, local_part(target).shape)
        if name in weights and weights[name].shape not in fitting:
            different.append(name)
    if different:
        raise UserError(f"{place}: the weights are of another model ('{different[0]}' differs); check model options")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(placed(weights[name], target))


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """The optimizer's state by the names of the parameters: ``encoder.weight/exp_avg``."""
    tensors = {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state[parameter].items():
            tensors[f"{name}/{key}"] = value
    return tensors


def load_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Puts back what `optimizer_tensors` returned."""
    for name, parameter in model.named_parameters():
        prefix = f"{name}/"
        state = {}
        for key, value in tensors.items():
            if key.startswith(prefix):
                # Fused optimizers keep the step count on the device, too.
                state[key.removeprefix(prefix)] = placed(value, parameter)
        optimizer.state[parameter] = state


def tensors_under(prefix: str, tensors: Tensors) -> Tensors:
    """The tensors whose names begin with ``prefix.``, named without it."""
    start = prefix + "."
    named = {}
    for name, tensor in tensors.items():
        if name.startswith(start):
            named[name.removeprefix(start)] = tensor
    return named


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _generators(ranks: Ranks) -> Tensors:
    """States of the random generators of every process: of its processor, and of its own GPU."""
    states = {"cpu": torch.get_rng_state()}
    if ranks.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(ranks.device)
    generators = {}
    for kind, state in states.items():
        rows = ranks.gather_tensors(state, "random generators")
        for number, row in enumerate(rows):
            generators[f"{number}.{kind}"] = row
    return generators


def _set_generators(tensors: Tensors, ranks: Ranks) -> None:
    """Sets the generators of this process. Those of a process that the checkpoint does not know stay as they are."""
    states = tensors_under(str(ranks.number), tensors)
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and ranks.device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], ranks.device)
