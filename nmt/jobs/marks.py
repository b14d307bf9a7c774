"""What a comparison says of runs that were not trained as the others: who had less, and under which threads."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from nmt.errors import Unreadable, UserError
from nmt.evaluation.results import DifferenceRow, Finding, Row
from nmt.evaluation.translations import Evaluation
from nmt.jobs.spent import MEND, has_less, has_more, written
from nmt.jobs.terms import is_among
from nmt.run import CHANGES_BITS, NOT_THE_EXPERIMENT, Run, commit_of, difference
from nmt.schemas import MATCHED, CompareConfig, TrainConfig
from nmt.training.checkpoints.state import Counters
from nmt.training.selection import Selection
from nmt.training.sinks.jsonl import read_journal
from nmt.training.terms import FACTS, Terms
from nmt.training.trainer_options import BUDGETS


@dataclass(frozen=True)
class Trained:
    """A system under one seed, trained and translated with."""

    system: str
    seed: int
    run: Run
    config: TrainConfig  # as it was trained, whatever was asked for since
    progress: Counters
    evaluations: list[Evaluation]  # one a test set, in the order of all

    def fact(self, name: str) -> str:
        """Returns a fact of the machine, such as the threads in use; several where the run was resumed under others."""
        values = [str(part.terms[name]) for part in self.progress.parts if name in part.terms]
        return ", then ".join(dict.fromkeys(values)) or "not recorded"

    def commits(self) -> str:
        """Returns the commits of nmt that trained the run, in their order: it may have gone on under a later one."""
        events: list[dict[str, Any]] = []
        with suppress(Unreadable):  # nothing but a line of the report depends on it
            events = read_journal(self.run.folder)
        commits = [str(event["commit"]) for event in events if event["event"] == "start" and event.get("commit")]
        return ", then ".join(dict.fromkeys(commits)) or commit_of(self.run)


def check_budget(config: CompareConfig, system: str, trained: TrainConfig, progress: Counters) -> str:
    """Returns why a run has had less than what is matched: its patience; empty where it has had as much.

    Raises UserError for a run that had more, or less for no reason that it tells.
    """
    more = has_more(trained.trainer, progress)
    if more:
        raise UserError(f"{system}: {more}; {MEND}")
    less = has_less(trained.trainer, progress)
    if config.match == "none" or not less:
        return ""
    patience = trained.trainer.patience
    if not patience:
        raise UserError(f"{system}: its run has had only {less}; the same command goes on with it")
    return f"{less}, ended by trainer.patience={patience}"


def matched(config: CompareConfig, unmatched: dict[str, str]) -> str:
    """Says what all systems got the same amount of, and which got less."""
    text = MATCHED[config.match]
    if config.match != "none":
        text += f": {written(config.budget)} each"
    for system, reason in unmatched.items():
        text += f"; but {system} had less ({reason})"
    return text


def judged_only(fields: dict[str, Any], unmatched: dict[str, str]) -> dict[str, Any]:
    """Takes findings, tests and differences of systems that were not matched out of the fields of a comparison."""

    def is_judged(item: Finding | DifferenceRow) -> bool:
        return not {item.system, item.against} & unmatched.keys()

    rows: list[Row] = []
    for row in fields["rows"]:
        if {row.system, row.baseline} & unmatched.keys():
            row = replace(row, p_value=None)
        rows.append(row)
    findings = list(filter(is_judged, fields["findings"]))
    differences = list(filter(is_judged, fields["differences"]))
    return {**fields, "rows": rows, "findings": findings, "differences": differences}


def remarks(trained: Sequence[Trained]) -> list[str]:
    """Says which runs patience ended, and where results depend on the machine: runs that changed threads, precision or
    kernels, and systems that had unlike ones; and of which runs that is not known.
    """
    texts = []
    for member in trained:
        run = f"{member.system}, seed {member.seed}"
        end = _end_by_patience(member)
        if end:
            texts.append(f"{run}: {end}")
        texts += [f"{run}: {change}" for change in _changes(member)]
        if not all(part.terms for part in member.progress.parts) or not member.progress.parts:
            texts.append(f"{run}: its terms were not recorded when it was trained; only config.yaml could be checked")
    for name in FACTS:
        by_system: dict[str, str] = {}
        for member in trained:
            by_system.setdefault(member.system, member.fact(name))
        if len(set(by_system.values()) - {"not recorded"}) > 1:
            values = ", ".join(f"{system} {value}" for system, value in by_system.items())
            texts.append(f"{name} of the systems: {values}")
    return texts


def _end_by_patience(member: Trained) -> str:
    """Says at which step patience ended a run before its budget; empty where it did not."""
    options = member.config
    if not has_less(options.trainer, member.progress):
        return ""
    return Selection.of(options.trainer, options.optimizer).end(member.progress)


def _changes(member: Trained) -> list[str]:
    """Says from which update on a run had other threads, precision or kernels, or was compiled or sharded otherwise."""
    texts = []
    before: Terms = {}
    for part in member.progress.parts:
        for name, value in part.terms.items():
            is_fact = name in FACTS or is_among(name, CHANGES_BITS)
            if is_fact and name in before and before[name] != value:
                texts.append(f"{name} {value} from update {part.step + 1:,} on, {before[name]} before")
        before = part.terms
    return texts


def other_experiment(paper: TrainConfig, member: Trained) -> str:
    """Says in which option a run is not the experiment of a paper; empty where it was trained under its very terms."""
    experiment = asdict(paper)
    change = difference(experiment, asdict(member.config), NOT_THE_EXPERIMENT)
    if change:
        name, in_paper, in_run = change
        return f"{name}={in_run}, not {in_paper}"
    for part in member.progress.parts:
        for name, value in part.terms.items():
            group, _, option = name.partition(".")
            counts = option and name not in BUDGETS and not is_among(name, NOT_THE_EXPERIMENT)
            if counts and option in experiment[group] and experiment[group][option] != value:
                return f"{name}={value} from update {part.step + 1:,} on, not {experiment[group][option]}"
    return ""
