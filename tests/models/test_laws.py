"""The laws that hold for every registered model and attention."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nmt.decoding.beam import beam_search
from nmt.decoding.one_path import sample
from nmt.decoding.options import DecodingOptions
from nmt.kernels import lstm
from nmt.models import cells, minimal, recurrent
from nmt.models.attention.options import AttentionOptions
from nmt.models.attention.reads import READS
from nmt.models.attention.scopes import SCOPES
from nmt.models.attention.scores import SCORES
from nmt.models.build import MODEL_OPTIONS, build_model
from nmt.models.cells import CELLS
from nmt.models.embedding import POSITIONS
from nmt.models.interface import Model, Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions
from nmt.training.loss import token_loss
from tests.conftest import DEVICE, backward_in_evaluation

# How far apart sums in fp32 may lie. A GPU adds in another order for one step than for all (measured: 8e-5).
CLOSE = 2e-5 if DEVICE.type == "cpu" else 2e-4
VOCABULARY = Vocabulary(40, 40, joint=True)
R = RecurrentOptions(embedding_size=12, encoder_size=8, decoder_size=16, dropout=0.1)
T = TransformerOptions(size=16, heads=2, feed_forward_size=24, encoder_layers=2, decoder_layers=2)
FIXED = replace(R, context="fixed", bidirectional=False, encoder_size=16)

SYSTEMS = {
    **{f"fixed-{cell}": replace(FIXED, cell=cell) for cell in CELLS},
    **{f"cho-{cell}": replace(FIXED, cell=cell, feed_context=True) for cell in CELLS},
    "fixed-deep-reversed": replace(FIXED, encoder_layers=2, decoder_layers=2, residual=True, reverse_source=True),
    "fixed-bridged": replace(FIXED, bidirectional=True, encoder_layers=2, decoder_layers=1),
    **{
        f"{score}-{query}{'-fed' if fed else ''}": replace(
            R, attention=AttentionOptions(score=score, size=10, query=query, input_feeding=fed)
        )
        for score in SCORES
        for query, fed in (("previous", False), ("current", False), ("current", True))
    },
    **{
        f"{scope}-{read}-{query}": replace(
            R, attention=AttentionOptions(score="general", scope=scope, read=read, query=query, size=10, window=2)
        )
        for scope in SCOPES
        for read in READS
        for query in ("previous", "current")
        if not (read == "hard_marginal" and query == "previous")
    },
    **{
        f"heads-{score}": replace(R, attention=AttentionOptions(score=score, size=10, heads=2, query="current"))
        for score in ("additive", "general", "scaled_dot", "location")
    },
    "additive-normed": replace(R, attention=AttentionOptions(size=10, normed=True)),
    **{
        f"attention-deep-{cell}": replace(
            R, cell=cell, encoder_layers=2, decoder_layers=2, residual=True, attention=AttentionOptions(size=10)
        )
        for cell in CELLS
    },
    **{
        f"{place}-{'fed' if fed else 'unfed'}": replace(
            R, decoder_layers=3, attention=AttentionOptions(size=10, query="current", place=place, input_feeding=fed)
        )
        for place in ("first", "each")
        for fed in (False, True)
    },
    **{
        f"coverage-{score}": replace(
            R, attention=AttentionOptions(score=score, size=16, query="current", coverage=True)
        )
        for score in ("additive", "dot", "general", "concat", "scaled_dot")
    },
    "coverage-heads-previous": replace(R, attention=AttentionOptions(size=10, heads=2, coverage=True)),
    "coverage-first": replace(
        R, decoder_layers=2, attention=AttentionOptions(size=10, query="current", place="first", coverage=True)
    ),
    "gated-linear-heads": replace(FIXED, cell="gated_linear", encoder_size=64, decoder_size=64),
    "recurrent-tied": replace(R, embedding_size=16, tie_embeddings="all"),
    **{f"transformer-{positions}": replace(T, positions=positions) for positions in POSITIONS},
    **{f"transformer-{score}": replace(T, score=score) for score in SCORES},
    "transformer-alibi-additive": replace(T, positions="alibi", score="additive"),
    "transformer-post-gelu": replace(T, pre_norm=False, activation="gelu"),
    "transformer-rms-swiglu": replace(T, norm="rms", activation="swiglu", tie_embeddings="target"),
    "transformer-unequal": replace(T, encoder_layers=3, decoder_layers=1, tie_embeddings="none"),
}


@pytest.fixture(params=SYSTEMS, scope="module")
def model(request) -> Model:
    torch.manual_seed(7)
    made = build_model(SYSTEMS[request.param], VOCABULARY).to(DEVICE).eval()
    with torch.no_grad():  # larger weights, so that a mistake shows
        for parameter in made.parameters():
            parameter.mul_(1.5)
    return made


def logits(model, source, mask, target):
    return model.logits(model.decode(model.encode(source, mask), target))


def test_every_registered_model_is_here():
    assert {options.name for options in SYSTEMS.values()} == set(MODEL_OPTIONS)


def test_step_by_step_equals_teacher_forced(model, random_batch):
    source, mask, target = random_batch([7, 3, 1, 7], 6)
    whole = logits(model, source, mask, target)
    state = model.start(model.encode(source, mask))
    for t in range(6):
        step = model.step(target[:, t], state)
        torch.testing.assert_close(step.logits, whole[:, t], atol=CLOSE, rtol=1e-5)
        state = step.state


def test_beam_of_one_equals_greedy(model, random_batch):
    source, mask, _ = random_batch([7, 3, 5, 1], 1)
    memory, limits = model.encode(source, mask), torch.tensor([12, 9, 3, 7])
    for penalty in ("none", "average", "gnmt"):
        options = DecodingOptions(beam_size=1, length_penalty=penalty)
        beams = beam_search(model, memory, limits, options)
        greedy = sample(model, memory, limits, options)
        for [found], expected in zip(beams, greedy, strict=True):
            assert found.tokens == expected.tokens
            assert found.log_probability == pytest.approx(expected.log_probability, abs=1e-4)


def test_padding_changes_nothing_nor_does_the_batch(model, random_batch):
    source, mask, target = random_batch([9, 4, 6], 5)
    together = logits(model, source, mask, target)
    alone = logits(model, source[1:2, :4], mask[1:2, :4], target[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=CLOSE, rtol=1e-5)
    garbage = torch.where(mask, source, 17)
    torch.testing.assert_close(logits(model, garbage, mask, target), together, atol=1e-6, rtol=1e-6)


def test_search_finds_the_same_whatever_the_batch(model, random_batch):
    source, mask, _ = random_batch([6, 6, 2, 4], 1)
    limits = torch.tensor([10, 10, 6, 8])
    options = DecodingOptions(beam_size=3)
    together = beam_search(model, model.encode(source, mask), limits, options)
    for i, length in enumerate(mask.sum(1).tolist()):
        memory = model.encode(source[i : i + 1, :length], mask[i : i + 1, :length])
        [alone] = beam_search(model, memory, limits[i : i + 1], options)
        assert [h.tokens for h in alone] == [h.tokens for h in together[i]]


def test_no_position_after_t_changes_the_logits_at_t(model, random_batch):
    source, mask, target = random_batch([5, 5], 6)
    before = logits(model, source, mask, target)
    for t in range(5):
        changed = target.clone()
        changed[:, t + 1 :] = 39 - changed[:, t + 1 :]
        after = logits(model, source, mask, changed)
        torch.testing.assert_close(after[:, : t + 1], before[:, : t + 1], atol=1e-6, rtol=1e-6)
        assert not torch.allclose(after[:, t + 1], before[:, t + 1])


def test_attention_is_non_negative_sums_to_one_and_is_zero_on_padding(model, random_batch):
    source, mask, target = random_batch([8, 3, 5], 4)
    memory = model.encode(source, mask)
    weights = model.decode(memory, target, attend=True).attention
    heads = model.decode(memory, target, attend=True, heads=True).heads  # (B, L, H, T, S)
    if weights is not None:
        torch.testing.assert_close(heads[:, -1].mean(dim=1), weights)
        torch.testing.assert_close(heads.sum(dim=-1), torch.ones_like(heads[..., 0]))
    step = model.step(target[:, 0], model.start(memory), attend=True).attention
    if not model.attends:
        assert weights is None and step is None
        return
    assert weights.shape == (3, 4, 8) and (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert weights.masked_select(~mask[:, None].expand_as(weights)).abs().max() == 0
    torch.testing.assert_close(step, weights[:, 0])


def test_half_batches_accumulate_to_the_gradient_of_the_whole(model, random_batch):
    source, mask, target = random_batch([6, 4, 2, 6], 5)
    lengths = torch.tensor([5, 3, 4, 1])
    real = (lengths[:, None] > torch.arange(5)).to(DEVICE)

    def gradient(parts):
        model.zero_grad()
        for rows in parts:
            output = model(source[rows], mask[rows], target[rows])
            loss, _ = token_loss(model.output, output, target[rows], real[rows], 0.1)
            (loss / real.sum()).backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    with backward_in_evaluation():
        whole, halves = gradient([slice(0, 4)]), gradient([slice(0, 2), slice(2, 4)])
    assert whole.keys() == halves.keys()
    for name in whole:
        torch.testing.assert_close(whole[name], halves[name], atol=CLOSE, rtol=1e-4)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_gradients_made_after_a_loop_equal_those_made_in_it(model, kind, random_batch, monkeypatch):
    """The fast kernel equals the plain formula; in bf16 both are as near to fp32."""
    source, mask, target = random_batch([6, 4, 2], 5)

    def gradients(kind):
        model.zero_grad()
        with backward_in_evaluation():
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=kind == torch.bfloat16):
                output = model(source, mask, target)
                loss, _ = token_loss(model.output, output, target, torch.ones_like(target, dtype=torch.bool), 0.1)
            loss.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    fast = gradients(kind)
    for module in (recurrent, cells, minimal):
        monkeypatch.setattr(module, "repeat", lambda matrix: matrix)
    monkeypatch.setattr(lstm.LstmGates, "apply", lstm.plain_lstm_gates)
    plain = gradients(kind)
    assert fast.keys() == plain.keys()
    if kind == torch.float32:
        for name in fast:
            torch.testing.assert_close(fast[name], plain[name], atol=CLOSE, rtol=1e-4)
        return
    exact = gradients(torch.float32)

    def distance(found):
        return torch.cat([(found[name] - exact[name]).flatten() for name in exact]).norm().item()

    assert distance(fast) <= 1.5 * distance(plain) + 1e-3


def test_every_parameter_is_used(model, random_batch):
    source, mask, target = random_batch([6, 4], 5)
    model.zero_grad()
    model.train()
    output = model(source, mask, target)
    token_loss(model.output, output, target, torch.ones_like(target, dtype=torch.bool), 0.1)[0].backward()
    model.eval()
    unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    score = SCORES.get(getattr(model.options, "score", ""))
    if score is not None and not score.uses_query:  # what would prepare the query
        unused = [name for name in unused if "cross_residual.norm" not in name]
    assert not unused


def test_a_fixed_context_sees_nothing_but_the_summary(random_batch):
    """Whatever the encoder's states are, only its summary reaches the decoder."""
    torch.manual_seed(0)
    model = build_model(FIXED, VOCABULARY).to(DEVICE).eval()
    source, mask, target = random_batch([6, 4], 5)
    memory = model.encode(source, mask)
    blind = replace(memory, states=torch.randn_like(memory.states))
    torch.testing.assert_close(model.decode(blind, target).hidden, model.decode(memory, target).hidden)
