"""From a model's name to the model."""

from __future__ import annotations

from nmt.models.interface import Model, Vocabulary
from nmt.models.recurrent import RecurrentModel, RecurrentOptions
from nmt.models.transformer import TransformerModel, TransformerOptions

ModelOptions = RecurrentOptions | TransformerOptions
MODEL_OPTIONS: dict[str, type] = {"recurrent": RecurrentOptions, "transformer": TransformerOptions}


def build_model(options: ModelOptions, vocabulary: Vocabulary) -> Model:
    """Raises UserError for options that don't go together."""
    if isinstance(options, RecurrentOptions):
        return RecurrentModel(options, vocabulary)
    return TransformerModel(options, vocabulary)
