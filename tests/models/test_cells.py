import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.models.cells import CELLS, RecurrentLayer, flip


@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_fast_sequence_equals_the_library_on_packed_rows(cell, lengths, seed):
    lengths = [max(1, length) for length in lengths]
    torch.manual_seed(seed)
    layer = RecurrentLayer(cell, 5, 7)
    inputs = torch.randn(len(lengths), max(lengths), 5)
    count = torch.tensor(lengths)
    outputs, final = layer.run(inputs, count)
    packed_outputs, packed_final = layer._packed(inputs, count, layer.initial(inputs))
    real = torch.arange(max(lengths)) < count[:, None]
    torch.testing.assert_close(outputs[real], packed_outputs[real])
    for ours, theirs in zip(final, packed_final, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("cell", CELLS)
def test_step_with_a_fed_vector_equals_the_whole_input(cell):
    torch.manual_seed(1)
    layer = RecurrentLayer(cell, 5, 7)
    inputs, state = torch.randn(3, 5), tuple(torch.randn(3, 7) for _ in range(CELLS[cell]))
    whole = layer.step(layer.input_gates(inputs), None, state, layer.step_weights(0))
    parts = layer.step(layer.input_gates(inputs[:, :3]), inputs[:, 3:], state, layer.step_weights(2))
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other)


def test_flip_reverses_within_each_length():
    sequence = torch.arange(8.0).view(2, 4, 1)
    flipped = flip(sequence, torch.tensor([3, 4]))
    assert flipped[..., 0].tolist() == [[2, 1, 0, 3], [7, 6, 5, 4]]
