"""A new run that begins with the weights of another: on other text, with its vocabulary kept or made larger."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from nmt.errors import UserError, nearest
from nmt.models.interface import Model
from nmt.training.checkpoints.file import Tensors, weights_of

log = logging.getLogger("nmt")

VOCABULARY = ("keep", "extend")


@dataclass
class FinetuningOptions:
    """What a run begins with. Optimizer, schedule and counters begin anew."""

    run: str = ""  # a trained run; "" begins with random weights
    checkpoint: str = "best"
    vocabulary: str = "keep"  # or extend: pieces that tokenizer.* finds in the new text are added to it

    def __post_init__(self) -> None:
        if self.vocabulary not in VOCABULARY:
            raise UserError(f"finetuning.vocabulary={self.vocabulary}: {nearest(self.vocabulary, VOCABULARY)}")


def begin_with(model: Model, weights: Tensors, place: Path, options: FinetuningOptions) -> None:
    """Copies the weights of a checkpoint, which lies at ``place``. Rows of the vocabulary that it has not stay as made.

    Raises UserError where the model is another one.
    """
    own = weights_of(model)
    different = sorted(own.keys() ^ weights.keys())
    for name, tensor in own.items():
        if name in weights:
            old = weights[name]
            fits = tensor.shape[1:] == old.shape[1:] and len(tensor) >= len(old) if tensor.dim() else True
            if not fits or (tensor.shape != old.shape and options.vocabulary == "keep"):
                different.append(name)
    if different:
        raise UserError(f"{place}: the weights are of another model ('{different[0]}' differs); take its model options")
    with torch.no_grad():
        for name, tensor in own.items():
            old = weights[name]
            (tensor[: len(old)] if tensor.dim() else tensor).copy_(old)
    log.info("begins with the weights of %s", place)
