"""Hard attention: its gradient against the exact one by enumeration, its marginal against the sum, its variance."""

from __future__ import annotations

import pytest
import torch

from nmt.models.attention.options import AttentionOptions
from nmt.models.build import build_model
from nmt.models.interface import Choice, Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.training.loss import choice_loss, token_loss
from tests.conftest import DEVICE

VOCABULARY = Vocabulary(12, 12, joint=True)


def make(read: str):
    torch.manual_seed(3)
    attention = AttentionOptions(score="general", query="current", read=read, size=4, entropy_weight=0.0)
    options = RecurrentOptions(embedding_size=6, encoder_size=4, decoder_size=8, dropout=0.0, attention=attention)
    model = build_model(options, VOCABULARY).to(DEVICE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
    return model


def sentence(copies: int):
    source = torch.tensor([[5, 6, 7]], device=DEVICE).repeat(copies, 1)
    target_in = torch.tensor([[1, 8]], device=DEVICE).repeat(copies, 1)
    return source, torch.ones_like(source, dtype=torch.bool), target_in


TARGET = torch.tensor([[8, 9]], device=DEVICE)
REAL = torch.ones(1, 2, dtype=torch.bool, device=DEVICE)


def expected_loss(model) -> torch.Tensor:
    """Sum over target positions of the mean, over source positions, of the negative log-likelihood."""
    source, mask, target_in = sentence(1)
    memory = model.encode(source, mask)
    top, _ = model.layers[0].run(model.target_embedding(target_in), None, model.bridge(memory.summary)[0])
    keys = model.attentions[0].keys(memory.states)
    _, distribution = model.attentions[0].heads[0](top, keys, torch.arange(2, device=DEVICE)[None], mask)  # (1, 2, 3)
    each = torch.log_softmax(model.output(model._predict_each(top, memory.states)), dim=-1)  # (1, 2, 3, V)
    chosen = each.gather(-1, TARGET[..., None, None].expand(1, 2, 3, 1))[..., 0]  # (1, 2, 3)
    return -(distribution * chosen).sum()


def test_the_gradient_of_sampling_is_the_exact_one_by_enumeration():
    model = make("hard_sample").train()
    parameter = model.attentions[0].heads[0].score.key.weight
    exact = torch.autograd.grad(expected_loss(model), parameter)[0]
    copies = 40_000
    source, mask, target_in = sentence(copies)
    torch.manual_seed(0)
    output = model(source, mask, target_in)
    loss, likelihood = token_loss(model.output, output, TARGET.repeat(copies, 1), REAL.repeat(copies, 1), 0.0)
    sampled = torch.autograd.grad(loss, parameter)[0] / copies
    assert (sampled - exact).norm() < 0.1 * exact.norm()
    assert abs(float(likelihood) / copies - float(expected_loss(model).detach())) < 0.02


def test_the_marginal_is_the_sum_over_positions():
    model = make("hard_marginal").eval()
    source, mask, target_in = sentence(1)
    output = model.decode(model.encode(source, mask), target_in)
    _, likelihood = token_loss(model.output, output, TARGET, REAL, 0.0)
    each = torch.softmax(model.output(output.hidden), dim=-1)  # (1, 2, 3, V)
    summed = (output.mixture[..., None] * each).sum(dim=2)  # (1, 2, V)
    expected = -summed.gather(-1, TARGET[..., None]).log().sum()
    torch.testing.assert_close(likelihood, expected)
    torch.testing.assert_close(model.logits(output).exp(), summed)


def test_smoothing_of_a_mixture_is_that_of_its_probabilities():
    model = make("hard_marginal").eval()
    output = model(*sentence(1))
    smoothed, _ = token_loss(model.output, output, TARGET, REAL, 0.1)
    logits = model.logits(output).flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits, TARGET[0], label_smoothing=0.1, reduction="sum")
    torch.testing.assert_close(smoothed, expected)


@pytest.mark.parametrize("lasting", [False, True])
def test_a_baseline_takes_away_variance_and_adds_no_bias(lasting):
    torch.manual_seed(1)
    logits = torch.tensor([0.3, -0.2, 0.1], device=DEVICE, requires_grad=True)
    reward_of = torch.tensor([-6.0, -5.0, -4.0], device=DEVICE)
    exact = torch.autograd.grad(-(torch.softmax(logits, 0) * reward_of).sum(), logits)[0]

    def estimates(baseline: float) -> torch.Tensor:
        """One gradient for each draw: (draws, 3)."""
        found = []
        for _ in range(1500):
            distribution = torch.softmax(logits, 0)
            drawn = torch.multinomial(distribution, 1)
            choice = Choice(
                log_probability=distribution.log()[drawn][None],
                entropy=torch.zeros(1, 1, device=DEVICE),
                baseline=torch.full((1, 1), baseline, device=DEVICE),
                entropy_weight=0.0,
                lasting=lasting,
            )
            real = torch.ones(1, 1, dtype=torch.bool, device=DEVICE)
            loss = choice_loss(choice, reward_of[drawn][None], real)
            found.append(torch.autograd.grad(loss, logits)[0])
        return torch.stack(found)

    plain, lowered = estimates(0.0), estimates(-5.0)
    torch.testing.assert_close(lowered.mean(0), exact, atol=0.06, rtol=0)
    assert lowered.var(0).sum() < 0.1 * plain.var(0).sum()


def test_a_lasting_choice_is_judged_by_what_follows_it_and_never_by_padding():
    rewards = torch.tensor([[-1.0, -2.0, -4.0]], device=DEVICE)
    mask = torch.tensor([[True, True, False]], device=DEVICE)
    log_probability = torch.zeros(1, 3, device=DEVICE, requires_grad=True)
    none = torch.zeros(1, 3, device=DEVICE)
    for lasting, judged in ((False, [-1.0, -2.0, 0.0]), (True, [-3.0, -2.0, 0.0])):
        loss = choice_loss(Choice(log_probability, none, none, 0.0, lasting), rewards, mask)
        gradient = torch.autograd.grad(loss, log_probability)[0]
        torch.testing.assert_close(gradient, -torch.tensor([judged], device=DEVICE))


def test_in_search_the_likeliest_position_is_read():
    model = make("hard_sample").eval()
    source, mask, target_in = sentence(2)
    weights = model.decode(model.encode(source, mask), target_in, attend=True).attention
    assert set(weights.unique().tolist()) == {0.0, 1.0}
