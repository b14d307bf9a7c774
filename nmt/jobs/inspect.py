"""A look into a corpus before anything is trained on it: printed, and as a page."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from nmt.corpus.kinds.corpus import Corpus
from nmt.errors import UserError, not_written
from nmt.evaluation.options import EvaluationOptions
from nmt.inspection.advice import advice_of_buckets, warnings_of
from nmt.inspection.look import TRAIN, Limits, Looked, look_into
from nmt.inspection.page import html_text
from nmt.inspection.records import json_text
from nmt.inspection.results import Advice, Inspection
from nmt.inspection.text import advice_text, look_text
from nmt.jobs.epoch import EpochEstimate, estimate_epoch
from nmt.progress import clock
from nmt.schemas import DataConfig
from nmt.swap import write_aside

log = logging.getLogger("nmt")

PLACE = Path("data/inspect")
PAGE = "index.html"
RECORD = "inspection.json"


def inspect(config: DataConfig) -> Inspection:
    """Looks into a corpus, prints what is there, and writes it as a page and as JSON.

    Raises UserError for text that can't be read, and where nothing can be written.
    """
    folder = Path(config.output) if config.output else PLACE / name_of(config.corpus)
    limits = Limits(config.cleaning, config.tokenizer, EvaluationOptions().bucket_bounds)
    inspection = _inspection(config, look_into(config.corpus, limits))
    print(look_text(inspection), flush=True)  # also where nothing can be written
    _write(inspection, folder)  # before an epoch is measured, which takes a while and may be stopped
    inspection = _with_epoch(inspection, config)
    _write(inspection, folder)
    print(f"\n{advice_text(inspection)}", flush=True)
    print(f"\nThe same as a page: {folder / PAGE}; as numbers: {folder / RECORD}")
    return inspection


def _inspection(config: DataConfig, looked: Looked) -> Inspection:
    tests = [split for split in looked.splits if split.is_test]
    return Inspection(
        name=name_of(config.corpus),
        source_language=config.corpus.source_language,
        target_language=config.corpus.target_language,
        splits=looked.splits,
        shared=looked.shared,
        warnings=warnings_of(looked.splits, looked.shared, config.cleaning),
        advice=[advice_of_buckets(test) for test in tests if test.pairs],
        notes=looked.notes(),
        seconds=looked.seconds,
    )


def _with_epoch(inspection: Inspection, config: DataConfig) -> Inspection:
    """Adds what an epoch would be, where there is training text; or why that can't be told."""
    train = inspection.split(TRAIN)
    if train is None or not train.kept:
        return inspection
    try:
        measured = estimate_epoch(config, train.kept)
    except UserError as error:
        advice = [Advice("an epoch", f"not measured: {error}")]
        return replace(inspection, advice=inspection.advice + advice)
    advice = advice_of_epoch(measured)
    return replace(inspection, advice=inspection.advice + advice, epoch=asdict(measured))


def advice_of_epoch(epoch: EpochEstimate) -> list[Advice]:
    """Says in words what was measured of an epoch."""
    pieces = f"{epoch.source_pieces_per_word:.2f} in the source, {epoch.target_pieces_per_word:.2f} in the target"
    time = f"about {clock(epoch.seconds)} of updates on {epoch.device}"
    if epoch.device == "cpu":
        threads = "1 thread" if epoch.threads == 1 else f"{epoch.threads} threads"
        time += f" with {threads}"
    option = f"tokenizer.vocabulary_size={epoch.vocabulary_size}"
    updates = "1 update" if epoch.updates == 1 else f"{epoch.updates:,} updates"
    return [
        Advice("pieces a word", f"{pieces} (tokenizer: {epoch.tokenizer})"),
        Advice("vocabulary", f"{epoch.vocabulary_size:,} pieces, 95 % of which occur 100 times or more", option),
        Advice(
            "an epoch of this configuration",
            f"{updates}, {epoch.target_tokens:,} target tokens, {time}",
        ),
    ]


def name_of(corpus: Corpus) -> str:
    """Returns a name for the look's folder: that of the folder of the text, or of its kind, and the languages."""
    folders = [Path(place).parent.name for place in _places_of(corpus)]
    for folder in [*folders, corpus.kind]:
        name = re.sub(r"[^\w.-]+", "-", folder).strip("-.")
        if name:
            break
    languages = f"-{corpus.source_language}-{corpus.target_language}"
    return name.removesuffix(languages) + languages


def _places_of(corpus: Corpus) -> Iterator[str]:
    """Yields where the text of a corpus lies, as far as its options say it."""
    for option in ("train", "valid", "tests", "path"):
        value = getattr(corpus, option, "")
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value.values()
        else:
            yield from value


def _write(inspection: Inspection, folder: Path) -> None:
    """Writes page and numbers in the place of earlier ones; other files in the folder stay."""
    page = html_text(inspection)
    record = json_text(inspection)

    def write(place: Path) -> None:
        (place / PAGE).write_text(page, encoding="utf-8", errors="replace")
        (place / RECORD).write_text(record, encoding="utf-8", errors="replace")

    try:
        write_aside(folder, write)
    except OSError as error:
        raise not_written(error, folder, "say output=FOLDER") from None
