"""What a run needs, looked at before anything is written: its options, its text, its model and what it begins with.

Training and comparisons both ask here, so that what can't work is told in seconds and not when its turn comes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.text.cleaning import CleaningReport, clean
from nmt.corpus.text.tags import as_read
from nmt.environment import rank_and_count
from nmt.errors import Absent, UserError
from nmt.evaluation.measures.tokenizers import check_usable
from nmt.jobs.finetuning import has_checkpoint, planned_in
from nmt.jobs.located import telling_where
from nmt.jobs.missing import with_others
from nmt.jobs.spent import has_ended
from nmt.models.build import build_model
from nmt.models.interface import Model, Vocabulary
from nmt.run import open_run
from nmt.schemas import TrainConfig
from nmt.tokens import START
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.state import Tensors
from nmt.training.finetuning import check_fits
from nmt.training.precision import check_precision, choose_device
from nmt.training.sinks.wandb import check_installed

LOOKED_AT = 20_000  # pairs in which a short one is looked for
META = torch.device("meta")  # tensors there have sizes and no content
# What draws numbers. On META that does nothing, but imports the compiler for it, which takes a second.
FILLING = (torch.Tensor.normal_, torch.Tensor.uniform_, nn.init.normal_, nn.init.uniform_)


class _WithoutNumbers(TorchFunctionMode):
    """Makes tensors without drawing numbers for them, within the block."""

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        if function in FILLING:
            return arguments[0] if arguments else options["tensor"]
        return function(*arguments, **options)


class Beforehand:
    """Looks at what runs need, and at each thing once, however many runs share it."""

    def __init__(self) -> None:
        rank, _ = rank_and_count()
        self._reads = rank == 0  # of several processes one looks into the text
        self._seen: set[Hashable] = set()
        self._bases: dict[tuple[str, str], tuple[Tensors, Path]] = {}  # shapes of weights to begin with, on META

    def check(self, config: TrainConfig, planned: Sequence[TrainConfig] = (), test_sets: Sequence[str] = ()) -> None:
        """Raises UserError, which names the option, for what would end the run after it had begun. Writes nothing.

        ``config`` is settled (`nmt.jobs.finetuning.settled`). Its base may be one of the runs that are ``planned`` to
        be trained before. ``test_sets`` are to be translated afterwards.
        """
        config.trainer.check_budget()
        check_precision(choose_device(config.device), config.trainer.precision)
        tokenize = config.validation.tokenize
        self._once(("tokenize", tokenize), lambda: check_usable(tokenize, "validation.tokenize"))
        if config.journal.second == "wandb":
            check_installed()
        _check_reading(config)
        if not is_finished(config):
            check_no_file(Path(config.cache), "give another cache=")
        if self._reads:
            splits = ("train", "valid", *test_sets)
            try:
                for split in splits:
                    self._look_into(config, split, may_be_held=split in test_sets)
            except Absent as absent:
                raise with_others(absent, config.corpus, splits) from None
            self._once(("short", repr(config.corpus), repr(config.cleaning)), partial(_check_short, config))
        self._check_base(config, planned)
        self._check_model(config)

    def _once(self, thing: Hashable, check: Callable[[], object]) -> None:
        """Calls ``check``, but not where it has passed before."""
        if thing not in self._seen:
            check()
            self._seen.add(thing)

    def _look_into(self, config: TrainConfig, split: str, may_be_held: bool) -> None:
        """Raises UserError for text that can't be read. A run that has ended needs none, and a test set may be held in
        an evaluation, which whoever translates it looks for.
        """
        try:
            with telling_where(Path(config.run.dir)):
                self._once(("corpus", repr(config.corpus), split), partial(config.corpus.look_into, split))
        except Absent:
            if not may_be_held and not is_finished(config):
                raise

    def _check_base(self, config: TrainConfig, planned: Sequence[TrainConfig]) -> None:
        """Raises UserError for a run to begin with that is not there, or keeps other words whole."""
        base = config.finetuning
        if not base.run or has_checkpoint(config):
            return
        planned_base = planned_in(Path(base.run), planned)
        if planned_base:
            _check_extended(config, planned_base)
            return
        run = open_run(base.run)
        if (base.run, base.checkpoint) not in self._bases:
            weights, place = run.checkpoints.weights(base.checkpoint, "finetuning.checkpoint")
            shapes = {name: torch.empty_like(tensor, device=META) for name, tensor in weights.items()}
            self._bases[base.run, base.checkpoint] = (shapes, place)
        _check_extended(config, run.config)
        if base.vocabulary == "keep":
            config.corpus.check_tokenizer(run.tokenizer)

    def _check_model(self, config: TrainConfig) -> None:
        """Raises UserError for a model that can't be built, can't be guided or can't begin with its base's weights."""
        vocabulary = _vocabulary(config)
        guided = config.trainer.guided_alignment > 0
        known_base = self._bases.get((config.finetuning.run, config.finetuning.checkpoint))

        def check() -> None:
            model = _on_meta(config, vocabulary)
            if guided:
                _check_guided(config)
            if model is not None and known_base and not has_checkpoint(config):
                check_fits(model, *known_base, config.finetuning)

        self._once(("model", repr(config.model), vocabulary, guided, repr(config.finetuning)), check)


def is_finished(config: TrainConfig) -> bool:
    """Whether the run of a configuration has ended, and is not trained any more."""
    progress = Checkpoints(Path(config.run.dir) / "checkpoints").progress()
    return progress is not None and has_ended(config, progress)


def check_no_file(folder: Path, mend: str) -> None:
    """Raises UserError where a file lies in the way of a folder."""
    place = lowest_there(folder)
    if not place.is_dir():
        raise UserError(f"{place}: a file, where the folder {folder} is to be made; {mend}")


def lowest_there(folder: Path) -> Path:
    """Returns the folder itself, or the first of those that it lies in that is there."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _check_reading(config: TrainConfig) -> None:
    """Raises UserError for text that can be read as a stream alone, and for what a stream can't do."""
    if not config.batching.stream:
        if config.tokenizer.sampling or config.corpus.needs_stream:
            raise UserError("tokenizer.sampling and corpus.weights need batching.stream=true: text that is read anew")
        return
    if config.trainer.guided_alignment > 0:
        raise UserError("trainer.guided_alignment: not with batching.stream=true, which reads no links")
    if config.cleaning.duplicates == "drop":
        raise UserError("cleaning.duplicates=drop: a stream does not remember what it has read; drop them in the files")


def _check_short(config: TrainConfig) -> None:
    """Raises UserError where a system of its own limit of length has nothing to train on. Long text has the benefit."""
    if not config.cleaning.train_words or is_finished(config):
        return
    count = 0
    for split in ("valid", "train"):  # of one kind; a generated training text takes seconds
        read = itertools.islice(config.corpus.read(split), LOOKED_AT)
        pairs = as_read(read, config.tokenizer)
        report = CleaningReport()
        if next(clean(pairs, config.cleaning.for_training(), report), None):
            return
        count = report.read
    if count < LOOKED_AT:
        raise UserError(f"cleaning.train_words={config.cleaning.train_words}: no training pair is so short")


def _check_extended(config: TrainConfig, base: TrainConfig) -> None:
    """Raises UserError for a vocabulary that can't be added to that of the base."""
    if config.finetuning.vocabulary != "extend":
        return
    for name in ("joint", "kind"):
        own = getattr(config.tokenizer, name)
        of_base = getattr(base.tokenizer, name)
        if own != of_base:
            raise UserError(
                f"tokenizer.{name}={own}: must be as in finetuning.run={config.finetuning.run} to extend its "
                f"vocabulary; say tokenizer.{name}={of_base}"
            )


def _vocabulary(config: TrainConfig) -> Vocabulary:
    """Returns the sizes of the vocabularies: of a tokenizer that is there already, else those that are asked for."""
    place = config.finetuning.run
    if has_checkpoint(config) or not place:
        place = config.run.dir
    folder = Path(place) / "tokenizer"
    if folder.exists() and (config.finetuning.run or has_checkpoint(config)):
        tokenizer = Tokenizer.load(folder)
        return Vocabulary(tokenizer.source_size, tokenizer.target_size, tokenizer.joint)
    size = config.tokenizer.vocabulary_size
    return Vocabulary(size, size, config.tokenizer.joint)


def _on_meta(config: TrainConfig, vocabulary: Vocabulary) -> Model | None:
    """Builds the model without its weights; None where that can't be, as in a plugin that computes with them.

    Raises UserError for options of no model.
    """
    try:
        with META, _WithoutNumbers():
            return build_model(config.model, vocabulary)
    except UserError:
        raise
    except Exception:  # a plugin's own code: whatever it is, only a real model tells
        return None


def _check_guided(config: TrainConfig) -> None:
    """Raises UserError for a model whose attention, if it has any, learns nothing. The model is tried on two words."""
    words = Vocabulary(8, 8, config.tokenizer.joint)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, words)
    if not model.attends:
        raise UserError("trainer.guided_alignment teaches attention weights, and this model has none")
    ids = torch.full((1, 2), START)
    output = model(ids, torch.ones_like(ids, dtype=torch.bool), ids, True)
    if output.attention is None or not output.attention.requires_grad:
        raise UserError("trainer.guided_alignment teaches attention weights, and this model learns none")


def below_warmup(config: TrainConfig, updates: Mapping[str, float], option: str = "") -> str:
    """Says that a budget ends while the learning rate still rises; empty where it does not.

    ``updates`` are those that each budget comes to, by its name; 0 is not known. ``option`` is what the user gave it
    by, if not by its own name.
    """
    warmup = config.optimizer.warmup_steps
    for name, count in updates.items():
        if 0 < count < warmup:
            typed = option or f"trainer.{name}"
            return (
                f"{typed}={getattr(config.trainer, name)} ends after {math.ceil(count)} updates, within "
                f"optimizer.warmup_steps={warmup}: the learning rate never reaches its height"
            )
    return ""
