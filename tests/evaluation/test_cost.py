import torch

from nmt.evaluation.probes.cost import measure
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions


def test_time_grows_with_length_and_the_models_are_left_as_they_were():
    vocabulary = Vocabulary(50, 50, joint=True)
    models = {
        "attention": build_model(
            RecurrentOptions(embedding_size=8, encoder_size=8, decoder_size=16), vocabulary
        ).eval(),
        "transformer": build_model(TransformerOptions(size=16, heads=2, feed_forward_size=16), vocabulary).eval(),
    }
    before = {name: {k: v.clone() for k, v in model.state_dict().items()} for name, model in models.items()}
    rows = measure(models, [4, 64])
    found = {(row.system, row.length): row for row in rows}
    assert found.keys() == {(name, length) for name in models for length in (4, 64)}
    for name, model in models.items():
        assert found[name, 64].search_seconds > 3 * found[name, 4].search_seconds > 0
        assert found[name, 4].training_seconds > 0
        assert found[name, 64].memory_megabytes > 10 * found[name, 4].memory_megabytes > 0, "16 times the tokens"
        assert not model.training and all(parameter.grad is None for parameter in model.parameters())
        assert all(torch.equal(before[name][k], v) for k, v in model.state_dict().items())
