"""The runs of a comparison: planned, and looked at whole before the first of them is trained."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from nmt.config import Compositions
from nmt.decoding.translator import check_format
from nmt.errors import UserError
from nmt.evaluation.measures.tokenizers import check_usable
from nmt.jobs.beforehand import Beforehand, below_warmup, check_no_file, is_finished, lowest_there
from nmt.jobs.fairness import (
    Planned,
    check_fair,
    check_overrides,
    check_runs,
    check_test_sets,
    check_tokenizers,
)
from nmt.jobs.finetuning import settled
from nmt.jobs.located import of_typed
from nmt.override_errors import in_one_line
from nmt.schemas import COUNTED, CompareConfig, TrainConfig
from nmt.training.checkpoints.names import is_step
from nmt.training.precision import choose_device
from nmt.training.trainer_options import BUDGETS

log = logging.getLogger("nmt")


def checked_plan(config: CompareConfig) -> list[Planned]:
    """Lists what is to be trained, every system under every seed, once all of it can be. Writes nothing.

    Names are looked at first, then whether the comparison is fair, then what each run needs. Raises UserError with the
    system and the option in question.
    """
    check_format(config.decoding, choose_device(config.device))
    check_usable(config.evaluation.tokenize, "evaluation.tokenize")
    check_overrides(config)

    plan = list(_composed(config))
    runs = [Path(planned.config.run.dir) for planned in plan]
    for folder in runs:
        check_no_file(folder, "give another runs= or name=")
    plan = [replace(planned, config=of_typed(planned.config, runs)) for planned in plan]
    check_fair(config, plan)
    check_tokenizers(plan)
    check_runs(config, plan)

    beforehand = Beforehand()
    before: list[TrainConfig] = []
    test_sets = config.test_sets or plan[0].config.corpus.test_names()
    for planned in plan:
        with naming(planned.system):
            beforehand.check(planned.config, before, test_sets)
            _check_checkpoint(config.checkpoint, planned.config)
            if not is_finished(planned.config):
                _check_writable(Path(planned.config.run.dir))
        before.append(planned.config)
    _tell_short_budgets(config, plan)
    return plan


@contextmanager
def naming(system: str) -> Iterator[None]:
    """Names the system at the beginning of the message of whatever is wrong within the block."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"system {system}: {error}") from None
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        message = in_one_line(error)
        if not message:
            raise
        raise UserError(f"system {system}: {message}") from None


def _composed(config: CompareConfig) -> Iterator[Planned]:
    """Yields the runs of all systems and seeds. Raises UserError where one can't be composed.

    What all share, such as test sets, is looked at with the first; the experiments' names come before any run.
    """
    compositions = Compositions()
    for system, options in config.systems.items():
        with naming(system):
            compositions.check_choice("experiment", options.experiment)
    before: list[TrainConfig] = []  # a system may begin with the weights of one of these
    for system, options in config.systems.items():
        experiment = QuotedString(options.experiment, Quote.single).with_quotes()
        overrides = [f"+experiment={experiment}", f"device={config.device}", *config.overrides, *options.overrides]
        for seed in config.seeds:
            with naming(system):
                composed = compositions.train(overrides, _own_values(config, system, seed))
                if not before:
                    check_test_sets(config, composed)
                planned = settled(composed, before)
            before.append(planned)
            yield Planned(system, seed, planned)


def _own_values(config: CompareConfig, system: str, seed: int) -> dict[str, Any]:
    """Returns the options that the comparison itself sets, whatever the overrides say."""
    values: dict[str, Any] = {
        "run.name": f"{config.name}/{system}",
        "run.dir": str(Path(config.runs) / config.name / system / f"seed-{seed}"),
        "seed": seed,
        "resume": "auto",
    }
    if config.match == "none":
        return values
    for option in BUDGETS:
        values[option] = 0
    budget = config.budget
    if config.match in COUNTED:
        budget = round(budget)
    values[f"trainer.max_{config.match}"] = budget
    return values


def _check_checkpoint(checkpoint: str, config: TrainConfig) -> None:
    """Raises UserError for a step whose checkpoint a run will not have."""
    trainer = config.trainer
    if not is_step(checkpoint) or not trainer.max_steps:
        return
    step = int(checkpoint)
    if step > trainer.max_steps:
        raise UserError(f"checkpoint={checkpoint}: the run ends at update {trainer.max_steps}")
    if trainer.patience or trainer.max_epochs or trainer.max_tokens or trainer.max_minutes:
        return  # where it ends is not known
    last_regular = (trainer.max_steps - 1) // trainer.validate_every
    first = max(1, last_regular - trainer.keep_checkpoints + 2)
    kept = [number * trainer.validate_every for number in range(first, last_regular + 1)]
    kept.append(trainer.max_steps)
    if step not in kept:
        listed = ", ".join(map(str, kept))
        raise UserError(
            f"checkpoint={checkpoint}: the run will keep those of updates {listed}; trainer.keep_checkpoints and "
            "trainer.validate_every say which"
        )


def _check_writable(folder: Path) -> None:
    """Raises UserError where a folder can't be made or written."""
    place = lowest_there(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{place}: cannot be written; give another runs=")


def _tell_short_budgets(config: CompareConfig, plan: Sequence[Planned]) -> None:
    """Warns, once for all systems alike, of a budget that ends within the warm-up."""
    option = "" if config.match == "none" else "budget"
    systems: dict[str, list[str]] = {}
    for planned in plan:
        message = below_warmup(planned.config, {"max_steps": planned.config.trainer.max_steps}, option)
        if message:
            systems.setdefault(message, []).append(planned.system)
    for message, names in systems.items():
        first, *others = dict.fromkeys(names)
        more = f" and {len(others)} more" if others else ""
        log.warning("%s%s: %s", first, more, message)
