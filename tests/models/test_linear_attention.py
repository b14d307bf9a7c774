"""Gated linear attention: what is computed by chunks is the recurrence."""

from __future__ import annotations

import torch

from nmt.models.linear_attention import CHUNK, KEY_SIZE, GatedLinearLayer, by_chunks


def test_chunks_equal_steps_beyond_one_chunk():
    torch.manual_seed(1)
    layer, length = GatedLinearLayer(5, 64), 2 * CHUNK + 7
    inputs = torch.randn(3, length, 5)
    outputs, final = layer.run(inputs, None)
    state, gates = layer.initial(inputs), layer.input_gates(inputs)
    for t in range(length):
        state = layer.step(gates[:, t], None, state, layer.step_weights(0))
        torch.testing.assert_close(state[0], outputs[:, t], atol=1e-5, rtol=1e-4)
    for one, other in zip(state, final, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_padding_neither_decays_nor_writes():
    torch.manual_seed(2)
    layer = GatedLinearLayer(5, 32)
    inputs = torch.randn(2, 90, 5)
    _, final = layer.run(inputs, torch.tensor([90, 40]))
    _, alone = layer.run(inputs[1:, :40], torch.tensor([40]))
    for one, other in zip(final, alone, strict=True):
        torch.testing.assert_close(one[1:], other, atol=1e-6, rtol=1e-5)


def test_its_state_holds_what_a_key_wrote():
    """With one head, no decay and orthogonal keys, each value is read back whole: a matrix is an associative memory."""
    values = torch.eye(4)[None, None]  # (1, 1, S, V)
    keys = torch.eye(KEY_SIZE)[None, None, :4]
    _, matrix = by_chunks(keys, keys, values, torch.zeros(1, 1, 4), torch.zeros(1, 1, 4, KEY_SIZE))
    torch.testing.assert_close(keys[0, 0] @ matrix[0, 0].T, values[0, 0])
