"""From options to the model: the registry. A plugin adds a model of its own by `register_model`."""

from __future__ import annotations

from typing import Any

from nmt.errors import UserError
from nmt.models.interface import Model, Vocabulary
from nmt.models.recurrent import RecurrentModel, RecurrentOptions
from nmt.models.transformer import TransformerModel, TransformerOptions

MODEL_OPTIONS: dict[str, type] = {}  # by model.name
MODELS: dict[type, type[Model]] = {}  # by the class of their options


def register_model(options: type, model: type[Model]) -> None:
    """Makes a model known by the default of its options' field ``name``, which is model.name in a configuration.

    ``options`` is a dataclass; ``model`` is called with such options and a Vocabulary.
    """
    MODEL_OPTIONS[options.name] = options  # type: ignore[attr-defined]
    MODELS[options] = model


register_model(RecurrentOptions, RecurrentModel)
register_model(TransformerOptions, TransformerModel)


def build_model(options: Any, vocabulary: Vocabulary) -> Model:
    """Raises UserError for options of no registered model, or that don't go with the vocabulary."""
    if type(options) not in MODELS:
        known = ", ".join(sorted(MODEL_OPTIONS))
        raise UserError(f"model: options of class {type(options).__name__} are no registered model's (known: {known})")
    return MODELS[type(options)](options, vocabulary)
