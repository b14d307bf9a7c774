"""The weights that are evaluated: the moving average where the run keeps one, else the model's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from nmt.models.interface import Model
from nmt.training.checkpoints.state import Tensors, load_weights, weights_of
from nmt.training.sharding import local_part, whole_in_all


def copy_weights(model: Model) -> Tensors:
    """Returns a copy of the weights: where a moving average starts."""
    return {name: weight.clone() for name, weight in weights_of(model).items()}


@torch.no_grad()
def update_average(average: Tensors, model: Model, most: float, step: int) -> None:
    """Moves the average towards the weights, in place: average = decay * average + (1 - decay) * weights.

    The decay is ``most``, but less early on, so that the first weights are soon forgotten.
    """
    decay = min(most, (1 + step) / (10 + step))
    old = [local_part(weight) for weight in average.values()]
    new = [local_part(weight) for weight in weights_of(model).values()]
    torch._foreach_lerp_(old, new, 1 - decay)


@contextmanager
def evaluation_mode(
    model: Model, average: Tensors, place: Path, replica: Callable[[], Model] | None = None
) -> Iterator[Model]:
    """Yields the model in evaluation mode, with the average for its weights where there is one; puts both back.

    ``replica`` builds an unsharded model of the same options, which takes the whole weights and is yielded instead;
    every rank must then call this. ``place`` is what an error names where weights do not fit.
    """
    if replica:
        with torch.random.fork_rng(devices=[]):  # its first weights are drawn for nothing
            whole_model = replica()
        load_weights(whole_model, whole_in_all(average or weights_of(model)), place)
        yield whole_model.to(model.device).eval()
        return
    trained = copy_weights(model) if average else {}
    if average:
        load_weights(model, average, place)
    model.eval()
    try:
        yield model
    finally:
        model.train()
        if average:
            load_weights(model, trained, place)
