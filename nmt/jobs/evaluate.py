"""Translates the test sets of a trained run, for the scores of one run and for a comparison."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from nmt.decoding.cuts import Cuts
from nmt.decoding.lines import warn_of_unknown_tag
from nmt.decoding.options import DecodingOptions
from nmt.decoding.translator import Translator
from nmt.evaluation.probes.translate import evaluate
from nmt.evaluation.translations import Evaluation
from nmt.evaluation.translations_folder import ASKED, take_over
from nmt.jobs.folders import evaluation_folder
from nmt.jobs.identity import model_identity, search_identity
from nmt.jobs.test_sets import GivenFiles, given_test_set, own_test_sets
from nmt.progress import phase
from nmt.run import Run
from nmt.training.precision import choose_device

log = logging.getLogger("nmt")


def evaluate_run(
    run: Run,
    test_sets: Sequence[str],
    checkpoint: str,
    decoding: DecodingOptions,
    shown: int,
    device_name: str,
    files: GivenFiles | None = None,
) -> list[Evaluation]:
    """Translates test sets ([]: all of the run's corpus), or reads the translations where they were made before.

    ``files`` are a test set that is given instead. ``shown`` sentences of each test set keep their attention weights. A
    line tells of outputs that were cut at the length limit. Raises UserError where the corpus has no test set.
    """
    with phase("reading the test sets"):
        sets = [given_test_set(run, files)] if files else list(own_test_sets(run, test_sets))
    with phase("loading the model"):
        model, file = run.model(checkpoint, choose_device(device_name))
    translator = Translator(model, run.tokenizer, decoding)
    identity = {
        ASKED: checkpoint,
        "checkpoint": file,
        **model_identity(run, model),
        "decoding": search_identity(decoding),
    }
    evaluations = []
    for test_set in sets:
        name = test_set.name
        inputs = [pair.encoder_input for pair in test_set.pairs]
        warn_of_unknown_tag(inputs, run.tokenizer, f"test set '{name}', ")
        folder = evaluation_folder(run, name, checkpoint, identity["weights"], decoding)
        folder = take_over(run.folder / "evaluations" / name, folder, identity)
        evaluation = evaluate(translator, name, test_set.pairs, folder, identity, shown, test_set.known_links)
        _tell_cuts(evaluation, decoding)
        evaluations.append(evaluation)
    return evaluations


def _tell_cuts(evaluation: Evaluation, decoding: DecodingOptions) -> None:
    if evaluation.cut:
        cuts = Cuts(len(evaluation.hypotheses), len(evaluation.cut), evaluation.cut[0] + 1)
        log.warning("%s: %s", evaluation.test_set, cuts.in_words(decoding))
