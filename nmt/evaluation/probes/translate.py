"""A model and a test set in; its translations out, with all that measures may ask of the model, kept in one folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nmt.corpus.pair import Pair, texts_to_encode
from nmt.corpus.text.lines import is_blank
from nmt.corpus.text.links import Link
from nmt.corpus.text.writing import Unit, Writing
from nmt.decoding.hypothesis import Translation
from nmt.decoding.translator import Translator
from nmt.digests import record_digest
from nmt.errors import NotKept, UserError
from nmt.evaluation.alignment import links_of_pair
from nmt.evaluation.probes.gradients import gradient_maps
from nmt.evaluation.results import HeatMap, Picture, evenly_over_lengths
from nmt.evaluation.translations import Evaluation, KnownLinks
from nmt.evaluation.translations_folder import Wanted, read_evaluation, write_evaluation
from nmt.progress import Progress, phase

log = logging.getLogger("nmt")

PICTURED = 24  # sentences of up to so many words (or characters) keep the attention of every head:
PICTURED_WORDS = 25
PROBES = 45  # sentences whose gradients are looked at: some seconds a test set


def evaluate(
    translator: Translator,
    name: str,
    pairs: Sequence[Pair],
    folder: Path,
    identity: dict[str, Any],
    shown: int,
    known_links: KnownLinks | None = None,
) -> Evaluation:
    """Translates ``pairs`` and writes source.txt, reference.txt and hypothesis.txt into ``folder``.

    ``identity`` says what made them (checkpoint, search); where the folder already holds the translations of the same
    test set made by the same, they are read instead. ``shown`` sentences keep their attention weights. ``known_links``
    are those of the corpus, where it knows them. On a read-only disk a line says that nothing is kept, and the
    evaluation has no folder. Raises UserError for an empty test set.
    """
    if not pairs:
        raise UserError(f"test set '{name}' is empty; nothing can be scored")
    sources = [pair.source for pair in pairs]
    inputs, references = texts_to_encode(pairs)
    tags = [pair.tag for pair in pairs]
    if any(tags):
        identity = {**identity, "tags": record_digest(tags)}
    unit = Writing.of(sources).unit
    chosen = evenly_over_lengths(unit.lengths(sources), shown)
    wanted = Wanted(name, sources, references, chosen, identity, known_links)
    earlier = read_evaluation(folder, wanted)
    if earlier is not None:
        return replace(earlier, tags=tags, precision=translator.options.precision)
    start = time.monotonic()
    with Progress(f"translating {name}", "sentences", len(pairs)) as progress:
        translations = translator.translate(inputs, attention_for=set(chosen), progress=progress.update)
    seconds = time.monotonic() - start
    with phase(f"{name}: gradients by source word"):
        gradients = _gradients(translator, pairs, unit)
    with phase(f"{name}: log-probabilities of the references"):
        forced = translator.force(inputs, references, attention_for=set(chosen))
    with phase(f"{name}: attention of every head"):
        pictures = _pictures(translator, pairs, chosen, unit)
    evaluation = Evaluation(
        test_set=name,
        sources=sources,
        references=references,
        hypotheses=[translation.text for translation in translations],
        seconds=seconds,
        shown=chosen,
        heat_maps=_heat_maps(translations, chosen),
        scores=[translation.score for translation in translations],
        reference_scores=[translation.score for translation in forced],
        pictures=pictures,
        links=_links(translator, pairs, forced, chosen),
        gradients=gradients,
        known_links=known_links,
        cut=[row for row, translation in enumerate(translations) if translation.is_cut],
        identity=identity,
        folder=folder,
        precision=translator.options.precision,
        tags=tags,
    )
    return _kept(evaluation, folder)


def _kept(evaluation: Evaluation, folder: Path) -> Evaluation:
    """Writes an evaluation into its folder. On a read-only disk a line says that it is not kept, and it has none."""
    try:
        with phase(f"{evaluation.test_set}: writing the evaluation"):
            write_evaluation(folder, evaluation, dict(evaluation.identity))
    except NotKept as error:
        log.warning("%s; the translations are not kept", error)
        return replace(evaluation, folder=None)
    return evaluation


def _heat_maps(translations: Sequence[Translation], chosen: Sequence[int]) -> dict[int, HeatMap]:
    return {row: HeatMap.of(translations[row]) for row in chosen if translations[row].attention is not None}


def _links(
    translator: Translator, pairs: Sequence[Pair], forced: Sequence[Translation], chosen: Sequence[int]
) -> dict[int, list[Link]]:
    attended = [row for row in chosen if forced[row].attention is not None]
    return {row: links_of_pair(forced[row], pairs[row], translator.tokenizer) for row in attended}


def _gradients(translator: Translator, pairs: Sequence[Pair], unit: Unit) -> dict[int, list[list[float]]]:
    """Of `PROBES` sentences spread evenly over lengths, none of them empty."""
    readable = [row for row, pair in enumerate(pairs) if not is_blank(pair.source) and not is_blank(pair.target)]
    lengths = unit.lengths(pairs[row].source for row in readable)
    probed = [readable[place] for place in evenly_over_lengths(lengths, PROBES)]
    inputs, references = texts_to_encode([pairs[row] for row in probed])
    maps = gradient_maps(translator.model, translator.tokenizer, inputs, references)
    return {row: shares.round(2).tolist() for row, shares in zip(probed, maps, strict=True)}


def _pictures(translator: Translator, pairs: Sequence[Pair], chosen: Sequence[int], unit: Unit) -> dict[int, Picture]:
    """The attention of every head over the references of a few short sentences, where the model attends."""
    lengths = unit.lengths(pair.source for pair in pairs)
    short = [row for row in chosen if 0 < lengths[row] <= PICTURED_WORDS]
    lengths_of_short = [lengths[row] for row in short]
    pictured = [short[place] for place in evenly_over_lengths(lengths_of_short, PICTURED)]
    inputs, references = texts_to_encode([pairs[row] for row in pictured])
    forced = translator.force(inputs, references, attention_for=range(len(pictured)), heads=True)
    return {row: Picture.of(one) for row, one in zip(pictured, forced, strict=True) if one.heads is not None}
