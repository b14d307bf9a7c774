"""What one pass over a training text would come to, tried here before anything is trained."""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from nmt.corpus.batches.batcher import Batcher
from nmt.corpus.batches.encoded import EncodedPairs, encode_pairs
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import Tokenizer, extended
from nmt.corpus.subwords.vocabulary_size import advised_size, fitting_tokenizer
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.concatenation import with_joined
from nmt.corpus.text.normalising import normalised_pairs
from nmt.corpus.text.tags import as_read
from nmt.corpus.text.writing import MEASURED, Proportions
from nmt.errors import UserError, not_read
from nmt.jobs.finetuning import settled
from nmt.kernels.process import random_state_kept
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.progress import phase
from nmt.run import Run, open_run
from nmt.schemas import TrainConfig
from nmt.training.pace import Pace, measure_pace
from nmt.training.precision import choose_device, choose_precision

log = logging.getLogger("nmt")

SAMPLE = MEASURED  # pairs, the first of the training text, that all is measured on


@dataclass(frozen=True)
class EpochEstimate:
    """What an epoch would come to, and the size of vocabulary that the text is enough for."""

    tokenizer: str  # where it comes from
    source_pieces_per_word: float  # or for each character, on a side that is written without spaces
    target_pieces_per_word: float
    vocabulary_size: int  # advised
    updates: int
    target_tokens: int
    seconds: float  # of updates; validations and checkpoints come on top
    device: str
    threads: int  # of the processor


def estimate_epoch(config: TrainConfig, pairs: int) -> EpochEstimate:
    """Estimates what the first epoch of a configuration would take on this machine.

    Everything is measured on the first 100,000 pairs of the training text, read and cleaned as a run reads them, and
    multiplied up to the ``pairs`` that cleaning leaves of all. The tokenizer is that of the run in ``run.dir`` where
    one was trained on this text, else made of these pairs. The model is built and trained for a few seconds (see
    `measure_pace`); the time is that of updates on one process, without preparation, validations and checkpoints. A
    stream is estimated as if its text were read at once, without sampling.

    Writes nothing but a temporary folder; random numbers and threads of the process stay as they were. Prepares the
    process for products in ``trainer.precision`` (a side effect, see `nmt.kernels.process.prepare`). Raises UserError
    where training would for text, tokenizer, model, device or memory.
    """
    device = choose_device(config.device)
    run = _run_of_text(config)
    config = settled(config)
    with tempfile.TemporaryDirectory() as folder, random_state_kept(device), _threads(config.trainer.threads):
        with phase("trying the first pairs: tokenizer and encoding"):
            text = _Text.read(config, run)
            tokenizer, origin = _tokenizer(config, run, text, Path(folder))
            config.corpus.check_tokenizer(tokenizer)
            encoded = text.encode(tokenizer)
            times = text.times(encoded, pairs)
        with phase("looking for a vocabulary size"):
            size = _vocabulary_size(config, text, tokenizer, times, Path(folder) / "largest")
        with phase("training for a few seconds"):
            pace = _pace(config, tokenizer, encoded, device)
        threads = torch.get_num_threads()
    sentences = len(encoded)
    source_pieces = len(encoded.source.ids) - sentences  # END follows each
    target_pieces = len(encoded.target.ids)
    return EpochEstimate(
        tokenizer=origin,
        source_pieces_per_word=source_pieces / max(text.source_words, 1),
        target_pieces_per_word=target_pieces / max(text.target_words, 1),
        vocabulary_size=size,
        updates=max(1, round(times * pace.epoch_updates)),
        target_tokens=round(times * (target_pieces + sentences)),
        seconds=times * pace.epoch_seconds,
        device=str(device),
        threads=threads,
    )


class _Text:
    """The first pairs of the training text."""

    def __init__(self, config: TrainConfig, pairs: list[Pair], is_whole: bool, proportions: Proportions):
        self.config = config
        self.pairs = pairs
        self.is_whole = is_whole
        self.proportions = proportions
        self.source_words = 0  # of what was encoded
        self.target_words = 0

    @classmethod
    def read(cls, config: TrainConfig, run: Run | None) -> _Text:
        """Reads the pairs, and how they are written. Raises UserError where they can't be read."""
        try:
            pairs = list(itertools.islice(config.corpus.read("train"), SAMPLE + 1))
        except OSError as error:
            raise not_read(error, error.filename or "corpus.train") from None
        is_whole = len(pairs) <= SAMPLE
        del pairs[SAMPLE:]
        if run:
            return cls(config, pairs, is_whole, run.proportions)
        form = config.tokenizer.normalise
        return cls(config, pairs, is_whole, Proportions.of(normalised_pairs(pairs, form)))

    def cleaned(self, options: CleaningOptions, report: CleaningReport) -> Iterator[Pair]:
        """Yields the pairs as training or its tokenizer reads them."""
        pairs = as_read(self.pairs, self.config.tokenizer)
        return clean(pairs, options, report, self.proportions)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yields the texts that a tokenizer is trained on. Raises UserError where cleaning leaves none."""
        report = CleaningReport()
        for pair in self.cleaned(self.config.cleaning, report):
            yield pair.encoder_input, pair.target
        if not report.kept:
            raise _nothing_left(report)

    def encode(self, tokenizer: Tokenizer) -> EncodedPairs:
        """Encodes the pairs to train on, joined ones among them, and counts their words.

        Raises UserError where no pair is left.
        """
        config = self.config
        report = CleaningReport()
        pairs: Iterable[Pair] = clean(
            as_read(self.pairs, tokenizer), config.cleaning.for_training(), report, self.proportions
        )
        if config.joining.share:
            pairs = with_joined(pairs, config.joining, report, self.proportions)
        guided = config.trainer.guided_alignment > 0
        encoded = encode_pairs(self._counted(pairs), tokenizer, report, config.cleaning.max_tokens, guided)
        if not len(encoded):
            raise _nothing_left(report)
        return encoded

    def _counted(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        for pair in pairs:
            self.source_words += self.proportions.source.length(pair.encoder_input)
            self.target_words += self.proportions.target.length(pair.target)
            yield pair

    def times(self, encoded: EncodedPairs, pairs: int) -> float:
        """How many times as much text there is in all, if cleaning leaves so many pairs of it."""
        return 1.0 if self.is_whole else max(1.0, pairs / max(encoded.report.kept, 1))


def _nothing_left(report: CleaningReport) -> UserError:
    return UserError(f"corpus.train: no usable pair ({report}); at least one is needed")


def _run_of_text(config: TrainConfig) -> Run | None:
    """Returns the run in the folder of the configuration, where it has been trained on this training text."""
    folder = Path(config.run.dir)
    if not (folder / "config.yaml").exists():
        return None
    run = open_run(folder)
    origin = run.checkpoints.newest_origin()
    if origin is None:
        return None
    if origin.text.get("train") == config.corpus.fingerprint("train"):
        return run
    log.info("%s: its run was not trained on this text, so its tokenizer is not taken", folder)
    return None


def _tokenizer(config: TrainConfig, run: Run | None, text: _Text, folder: Path) -> tuple[Tokenizer, str]:
    """Returns the tokenizer that training would have, or one much like it, and where it comes from."""
    if run:
        return run.tokenizer, "the run's"
    base = open_run(config.finetuning.run).tokenizer if config.finetuning.run else None
    if base and config.finetuning.vocabulary == "keep":
        return base, f"that of {config.finetuning.run}"
    of_text = fitting_tokenizer(text.texts, config.tokenizer, folder / "tokenizer")
    origin = "from all pairs" if text.is_whole else f"from the first {SAMPLE:,} pairs"
    if base:
        return extended(base, of_text, folder / "extended"), f"that of {config.finetuning.run}, extended {origin}"
    if config.tokenizer.kind == "bpe" and of_text.source_size != config.tokenizer.vocabulary_size:
        asked = config.tokenizer.vocabulary_size
        log.warning("tokenizer.vocabulary_size=%d: does not fit this text; %d does", asked, of_text.source_size)
    return of_text, origin


def _vocabulary_size(config: TrainConfig, text: _Text, tokenizer: Tokenizer, times: float, folder: Path) -> int:
    """Returns the size that the text is enough for; of tokenizers that can't choose it, that which they have."""
    if config.tokenizer.kind in ("char", "word"):
        return tokenizer.target_size
    return advised_size(text.texts, config.tokenizer, times, folder)


def _pace(config: TrainConfig, tokenizer: Tokenizer, encoded: EncodedPairs, device: torch.device) -> Pace:
    """Trains the configured model for a few seconds."""
    precision = choose_precision(device, config.trainer.precision)
    torch.manual_seed(config.seed)
    vocabulary = Vocabulary(tokenizer.source_size, tokenizer.target_size, tokenizer.joint)
    model = build_model(config.model, vocabulary).to(device)
    batcher = Batcher(encoded, config.batching, config.seed)
    return measure_pace(model, batcher, config.trainer, config.optimizer, precision)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Gives PyTorch so many threads within the block; 0 leaves it those that it has."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
