import numpy as np
import pytest
import torch

from nmt.corpus.subwords.tokenizer import END, START
from nmt.evaluation.probes.gradients import PARTS, _shares, gradient_maps
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions
from tests.conftest import DEVICE, backward_in_evaluation

SOURCES = ["The man sees the old house, because the teacher laughed.", "The man sleeps."]
TARGETS = ["Der Mann sieht das alte Haus, weil der Lehrer lachte.", "Der Mann schläft."]
MODELS = {
    "fixed": RecurrentOptions(
        embedding_size=12, encoder_size=16, decoder_size=16, context="fixed", bidirectional=False
    ),
    "attention": RecurrentOptions(embedding_size=12, encoder_size=8, decoder_size=16),
    "transformer": TransformerOptions(size=16, heads=2, feed_forward_size=32),
}


@pytest.fixture(params=MODELS)
def model(request, tokenizer):
    torch.manual_seed(2)
    vocabulary = Vocabulary(tokenizer.source_size, tokenizer.target_size, True)
    return build_model(MODELS[request.param], vocabulary).to(DEVICE)


def test_each_row_is_a_share_and_the_batch_changes_nothing(model, tokenizer):
    together = gradient_maps(model, tokenizer, SOURCES, TARGETS)
    for i, found in enumerate(together):
        assert found.shape == (PARTS, PARTS) and (found >= 0).all()
        np.testing.assert_allclose(found.sum(axis=1), 100, rtol=1e-5)
        [alone] = gradient_maps(model, tokenizer, SOURCES[i : i + 1], TARGETS[i : i + 1])
        np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-3)
    assert model.training, "the model is left as it was"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_is_the_gradient_of_one_word_by_the_embeddings(model, tokenizer):
    model.eval()
    source = torch.tensor([tokenizer.encode_source(SOURCES[0])], device=DEVICE)
    given = [*tokenizer.encode_target(TARGETS[0]), END]
    asked = int(0.55 * len(given))  # the word of the sixth tenth
    vectors = []
    hook = model.source_embedding.register_forward_hook(lambda module, inputs, output: vectors.append(output))
    target_in = torch.tensor([[START, *given[:-1]]], device=DEVICE)
    with backward_in_evaluation():
        memory = model.encode(source, torch.ones_like(source, dtype=torch.bool))
        hook.remove()
        logits = model.logits(model.decode(memory, target_in))
        chosen = logits.log_softmax(-1)[0, asked, given[asked]]
        norms = torch.autograd.grad(chosen, vectors[0])[0][0].norm(dim=-1).cpu().numpy()
    expected = _shares(np.tile(norms, (PARTS, 1)))[0]
    np.testing.assert_allclose(gradient_maps(model, tokenizer, SOURCES[:1], TARGETS[:1])[0][5], expected, rtol=1e-3)


def test_a_short_source_lends_its_pieces_to_several_tenths():
    shares = _shares(np.array([[1.0, 3.0]] * PARTS))
    np.testing.assert_allclose(shares[0], [5] * 5 + [15] * 5)
