"""What processes share of a validation."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
import torch
from torch import nn

from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.position import Share
from nmt.corpus.pair import Pair
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.evaluation.validation import Validation, add_up
from nmt.models.build import build_model
from nmt.models.interface import Memory, Model, Output, State, Step, Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.tokens import END


@pytest.mark.parametrize("count", [2, 7])
def test_shares_add_up_to_the_whole_also_where_some_are_empty(encoded, tiny_pairs, tokenizer, count):
    torch.manual_seed(1)
    options = RecurrentOptions(embedding_size=8, encoder_size=8, decoder_size=8)
    model = build_model(options, Vocabulary(tokenizer.source_size, tokenizer.target_size, True)).eval()
    pairs = tiny_pairs[:5]

    def validation(share: Share) -> Validation:
        batcher = Batcher(encoded, BatchingOptions(tokens=512), seed=0, share=share)
        return Validation(batcher, pairs, tokenizer, batch_size=2)

    alone = validation(Share())
    whole = alone.sums(model)
    shares = [validation(Share(number, count)).sums(model) for number in range(count)]
    together = add_up(shares)
    assert together.keys() == whole.keys()
    for name, columns in whole.items():
        np.testing.assert_allclose(together[name], columns, rtol=1e-6)
    texts = [
        row.text
        for row in Translator(model, tokenizer, DecodingOptions(beam_size=1)).translate([p.source for p in pairs])
    ]
    references = [[pair.target for pair in pairs]]
    scores = alone.scores(shares)
    assert scores["loss"] == pytest.approx(whole["loss"][0] / whole["loss"][1])
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(texts, references, force=True).score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(texts, references).score)


def test_a_share_that_measured_nothing_adds_nothing():
    shares = [{"loss": [1.0, 2.0], "words": [3.0]}, {"loss": [0.5, 1.0]}]
    assert add_up(shares) == {"loss": [1.5, 3.0], "words": [3.0]}


class Recites(Model):
    """Says the same tokens whatever the source, then ends; with no END among them it never does."""

    def __init__(self, tokens: list[int], size: int):
        super().__init__()
        self.output = nn.Linear(1, size)
        self.table = 20 * torch.eye(size)[torch.tensor(tokens)]  # (T, V)

    def encode(self, source, mask):
        return Memory(torch.zeros(*source.shape, 1), mask)

    def decode(self, memory, target_in, attend=False):
        return Output(torch.zeros(*target_in.shape, 1))

    def start(self, memory):
        return State({}, {"step": torch.zeros(len(memory.mask), dtype=torch.long)})

    def step(self, tokens, state, attend=False):
        step = state.of_hypothesis["step"]
        return Step(self.table[step.clamp(max=len(self.table) - 1)], State({}, {"step": step + 1}))


LONG = "Der kleine Hund sieht die alte Frau, die ein Buch liest, und das Kind, das den Mann sieht. " * 3


def scores_of(model_tokens: list[int], encoded, tokenizer) -> dict[str, float]:
    model = Recites(model_tokens, tokenizer.target_size).eval()
    batcher = Batcher(encoded, BatchingOptions(tokens=512), seed=0)
    pairs = [Pair("The dog.", LONG.strip()), Pair("The man sleeps.", LONG.strip())]
    validation = Validation(batcher, pairs, tokenizer, batch_size=2)
    return validation.scores([validation.sums(model)])


def test_outputs_as_long_as_the_longest_reference_are_judged_whole(encoded, tokenizer):
    scores = scores_of([*tokenizer.encode_target(LONG.strip()), END], encoded, tokenizer)
    assert scores["bleu"] == pytest.approx(100)


def test_outputs_that_do_not_end_are_told_by_their_share(encoded, tokenizer):
    scores = scores_of(tokenizer.encode_target("Der Hund"), encoded, tokenizer)
    assert scores["cut"] == 100
