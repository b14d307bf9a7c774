"""Cross-entropy by chunks is the formula, whatever the sizes, and however many the chunks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.kernels.cross_entropy import ChunkedCrossEntropy, plain_cross_entropy
from nmt.kernels.limits import limits
from tests.conftest import DEVICE


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
    rows = 2 * limits(DEVICE).loss_rows + 3
    hidden, weight = torch.randn(rows, 4).to(DEVICE), torch.randn(9, 4).to(DEVICE).requires_grad_()
    bias = torch.zeros(9, device=DEVICE)
    target = torch.randint(0, 9, (rows,)).to(DEVICE)
    with_gradient = ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, torch.float32)
    with torch.no_grad():
        without = ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, torch.float32)
    for one, other in zip(with_gradient, without, strict=True):
        torch.testing.assert_close(one, other)


def test_bf16_stays_near_the_exact_loss():
    torch.manual_seed(0)
    hidden, weight = torch.randn(600, 32).to(DEVICE), torch.randn(50, 32).to(DEVICE).requires_grad_() / 4
    bias = torch.zeros(50, device=DEVICE)
    target = torch.randint(0, 50, (600,)).to(DEVICE)
    exact = plain_cross_entropy(hidden, weight, bias, target, 0.1)
    low = ChunkedCrossEntropy.apply(hidden, weight, bias, target, 0.1, torch.bfloat16)
    assert low[0].item() == pytest.approx(exact[0].item(), rel=2e-3)
