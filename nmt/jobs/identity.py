"""What decides a translation besides its source: weights, tokenizer, model options and search. Results name it."""

from __future__ import annotations

from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from typing import Any

from nmt.decoding.options import DecodingOptions
from nmt.digests import weights_digest
from nmt.models.interface import Model
from nmt.plugins import plugin_hashes
from nmt.run import Run


def model_identity(run: Run, model: Model) -> dict[str, Any]:
    """Returns what decides its translations: a digest of the loaded weights, and what says how they are used."""
    identity = {"weights": weights_digest(model), **run_identity(run)}
    plugins = _plugins_of(model)
    if plugins:
        identity["plugins"] = plugins
    return identity


def run_identity(run: Run) -> dict[str, Any]:
    """Returns what says how a run's weights are used: a digest of the tokenizer, and the options of the model.

    Options at their defaults are left out, so that one that a later version adds changes nothing.
    """
    options = run.config.model
    return {"tokenizer": run.tokenizer.digest, "model": {"name": options.name, **chosen_options(options)}}


def search_identity(decoding: DecodingOptions) -> dict[str, Any]:
    """Returns the options that decide what search finds."""
    options = {name: value for name, value in asdict(decoding).items() if name not in decoding.ONLY_SPEED}
    if options["precision"] == "fp32":  # the option is younger than many an evaluation, which was made in fp32
        del options["precision"]
    return options


def chosen_options(options: Any) -> dict[str, Any]:
    """Returns the options of an options object that are not at their defaults, those within it, too."""
    chosen: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            nested = chosen_options(value)
            if nested:
                chosen[field.name] = nested
        elif value != _default(field):
            chosen[field.name] = value
    return chosen


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _plugins_of(model: Model) -> dict[str, str]:
    """Returns a hash of each of the user's own modules that the model is made of."""
    modules = {type(part).__module__ for part in model.modules()}
    hashes = plugin_hashes()
    return {name: hashes[name] for name in sorted(hashes) if name in modules}
