"""A run in training to what a checkpoint holds of it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nmt.training.checkpoints import file as ck
from nmt.training.checkpoints.file import Progress, Tensors, TrainState
from nmt.training.ranks import Ranks
from nmt.training.sharding import is_spread, own_part, placed, rows_of, whole_in_first
from nmt.training.update import Update


def take(update: Update, average: Tensors, progress: Progress, ranks: Ranks) -> TrainState:
    """What of it lies in this process, and the random generators of all, so that every process must call this."""
    parts: dict[str, Mapping[str, Tensor]] = {
        "model": ck.weights_of(update.model),
        "average": average,
        "optimizer": ck.optimizer_tensors(update.model, update.optimizer),
        "scaler": {n: torch.tensor(v, dtype=torch.float64) for n, v in update.scaler.state_dict().items()},
        "random": _random(ranks),
    }
    tensors = {f"{prefix}.{name}": tensor for prefix, named in parts.items() for name, tensor in named.items()}
    if not update.sharded:
        return TrainState(progress, tensors)
    first_rows = {
        name: rows_of(len(tensor), ranks.number, ranks.count).start
        for name, tensor in tensors.items()
        if is_spread(tensor)
    }
    own = {name: own_part(tensor) for name, tensor in tensors.items()}
    return TrainState(progress, own, ranks.number, ranks.count, first_rows)


def take_weights(update: Update, average: Tensors, progress: Progress, ranks: Ranks) -> TrainState:
    """Those that are judged, whole, in the first process; every process must call this."""
    prefix, weights = ("average", average) if average else ("model", ck.weights_of(update.model))
    return TrainState(progress, {f"{prefix}.{n}": tensor for n, tensor in whole_in_first(weights, ranks).items()})


def restore(state: TrainState, update: Update, average: Tensors, ranks: Ranks, place: Path) -> None:
    """Raises UserError when the weights are those of another model."""
    ck.load_weights(update.model, ck.part(state.tensors, "model"), place)
    ck.load_optimizer(update.model, update.optimizer, ck.part(state.tensors, "optimizer"))
    for name, tensor in ck.part(state.tensors, "average").items():
        if name in average:
            average[name].copy_(placed(tensor, average[name]))
    if update.scaler.is_enabled():
        scaler = {name: tensor.item() for name, tensor in ck.part(state.tensors, "scaler").items()}
        counts = {name: int(scaler[name]) for name in ("growth_interval", "_growth_tracker")}
        update.scaler.load_state_dict(scaler | counts)
    update.largest = state.progress.largest_batch
    _load_random(ck.part(state.tensors, "random"), ranks)


def _random(ranks: Ranks) -> Tensors:
    """The generators of every process: of its processor, and of its own GPU."""
    states = {"cpu": torch.get_rng_state()}
    if ranks.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(ranks.device)
    return {
        f"{number}.{kind}": row
        for kind, state in states.items()
        for number, row in enumerate(ranks.gather_tensors(state, "random generators"))
    }


def _load_random(tensors: Tensors, ranks: Ranks) -> None:
    """A process that there was none of when the checkpoint was written keeps its own."""
    own = ck.part(tensors, str(ranks.number))
    if "cpu" in own:
        torch.set_rng_state(own["cpu"])
    if "cuda" in own and ranks.device.type == "cuda":
        torch.cuda.set_rng_state(own["cuda"], ranks.device)
