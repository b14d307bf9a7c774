"""Time and memory against length: what can be done at once, and what must go step by step."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nmt.evaluation.results import CostRow
from nmt.kernels.process import synchronize
from nmt.models.interface import Model
from nmt.training.loss import token_loss

BATCH = 4  # sentences
REPEATS = 3  # of which the median is told; systems take turns, so that a slow moment hits all
FIRST_TOKEN = 4  # the ids below are marks


@dataclass
class _Spent:
    """Seconds of one system at one length, a number for each round."""

    training: list[float] = field(default_factory=list)
    search: list[float] = field(default_factory=list)


def measure(models: Mapping[str, Model], lengths: Sequence[int]) -> list[CostRow]:
    """For each system and source length (tokens; the target is as long): seconds of one training step, of greedy
    search without an early end, and the memory that the step keeps for its backward pass.

    In fp32, of random sentences: neither depends on what the words are. Some seconds a system for lengths to 512.
    """
    memory: dict[tuple[str, int], float] = {}
    for system, model in models.items():
        for length in lengths:
            memory[system, length] = _kept(model, length)
    spent: dict[tuple[str, int], _Spent] = {}
    for repeat in range(REPEATS + 1):
        for length in lengths:
            for system, model in models.items():
                training = _train(model, length)
                search = _decode(model, length)
                if repeat == 0:  # the first round warms up
                    continue
                seconds = spent.setdefault((system, length), _Spent())
                seconds.training.append(training)
                seconds.search.append(search)
    rows = []
    for (system, length), seconds in spent.items():
        training = statistics.median(seconds.training)
        search = statistics.median(seconds.search)
        rows.append(CostRow(system, length, training, search, memory[system, length]))
    return rows


def _random_batch(model: Model, length: int) -> tuple[Tensor, Tensor]:
    """Source and target ids (B, length)."""
    generator = torch.Generator().manual_seed(length)
    source_size = model.source_embedding.num_embeddings
    target_size = model.output.out_features
    source = torch.randint(FIRST_TOKEN, source_size, (BATCH, length), generator=generator)
    target = torch.randint(FIRST_TOKEN, target_size, (BATCH, length), generator=generator)
    return source.to(model.device), target.to(model.device)


def _loss(model: Model, source: Tensor, target: Tensor) -> Tensor:
    real = torch.ones_like(source, dtype=torch.bool)
    output = model(source, real, target)
    loss, _ = token_loss(model.output, output, target, real, 0.0)
    return loss


def _train(model: Model, length: int) -> float:
    """Seconds of one step, forward and backward."""
    source, target = _random_batch(model, length)
    model.train()
    start = _now(model.device)
    _loss(model, source, target).backward()
    seconds = _now(model.device) - start
    model.zero_grad(set_to_none=True)
    model.eval()
    return seconds


@torch.no_grad()
def _decode(model: Model, length: int) -> float:
    """Seconds of greedy search for as many steps."""
    source, target = _random_batch(model, length)
    start = _now(model.device)
    real = torch.ones_like(source, dtype=torch.bool)
    state = model.start(model.encode(source, real))
    tokens = target[:, 0]
    for _ in range(length):
        step = model.step(tokens, state)
        tokens = step.logits.argmax(dim=-1)
        state = step.state
    return _now(model.device) - start


def _now(device: torch.device) -> float:
    synchronize(device)
    return time.perf_counter()


def _kept(model: Model, length: int) -> float:
    """MB of tensors that wait for the backward pass of one step, weights not counted: the same on every machine."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    sizes: dict[int, int] = {}  # bytes by address: several tensors may share a storage

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if address not in weights:
            sizes[address] = storage.nbytes()
        return tensor

    source, target = _random_batch(model, length)
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _loss(model, source, target)
    model.eval()
    return sum(sizes.values()) / 1e6
