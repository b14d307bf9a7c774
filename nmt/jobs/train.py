"""From a configuration to a trained run, and from a run to its evaluations: what several doors do."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nmt.config import TrainConfig, TranslateConfig, flat
from nmt.corpus.batches.batcher import Batcher, Batches
from nmt.corpus.batches.cache import cached_pairs, cached_tokenizer, made_once
from nmt.corpus.batches.encoded import EncodedPairs
from nmt.corpus.batches.stream import Stream, StreamOptions
from nmt.corpus.kinds.corpus import check_tags, read_pairs, test_names, weights_of_places
from nmt.corpus.subwords.tokenizer import Tokenizer, extended
from nmt.corpus.text.cleaning import CleaningReport, clean
from nmt.decoding.beam import DecodingOptions
from nmt.decoding.hypothesis import Translation
from nmt.decoding.translator import Translator
from nmt.errors import UserError, nearest
from nmt.evaluation.results import HeatMap
from nmt.evaluation.translations import Evaluation, evaluate
from nmt.evaluation.validation import Samples, Validation
from nmt.kernels.limits import limits
from nmt.locks import alone_in
from nmt.models.build import build_model
from nmt.report.board import record_options
from nmt.run import Run, git_commit, machine, open_run, start_run
from nmt.training.checkpoints.file import Progress
from nmt.training.finetuning import begin_with
from nmt.training.journal import AnyJournal, Journal, NoJournal
from nmt.training.optim import FALLING
from nmt.training.precision import choose_device, choose_precision
from nmt.training.ranks import Ranks, join_ranks, own_device
from nmt.training.second_journal import open_second
from nmt.training.trainer import Trainer

log = logging.getLogger("nmt")

ENGINES = ("pytorch", "ctranslate2")


def train_run(config: TrainConfig, ranks: Ranks | None = None) -> tuple[Run, Progress]:
    """Trains the configured run, or goes on with it, together with the other processes that torchrun started.

    Raises UserError for what the user can mend.
    """
    if ranks is None:
        device = own_device(choose_device(config.device))
        with join_ranks(device, config.trainer.timeout_minutes) as ranks:
            return train_run(config, ranks)
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    with alone_in(Path(config.run.dir)) if ranks.first else contextlib.nullcontext():
        return _train(config, ranks)


def _train(config: TrainConfig, ranks: Ranks) -> tuple[Run, Progress]:
    guided = config.trainer.guided_alignment > 0
    precision = choose_precision(ranks.device, config.trainer.precision)
    run = _open(config, ranks)
    check_tags(config.corpus, run.tokenizer)
    batches, known = _batches(config, run.tokenizer, ranks)
    torch.manual_seed(config.seed)
    model = build_model(config.model, run.vocabulary()).to(ranks.device)
    if config.finetuning.run and not run.checkpoints.all():
        base = open_run(config.finetuning.run)
        weights, place = base.checkpoints.weights(config.finetuning.checkpoint, "finetuning.checkpoint")
        begin_with(model, weights, place, config.finetuning)
    if guided and not model.attends:
        raise UserError("trainer.guided_alignment teaches attention weights, and this model has none")
    if ranks.number:  # all begin with the same weights, and draw different units for dropout
        torch.manual_seed(config.seed + (ranks.number << 32))
    log.info(
        "%s: %s parameters, %s on %s, in %s",
        config.run.name,
        f"{model.parameter_count():,}",
        precision.name,
        f"{ranks.count} x {ranks.device.type}" if ranks.count > 1 else ranks.device,
        run.folder,
    )

    def journal(step: int) -> AnyJournal:
        if not ranks.first:
            return NoJournal()
        second = open_second(config.journal, config.run.name, run.folder, step, flat(asdict(config)))
        made = Journal(run.folder, step, second)
        facts = {"parameters": model.parameter_count(), "precision": precision.name, **known}
        facts |= {"commit": git_commit(), "machine": machine(), "context": model.fixed_context}
        made.event("start", step, **facts, processes=ranks.count)
        return made

    validation, look = _validation(config, run, ranks)
    trainer = Trainer(
        model=model,
        batches=batches,
        validate=validation,
        options=config.trainer,
        optimizer_options=config.optimizer,
        precision=precision,
        checkpoints=run.checkpoints,
        journal=journal,
        look=look,
        ranks=ranks,
        replica=lambda: build_model(config.model, run.vocabulary()),
    )
    before = run.checkpoints.all()
    progress = trainer.fit()
    if ranks.first and progress.best_score is not None and run.checkpoints.all() != before:
        best = abs(progress.best_score)  # a loss is kept as its negative
        record_options(run.folder, flat(asdict(config)), {f"final/valid_{config.trainer.select_by}": best})
    return run, progress


def _batches(config: TrainConfig, tokenizer: Tokenizer, ranks: Ranks) -> tuple[Batches, dict[str, Any]]:
    """Of the training text, with what is known of it beforehand."""
    part, guided = (ranks.number, ranks.count), config.trainer.guided_alignment > 0
    if not config.batching.stream:
        if config.tokenizer.sampling or weights_of_places(config.corpus):
            raise UserError("tokenizer.sampling and corpus.weights need batching.stream=true: text that is read anew")

        def read() -> EncodedPairs:
            cache = Path(config.cache)
            return cached_pairs(config.corpus, "train", config.cleaning, tokenizer, cache, config.joining, guided)

        ranks.first_tells(lambda: bool(len(read())), "the encoded text")
        pairs = read()
        batcher = Batcher(pairs, config.batching, config.seed, part)
        padding = batcher.padding_share()
        log.info("corpus: %s, padding %.1f %%", pairs.report, 100 * padding)
        return batcher, {"pairs": asdict(pairs.report), "padding": padding}
    if guided:
        raise UserError("trainer.guided_alignment: not with batching.stream=true, which reads no links")
    budget = config.trainer
    if config.optimizer.schedule in FALLING and not (budget.max_steps or budget.max_tokens or budget.max_minutes):
        raise UserError(
            f"optimizer.schedule={config.optimizer.schedule} falls until the budget's end, and how long an epoch of a "
            "stream is can't be known: set trainer.max_steps, max_tokens or max_minutes"
        )
    options = StreamOptions(
        config.corpus, config.cleaning, config.joining, config.batching, config.tokenizer.sampling, config.seed
    )

    def most(number: int) -> int:
        return int(ranks.gather([number], "the next block of text").max())

    log.info("corpus: a stream, in blocks of up to %s pairs", f"{config.batching.block:,}")
    return Stream(options, tokenizer, part, most), {}


def _open(config: TrainConfig, ranks: Ranks) -> Run:
    """The first process makes the run's folder, the others wait until it is there."""
    folder = Path(
        ranks.first_tells(lambda: str(start_run(config, lambda: _tokenizer(config)).folder), "the run's folder")
    )
    return Run(folder, config, Tokenizer.load(folder / "tokenizer"))


def _tokenizer(config: TrainConfig) -> Tokenizer:
    """Made of the training text, or that of the run to begin with."""
    cache = Path(config.cache)
    if config.finetuning.run and config.finetuning.vocabulary == "keep":
        return open_run(config.finetuning.run).tokenizer
    own = cached_tokenizer(config.corpus, config.cleaning, config.tokenizer, cache)
    if not config.finetuning.run:
        return own
    base = open_run(config.finetuning.run).tokenizer
    folder = cache / f"tokenizer-{base.digest}-with-{own.digest}"
    made = made_once(folder, lambda place: extended(base, own, place), Tokenizer.load)
    log.info("vocabulary: %d pieces, %d of them new", made.target_size, made.target_size - base.target_size)
    return made


def _validation(config: TrainConfig, run: Run, ranks: Ranks) -> tuple[Validation, Samples | None]:
    encoded = cached_pairs(config.corpus, "valid", config.cleaning, run.tokenizer, Path(config.cache))
    if encoded.report.kept < encoded.report.read:
        log.info("validation: %s", encoded.report)
    readable = clean(read_pairs(config.corpus, "valid"), config.cleaning, CleaningReport())
    pairs = list(itertools.islice(readable, config.validation.bleu_sentences))
    batcher = Batcher(encoded, config.batching, seed=0, part=(ranks.number, ranks.count))
    batch_size = limits(ranks.device).validation_sentences
    samples = Samples(pairs, run.tokenizer, config.validation.samples, _draw)
    return Validation(batcher, pairs, run.tokenizer, batch_size), samples if samples.pairs else None


def _draw(title: str, weights: HeatMap) -> np.ndarray:
    from nmt.report.figures import heat_map, pixels  # late: drawing is not needed to start

    return pixels(heat_map(title, weights))


def evaluate_run(
    run: Run, test_sets: Sequence[str], checkpoint: str, decoding: DecodingOptions, shown: int, device_name: str
) -> list[Evaluation]:
    """Translates test sets ([]: all of the run's corpus), or reads the translations where they were made before.

    ``shown`` sentences of each keep their attention weights.
    """
    device = choose_device(device_name)
    model, file = run.model(checkpoint, device)
    translator = Translator(model, run.tokenizer, decoding)
    identity = {
        "checkpoint": file,
        "weights": weights_digest(model),
        "decoding": {
            key: value
            for key, value in asdict(decoding).items()
            if key != "batch_size" and (key, value) != ("precision", "fp32")  # younger than many an evaluation
        },
    }
    evaluations = run.folder / "evaluations"
    names = list(test_sets) or test_names(run.config.corpus)
    if not names:
        raise UserError(f"corpus.tests: the corpus of {run.folder} has no test set; train it with one to evaluate it")
    return [
        evaluate(translator, name, list(read_pairs(run.config.corpus, name)), evaluations / name, identity, shown)
        for name in names
    ]


def open_translator(folder: str, checkpoint: str, device: str, decoding: DecodingOptions | None = None) -> Translator:
    """Of a trained run. Raises UserError when the folder is none."""
    run = open_run(folder)
    model, _ = run.model(checkpoint, choose_device(device))
    return Translator(model, run.tokenizer, decoding or DecodingOptions())


def open_engine(config: TranslateConfig) -> Callable[..., list[Translation]]:
    """What translates lines, as the configuration says. Raises UserError where there is no run, or no export of it."""
    if config.engine not in ENGINES:
        raise UserError(f"engine={config.engine}: {nearest(config.engine, ENGINES)}")
    device = str(own_device(choose_device(config.device)))
    if config.engine == "pytorch":
        if config.compute_type != "default":
            raise UserError(f"compute_type={config.compute_type} is for engine=ctranslate2")
        return open_translator(config.run, config.checkpoint, device, config.decoding).translate
    from nmt.decoding.ctranslate2_engine import Engine, find_export  # late: it needs a library of its own

    folder = find_export(Path(config.run), config.checkpoint)
    return Engine(folder, config.decoding, device, config.compute_type).translate


def weights_digest(model: torch.nn.Module) -> str:
    """A short hash of the weights, to know translations that they made."""
    digest = hashlib.blake2b(digest_size=8)
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
