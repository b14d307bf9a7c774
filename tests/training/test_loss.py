import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nmt.models.interface import Output
from nmt.training.loss import CHUNK_ROWS, ChunkedCrossEntropy, guided_loss, plain_cross_entropy, token_loss
from tests.conftest import DEVICE, same


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 12),
    vocabulary=st.integers(2, 30),
    smoothing=st.sampled_from([0.0, 0.1, 0.5]),
    seed=st.integers(0, 99),
)
def test_chunked_equals_the_formula_with_its_gradients(rows, vocabulary, smoothing, seed):
    torch.manual_seed(seed)
    hidden, weight, bias = torch.randn(rows, 5), torch.randn(vocabulary, 5), torch.randn(vocabulary)
    inputs = [tensor.to(DEVICE).requires_grad_() for tensor in (hidden, weight, bias)]
    target = torch.randint(0, vocabulary, (rows,)).to(DEVICE)
    plain = plain_cross_entropy(*inputs, target, smoothing)
    fast = ChunkedCrossEntropy.apply(*inputs, target, smoothing, torch.float32)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)
    expected = torch.autograd.grad(plain[0] * 0.37, inputs)
    for ours, theirs in zip(torch.autograd.grad(fast[0] * 0.37, inputs), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_several_chunks_and_no_gradient_give_the_same_loss():
    torch.manual_seed(0)
    rows = 2 * CHUNK_ROWS + 3
    hidden, weight, bias = torch.randn(rows, 4).to(DEVICE), torch.randn(9, 4).to(DEVICE), torch.zeros(9, device=DEVICE)
    weight.requires_grad_()
    target = torch.randint(0, 9, (rows,)).to(DEVICE)
    with_gradient = ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, torch.float32)
    with torch.no_grad():
        without = ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, torch.float32)
    for one, other in zip(with_gradient, without, strict=True):
        torch.testing.assert_close(one, other)


def test_bf16_stays_near_the_exact_loss():
    torch.manual_seed(0)
    hidden, weight, bias = (
        torch.randn(600, 32).to(DEVICE),
        torch.randn(50, 32).to(DEVICE) / 4,
        torch.zeros(50, device=DEVICE),
    )
    weight.requires_grad_()
    target = torch.randint(0, 50, (600,)).to(DEVICE)
    exact = plain_cross_entropy(hidden, weight, bias, target, 0.1)
    low = ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, torch.bfloat16)
    assert low[0].item() == pytest.approx(exact[0].item(), rel=2e-3)


def test_padding_has_no_share():
    torch.manual_seed(0)
    output, hidden = nn.Linear(4, 7).to(DEVICE), torch.randn(2, 3, 4).to(DEVICE)
    target = torch.randint(0, 7, (2, 3)).to(DEVICE)
    mask = torch.tensor([[True, True, False], [True, False, False]], device=DEVICE)
    loss, likelihood = token_loss(output, Output(hidden), target, mask, 0.1)
    changed = hidden.clone()
    changed[~mask] = 99.0
    again, _ = token_loss(output, Output(changed), target.masked_fill(~mask, 0), mask, 0.1)
    same(loss, again)
    rows = torch.log_softmax(output(hidden[mask]), -1).gather(1, target[mask][:, None])
    assert likelihood.item() == pytest.approx(-rows.sum().item(), rel=1e-5)


def test_guided_loss_is_the_cross_entropy_with_evenly_shared_links():
    torch.manual_seed(1)
    attention = torch.randn(2, 3, 4).softmax(-1).to(DEVICE).requires_grad_()
    links = torch.tensor([[0, 0, 1], [0, 0, 2], [1, 2, 3]], device=DEVICE)  # row, target, source
    by_hand = -(attention[0, 0, 1].log() / 2 + attention[0, 0, 2].log() / 2 + attention[1, 2, 3].log())
    torch.testing.assert_close(guided_loss(attention, links), by_hand)
    assert guided_loss(attention, links[:0]) == 0
