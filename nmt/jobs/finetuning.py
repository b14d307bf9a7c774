"""What a run takes from the one that it begins with, settled before anything of it is written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from nmt.config import load_train
from nmt.digests import tensors_digest
from nmt.errors import UserError
from nmt.run import Run, differences, open_run
from nmt.schemas import TrainConfig
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.state import Counters
from nmt.training.finetuning import FinetuningOptions
from nmt.training.terms import Terms

log = logging.getLogger("nmt")

BEGUN_WITH = "finetuning.weights"  # among the terms of a run: a digest, since its base may be trained on


def settled(config: TrainConfig, planned: Sequence[TrainConfig] = ()) -> TrainConfig:
    """Returns the configuration that a run will truly have: one that keeps another's vocabulary has its tokenizer, too.

    ``tokenizer.sampling`` is the run's own. A run that has begun has what it began with, wherever its base is now. The
    base may be one of the runs that are ``planned`` to be trained before. Raises UserError, which names the options,
    where the model is not the base's.
    """
    options = config.finetuning
    if not options.run:
        return config
    begun = has_checkpoint(config)
    place = Path(config.run.dir)
    if not begun:
        place = Path(options.run)
    base = _configuration_in(place, planned)
    if not begun:
        _check_model(config, base)
    if options.vocabulary == "extend":
        return config
    tokenizer = replace(base.tokenizer, sampling=config.tokenizer.sampling)
    texts = []
    for name, asked, of_base in differences(asdict(config.tokenizer), asdict(tokenizer), path="tokenizer"):
        texts.append(f"{name}={of_base}, not {asked}")
    if texts:
        log.info("finetuning.vocabulary=keep: the tokenizer is that of %s: %s", place, "; ".join(texts))
    return replace(config, tokenizer=tokenizer)


def has_checkpoint(config: TrainConfig) -> bool:
    """Whether the run of this configuration has a checkpoint, and so needs no base any more."""
    return bool(Checkpoints(Path(config.run.dir) / "checkpoints").all())


def planned_in(folder: Path, planned: Sequence[TrainConfig]) -> TrainConfig | None:
    """Returns the run that is planned to lie in a folder; None where there is none."""
    return next((config for config in planned if Path(config.run.dir) == folder), None)


def _configuration_in(folder: Path, planned: Sequence[TrainConfig]) -> TrainConfig:
    """Returns the configuration of the run in a folder: as it lies there, or as it is planned."""
    file = folder / "config.yaml"
    config = planned_in(folder, planned)
    if config is None or file.exists():
        return load_train(file)
    return config


def _check_model(config: TrainConfig, base: TrainConfig) -> None:
    """Raises UserError for model options with which the base's weights would be of another model."""
    only_in_training = getattr(type(config.model), "ONLY_IN_TRAINING", ())
    may_differ = frozenset(f"model.{name}" for name in only_in_training)
    base_model = asdict(base.model)
    model = asdict(config.model)
    if base.model.name != config.model.name:  # then they have other options, too
        base_model = {"name": base.model.name}
        model = {"name": config.model.name}
    own = []
    needed = []
    for name, of_base, asked in differences(base_model, model, may_differ, "model"):
        own.append(f"{name}={asked}")
        needed.append(f"{name}={of_base}")
    if own:
        raise UserError(
            f"{', '.join(own)}: the weights of finetuning.run={config.finetuning.run} are of another model; take its "
            f"model options, {' '.join(needed)}"
        )


def terms_of_base(run: Run) -> Terms:
    """Returns a digest of the weights that a fine-tuned run begins or began with; nothing where that is not known."""
    if not run.config.finetuning.run:
        return {}
    progress = run.checkpoints.progress()
    if progress is None:
        return {BEGUN_WITH: _digest_of_base(run.config.finetuning)}
    known = _begun_with(progress)
    return {BEGUN_WITH: known} if known else {}


def other_base(planned: TrainConfig, progress: Counters) -> str:
    """Says that a run began with other weights than its base has now; empty where it did not, or nobody can tell."""
    options = planned.finetuning
    if has_base(options, progress) is not False:
        return ""
    return f"its run began with other weights than finetuning.run={options.run} has now as '{options.checkpoint}'"


def has_base(options: FinetuningOptions, progress: Counters) -> bool | None:
    """Whether the base in its place has the weights that a run began with; None where nobody can tell."""
    known = _begun_with(progress)
    if not options.run or not known:
        return None
    try:
        return known == _digest_of_base(options)
    except UserError:  # a run that has begun does not need its base
        return None


def tell_other_base(run: Run) -> None:
    """Warns where a run that goes on began with other weights than its base has now."""
    progress = run.checkpoints.progress()
    text = other_base(run.config, progress) if progress else ""
    if text:
        log.warning("%s: %s; it goes on with its own", run.folder, text)


def _digest_of_base(options: FinetuningOptions) -> str:
    weights, _ = open_run(options.run).checkpoints.weights(options.checkpoint, "finetuning.checkpoint")
    return tensors_digest(weights)


def _begun_with(progress: Counters) -> str:
    known = progress.parts[-1].terms if progress.parts else {}
    return str(known.get(BEGUN_WITH, ""))
