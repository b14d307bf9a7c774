"""The gates of an LSTM have the formula's gradient, whichever of their outputs is used."""

import pytest
import torch

from nmt.kernels.lstm import LstmGates, plain_lstm_gates
from tests.conftest import DEVICE


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64).to(DEVICE).requires_grad_()


@pytest.mark.parametrize("used", ["both", "output", "memory"])
def test_the_gates_of_an_lstm_have_the_gradient_of_the_formula(used: str) -> None:
    gates, memory = double(3, 8), double(3, 2)
    plain, fast = plain_lstm_gates(gates, memory), LstmGates.apply(gates, memory)
    chosen = {"both": (0, 1), "output": (0,), "memory": (1,)}[used]
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(sum((fast[i] ** 2).sum() for i in chosen), (gates, memory)),
        torch.autograd.grad(sum((plain[i] ** 2).sum() for i in chosen), (gates, memory)),
    )
