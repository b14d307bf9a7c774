import pytest
import torch

from nmt.errors import UserError
from nmt.models.build import build_model
from nmt.models.embedding import Dropout, kept_bits, rotate, sinusoids
from nmt.models.interface import Vocabulary
from nmt.models.transformer import FeedForward, TransformerOptions, plain_attention
from tests.conftest import DEVICE, same


def test_plain_attention_equals_the_library():
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 2, length, 4).to(DEVICE) for length in (3, 5, 5))
    allowed = torch.rand(2, 1, 3, 5).to(DEVICE) > 0.3
    allowed[..., 0] = True
    context, weights = plain_attention(query, key, value, allowed)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(weights @ value, expected)


def test_rotary_scores_depend_on_distance_only():
    torch.manual_seed(0)
    query, key = torch.randn(1, 1, 1, 8).to(DEVICE), torch.randn(1, 1, 1, 8).to(DEVICE)
    scores = [(rotate(query, first + 3) @ rotate(key, first).transpose(-1, -2)).item() for first in (0, 5, 40)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4) == pytest.approx(scores[2], abs=1e-4)


def test_sinusoids_are_the_paper_s():
    table = sinusoids(5, 6, first=2)
    for row, position in enumerate(range(2, 7)):
        for i in range(3):
            angle = torch.tensor(position / 10_000 ** (2 * i / 6))
            torch.testing.assert_close(table[row, 2 * i], torch.sin(angle))
            torch.testing.assert_close(table[row, 2 * i + 1], torch.cos(angle))


def test_cheap_dropout_drops_its_share_and_keeps_the_mean():
    torch.manual_seed(0)
    dropout = Dropout(0.3)
    outputs = dropout(torch.ones(1000, 999, device=DEVICE))
    assert (outputs == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert outputs.mean().item() == pytest.approx(1.0, abs=0.01)
    assert outputs.unique().numel() == 2
    same(dropout.eval()(outputs), outputs)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("shape", [(7, 9), (1,), (0, 3)])
def test_dropout_by_integers_scales_what_it_keeps_and_so_its_gradient(kind, shape):
    torch.manual_seed(0)
    inputs = torch.full((*shape, 2), 3.0, dtype=kind, device=DEVICE)
    inputs = inputs.transpose(0, -1).requires_grad_()  # not in the memory's order
    outputs = Dropout(0.5)(inputs)
    kept = (outputs != 0).to(kind)
    torch.testing.assert_close(outputs, inputs * kept * 2)
    outputs.sum().backward()  # whose gradient is one number, expanded
    torch.testing.assert_close(inputs.grad, kept * 2)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_after_relu_in_one_equals_one_after_the_other(kind, training):
    dropout = Dropout(0.3).train(training)
    drawn = torch.randn(50, 40, generator=torch.Generator().manual_seed(1)).to(DEVICE, kind)
    inputs = [drawn.clone() for _ in range(2)]
    inputs[0][0], inputs[1][0] = 0.0, 0.0  # where relu has no slope

    def in_one(x):
        outputs, scale = dropout.after_relu(x.clone())  # it writes over what it is given
        return outputs * scale

    made = []
    for of_one, rectified in zip(inputs, (in_one, lambda x: dropout(torch.relu(x))), strict=True):
        torch.manual_seed(2)
        outputs = rectified(of_one.requires_grad_())
        outputs.backward(torch.linspace(-1, 1, outputs.numel(), device=DEVICE).view_as(outputs).to(kind))
        made.append(outputs)
    same(*made)
    same(inputs[0].grad, inputs[1].grad)
    assert (made[0] == 0).any() and made[0].max() > 0


@pytest.mark.parametrize("training", [True, False])
def test_the_feed_forward_layer_is_its_formula(training):
    torch.manual_seed(0)
    options = TransformerOptions(size=8, feed_forward_size=24, dropout=0.3)
    layer = FeedForward(options).double().to(DEVICE).train(training)
    torch.nn.init.uniform_(layer.narrow.bias)
    drawn = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1)).double().to(DEVICE)
    inputs = [drawn.clone() for _ in range(2)]
    found = []
    for given, run in zip(
        inputs, (layer, lambda x: layer.narrow(layer.dropout(torch.relu(layer.widen(x))))), strict=True
    ):
        torch.manual_seed(2)
        layer.zero_grad()
        outputs = run(given.requires_grad_())
        outputs.backward(torch.linspace(-1, 1, outputs.numel()).double().to(DEVICE).view_as(outputs))
        found.append([outputs, given.grad, *(parameter.grad.clone() for parameter in layer.parameters())])
    for fast, plain in zip(*found, strict=True):
        torch.testing.assert_close(fast, plain)


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
    first, second = (Dropout(0.5)(torch.ones(100, 100, device=DEVICE)) for _ in range(2))
    assert 0.45 < (first == second).float().mean() < 0.55


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "must be a multiple of model.heads=3"),
        ({"norm": "layers"}, "did you mean 'layer'"),
        ({"activation": "reluu"}, "did you mean 'relu'"),
        ({"positions": "rotery"}, "did you mean 'rotary'"),
        ({"size": 6, "heads": 2, "positions": "rotary"}, "heads of even width"),
        ({"encoder_layers": 0}, "model.encoder_layers=0"),
    ],
)
def test_options_without_meaning_are_refused_with_the_reason(options, message):
    with pytest.raises(UserError, match=message):
        build_model(TransformerOptions(**options), Vocabulary(30, 30, joint=True))
