"""Translates the test sets of a trained run, for the scores of one run and for a comparison."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from nmt.corpus.text.tags import tags_apart, tell_untagged
from nmt.decoding.cuts import Cuts
from nmt.decoding.lines import warn_of_unknown_tag
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.errors import UserError
from nmt.evaluation.probes.translate import evaluate
from nmt.evaluation.translations import Evaluation
from nmt.evaluation.translations_folder import ASKED, take_over
from nmt.jobs.folders import evaluation_folder
from nmt.jobs.identity import model_identity, search_identity
from nmt.run import Run
from nmt.training.precision import choose_device

log = logging.getLogger("nmt")


def evaluate_run(
    run: Run, test_sets: Sequence[str], checkpoint: str, decoding: DecodingOptions, shown: int, device_name: str
) -> list[Evaluation]:
    """Translates test sets ([]: all of the run's corpus), or reads the translations where they were made before.

    ``shown`` sentences of each test set keep their attention weights. A line tells of outputs that were cut at the
    length limit. Raises UserError where the corpus has no test set.
    """
    corpus = run.config.corpus
    names = list(test_sets) or corpus.test_names()
    if not names:
        raise UserError(f"corpus.tests: the corpus of {run.folder} has no test set; train it with one to evaluate it")
    model, file = run.model(checkpoint, choose_device(device_name))
    translator = Translator(model, run.tokenizer, decoding)
    identity = {
        ASKED: checkpoint,
        "checkpoint": file,
        **model_identity(run, model),
        "decoding": search_identity(decoding),
    }
    evaluations = []
    for name in names:
        pairs = list(tags_apart(corpus.read(name), run.tokenizer.symbols))
        if corpus.is_tagged:
            tell_untagged(pairs, f"test set '{name}'", f"corpus.test_tags={{{name}: '<TAG>'}}")
        inputs = [pair.encoder_input for pair in pairs]
        warn_of_unknown_tag(inputs, run.tokenizer, f"test set '{name}', ")
        folder = evaluation_folder(run, name, checkpoint, identity["weights"], decoding)
        folder = take_over(run.folder / "evaluations" / name, folder, identity)
        known_links = [pair.links for pair in pairs] if corpus.knows_links(name) else None
        evaluation = evaluate(translator, name, pairs, folder, identity, shown, known_links)
        _tell_cuts(evaluation, decoding)
        evaluations.append(evaluation)
    return evaluations


def _tell_cuts(evaluation: Evaluation, decoding: DecodingOptions) -> None:
    if evaluation.cut:
        cuts = Cuts(len(evaluation.hypotheses), len(evaluation.cut), evaluation.cut[0] + 1)
        log.warning("%s: %s", evaluation.test_set, cuts.in_words(decoding))
