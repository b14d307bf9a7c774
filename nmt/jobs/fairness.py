"""What a comparison refuses before anything is trained: systems and runs under other terms than those that it tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from nmt.corpus.subwords.tokenizer import Tokenizer, TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.errors import UserError, nearest
from nmt.evaluation.measures.measure import Need, choosable, chosen_measures
from nmt.jobs.finetuning import has_base, other_base
from nmt.jobs.spent import MEND, UNITS, has_more, written
from nmt.jobs.terms import as_trained, is_among
from nmt.override_errors import one_line
from nmt.run import BASE, CHANGES_BITS, WATCHES, difference, has_begun
from nmt.schemas import CompareConfig, TrainConfig
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.names import is_step
from nmt.training.checkpoints.state import Counters
from nmt.training.journal import read_journal
from nmt.training.optim import FALLING
from nmt.training.terms import Part, Terms
from nmt.training.trainer_options import BUDGETS

# What a comparison says itself, and by which options.
ITS_OWN = {"seed": "seeds=[...]", "run": "name= and runs=", "resume": "nothing: a comparison goes on with its runs"}


@dataclass(frozen=True)
class Planned:
    """A system under one seed, before it is trained."""

    system: str
    seed: int
    config: TrainConfig


def check_overrides(config: CompareConfig) -> None:
    """Raises UserError for an override of what the comparison itself says: seed, run, budget."""
    lists = {"overrides": config.overrides}
    for system, options in config.systems.items():
        lists[f"systems.{system}.overrides"] = options.overrides
    parser = OverridesParser.create()
    for place, overrides in lists.items():
        try:
            parsed = parser.parse_overrides(list(overrides))
        except HydraException as error:
            raise UserError(f"{place}: {one_line(error)}") from None
        for override in parsed:
            for name in _names(override.key_or_group, override.value()):
                _check_override(config, f"{place}: {override.input_line}", name)


def _check_override(config: CompareConfig, place: str, name: str) -> None:
    if config.match != "none" and name in BUDGETS:
        budget = f"{written(config.budget)} {UNITS[config.match]}"
        raise UserError(f"{place}: every system gets budget={budget}; leave it out, or say match=none")
    for own, mend in ITS_OWN.items():
        if name == own or name.startswith(f"{own}."):
            raise UserError(f"{place}: the comparison says it for all; say {mend}")


def _names(key: str, value: Any) -> Iterator[str]:
    """Yields the full names of the options that an override sets."""
    if not isinstance(value, dict):
        yield key
        return
    for part, inner in value.items():
        yield from _names(f"{key}.{part}", inner)


def check_test_sets(config: CompareConfig, train_config: TrainConfig) -> None:
    """Raises UserError for a test set that the corpus hasn't, and for a measure that has nothing to see in one."""
    corpus = train_config.corpus
    known = corpus.test_names()
    if not known:
        raise UserError("corpus.tests: the corpus has no test set, and a comparison needs one")
    for name in config.test_sets:
        if name not in known:
            raise UserError(f"test_sets: no test set '{name}'; {nearest(name, known)}")
    for chosen in chosen_measures(config.evaluation.metrics):
        for name in config.test_sets or known:
            if Need.KNOWN_LINKS in chosen.needs and not corpus.knows_links(name):
                raise chosen.refusal(Need.KNOWN_LINKS, f"test set '{name}' has not; leave it out")


def check_fair(config: CompareConfig, plan: Sequence[Planned]) -> None:
    """Raises UserError for systems that can't be compared fairly."""
    first = plan[0]
    for other in plan:
        systems = f"systems {first.system} and {other.system}"
        for part in ("corpus", "cleaning", "tokenizer", "validation"):
            ours = _shared(getattr(first.config, part))
            theirs = _shared(getattr(other.config, part))
            if ours != theirs:
                change = difference(asdict(ours), asdict(theirs), frozenset(), part)
                name, one, another = change or (part, "", "")
                raise UserError(
                    f"{systems} differ in {part} ({name}={one} and {another}); a comparison needs one for all"
                )
        published = other.config.published
        if published.score and published.metric not in choosable():
            raise UserError(f"published.metric={published.metric}: {nearest(published.metric, choosable())}")
        if other.config.trainer.select_by != first.config.trainer.select_by:
            raise UserError(f"{systems} differ in trainer.select_by; a comparison needs one for all")


def _shared(options: Any) -> Any:
    """Leaves out what may be the very thing that is compared: how long the sentences are that a system is trained on,
    and how they are segmented there.
    """
    if isinstance(options, CleaningOptions):
        return replace(options, train_words=0)
    if isinstance(options, TokenizerOptions):
        return replace(options, sampling=0.0)
    return options


def check_runs(config: CompareConfig, plan: Sequence[Planned]) -> None:
    """Raises UserError for a run that is there and was trained, or would go on, under other terms than the plan's."""
    for planned in plan:
        folder = Path(planned.config.run.dir)
        progress = Checkpoints(folder / "checkpoints").progress()
        if progress is None:
            has_begun(planned.config)  # a folder that is somebody's is told before any system is trained
            continue
        trained = as_trained(folder, progress)
        fault = (
            _other_options(config, planned.config, trained, progress)
            or _other_terms(config, planned.config, progress)
            or other_base(planned.config, progress)
            or has_more(planned.config.trainer, progress)
            or _other_budget(config, planned.config, trained, progress)
        )
        if fault:
            raise UserError(f"{planned.system}, {folder}: {fault}; {MEND}")


def _other_options(config: CompareConfig, planned: TrainConfig, trained: TrainConfig, progress: Counters) -> str:
    """Says in which option a run's configuration is not the plan's; empty where it is in none that decides."""
    may_differ = WATCHES | CHANGES_BITS | frozenset(BUDGETS)
    if not _validation_decides(planned):
        may_differ |= {"validation"}
    has_moved = planned.finetuning.run != trained.finetuning.run
    if has_moved and has_base(planned.finetuning, progress):
        may_differ |= {BASE}
    change = difference(asdict(trained), asdict(planned), may_differ)
    averaged = (trained.trainer.keep_checkpoints, planned.trainer.keep_checkpoints)
    if not change and config.checkpoint == "average" and averaged[0] != averaged[1]:
        change = ("trainer.keep_checkpoints", *averaged)
    if not change:
        return ""
    name, old, new = change
    return f"its run was trained with {name}={old}, not {new}"


def _other_terms(config: CompareConfig, planned: TrainConfig, progress: Counters) -> str:
    """Says which updates were made under another option than the plan's; budgets are looked at by themselves."""
    wanted = asdict(planned)
    for part, end in _with_ends(progress):
        for name, value in part.terms.items():
            group, _, option = name.partition(".")
            is_option = bool(option) and option in wanted.get(group, {})
            if not is_option or name in BUDGETS or is_among(name, CHANGES_BITS):
                continue
            if group == "validation" and not _validation_decides(planned):
                continue
            new = wanted[group][option]
            if value != new:
                return f"its updates {part.step + 1} to {end} were made with {name}={value}, not {new}"
    return ""


def _validation_decides(config: TrainConfig) -> bool:
    """Whether what is measured in validation, besides the loss, decides anything: what is best, when a run ends, or
    what it does in its minutes.
    """
    return config.trainer.select_by != "loss" or config.trainer.max_minutes > 0


def _with_ends(progress: Counters) -> list[tuple[Part, int]]:
    """Returns each part of a run with its last update."""
    if not progress.parts:  # of an earlier version
        return []
    ends = [part.step for part in progress.parts[1:]] + [progress.step]
    return list(zip(progress.parts, ends, strict=True))


def _other_budget(config: CompareConfig, planned: TrainConfig, trained: TrainConfig, progress: Counters) -> str:
    """Says which updates were made for another budget, where that matters to them or to what is best."""
    wanted = _budgets(_flat_trainer(planned))
    parts = [(part.terms, end) for part, end in _with_ends(progress) if part.terms]
    if not parts:
        parts = [(_flat_trainer(trained), progress.step)]
    for terms, end in parts:
        own = _budgets(terms)
        if own == wanted:
            continue
        if planned.optimizer.schedule in FALLING:
            return (
                f"its first {end:,} updates were made for a budget of {_in_words(own)}, not {_in_words(wanted)}, and "
                f"optimizer.schedule={planned.optimizer.schedule} follows the budget"
            )
        if _selects(config, planned) and _was_judged_between(planned, end):
            return (
                f"its run was validated at update {end:,}, the end of a budget of {_in_words(own)}; under "
                f"{_in_words(wanted)} it would not have been"
            )
    return ""


def _selects(config: CompareConfig, planned: TrainConfig) -> bool:
    """Whether one validation more may change which weights are compared."""
    is_by_step = config.checkpoint == "last" or is_step(config.checkpoint)
    return not is_by_step or planned.trainer.patience > 0 or planned.optimizer.schedule == "plateau"


def _was_judged_between(planned: TrainConfig, step: int) -> bool:
    """Whether a run was validated after an update where its own rule asks for no validation."""
    if step % planned.trainer.validate_every == 0:
        return False
    events = read_journal(Path(planned.run.dir))
    return any(event["event"] == "valid" and event["step"] == step for event in events)


def _flat_trainer(config: TrainConfig) -> Terms:
    return {f"trainer.{name}": value for name, value in asdict(config.trainer).items()}


def _budgets(terms: Terms) -> Terms:
    """Returns the budgets that are set."""
    return {name: terms[name] for name in BUDGETS if terms.get(name)}


def _in_words(budgets: Terms) -> str:
    return ", ".join(f"{name}={value}" for name, value in budgets.items())


def check_tokenizers(plan: Sequence[Planned]) -> None:
    """Raises UserError where tokenizers that are there already are not one: of runs that have begun, and of runs to
    begin with.
    """
    known: dict[str, str] = {}
    for planned in plan:
        folder = Path(planned.config.run.dir) / "tokenizer"
        base = planned.config.finetuning
        if not folder.exists() and base.run and base.vocabulary == "keep":
            folder = Path(base.run) / "tokenizer"
        if folder.exists():
            known.setdefault(planned.system, Tokenizer.load(folder).digest)
    check_one_tokenizer(known)


def check_one_tokenizer(digests: dict[str, str]) -> None:
    """Raises UserError where systems have unlike tokenizers, whatever their configurations say."""
    systems = list(digests)
    for other in systems[1:]:
        if digests[other] != digests[systems[0]]:
            raise UserError(
                f"systems {systems[0]} and {other} differ in tokenizer (not in its options, but in its pieces); "
                "a comparison needs one for all"
            )
