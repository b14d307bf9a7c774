"""A new run that begins with the weights of another: on other text, with its vocabulary kept or made larger."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from nmt.errors import UserError, nearest
from nmt.models.interface import Model
from nmt.training.checkpoints.state import Tensors, weights_of

log = logging.getLogger("nmt")

VOCABULARY = ("keep", "extend")


@dataclass
class FinetuningOptions:
    """What a run begins with. Optimizer, schedule and counters begin anew."""

    run: str = ""  # a trained run; "" begins with random weights
    checkpoint: str = "best"
    vocabulary: str = "keep"  # or extend: pieces that tokenizer.* finds in the new text are added to it

    PATHS: ClassVar[frozenset[str]] = frozenset({"run", "checkpoint"})

    def __post_init__(self) -> None:
        if self.vocabulary not in VOCABULARY:
            raise UserError(f"finetuning.vocabulary={self.vocabulary}: {nearest(self.vocabulary, VOCABULARY)}")


def begin_with(model: Model, weights: Tensors, place: Path, options: FinetuningOptions) -> None:
    """Copies the weights of the checkpoint at ``place``. Rows of new pieces of the vocabulary stay as initialised.

    Raises UserError where the model is another one.
    """
    check_fits(model, weights, place, options)
    targets = weights_of(model)
    with torch.no_grad():
        for name, target in targets.items():
            known = weights[name]
            if target.dim():
                target = target[: len(known)]
            target.copy_(known)
    log.info("begins with the weights of %s", place)


def check_fits(model: Model, weights: Tensors, place: Path, options: FinetuningOptions) -> None:
    """Raises UserError where a model, which may lie on the meta device, can't begin with these weights."""
    targets = weights_of(model)
    different = sorted(targets.keys() ^ weights.keys())
    for name, target in targets.items():
        if name in weights and not _fits(weights[name], target, options):
            different.append(name)
    if different:
        raise UserError(f"{place}: the weights are of another model ('{different[0]}' differs); take its model options")


def _fits(known: Tensor, target: Tensor, options: FinetuningOptions) -> bool:
    """Whether a tensor is a parameter's, or its first rows where the vocabulary may grow."""
    if options.vocabulary == "keep" or not target.dim():
        return known.shape == target.shape
    return known.shape[1:] == target.shape[1:] and len(known) <= len(target)
