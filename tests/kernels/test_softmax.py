"""Rows of every width, with all but one of their numbers out of sight, have the library's softmax."""

import pytest
import torch

from nmt.kernels.softmax import softmax
from tests.conftest import DEVICE


@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
@pytest.mark.parametrize("length", [1, 5, 15, 16, 17])
def test_softmax_of_widened_rows_is_softmax(kind, length):
    scores = torch.randn(3, 2, length, generator=torch.Generator().manual_seed(1)).to(DEVICE, kind)
    scores[0, 0, 1:] = float("-inf")
    fast, plain = (scores.clone().requires_grad_() for _ in range(2))
    of_fast, of_plain = softmax(fast), torch.softmax(plain, dim=-1)
    torch.testing.assert_close(of_fast, of_plain)
    for outputs in (of_fast, of_plain):
        outputs.backward(torch.linspace(-1, 1, outputs.numel(), device=DEVICE).view_as(outputs))
    torch.testing.assert_close(fast.grad, plain.grad)
