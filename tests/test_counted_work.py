"""Speed is guarded by what can be counted, whatever else the machine is doing: with the torch of constraints.txt, and
its fused layers.

A bound that is broken asks: is the new work wanted? Then measure (`make bench`) and move the bound with the commit.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.encoded import EncodedPairs, RaggedBuilder
from nmt.corpus.text.cleaning import CleaningReport
from nmt.evaluation.probes import cost
from nmt.models.attention.options import AttentionOptions
from nmt.models.build import build_model
from nmt.models.interface import Model, Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions
from nmt.training.loss import token_loss

ROWS, LENGTH = 4, 12
VOCABULARY = Vocabulary(40, 40, True)
WIDE = {"embedding_size": 16, "encoder_size": 8, "decoder_size": 16}
MODELS: dict[str, Any] = {
    "transformer": TransformerOptions(
        size=16, heads=2, feed_forward_size=32, encoder_layers=2, decoder_layers=2, tie_embeddings="all"
    ),
    "feeding": RecurrentOptions(
        **WIDE, attention=AttentionOptions(score="general", query="current", input_feeding=True)
    ),
    "attention": RecurrentOptions(
        **WIDE, attention=AttentionOptions(score="general", query="current", input_feeding=False)
    ),
    "fixed": RecurrentOptions(**WIDE, context="fixed"),
}
VIEWS = ("view", "t.", "transpose", "expand", "slice", "select", "split", "unsqueeze", "squeeze", "detach", "permute")


class Kernels(TorchDispatchMode):
    """Counts what is asked of the library, views left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).removeprefix("aten.")
        if not name.lstrip("_").startswith(VIEWS):
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


def model(name: str) -> Model:
    if name != "transformer" and not torch.backends.mkldnn.is_available():
        pytest.skip("no fused LSTM in this build of the library")
    torch.manual_seed(1)
    return build_model(MODELS[name], VOCABULARY)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(4, 40, (ROWS, LENGTH)), torch.ones(ROWS, LENGTH, dtype=torch.bool)


@pytest.mark.parametrize(
    ("name", "most"), [("transformer", 880), ("feeding", 1126), ("attention", 231), ("fixed", 207)]
)
def test_a_training_step_asks_for_no_more_kernels_than_it_did(name: str, most: int) -> None:
    built = model(name).train()
    tokens, mask = batch()
    with Kernels() as counted:
        loss, _ = token_loss(built.output, built(tokens, mask, tokens), tokens, mask, 0.1)
        loss.backward()
    assert counted.found.total() <= most, counted.found.most_common(8)


@pytest.mark.parametrize(("name", "most"), [("transformer", 296), ("feeding", 180), ("attention", 204), ("fixed", 192)])
def test_a_training_step_keeps_no_more_memory_than_it_did(name: str, most: float) -> None:
    """Kilobytes that wait for the backward pass."""
    found = 1000 * cost.measure({"it": model(name)}, [LENGTH])[0].memory_megabytes
    assert found <= most


def test_batches_of_a_spread_of_lengths_are_hardly_padded() -> None:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 30, (5000,), generator=generator).tolist()
    sides = RaggedBuilder(40), RaggedBuilder(40)
    for length in lengths:
        for side, more in zip(sides, (0, int(torch.randint(-3, 4, (), generator=generator))), strict=True):
            side.append([5] * max(1, length + more))
    pairs = EncodedPairs(sides[0].made(), sides[1].made(), CleaningReport())
    assert Batcher(pairs, BatchingOptions(tokens=1024), seed=1).padding_share() < 0.05
