import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from nmt.errors import UserError
from nmt.models.attention.attention import Attention
from nmt.models.attention.options import AttentionOptions
from nmt.models.attention.reads import sparsemax
from nmt.models.attention.scopes import SCOPES, Scope
from nmt.models.attention.scores import SCORES, Score
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from tests.conftest import DEVICE

OPTIONS = AttentionOptions(size=5, max_positions=3, window=2)


def make_score(query_size: int, state_size: int, options: AttentionOptions) -> Score:
    return SCORES[options.score](query_size, state_size, options)


def make_scope(query_size: int, options: AttentionOptions) -> Scope:
    return SCOPES[options.scope](query_size, options)


def test_each_score_is_its_paper_s_formula():
    torch.manual_seed(0)
    query, states = torch.randn(2, 3, 6).to(DEVICE), torch.randn(2, 4, 6).to(DEVICE)
    positions = torch.tensor([[0, 1, 2], [2, 3, 4]], device=DEVICE)
    made = {name: make_score(6, 6, replace(OPTIONS, score=name)).to(DEVICE) for name in SCORES}
    additive, general, scaled = made["additive"], made["general"], made["scaled_dot"]
    concat, location = made["concat"], made["location"]
    formulas = {
        "additive": lambda q, h, t, s: (
            additive.vector @ torch.tanh(additive.query.weight @ q + additive.key.weight @ h + additive.key.bias)
        ),
        "dot": lambda q, h, t, s: q @ h,
        "general": lambda q, h, t, s: q @ (general.key.weight @ h),
        "concat": lambda q, h, t, s: concat.vector @ torch.tanh(concat.joint.weight @ torch.cat((q, h))),
        "location": lambda q, h, t, s: (location.position.weight @ q)[min(s, 2)],
        "scaled_dot": lambda q, h, t, s: (scaled.query.weight @ q) @ (scaled.key.weight @ h) / math.sqrt(5),
        "cosine": lambda q, h, t, s: 8 * F.cosine_similarity(q, h, dim=0),
        "diagonal": lambda q, h, t, s: torch.tensor(-abs(s - t), dtype=torch.float, device=DEVICE),
        "uniform": lambda q, h, t, s: torch.tensor(0.0, device=DEVICE),
    }
    assert formulas.keys() == SCORES.keys()
    for name, score in made.items():
        found = score(query, score.keys(states), positions)
        for b in range(2):
            for t in range(3):
                for s in range(4):
                    expected = formulas[name](query[b, t], states[b, s], int(positions[b, t]), s)
                    torch.testing.assert_close(found[b, t, s], expected, msg=name)


def test_a_normed_additive_score_has_a_vector_of_its_learnt_length():
    score = make_score(6, 6, replace(OPTIONS, normed=True)).to(DEVICE)
    query, states = torch.randn(1, 1, 6).to(DEVICE), torch.randn(1, 2, 6).to(DEVICE)
    positions = torch.zeros(1, 1, device=DEVICE)
    before = score(query, score.keys(states), positions)
    with torch.no_grad():
        score.vector.mul_(3.0)
    torch.testing.assert_close(score(query, score.keys(states), positions), before)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_says_whether_it_learns(name):
    assert SCORES[name].learns == bool(list(make_score(4, 4, replace(OPTIONS, score=name)).parameters()))


@pytest.mark.parametrize("name", SCOPES)
def test_a_scope_says_whether_it_learns(name):
    assert SCOPES[name].learns == bool(list(make_scope(4, replace(OPTIONS, scope=name)).parameters()))


def test_a_score_that_learns_nothing_is_one_class():
    class Nearest(Score):
        name = "nearest"
        learns = False

        def keys(self, states):
            return states

        def forward(self, query, keys, positions):
            return -torch.cdist(query, keys)

    try:
        with pytest.raises(UserError, match="every head of nearest would be the same"):
            AttentionOptions(score="nearest", heads=2).check_together()
        AttentionOptions(score="nearest", heads=2, scope="local_p").check_together()
    finally:
        del SCORES["nearest"]


EVERY = [replace(OPTIONS, size=3, score=name) for name in SCORES]
EVERY += [replace(OPTIONS, size=3, score="general", scope=s, read=read) for s in SCOPES for read in ("soft", "sparse")]
EVERY += [replace(OPTIONS, size=3, heads=2), replace(OPTIONS, size=3, normed=True)]


@pytest.mark.parametrize("options", EVERY, ids=lambda o: f"{o.score}-{o.scope}-{o.read}-{o.heads}-{o.normed}")
def test_gradients_of_every_attention_are_right_in_float64(options):
    torch.manual_seed(0)
    attention = Attention(options, 4, 4).double().to(DEVICE)
    mask = torch.tensor([[True, True, True], [True, False, False]], device=DEVICE)
    positions = torch.tensor([[0, 1], [0, 1]], device=DEVICE)
    query = torch.randn(2, 2, 4, dtype=torch.float64).to(DEVICE).requires_grad_()
    states = torch.randn(2, 3, 4, dtype=torch.float64).to(DEVICE).requires_grad_()

    def context(query, states, *_):
        return attention(query, attention.keys(states), states, mask, positions).context

    inputs = (query, states, *attention.parameters())
    assert torch.autograd.gradcheck(context, inputs, nondet_tol=1e-10)  # sums of CUDA come in any order


def test_local_m_sees_the_window_around_its_own_position():
    scope = make_scope(4, replace(OPTIONS, scope="local_m")).to(DEVICE)
    mask = torch.arange(8, device=DEVICE)[None] < 6
    positions = torch.tensor([[0, 3, 20]], device=DEVICE)
    bias = scope(torch.zeros(1, 3, 4, device=DEVICE), positions, mask)[0]
    seen = [row.isfinite().nonzero()[:, 0].tolist() for row in bias]
    assert seen == [[0, 1, 2], [1, 2, 3, 4, 5], [3, 4, 5, 6, 7]], (
        "past the end, around the last token (padding goes later)"
    )


def test_local_p_prefers_the_predicted_centre_by_a_gaussian():
    scope = make_scope(4, replace(OPTIONS, scope="local_p")).to(DEVICE)
    with torch.no_grad():
        scope.vector.weight.zero_()  # sigmoid(0): the middle
    mask = torch.ones(1, 9, dtype=torch.bool, device=DEVICE)
    bias = scope(torch.randn(1, 1, 4).to(DEVICE), torch.zeros(1, 1, device=DEVICE), mask)[0, 0]
    expected = [-((s - 4) ** 2) / 2 if abs(s - 4) <= 2.5 else -math.inf for s in range(9)]
    torch.testing.assert_close(bias, torch.tensor(expected, device=DEVICE))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.floats(-3, 3))
def test_sparsemax_is_the_nearest_distribution(values, shift):
    scores = torch.tensor(values, dtype=torch.float64, device=DEVICE)
    weights = sparsemax(scores)
    assert (weights >= 0).all() and abs(float(weights.sum()) - 1) < 1e-9
    torch.testing.assert_close(sparsemax(scores + shift), weights, atol=1e-9, rtol=0)
    # The conditions of the optimum: where there is weight, score minus weight is one number; elsewhere no more than it.
    threshold = (scores - weights)[weights > 0]
    assert float(threshold.max() - threshold.min()) < 1e-9
    assert (scores[weights == 0] <= threshold.max() + 1e-9).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": {"score": "aditive"}}, "did you mean 'additive'"),
        ({"attention": {"score": "dot"}, "encoder_size": 7}, "of one size only"),
        ({"attention": {"score": "cosine"}, "encoder_size": 7}, "of one size only"),
        ({"attention": {"scope": "local"}}, "did you mean 'local_"),
        ({"attention": {"read": "hard"}}, "model.attention.read=hard"),
        ({"attention": {"window": 0}}, "window=0"),
        ({"attention": {"heads": 3}}, "must divide"),
        ({"attention": {"heads": 2, "score": "uniform"}}, "would be the same"),
        ({"attention": {"heads": 2, "score": "dot"}, "encoder_size": 128}, "would be the same"),
        (
            {"attention": {"normed": True, "score": "dot"}, "encoder_size": 128},
            "is for model.attention.score=additive",
        ),
        ({"attention": {"query": "next"}}, "model.attention.query=next"),
        ({"attention": {"place": "frst"}}, "did you mean 'first'"),
        ({"attention": {"place": "first"}}, "needs model.attention.query=current"),
        ({"attention": {"place": "first", "query": "current", "read": "hard_sample"}}, "place=top"),
        ({"attention": {"place": "each", "query": "current", "coverage": True}}, "keeps one account"),
        ({"attention": {"coverage": True, "score": "location"}}, "score=location has none"),
        ({"attention": {"coverage": True, "query": "current", "read": "hard_marginal"}}, "step by step"),
        ({"attention": {"input_feeding": True}}, "needs model.attention.query=current"),
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
        attention = AttentionOptions(**options.pop("attention", {}))
        build_model(RecurrentOptions(**options, attention=attention), Vocabulary(30, 20, joint=False))


def test_options_of_attention_are_free_where_the_context_is_fixed():
    """They are never read there; a run's configuration holds them all the same."""
    attention = AttentionOptions(score="of_a_plugin", place="first", input_feeding=True)
    model = build_model(RecurrentOptions(context="fixed", attention=attention), Vocabulary(30, 20, joint=False))
    assert not model.attends


def test_a_score_that_extends_one_without_parameters_may_learn():
    try:

        class Scaled(SCORES["dot"]):
            name = "scaled_by_a_parameter"

        assert Scaled.learns
        AttentionOptions(score=Scaled.name, heads=2, query="current").check_together()
    finally:
        del SCORES["scaled_by_a_parameter"]


def test_coverage_is_the_sum_of_all_weights_before(random_batch):
    options = RecurrentOptions(embedding_size=8, encoder_size=8, decoder_size=16, attention=AttentionOptions(size=8))
    options.attention.coverage = True
    torch.manual_seed(3)
    model = build_model(options, Vocabulary(40, 40, joint=True)).to(DEVICE).eval()
    source, mask, target = random_batch([5, 3], 4)
    state, total = model.start(model.encode(source, mask)), torch.zeros(2, 5, device=DEVICE)
    for t in range(4):
        torch.testing.assert_close(state.of_hypothesis["covered"], total)
        step = model.step(target[:, t], state, attend=True)
        state, total = step.state, total + step.attention


def test_the_first_layer_s_context_reaches_the_layers_above():
    options = RecurrentOptions(embedding_size=8, encoder_size=8, decoder_size=16, decoder_layers=3)
    options.attention = AttentionOptions(size=8, query="current", place="first")
    first = build_model(options, Vocabulary(40, 40, joint=True))
    options.attention = AttentionOptions(size=8, query="current", place="each")
    each = build_model(options, Vocabulary(40, 40, joint=True))
    assert [layer.rnn.input_size for layer in first.layers] == [8, 32, 32]
    assert (len(first.attentions), len(each.attentions)) == (1, 3)
