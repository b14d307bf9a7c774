"""Translates the test sets of a trained run, for the scores of one run and for a comparison."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from torch import nn

from nmt.corpus.text.tags import tags_apart, tell_untagged
from nmt.decoding.lines import tell_unknown_tag
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.probes.translate import evaluate
from nmt.evaluation.translations import Evaluation
from nmt.run import Run
from nmt.training.precision import choose_device


def evaluate_run(
    run: Run, test_sets: Sequence[str], checkpoint: str, decoding: DecodingOptions, shown: int, device_name: str
) -> list[Evaluation]:
    """Translates test sets ([]: all of the run's corpus), or reads the translations where they were made before.

    ``shown`` sentences of each test set keep their attention weights. Raises UserError where the corpus has none.
    """
    corpus = run.config.corpus
    names = list(test_sets) or corpus.test_names()
    if not names:
        raise UserError(f"corpus.tests: the corpus of {run.folder} has no test set; train it with one to evaluate it")
    model, file = run.model(checkpoint, choose_device(device_name))
    translator = Translator(model, run.tokenizer, decoding)
    identity = {"checkpoint": file, "weights": weights_digest(model), "decoding": _search_identity(decoding)}
    evaluations = []
    for name in names:
        pairs = list(tags_apart(corpus.read(name), run.tokenizer.symbols))
        if corpus.is_tagged:
            tell_untagged(pairs, f"test set '{name}'", f"corpus.test_tags={{{name}: '<TAG>'}}")
        for _ in tell_unknown_tag([pair.encoder_input for pair in pairs], run.tokenizer, f"test set '{name}', "):
            pass
        folder = run.folder / "evaluations" / name
        known_links = [pair.links for pair in pairs] if corpus.knows_links(name) else None
        evaluations.append(evaluate(translator, name, pairs, folder, identity, shown, known_links))
    return evaluations


def _search_identity(decoding: DecodingOptions) -> dict[str, Any]:
    """Returns the options that decide what search finds. Translations are known by them and not made again."""
    options = asdict(decoding)
    del options["batch_size"]
    if options["precision"] == "fp32":  # the option is younger than many an evaluation, which was made in fp32
        del options["precision"]
    return options


def weights_digest(model: nn.Module) -> str:
    """Returns a short hash of the weights, to know the translations that they made."""
    digest = hashlib.blake2b(digest_size=8)
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
