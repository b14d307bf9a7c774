"""Dropout by integers drops its share, and any two elements as often as if they were drawn apart."""

import sys

import pytest
import torch

from nmt.kernels.dropout import FACTORS, dropout, kept_bits, relu_dropout
from tests.conftest import DEVICE, ROOT, same

sys.path.insert(0, str(ROOT / "scripts"))

from dropout_factors import BOUND, find_factors, worst_covariance


def test_dropout_drops_its_share_and_keeps_the_mean():
    torch.manual_seed(0)
    outputs = dropout(torch.ones(1000, 999, device=DEVICE), 0.3)
    assert (outputs == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert outputs.mean().item() == pytest.approx(1.0, abs=0.01)
    assert outputs.unique().numel() == 2
    same(dropout(outputs, 0.3, training=False), outputs)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("shape", [(7, 9), (1,), (0, 3)])
def test_dropout_by_integers_scales_what_it_keeps_and_so_its_gradient(kind, shape):
    torch.manual_seed(0)
    inputs = torch.full((*shape, 2), 3.0, dtype=kind, device=DEVICE)
    inputs = inputs.transpose(0, -1).requires_grad_()  # not in the memory's order
    outputs = dropout(inputs, 0.5)
    kept = (outputs != 0).to(kind)
    torch.testing.assert_close(outputs, inputs * kept * 2)
    outputs.sum().backward()  # whose gradient is one number, expanded
    torch.testing.assert_close(inputs.grad, kept * 2)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_after_relu_in_one_equals_one_after_the_other(kind, training):
    drawn = torch.randn(50, 40, generator=torch.Generator().manual_seed(1)).to(DEVICE, kind)
    inputs = [drawn.clone() for _ in range(2)]
    inputs[0][0], inputs[1][0] = 0.0, 0.0  # where relu has no slope

    def in_one(x):
        outputs, scale = relu_dropout(x.clone(), 0.3, training)  # it writes over what it is given
        return outputs * scale

    results = []
    for of_one, rectified in zip(inputs, (in_one, lambda x: dropout(torch.relu(x), 0.3, training)), strict=True):
        torch.manual_seed(2)
        outputs = rectified(of_one.requires_grad_())
        outputs.backward(torch.linspace(-1, 1, outputs.numel(), device=DEVICE).view_as(outputs).to(kind))
        results.append(outputs)
    same(*results)
    same(inputs[0].grad, inputs[1].grad)
    assert (results[0] == 0).any() and results[0].max() > 0


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("count", [0, 1, 5, 1001])
def test_bits_of_any_number_of_elements(kind, count):
    torch.manual_seed(0)
    bits = kept_bits(torch.empty(count, dtype=kind), 0.5)
    assert bits.shape == (count,) and bits.element_size() == kind.itemsize
    assert ((bits == 0) | (bits == -1)).all() and (count < 100 or 0.4 < (bits == 0).double().mean() < 0.6)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
def test_any_two_elements_are_dropped_together_as_often_as_if_drawn_apart(kind, probability):
    torch.manual_seed(0)
    count = 400_000
    dropped = kept_bits(torch.empty(4 * count, dtype=kind), probability).view(4, count) == 0
    joint = dropped.double() @ dropped.double().T / count  # (4, 4): the elements that one random word serves
    expected = torch.full((4, 4), probability**2, dtype=torch.float64).fill_diagonal_(probability)
    tolerance = 5 * (expected * (1 - expected) / count).sqrt() + 2**-15
    assert ((joint - expected).abs() < tolerance).all(), joint
    neighbours = (dropped[:, 1:] & dropped[:, :-1]).double().mean()
    assert abs(neighbours - probability**2) < tolerance[0, 1]


def test_dropout_drops_others_the_next_time():
    torch.manual_seed(0)
    first, second = (dropout(torch.ones(100, 100, device=DEVICE), 0.5) for _ in range(2))
    assert 0.45 < (first == second).float().mean() < 0.55


def test_the_factors_pass_the_bound_of_the_search_that_found_them():
    assert FACTORS[0] == 1 and len(FACTORS) == 4
    assert worst_covariance(FACTORS) <= BOUND == 1e-4


def test_the_search_finds_factors_within_its_bound():
    factors = find_factors(BOUND)
    assert factors[0] == 1 and len(set(factors)) == 4
    assert worst_covariance(factors) <= BOUND


def test_small_factors_are_dropped_together_too_often():
    assert worst_covariance((1, 3)) > 0.05
