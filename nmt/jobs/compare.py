"""Every system of a comparison trained and translated under the same terms; the results gathered."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nmt.config import compose_train, flat
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.corpus.text.writing import Writing
from nmt.errors import UserError, nearest
from nmt.evaluation.buckets import make_buckets
from nmt.evaluation.capacity import capacities
from nmt.evaluation.comparison import compare_test_set, merged
from nmt.evaluation.measures.measure import Need, choosable, chosen_measures, measure_infos
from nmt.evaluation.measures.tokenizers import check_usable
from nmt.evaluation.probes.cost import measure
from nmt.evaluation.published import judge, other_search
from nmt.evaluation.results import (
    ALL_SEEDS,
    BucketInfo,
    CapacityRow,
    Comparison,
    CostRow,
    Published,
    Row,
    RunInfo,
)
from nmt.evaluation.translations import Evaluation, Evaluations
from nmt.evaluation.translations_folder import write_scores
from nmt.jobs.evaluate import evaluate_run
from nmt.jobs.train import train_run
from nmt.run import NOT_THE_EXPERIMENT, Run, commit_of, difference, git_commit, machine
from nmt.schemas import MATCHED, CompareConfig, TrainConfig
from nmt.training.checkpoints.state import Counters
from nmt.training.journal import read_journal
from nmt.training.precision import choose_device
from nmt.training.ranks import Ranks, join_ranks, own_device

log = logging.getLogger("nmt")


@dataclass(frozen=True)
class Planned:
    """A system under one seed, before it is trained."""

    system: str
    seed: int
    config: TrainConfig


@dataclass(frozen=True)
class Trained:
    """A system under one seed, trained and translated with."""

    system: str
    seed: int
    run: Run
    progress: Counters
    evaluations: list[Evaluation]  # one a test set, in the order of all


def compare_systems(config: CompareConfig, command: str) -> tuple[Comparison, Path] | None:
    """Trains or reuses all runs, translates all test sets, and scores them. Returns the comparison and its folder.

    ``command`` is what the user typed, for the record. Of several processes that torchrun started, all train, and the
    first does the rest; the others return None. Raises UserError, before anything is trained, for a comparison that
    would not be fair.
    """
    plan = _plan(config)
    _check_fair(config, plan)
    _announce_buckets(config, plan[0].config)

    minutes = max(planned.config.trainer.timeout_minutes for planned in plan)
    with join_ranks(own_device(choose_device(config.device)), minutes) as ranks:
        trained = _train_all(config, plan, ranks)
        if not ranks.first:
            return None

    comparison = _gather(config, command, trained)
    for member in trained:
        for evaluation in member.evaluations:
            wanted = (member.system, str(member.seed), evaluation.test_set)
            rows = [row for row in comparison.rows if (row.system, row.seed, row.test_set) == wanted]
            write_scores(member.run.folder / "evaluations" / evaluation.test_set, evaluation, rows, config.evaluation)
    return comparison, Path(config.runs) / config.name


def _plan(config: CompareConfig) -> list[Planned]:
    """Lists what is to be trained: every system under every seed."""
    plan = []
    for system in config.systems:
        for seed in config.seeds:
            plan.append(Planned(system, seed, _train_config(config, system, seed)))
    return plan


def _train_config(config: CompareConfig, system: str, seed: int) -> TrainConfig:
    options = config.systems[system]
    folder = Path(config.runs) / config.name / system / f"seed-{seed}"
    overrides = [
        f"+experiment={options.experiment}",
        f"run.name={config.name}/{system}",
        f"run.dir={folder}",
        f"seed={seed}",
        f"device={config.device}",
    ]
    if config.match != "none":
        budget = round(config.budget) if config.match in ("tokens", "steps") else config.budget
        for name in ("minutes", "tokens", "steps", "epochs"):
            amount = budget if name == config.match else 0
            overrides.append(f"trainer.max_{name}={amount}")
    return compose_train(overrides + config.overrides + options.overrides)


def _check_fair(config: CompareConfig, plan: Sequence[Planned]) -> None:
    """Raises UserError for systems that can't be compared fairly, and for a test set that the corpus hasn't."""
    first = plan[0]
    check_usable(config.evaluation.tokenize, "evaluation.tokenize")
    for other in plan:
        systems = f"systems {first.system} and {other.system}"
        for part in ("corpus", "cleaning", "tokenizer", "validation"):
            if _shared(getattr(other.config, part)) != _shared(getattr(first.config, part)):
                raise UserError(f"{systems} differ in {part}; a comparison needs one for all")
        published = other.config.published
        if published.score and published.metric not in choosable():
            raise UserError(f"published.metric={published.metric}: {nearest(published.metric, choosable())}")
        if other.config.trainer.select_by != first.config.trainer.select_by:
            raise UserError(f"{systems} differ in trainer.select_by; a comparison needs one for all")
    known = first.config.corpus.test_names()
    if not known:
        raise UserError("corpus.tests: the corpus has no test set, and a comparison needs one")
    for name in config.test_sets:
        if name not in known:
            raise UserError(f"test_sets: no test set '{name}'; {nearest(name, known)}")
    for chosen in chosen_measures(config.evaluation.metrics):
        for name in config.test_sets or known:
            if Need.KNOWN_LINKS in chosen.needs and not first.config.corpus.knows_links(name):
                raise chosen.refusal(Need.KNOWN_LINKS, f"test set '{name}' has not; leave it out")


def _shared(options: object) -> object:
    """Leaves out what may be the very thing that is compared: how long the sentences are that a system is trained on,
    and how they are segmented there.
    """
    if isinstance(options, CleaningOptions):
        return replace(options, train_words=0)
    if isinstance(options, TokenizerOptions):
        return replace(options, sampling=0.0)
    return options


def _announce_buckets(config: CompareConfig, train_config: TrainConfig) -> None:
    """Logs how many sentences each bucket of each test set holds, before any system is trained or scored.

    Raises UserError for a test set without sentences.
    """
    for name in config.test_sets or train_config.corpus.test_names():
        sources = [pair.source for pair in train_config.corpus.read(name)]
        if not sources:
            raise UserError(f"corpus.tests: test set '{name}' is empty; nothing can be scored")
        unit = Writing.of(sources).unit
        buckets = make_buckets(unit.lengths(sources), config.evaluation.bucket_bounds)
        counts = ", ".join(f"{bucket.label} {len(bucket.sentences)}" for bucket in buckets)
        log.info("%s, by source %s: %s", name, unit, counts)


def _train_all(config: CompareConfig, plan: Sequence[Planned], ranks: Ranks) -> list[Trained]:
    """Trains every run with all processes; the first process translates with it, the others return an empty list."""
    trained = []
    for number, planned in enumerate(plan, 1):
        log.info("[%d/%d] %s, seed %d", number, len(plan), planned.system, planned.seed)
        run, progress = train_run(planned.config, ranks)
        if not ranks.first:
            continue
        _check_spent(config, planned.system, progress)
        shown = config.evaluation.shown_sentences
        evaluations = evaluate_run(run, config.test_sets, config.checkpoint, config.decoding, shown, config.device)
        trained.append(Trained(planned.system, planned.seed, run, progress, evaluations))
    return trained


def _check_spent(config: CompareConfig, system: str, progress: Counters) -> None:
    """Raises UserError for a run that was trained for longer before: it has had more than this comparison matches."""
    if config.match == "none":
        return
    amounts = {
        "minutes": progress.seconds / 60,
        "tokens": progress.tokens,
        "steps": progress.step,
        "epochs": progress.position.epoch,
    }
    spent = amounts[config.match]
    slack = 3.0 if config.match == "minutes" else 0.1 * config.budget  # the last validation, the last batch
    if spent > config.budget + slack:
        raise UserError(
            f"{system}: its run has had {spent:.1f} {config.match}, more than budget={config.budget:g}; "
            "give the comparison another name, or delete the run"
        )


def _gather(config: CompareConfig, command: str, trained: Sequence[Trained]) -> Comparison:
    """Scores every test set, and puts together all that a report sees."""
    evaluated = {(member.system, member.seed): member.evaluations for member in trained}
    test_sets = Evaluations.by_test_set(evaluated)
    parts = [compare_test_set(test_set, config.baseline, config.evaluation) for test_set in test_sets]
    fields = merged(parts)
    rows = fields["rows"]
    runs = [_run_info(member) for member in trained]
    firsts = _first_seeds(trained)
    budget = "" if config.match == "none" else f": {config.budget:,.15g} each"
    return Comparison(
        name=config.name,
        baseline=config.baseline,
        systems=list(config.systems),
        matched=MATCHED[config.match] + budget,
        metrics=list(config.evaluation.metrics),
        confidence=config.evaluation.confidence,
        min_sentences=config.evaluation.min_sentences,
        resamples=config.evaluation.resamples,
        measures=measure_infos(),
        runs=runs,
        published=_published(config, firsts, rows),
        costs=_costs(config, firsts),
        capacities=_capacities(firsts, rows, fields["buckets"], runs),
        provenance=_provenance(config, command, trained),
        options={member.system: flat(asdict(member.run.config)) for member in firsts},
        **fields,
    )


def _first_seeds(trained: Sequence[Trained]) -> list[Trained]:
    """Returns each system once, under its first seed."""
    firsts: dict[str, Trained] = {}
    for member in trained:
        firsts.setdefault(member.system, member)
    return list(firsts.values())


def _provenance(config: CompareConfig, command: str, trained: Sequence[Trained]) -> dict[str, str]:
    """Says how the comparison was made."""
    commits = [f"{member.system} {commit_of(member.run)}" for member in trained]
    search = config.decoding
    return {
        "command": command,
        "scored at commit": git_commit() or "not in a git checkout",
        "trained at commit": ", ".join(commits),
        "machine": machine(),
        "search": f"beam {search.beam_size}, length penalty {search.length_penalty}, {search.precision}",
        "significance": f"approximate randomisation, {config.evaluation.resamples} resamples, Holm over buckets",
    }


def _capacities(
    firsts: Sequence[Trained],
    rows: Sequence[Row],
    buckets: Mapping[str, Sequence[BucketInfo]],
    runs: Sequence[RunInfo],
) -> list[CapacityRow]:
    """Measures capacity for generated tasks only: there, a wrong word is one that was not held."""
    if not firsts[0].run.config.corpus.measures_capacity:
        return []
    contexts = {run.system: run.context for run in runs}
    return capacities(rows, buckets, contexts)


def _costs(config: CompareConfig, firsts: Sequence[Trained]) -> list[CostRow]:
    """Measures the time that every system's first seed takes, all in one run."""
    lengths = config.evaluation.cost_lengths
    if not lengths:
        return []
    device = choose_device(config.device)
    log.info("measuring time at lengths %s", ", ".join(map(str, lengths)))
    models = {}
    for member in firsts:
        model, _ = member.run.model(config.checkpoint, device)
        models[member.system] = model
    return measure(models, lengths)


def _published(config: CompareConfig, firsts: Sequence[Trained], rows: Sequence[Row]) -> list[Published]:
    """Sets the scores of the experiments' papers, where they give one, beside ours."""
    seed = ALL_SEEDS if len(config.seeds) > 1 else str(config.seeds[0])
    rows_of_seed = [row for row in rows if row.seed == seed]
    search = flat({"decoding": asdict(config.decoding), "checkpoint": config.checkpoint})
    verdicts = []
    for member in firsts:
        ours = member.run.config
        paper = compose_train([f"+experiment={config.systems[member.system].experiment}"])
        change = difference(asdict(paper), asdict(ours), NOT_THE_EXPERIMENT)
        if change:
            name, in_paper, in_run = change
            reason = f"{name}={in_run}, not {in_paper}"
        else:
            reason = other_search(ours.published, search)
        verdicts.append(judge(ours.published, member.system, rows_of_seed, reason))
    return [published for published in verdicts if published]


def _run_info(member: Trained) -> RunInfo:
    """Puts together what the journal and the checkpoint say of a run."""
    progress = member.progress
    events = read_journal(member.run.folder)
    start = next(event for event in events if event["event"] == "start")
    curve = []
    for event in events:
        if event["event"] == "valid":
            names = [name for name in ("step", "seconds", "tokens", "loss", "bleu") if event.get(name) is not None]
            curve.append({name: event[name] for name in names})
    speeds = sorted(event["tokens_per_second"] for event in events if event["event"] == "train")
    speed_overall = progress.tokens / max(progress.seconds, 1e-9)  # where the run was too short for a report
    speed = speeds[len(speeds) // 2] if speeds else speed_overall
    return RunInfo(
        system=member.system,
        seed=str(member.seed),
        parameters=start["parameters"],
        steps=progress.step,
        tokens=progress.tokens,
        seconds=progress.seconds,
        tokens_per_second=speed,
        best_step=progress.best_step,
        precision=start["precision"],
        decoding_seconds=sum(evaluation.seconds for evaluation in member.evaluations),
        folder=str(member.run.folder),
        context=start.get("context"),
        curve=curve,
    )
