"""What processes share of a validation."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
import torch

from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.position import Share
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.evaluation.validation import Validation, add_up
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions


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
