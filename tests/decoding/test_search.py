"""Search over a model that is a table: what it must find can be enumerated."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nmt.corpus.subwords.tokenizer import END, PADDING, START
from nmt.decoding.beam import beam_search
from nmt.decoding.one_path import sample
from nmt.decoding.options import DecodingOptions, penalty
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.models.build import build_model
from nmt.models.interface import Memory, Model, Output, State, Step, Vocabulary
from nmt.models.recurrent import RecurrentOptions
from tests.conftest import DEVICE

V = 6


class Table(Model):
    """Logits depend on the last token and the number of steps."""

    def __init__(self, seed: int):
        super().__init__()
        self.output = nn.Linear(1, V)
        drawn = torch.randn(5, V, V, generator=torch.Generator().manual_seed(seed))
        self.table = drawn.to(DEVICE) * 2  # step, last, next

    def encode(self, source, mask):
        return Memory(torch.zeros(*source.shape, 1, device=source.device), mask)

    def decode(self, memory, target_in, attend=False):
        return Output(torch.zeros(*target_in.shape, 1, device=target_in.device))

    def start(self, memory):
        return State({}, {"step": torch.zeros(len(memory.mask), dtype=torch.long, device=memory.mask.device)})

    def step(self, tokens, state, attend=False):
        step = state.of_hypothesis["step"]
        return Step(self.table[step.clamp(max=4), tokens], State({}, {"step": step + 1}))


def probability(model: Table, tokens) -> float:
    total, last = 0.0, START
    for step, token in enumerate(tokens):
        logits = model.table[min(step, 4), last].clone()
        values = torch.log_softmax(logits, -1)
        total += values[token].item()
        last = token
    return total


def memory_of(model, rows=1):
    source = torch.ones(rows, 2, dtype=torch.long, device=DEVICE)
    return model.encode(source, torch.ones_like(source, dtype=torch.bool))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["none", "average", "gnmt"])
def test_a_beam_as_wide_as_the_space_finds_the_best_sequence(seed, kind):
    model, limit = Table(seed), 3
    options = DecodingOptions(beam_size=80, length_penalty=kind)
    words = [t for t in range(V) if t not in (PADDING, START, END)]
    ended = [(*p, END) for n in range(limit) for p in itertools.product(words, repeat=n)]
    cut = list(itertools.product(words, repeat=limit))
    scored = {tokens: probability(model, tokens) / penalty(len(tokens), options) for tokens in ended + cut}
    best = max(scored, key=scored.get)
    [found] = beam_search(model, memory_of(model), torch.tensor([limit]), options)
    assert found[0].tokens == best
    assert found[0].score == pytest.approx(scored[best], abs=1e-4)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), size=st.integers(2, 5), limit=st.integers(1, 8))
def test_hypotheses_are_distinct_end_properly_and_carry_their_probability(seed, size, limit):
    model = Table(seed)
    [found] = beam_search(model, memory_of(model), torch.tensor([limit]), DecodingOptions(beam_size=size))
    assert 1 <= len(found) <= size and len({h.tokens for h in found}) == len(found)
    for hypothesis in found:
        assert len(hypothesis.tokens) <= limit
        assert hypothesis.tokens[-1] == END or len(hypothesis.tokens) == limit
        assert not {PADDING, START} & set(hypothesis.tokens) and END not in hypothesis.tokens[:-1]
        assert hypothesis.log_probability == pytest.approx(probability(model, hypothesis.tokens), abs=1e-4)


def test_penalties_are_their_formulas():
    assert penalty(7, DecodingOptions(length_penalty="none")) == 1
    assert penalty(7, DecodingOptions(length_penalty="average", length_penalty_alpha=0.5)) == pytest.approx(7**0.5)
    assert penalty(7, DecodingOptions(length_penalty="gnmt", length_penalty_alpha=0.6)) == pytest.approx(2**0.6)


def test_sampling_follows_the_distribution():
    model = Table(3)
    count = 4000
    options = DecodingOptions(temperature=1.0)
    generators = [torch.Generator().manual_seed(i) for i in range(count)]
    found = sample(model, memory_of(model, count), torch.ones(count, dtype=torch.long), options, generators)
    logits = model.table[0, START].clone()
    logits[[PADDING, START]] = -math.inf
    expected = torch.softmax(logits, -1)
    counts = torch.bincount(torch.tensor([h.tokens[0] for h in found]), minlength=V) / count
    torch.testing.assert_close(counts, expected.cpu(), atol=0.03, rtol=0)


@pytest.fixture(scope="module")
def translators(tokenizer):
    torch.manual_seed(5)
    options = RecurrentOptions(embedding_size=16, encoder_size=16, decoder_size=16)
    model = build_model(options, Vocabulary(tokenizer.source_size, tokenizer.target_size, True)).to(DEVICE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)

    def make(**search):
        return Translator(model, tokenizer, DecodingOptions(max_length_offset=5, **search))

    return make


LINES = ["The man sleeps.", "", "My dog sees the old house, because the teacher laughed.", "  ", "x", "The man sleeps."]


@pytest.mark.parametrize("search", [{"beam_size": 1}, {"beam_size": 3}, {"temperature": 1.0, "seed": 4}])
def test_the_same_text_whatever_the_batch_size(translators, search):
    lines = LINES * 4
    outputs = [[t.text for t in translators(batch_size=n, **search).translate(lines)] for n in (1, 3, 100)]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0]) == len(lines)


@pytest.mark.parametrize("size", [1, 4])
def test_bf16_scores_given_translations_about_as_fp32_does(translators, size):
    targets = ["Der Mann schläft."] * len(LINES)
    exact, half = (translators(beam_size=size, precision=p).force(LINES, targets) for p in ("fp32", "bf16"))
    for ours, theirs in zip(half, exact, strict=True):
        assert ours.score == pytest.approx(theirs.score, rel=0.02)
    assert any(ours.score != theirs.score for ours, theirs in zip(half, exact, strict=True))
    with pytest.raises(UserError, match="did you mean 'bf16'"):
        translators(precision="bf61")


def test_sampling_draws_anew_for_each_line_also_across_calls(translators):
    sampler = translators(temperature=1.0)
    whole = [t.text for t in sampler.translate(["The man sleeps."] * 6)]
    blocks = [t.text for first in (1, 4) for t in sampler.translate(["The man sleeps."] * 3, first_line=first)]
    assert blocks == whole and len(set(whole)) > 1


@pytest.mark.parametrize("size", [1, 3])
def test_blank_lines_stay_blank_and_lines_keep_their_place(translators, size):
    translator = translators(beam_size=size)
    texts = [t.text for t in translator.translate(LINES)]
    assert texts[1] == texts[3] == "" and texts[0] == texts[5]
    assert texts[2] == translator.translate([LINES[2]])[0].text
    assert translator.translate([]) == []


def test_a_source_beyond_the_limit_is_cut_and_its_line_is_named(translators, caplog):
    lines = ["The man sleeps.", "word " * 100_000]
    found = translators(beam_size=2, max_source_tokens=20, max_length_factor=1.0).translate(lines)
    assert len(found) == 2 and "line 2: " in caplog.text and "decoding.max_source_tokens=20" in caplog.text


@settings(max_examples=25, deadline=None)
@given(lines=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=5))
def test_any_text_gives_one_line_each(translators, lines):
    found = translators(beam_size=2).translate(lines)
    assert len(found) == len(lines) and not any("\n" in t.text or "\r" in t.text for t in found)


def test_attention_has_a_row_for_each_piece_out_and_a_column_for_each_piece_in(translators):
    [translation] = translators(beam_size=2).translate([LINES[2]], attention_for={0})
    assert translation.attention.shape == (len(translation.target_pieces), len(translation.source_pieces))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "decoding.beam_size=0"),
        ({"length_penalty": "gmnt"}, "did you mean 'gnmt'"),
        ({"temperature": -1.0}, "decoding.temperature"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(UserError, match=message):
        DecodingOptions(**options)


def test_a_forced_translation_has_the_score_of_its_steps(translators, tokenizer):
    translator = translators(beam_size=3, length_penalty="gnmt", length_penalty_alpha=0.7)
    lines, targets = ["The man sleeps.", "", "My dog sees the old house."], ["Der Mann schläft.", "x", "Mein Hund"]
    forced = translator.force(lines, targets, attention_for={2})
    for line, target, translation in zip(lines, targets, forced, strict=True):
        if not line:
            assert translation.text == ""
            continue
        model, source = translator.model.eval(), torch.tensor([tokenizer.encode_source(line)], device=DEVICE)
        state = model.start(model.encode(source, torch.ones_like(source, dtype=torch.bool)))
        tokens, total = [*tokenizer.encode_target(target), END], 0.0
        for before, token in itertools.pairwise([START, *tokens]):
            step = model.step(torch.tensor([before], device=DEVICE), state)
            log_probabilities = step.logits.detach().log_softmax(-1)
            total, state = total + float(log_probabilities[0, token]), step.state
        assert translation.score == pytest.approx(total / penalty(len(tokens), translator.options), abs=1e-4)
        assert translation.text == target
    assert forced[0].attention is None and forced[2].attention.shape[1] == len(forced[2].source_pieces)


def test_a_likelier_translation_has_a_higher_forced_score(translators):
    translator = translators(beam_size=1)
    line = "The man sleeps."
    best = translator.translate([line])[0].text
    scores = [t.score for t in translator.force([line] * 2, [best, "völlig anders"])]
    assert scores[0] > scores[1]


def test_a_model_in_training_is_so_again_when_its_search_fails(translators):
    translator = translators(beam_size=2)

    modes = []

    def fails(tokens, state):
        modes.append(translator.model.training)
        raise KeyboardInterrupt

    translator.model.train()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translator.model, "step", fails)
        with pytest.raises(KeyboardInterrupt):
            translator.translate(LINES)
    assert modes == [False] and translator.model.training
    translator.model.eval()


def test_a_model_that_only_translates_is_never_switched(translators, monkeypatch):
    translator = translators(beam_size=2)
    translator.model.eval()
    monkeypatch.setattr(translator.model, "train", None)
    assert translator.translate(LINES)[1].text == ""
