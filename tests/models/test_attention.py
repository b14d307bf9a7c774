import math

import pytest
import torch

from nmt.errors import UserError
from nmt.models.attention.attention import Attention, AttentionOptions
from nmt.models.attention.scores import SCORES, make_score
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions


def test_each_score_is_its_paper_s_formula():
    torch.manual_seed(0)
    query, states = torch.randn(2, 3, 6), torch.randn(2, 4, 6)
    scores = {name: make_score(name, 6, 6, 5) for name in SCORES}
    additive, general, scaled = scores["additive"], scores["general"], scores["scaled_dot"]
    formulas = {
        "additive": lambda q, h: (
            additive.vector @ torch.tanh(additive.query.weight @ q + additive.key.weight @ h + additive.key.bias)
        ),
        "dot": lambda q, h: q @ h,
        "general": lambda q, h: q @ (general.key.weight @ h),
        "scaled_dot": lambda q, h: (scaled.query.weight @ q) @ (scaled.key.weight @ h) / math.sqrt(5),
    }
    assert formulas.keys() == SCORES.keys()
    for name, score in scores.items():
        found = score(query, score.keys(states))
        for b in range(2):
            for t in range(3):
                for s in range(4):
                    expected = formulas[name](query[b, t], states[b, s])
                    torch.testing.assert_close(found[b, t, s], expected)


@pytest.mark.parametrize("name", SCORES)
def test_gradients_of_every_attention_are_right_in_float64(name):
    torch.manual_seed(0)
    attention = Attention(AttentionOptions(score=name, size=3), 4, 4).double()
    mask = torch.tensor([[True, True, True], [True, False, False]])
    query = torch.randn(2, 2, 4, dtype=torch.float64, requires_grad=True)
    states = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)

    def context(query, states, *_):
        return attention(query, attention.keys(states), states, mask)[0]

    assert torch.autograd.gradcheck(context, (query, states, *attention.parameters()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": AttentionOptions(score="aditive")}, "did you mean 'additive'"),
        ({"attention": AttentionOptions(score="dot"), "encoder_size": 7}, "of one size only"),
        ({"attention": AttentionOptions(query="next")}, "model.attention.query=next"),
        ({"attention": AttentionOptions(input_feeding=True)}, "needs model.attention.query=current"),
        ({"feed_context": True}, "is for model.context=fixed"),
        ({"cell": "lstmm"}, "did you mean 'lstm'"),
        ({"context": "fix"}, "did you mean 'fixed'"),
        ({"dropout": 1.5}, "dropout=1.5"),
        ({"decoder_layers": 0}, "model.decoder_layers=0"),
        ({"tie_embeddings": "all", "embedding_size": 8}, "one vocabulary"),
    ],
)
def test_options_without_meaning_are_refused_with_the_reason(options, message):
    with pytest.raises(UserError, match=message):
        build_model(RecurrentOptions(**options), Vocabulary(30, 20, joint=False))
