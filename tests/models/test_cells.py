import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.kernels.lstm import plain_lstm
from nmt.models.cells import CELLS, MODULES, RecurrentLayer, flip, make_layer
from nmt.models.minimal import MINIMAL, MinimalLayer, scan
from tests.conftest import DEVICE


def one_by_one(layer, inputs, lengths):
    """What `run` gives, by the formula of one step: outputs (B, S, H) and the state after each row's last token."""
    state = layer.initial(inputs)
    if layer.cell == "lstm":
        return plain_lstm(layer.rnn, inputs, lengths, state)
    outputs = []
    weights = layer.step_weights(0)
    for t, gates in enumerate(layer.input_gates(inputs).unbind(dim=1)):
        [before] = state
        [after] = layer.step(gates, None, state, weights)
        real = (lengths > t)[:, None]  # (B, 1)
        state = (torch.where(real, after, before),)
        outputs.append(after)
    return torch.stack(outputs, dim=1), state


@pytest.mark.parametrize("cell", MODULES)
@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_a_fast_sequence_equals_its_steps(cell, lengths, seed):
    torch.manual_seed(seed)
    layer = RecurrentLayer(cell, 5, 7).to(DEVICE)
    for bias in (layer.rnn.bias_ih_l0, layer.rnn.bias_hh_l0):
        torch.nn.init.uniform_(bias)  # at first they are zeros, where a forgotten one would not show
    inputs = torch.randn(len(lengths), max(lengths), 5).to(DEVICE)
    count = torch.tensor(lengths).to(DEVICE)
    outputs, final = layer.run(inputs, count)
    plain_outputs, plain_final = one_by_one(layer, inputs, count)
    real = torch.arange(max(lengths), device=DEVICE) < count[:, None]
    torch.testing.assert_close(outputs[real], plain_outputs[real], atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(final, plain_final, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_step_with_a_fed_vector_equals_the_whole_input(cell):
    torch.manual_seed(1)
    layer = make_layer(cell, 5, 7).to(DEVICE)
    inputs = torch.randn(3, 5).to(DEVICE)
    state = tuple(torch.randn(3, 7 * width).to(DEVICE) for width in CELLS[cell])
    whole = layer.step(layer.input_gates(inputs), None, state, layer.step_weights(0))
    parts = layer.step(layer.input_gates(inputs[:, :3]), inputs[:, 3:], state, layer.step_weights(2))
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other)


def test_flip_reverses_within_each_length():
    sequence = torch.arange(8.0, device=DEVICE).view(2, 4, 1)
    flipped = flip(sequence, torch.tensor([3, 4], device=DEVICE))
    assert flipped[..., 0].tolist() == [[2, 1, 0, 3], [7, 6, 5, 4]]


@pytest.mark.parametrize("cell", MINIMAL)
@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_a_scan_over_the_whole_sequence_equals_its_steps(cell, lengths, seed):
    torch.manual_seed(seed)
    layer = MinimalLayer(cell, 5, 7).to(DEVICE)
    inputs = torch.randn(len(lengths), max(lengths), 5).to(DEVICE)
    count = torch.tensor(lengths).to(DEVICE)
    state = (torch.randn(len(lengths), 7).to(DEVICE),)
    outputs, final = layer.run(inputs, count, state)
    gates, weights, finals = layer.input_gates(inputs), layer.step_weights(0), {}
    for t in range(max(lengths)):
        state = layer.step(gates[:, t], None, state, weights)
        torch.testing.assert_close(outputs[:, t], state[0], atol=1e-5, rtol=1e-4)
        finals |= {row: state[0][row] for row, length in enumerate(lengths) if length == t + 1}
    torch.testing.assert_close(
        final[0], torch.stack([finals[row] for row in range(len(lengths))]), atol=1e-5, rtol=1e-4
    )


def test_the_gradient_of_a_scan_is_right_in_float64():
    keep = torch.rand(2, 6, 3, dtype=torch.float64).to(DEVICE).requires_grad_()
    add = torch.randn(2, 6, 3, dtype=torch.float64).to(DEVICE).requires_grad_()
    assert torch.autograd.gradcheck(scan, (keep, add), nondet_tol=1e-10)  # sums of CUDA come in any order


def test_gates_that_are_all_shut_have_a_gradient():
    """f / (f + i) of two sigmoids that both underflow is 0 / 0; by logarithms it is their share."""
    layer = make_layer("min_lstm", 2, 1).to(DEVICE)
    with torch.no_grad():
        layer.maps.weight.zero_()
        layer.maps.bias.copy_(torch.tensor([-200.0, -200.0, 1.0]))
    outputs, _ = layer.run(torch.randn(1, 4, 2).to(DEVICE), None)
    shares = torch.tensor([0.5, 0.75, 0.875, 0.9375], device=DEVICE)
    torch.testing.assert_close(outputs[0, :, 0], shares)
    outputs.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())
