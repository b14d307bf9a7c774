"""Under which terms a run is trained, what of them changed where it goes on, and what a finished run keeps."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from nmt.config import load_train
from nmt.jobs.located import as_saved, beside_saved, trained_in
from nmt.kernels.process import kernels_in_use
from nmt.run import BASE, MAY_CHANGE, WATCHES, Run, differences, record_config
from nmt.schemas import TrainConfig
from nmt.training.checkpoints.state import Counters
from nmt.training.precision import Precision
from nmt.training.ranks import Ranks
from nmt.training.terms import FACTS, Terms
from nmt.training.trainer_options import BUDGETS

log = logging.getLogger("nmt")

PLACES = frozenset({"run", "device", "resume", "cache"})  # where a run is: no part of what it was trained with


def terms_of(config: TrainConfig, precision: Precision, ranks: Ranks) -> Terms:
    """Returns what may change when the run goes on and changes its weights: options, and facts of this machine."""
    terms: Terms = {}
    _add_terms(terms, asdict(config), "")
    terms["threads"] = torch.get_num_threads()
    terms["processes"] = ranks.count
    terms["precision"] = precision.name
    terms["torch"] = torch.__version__
    terms["kernels"] = kernels_in_use(precision.device)
    return terms


def _add_terms(terms: Terms, options: dict[str, Any], prefix: str) -> None:
    for name, value in options.items():
        full_name = prefix + name
        if full_name in WATCHES:
            continue
        if isinstance(value, dict):
            _add_terms(terms, value, f"{full_name}.")
        elif is_among(full_name, MAY_CHANGE):
            terms[full_name] = value


def is_among(name: str, options: frozenset[str]) -> bool:
    """Whether an option is one of these, or in one of the groups among them."""
    return name in options or name.partition(".")[0] in options


def as_trained(folder: Path, progress: Counters) -> TrainConfig:
    """Reads the configuration that a run was last trained under, as its checkpoint vouches for it.

    ``config.yaml`` alone may be of a start that never came to a checkpoint.
    """
    config = load_train(folder / "config.yaml")
    if progress.parts:
        for name, value in progress.parts[-1].terms.items():
            group, _, option = name.partition(".")
            options = getattr(config, group, None)
            if hasattr(options, option):
                setattr(options, option, value)
    return config


def changes(run: Run, terms: Terms) -> dict[str, list[Any]]:
    """Returns what is not as it was when the run was last trained: old and new value, by name.

    Empty for a run without a checkpoint.
    """
    progress = run.checkpoints.progress()
    if progress is None:
        return {}
    if not progress.parts:
        log.warning("%s: under which terms its %d updates were made is not recorded", run.folder, progress.step)
    changed = {}
    trained = as_trained(run.folder, progress)
    config = as_saved(run.config, run.folder)
    for name, old, new in differences(asdict(trained), asdict(config), frozenset({"resume"})):
        changed[name] = [old, new]
    if progress.parts:
        last = progress.parts[-1].terms
        for name, new in terms.items():
            if name in last and last[name] != new:
                changed[name] = [last[name], new]
    return changed


def tell_changes(changed: dict[str, list[Any]], step: int, is_falling: bool) -> None:
    """Logs what changes the weights from this step on; a budget does where the schedule falls until its end."""
    texts = []
    for name, (old, new) in changed.items():
        only_watches = is_among(name, WATCHES | {BASE}) and name not in FACTS
        if name in BUDGETS:
            only_watches = not is_falling
        if not only_watches:
            texts.append(f"{name}={new}, not {old}")
    if texts:
        log.warning(
            "from step %d on with %s: the weights are not, bit for bit, those of one run", step, "; ".join(texts)
        )


def keep_trained(run: Run) -> None:
    """Sees to it that a run that is not trained any more has the configuration that it was trained under in its folder,
    and logs in which options that is not what it was asked for. Test sets are those that it was asked for.
    """
    progress = run.checkpoints.progress()
    if progress is None:
        return
    trained = as_trained(run.folder, progress)
    config = as_saved(run.config, run.folder)
    tests: dict[str, Any] = {}
    if type(trained.corpus) is type(config.corpus):
        for name in config.corpus.OF_TESTS:
            if getattr(config.corpus, name) != getattr(trained.corpus, name):
                asked_for = beside_saved(config.corpus, run.folder)
                setattr(trained.corpus, name, getattr(asked_for, name))
            tests[name] = getattr(trained.corpus, name)
        config = replace(config, corpus=replace(config.corpus, **tests))
    if trained != load_train(run.folder / "config.yaml"):
        record_config(replace(run, config=trained), trained_in(run.folder))
    own = []
    asked = []
    for name, old, new in differences(asdict(trained), asdict(config), PLACES):
        own.append(f"{name}={old}")
        asked.append(f"{name}={new}")
    if own:
        log.info(
            "%s: its run has %s; %s would change nothing: it is trained",
            run.folder,
            ", ".join(own),
            ", ".join(asked),
        )
