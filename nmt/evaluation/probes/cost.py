"""Time and memory against length: what can be done at once, and what must go step by step."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nmt.evaluation.results import CostRow
from nmt.kernels.process import synchronize
from nmt.models.interface import Model
from nmt.training.loss import token_loss

BATCH = 4  # sentences
REPEATS = 3  # of which the median is told; systems take turns, so that a slow moment hits all
FIRST_TOKEN = 4  # the ids below are marks


def measure(models: Mapping[str, Model], lengths: Sequence[int]) -> list[CostRow]:
    """For each system and source length (tokens; the target is as long): seconds of one training step, of greedy
    search without an early end, and the memory that the step keeps for its backward pass.

    In fp32, of random sentences: neither depends on what the words are. Some seconds a system for lengths to 512.
    """
    seconds: dict[tuple[str, int], list[tuple[float, float]]] = {}
    memory = {(s, length): _kept(model, length) for s, model in models.items() for length in lengths}
    for repeat in range(REPEATS + 1):
        for length in lengths:
            for system, model in models.items():
                spent = _train(model, length), _decode(model, length)
                if repeat:  # the first round warms up
                    seconds.setdefault((system, length), []).append(spent)
    rows = []
    for (system, length), found in seconds.items():
        training, search = (statistics.median(column) for column in zip(*found, strict=True))
        rows.append(CostRow(system, length, training, search, memory[system, length]))
    return rows


def _batch(model: Model, length: int) -> tuple[Tensor, Tensor]:
    sizes = model.source_embedding.num_embeddings, model.output.out_features
    generator = torch.Generator().manual_seed(length)
    sides = [torch.randint(FIRST_TOKEN, size, (BATCH, length), generator=generator) for size in sizes]
    return sides[0].to(model.device), sides[1].to(model.device)


def _train(model: Model, length: int) -> float:
    source, target = _batch(model, length)
    real = torch.ones_like(source, dtype=torch.bool)
    model.train()
    start = _now(model.device)
    loss, _ = token_loss(model.output, model(source, real, target), target, real, 0.0)
    loss.backward()
    spent = _now(model.device) - start
    model.zero_grad(set_to_none=True)
    model.eval()
    return spent


@torch.no_grad()
def _decode(model: Model, length: int) -> float:
    source, target = _batch(model, length)
    start = _now(model.device)
    state = model.start(model.encode(source, torch.ones_like(source, dtype=torch.bool)))
    tokens = target[:, 0]
    for _ in range(length):
        step = model.step(tokens, state)
        tokens, state = step.logits.argmax(dim=-1), step.state
    return _now(model.device) - start


def _now(device: torch.device) -> float:
    synchronize(device)
    return time.perf_counter()


def _kept(model: Model, length: int) -> float:
    """MB of tensors that wait for the backward pass of one step, weights not counted: the same on every machine."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    source, target = _batch(model, length)
    real = torch.ones_like(source, dtype=torch.bool)
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_loss(model.output, model(source, real, target), target, real, 0.0)
    model.eval()
    return sum(found.values()) / 1e6
