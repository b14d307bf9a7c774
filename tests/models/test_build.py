"""A model is found by its options, a user's own too; options of no model are refused."""

from dataclasses import dataclass

import pytest

from nmt.config import KINDS
from nmt.errors import UserError
from nmt.models.build import MODEL_OPTIONS, MODELS, build_model, register_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentModel, RecurrentOptions
from nmt.models.transformer import TransformerModel, TransformerOptions

VOCABULARY = Vocabulary(9, 9, joint=True)


@dataclass
class SmallOptions:
    name: str = "small"


class SmallModel(RecurrentModel):
    def __init__(self, options: SmallOptions, vocabulary: Vocabulary):
        super().__init__(RecurrentOptions(embedding_size=4, encoder_size=4, decoder_size=4), vocabulary)


@pytest.fixture
def small():
    register_model(SmallOptions, SmallModel)
    yield
    del MODEL_OPTIONS["small"], MODELS[SmallOptions]


def test_each_kind_of_options_has_its_model():
    assert type(build_model(RecurrentOptions(), VOCABULARY)) is RecurrentModel
    assert type(build_model(TransformerOptions(), VOCABULARY)) is TransformerModel


def test_a_registered_model_is_built_and_can_be_configured_by_name(small):
    assert type(build_model(SmallOptions(), VOCABULARY)) is SmallModel
    _, models = KINDS["model"]
    assert models["small"] is SmallOptions


def test_options_of_no_model_are_not_a_transformer():
    with pytest.raises(UserError, match="SmallOptions are no registered model's"):
        build_model(SmallOptions(), VOCABULARY)
