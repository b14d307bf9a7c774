import pytest
import torch

from nmt.errors import UserError
from nmt.models.build import build_model
from nmt.models.embedding import rotate, sinusoids
from nmt.models.interface import Vocabulary
from nmt.models.transformer import FeedForward, TransformerOptions
from tests.conftest import DEVICE


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
