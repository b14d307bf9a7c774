"""From a configuration to a trained run."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nmt.config import flat
from nmt.corpus.batches.batcher import Batcher, Batches
from nmt.corpus.batches.cache import cached_epoch, cached_pairs, cached_proportions, cached_tokenizer, made_once
from nmt.corpus.batches.encoded import EncodedPairs, warn_of_unknown
from nmt.corpus.batches.position import Share
from nmt.corpus.batches.stream import Stream, StreamOptions
from nmt.corpus.subwords.tokenizer import Tokenizer, extended
from nmt.corpus.text.cleaning import CleaningReport, clean
from nmt.corpus.text.tags import as_read, tell_untagged
from nmt.corpus.text.writing import Proportions
from nmt.errors import Absent
from nmt.evaluation.results import HeatMap
from nmt.evaluation.validation import Samples, Validation
from nmt.jobs.beforehand import Beforehand, below_warmup, is_finished
from nmt.jobs.finetuning import settled, tell_other_base, terms_of_base
from nmt.jobs.located import of_typed, record_as_typed, telling_where, trained_in
from nmt.jobs.terms import changes, keep_trained, tell_changes, terms_of
from nmt.kernels.limits import limits
from nmt.locks import alone_in
from nmt.messages import keep_messages, leave_messages
from nmt.models.build import build_model
from nmt.models.interface import Model
from nmt.progress import phase
from nmt.report.hparams import record_options
from nmt.run import BASE, Run, git_commit, has_begun, machine, open_run, start_run
from nmt.schemas import TrainConfig
from nmt.training.checkpoints.state import Counters
from nmt.training.finetuning import begin_with
from nmt.training.journal import Journal, open_journal, read_journal
from nmt.training.optim import FALLING
from nmt.training.precision import choose_device, choose_precision
from nmt.training.ranks import Ranks, join_ranks, own_device, processes_here
from nmt.training.sinks.jsonl import tell_checkpoint
from nmt.training.sinks.still_there import StillThere
from nmt.training.terms import FACTS, Terms
from nmt.training.trainer import Trainer

log = logging.getLogger("nmt")

MANY_CUT = 10.0  # percent of the outputs of the last validation: then it is told


def train_run(config: TrainConfig, ranks: Ranks | None = None) -> tuple[Run, Counters]:
    """Trains the configured run, or goes on with it. Raises UserError for what the user can mend."""
    with open_training(config, ranks) as (run, trainer):
        counters = trainer.fit()
    leave_messages(run.folder)
    return run, counters


def finished_without_text(config: TrainConfig, ranks: Ranks) -> tuple[Run, Counters] | None:
    """Returns a run that has ended, and whose training text is not here to check it by; None for any other.

    The first process looks for all.
    """
    folder = Path(config.run.dir)

    def look() -> bool:
        if not is_finished(config):
            return False
        try:
            for split in ("train", "valid"):
                config.corpus.fingerprint(split)
        except Absent as absent:
            missing = str(absent).partition("; ")[0]
            log.warning("%s: already trained; %s, so whether its text is that of today can't be told", folder, missing)
            return True
        return False

    if not ranks.first_tells(look, "whether the run has ended"):
        return None
    run = replace(open_run(folder), config=config)
    progress = run.checkpoints.progress()
    assert progress is not None
    return run, progress


@contextmanager
def open_training(config: TrainConfig, ranks: Ranks | None = None) -> Iterator[tuple[Run, Trainer]]:
    """Yields the configured run and its trainer, ready to begin or to go on; no other process may enter the run.

    ``ranks`` are the processes that train together; by default those that torchrun started. Where the block has trained
    the run, its best score is recorded for TensorBoard. Raises UserError for what the user can mend.
    """
    config = settled(of_typed(config))
    Beforehand().check(config)
    with ExitStack() as stack:
        if ranks is None:
            device = own_device(choose_device(config.device))
            ranks = stack.enter_context(join_ranks(device, config.trainer.timeout_minutes))
        check_place: Callable[[], None] | None = None
        if ranks.first:
            has_begun(config)  # before anything is written in a folder that is somebody's
            check_place = stack.enter_context(alone_in(Path(config.run.dir)))
        run, trainer = _prepare(config, ranks)
        if check_place:
            run.checkpoints.check_place = check_place
        _tell_short_budget(config, trainer, ranks)
        before = run.checkpoints.all()
        yield run, trainer
        if not ranks.first:
            return
        if run.checkpoints.all() != before:
            _record_best(run, trainer.progress)
            _tell_cuts(run)
        elif before:
            keep_trained(run)


def _prepare(config: TrainConfig, ranks: Ranks) -> tuple[Run, Trainer]:
    """Makes all that training needs, in the order in which one builds on the other."""
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    precision = choose_precision(ranks.device, config.trainer.precision)

    with phase("looking at the text and the run's folder"):
        run = _start(config, ranks)
    config.corpus.check_tokenizer(run.tokenizer)

    batches, facts = _batches(run, ranks)

    torch.manual_seed(config.seed)
    with phase("building the model"):
        model = _model(run).to(ranks.device)
    if ranks.number:  # every rank begins with the same weights, and draws different units for dropout
        torch.manual_seed(config.seed + (ranks.number << 32))

    devices = f"{ranks.count} x {ranks.device.type}" if ranks.count > 1 else str(ranks.device)
    parameters = f"{model.parameter_count():,}"
    log.info("%s: %s parameters, %s on %s, in %s", config.run.name, parameters, precision.name, devices, run.folder)

    with phase("preparing the validation set"):
        validation, look = _validation(run, ranks)

    terms = terms_of(config, precision, ranks) | terms_of_base(run)
    facts |= {name: terms[name] for name in FACTS}
    facts |= {"parameters": model.parameter_count(), "context": model.fixed_context}
    trainer = Trainer(
        model=model,
        batches=batches,
        validate=validation,
        options=config.trainer,
        optimizer_options=config.optimizer,
        precision=precision,
        checkpoints=run.checkpoints,
        journal=partial(_open_journal, run, ranks, facts, terms),
        look=look,
        ranks=ranks,
        replica=lambda: build_model(config.model, run.vocabulary()),
        terms=terms,
    )
    return run, trainer


def _tell_short_budget(config: TrainConfig, trainer: Trainer, ranks: Ranks) -> None:
    """Warns, in the first process, of a budget in epochs or tokens that ends within the warm-up.

    How many updates those are is known once the text is batched; of a stream it is not.
    """
    if not ranks.first or not isinstance(trainer.batches, Batcher):
        return
    batches = len(trainer.batches.plan(0))
    per_epoch = batches / (config.trainer.accumulate * ranks.count)
    tokens = int(trainer.batches.target_lengths.sum())
    updates = {
        "max_epochs": config.trainer.max_epochs * per_epoch,
        "max_tokens": config.trainer.max_tokens * per_epoch / max(tokens, 1),
    }
    message = below_warmup(config, updates)
    if message:
        log.warning("%s", message)


def _start(config: TrainConfig, ranks: Ranks) -> Run:
    """Opens the run's folder, which the first process makes while the others wait."""

    def make() -> dict[str, Any]:
        with telling_where(Path(config.run.dir)):
            run = start_run(config, make_tokenizer, lambda: _proportions(config))
        keep_messages(folder)
        return {"proportions": asdict(run.proportions), "text": run.text}

    def make_tokenizer() -> Tokenizer:
        keep_messages(folder)  # the folder is free, or this run's own: otherwise nobody asks for a tokenizer
        return _tokenizer(config)

    folder = Path(config.run.dir)
    begun = ranks.first_tells(make, "the run's folder")
    proportions = Proportions.from_dict(begun["proportions"])
    return Run(folder, config, Tokenizer.load(folder / "tokenizer"), proportions, begun["text"])


def _proportions(config: TrainConfig) -> Proportions:
    return cached_proportions(config.corpus, Path(config.cache), config.tokenizer.normalise)


def _tokenizer(config: TrainConfig) -> Tokenizer:
    """Makes the tokenizer of the training text, or takes that of the run to begin with, as it is or extended."""
    base = open_run(config.finetuning.run).tokenizer if config.finetuning.run else None
    if base and config.finetuning.vocabulary == "keep":
        return base
    cache = Path(config.cache)
    proportions = _proportions(config)
    of_text = cached_tokenizer(config.corpus, config.cleaning, config.tokenizer, cache, proportions)
    if not base:
        return of_text
    folder = cache / f"tokenizer-{base.digest}-with-{of_text.digest}"
    tokenizer = made_once(folder, lambda place: extended(base, of_text, place), Tokenizer.load)
    new_pieces = tokenizer.target_size - base.target_size
    log.info("vocabulary: %d pieces, %d of them new", tokenizer.target_size, new_pieces)
    return tokenizer


def _batches(run: Run, ranks: Ranks) -> tuple[Batches, dict[str, Any]]:
    """Returns the batches of the training text, and for the journal what is known of the text beforehand."""
    config = run.config
    if config.batching.stream:
        return _stream(run, ranks), {}

    def read() -> EncodedPairs:
        guided = config.trainer.guided_alignment > 0
        cache = Path(config.cache)
        parts = (config.corpus, "train", config.cleaning, run.tokenizer, cache, config.joining, guided)
        return cached_pairs(*parts, run.proportions)

    with phase("encoding the text"):
        ranks.first_tells(lambda: bool(read()), "the encoded text")  # the first process encodes it for all
        pairs = read()
    with phase("sorting pairs into batches"):
        batcher = Batcher(pairs, config.batching, config.seed, _share(ranks))
        padding = batcher.padding_share()
    log.info("corpus: %s, padding %.1f %%", pairs.report, 100 * padding)
    _advise("train", pairs.report, config, ranks)
    return batcher, {"pairs": asdict(pairs.report), "padding": padding}


def _advise(split: str, report: CleaningReport, config: TrainConfig, ranks: Ranks) -> None:
    """Warns, in the first process, where much of a split is left out by cleaning, or unknown to the tokenizer."""
    if not ranks.first:
        return
    advice = report.advice(config.cleaning)
    if advice:
        log.warning("corpus.%s: %s", split, advice)
    warn_of_unknown(split, report)


def _stream(run: Run, ranks: Ranks) -> Stream:
    """Returns the batches of text that is read anew in every epoch."""
    config = run.config
    budget = config.trainer
    sampling = config.tokenizer.sampling
    options = StreamOptions(
        config.corpus, config.cleaning, config.joining, config.batching, sampling, config.seed, run.proportions
    )

    def most(number: int) -> int:
        return int(ranks.gather([number], "the next block of text").max())

    log.info("corpus: a stream, in blocks of up to %s pairs", f"{config.batching.block:,}")
    length = 0
    if budget.max_epochs:
        length = ranks.first_tells(lambda: cached_epoch(config.corpus, Path(config.cache)), "the length of an epoch")
    return Stream(options, run.tokenizer, _share(ranks), most, length)


def _share(ranks: Ranks) -> Share:
    """Returns which part of the batches this process makes."""
    return Share(ranks.number, ranks.count, processes_here())


def _model(run: Run) -> Model:
    """Builds the model with random weights, or with those of the run to begin with where this one begins."""
    config = run.config
    model = build_model(config.model, run.vocabulary())
    if config.finetuning.run and not run.checkpoints.all():
        base = open_run(config.finetuning.run)
        weights, place = base.checkpoints.weights(config.finetuning.checkpoint, "finetuning.checkpoint")
        begin_with(model, weights, place, config.finetuning)
    return model


def _validation(run: Run, ranks: Ranks) -> tuple[Validation, Samples | None]:
    """Returns what judges the model, and the samples that a person looks at."""
    config = run.config
    cache = Path(config.cache)
    proportions = run.proportions
    encoded = cached_pairs(config.corpus, "valid", config.cleaning, run.tokenizer, cache, proportions=proportions)
    if encoded.report.kept < encoded.report.read:
        log.info("validation: %s", encoded.report)
    _advise("valid", encoded.report, config, ranks)
    batcher = Batcher(encoded, config.batching, seed=0, share=_share(ranks))
    if config.corpus.is_tagged:
        read = as_read(config.corpus.read("valid"), run.tokenizer)
        tell_untagged(read, "corpus.valid", "corpus.valid_tag='<TAG>'")
    read = as_read(config.corpus.read("valid"), run.tokenizer)
    readable = clean(read, config.cleaning, CleaningReport(), proportions)
    pairs = list(itertools.islice(readable, config.validation.bleu_sentences))
    batch_size = limits(ranks.device).validation_sentences
    validation = Validation(batcher, pairs, run.tokenizer, batch_size, config.validation.tokenize)
    samples = Samples(pairs, run.tokenizer, config.validation.samples, _draw)
    return validation, samples if samples.pairs else None


def _draw(title: str, weights: HeatMap) -> np.ndarray:
    from nmt.report.figures import heat_map, pixels  # late: drawing is not needed to start

    return pixels(heat_map(title, weights))


def _open_journal(run: Run, ranks: Ranks, facts: dict[str, Any], terms: Terms, step: int) -> Journal:
    """Opens the journal of a run that begins or goes on at ``step``; only the first process writes one.

    From here on the run is trained under its new configuration, which replaces that in its folder.
    """
    if not ranks.first:
        return Journal()
    config = run.config
    changed = changes(run, terms)
    if changed or trained_in(run.folder) != Path.cwd():
        record_as_typed(run)
    if changed:
        tell_changes(changed, step, config.optimizer.schedule in FALLING)
        if BASE in changed:
            tell_other_base(run)
        facts = {**facts, "changed": changed}
    opened = open_journal(run.folder, step, config.journal, config.run.name, flat(asdict(config)))
    journal = Journal([StillThere(run.checkpoints.check_place), *opened.sinks])
    journal.event("start", step, **facts, commit=git_commit(), machine=machine())
    run.checkpoints.on_first = partial(tell_checkpoint, run.folder)
    return journal


def _record_best(run: Run, progress: Counters) -> None:
    """Records options and the best validation score, at its step, as a line of TensorBoard's HPARAMS page."""
    if progress.best_score is None:
        return
    config = run.config
    scores = {f"final/valid_{config.trainer.select_by}": abs(progress.best_score)}  # a loss is kept as its negative
    record_options(run.folder, flat(asdict(config)), scores, progress.best_step)


def _tell_cuts(run: Run) -> None:
    """Logs that many outputs of the last validation did not end, though its limit leaves room for every reference."""
    validations = [event for event in read_journal(run.folder) if event["event"] == "valid"]
    percent = validations[-1].get("cut") if validations else None
    if isinstance(percent, float) and percent >= MANY_CUT:
        log.warning("last validation: %.0f %% of the outputs did not end and were cut at the length limit", percent)
