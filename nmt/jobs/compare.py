"""Every system of a comparison trained and translated under the same terms; the results gathered."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from nmt.config import compose_train, flat
from nmt.corpus.text.tags import tags_apart
from nmt.corpus.text.writing import Writing
from nmt.errors import UserError
from nmt.evaluation.buckets import make_buckets
from nmt.evaluation.capacity import capacities
from nmt.evaluation.comparison import compare_test_set, merged
from nmt.evaluation.measures.measure import measure_infos
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
from nmt.evaluation.translations import Evaluations
from nmt.evaluation.translations_folder import write_scores
from nmt.jobs.evaluate import evaluate_run
from nmt.jobs.fairness import Planned, check_one_tokenizer
from nmt.jobs.marks import Trained, check_budget, judged_only, matched, other_experiment, remarks
from nmt.jobs.plan import checked_plan
from nmt.jobs.terms import as_trained
from nmt.jobs.train import train_run
from nmt.run import commit_of, git_commit, machine
from nmt.schemas import CompareConfig, TrainConfig
from nmt.training.journal import read_journal
from nmt.training.precision import choose_device
from nmt.training.ranks import Ranks, join_ranks, own_device
from nmt.training.terms import FACTS

log = logging.getLogger("nmt")


def compare_systems(config: CompareConfig, command: str) -> tuple[Comparison, Path] | None:
    """Trains or reuses all runs, translates all test sets, and scores them. Returns the comparison and its folder.

    ``command`` is what the user typed, for the record. Of several processes that torchrun started, all train, and the
    first does the rest; the others return None. Raises UserError, before anything is written, for a comparison that
    would not be fair, or of which a part can't be done.
    """
    plan = checked_plan(config)
    _announce_buckets(config, plan[0].config)

    minutes = max(planned.config.trainer.timeout_minutes for planned in plan)
    with join_ranks(own_device(choose_device(config.device)), minutes) as ranks:
        trained = _train_all(config, plan, ranks)
        if not ranks.first:
            return None

    comparison = _gather(config, command, trained)
    for remark in comparison.remarks:
        log.warning("%s", remark)
    for member in trained:
        for evaluation in member.evaluations:
            wanted = (member.system, str(member.seed), evaluation.test_set)
            rows = [row for row in comparison.rows if (row.system, row.seed, row.test_set) == wanted]
            write_scores(evaluation, rows, config.evaluation)
    return comparison, Path(config.runs) / config.name


def _announce_buckets(config: CompareConfig, train_config: TrainConfig) -> None:
    """Logs how many sentences each bucket of each test set holds, before any system is trained or scored.

    Raises UserError for a test set without sentences.
    """
    for name in config.test_sets or train_config.corpus.test_names():
        pairs = tags_apart(train_config.corpus.read(name), train_config.tokenizer.symbols)
        sources = [pair.source for pair in pairs]
        if not sources:
            raise UserError(f"corpus.tests: test set '{name}' is empty; nothing can be scored")
        unit = Writing.of(sources).unit
        buckets = make_buckets(unit.lengths(sources), config.evaluation.bucket_bounds)
        counts = ", ".join(f"{bucket.label} {len(bucket.sentences)}" for bucket in buckets)
        log.info("%s, by source %s: %s", name, unit, counts)


def _train_all(config: CompareConfig, plan: Sequence[Planned], ranks: Ranks) -> list[Trained]:
    """Trains every run with all processes; the first process translates with it, the others return an empty list."""
    trained: list[Trained] = []
    digests: dict[str, str] = {}
    for number, planned in enumerate(plan, 1):
        log.info("[%d/%d] %s, seed %d", number, len(plan), planned.system, planned.seed)
        run, progress = train_run(planned.config, ranks)
        if not ranks.first:
            continue
        digests.setdefault(planned.system, run.tokenizer.digest)
        check_one_tokenizer(digests)
        config_trained = as_trained(run.folder, progress)
        check_budget(config, planned.system, config_trained, progress)
        shown = config.evaluation.shown_sentences
        evaluations = evaluate_run(run, config.test_sets, config.checkpoint, config.decoding, shown, config.device)
        trained.append(Trained(planned.system, planned.seed, run, config_trained, progress, evaluations))
    return trained


def _gather(config: CompareConfig, command: str, trained: Sequence[Trained]) -> Comparison:
    """Scores every test set, and puts together all that a report sees."""
    evaluated = {(member.system, member.seed): member.evaluations for member in trained}
    test_sets = Evaluations.by_test_set(evaluated)
    parts = [compare_test_set(test_set, config.baseline, config.evaluation) for test_set in test_sets]
    unmatched = _unmatched(config, trained)
    fields = judged_only(merged(parts), unmatched)
    rows = fields["rows"]
    runs = [_run_info(member) for member in trained]
    firsts = _first_seeds(trained)
    return Comparison(
        name=config.name,
        baseline=config.baseline,
        systems=list(config.systems),
        matched=matched(config, unmatched),
        unmatched=unmatched,
        remarks=remarks(trained),
        metrics=list(config.evaluation.metrics),
        confidence=config.evaluation.confidence,
        min_sentences=config.evaluation.min_sentences,
        resamples=config.evaluation.resamples,
        measures=measure_infos(),
        runs=runs,
        published=_published(config, trained, rows),
        costs=_costs(config, firsts),
        capacities=_capacities(firsts, rows, fields["buckets"], runs),
        provenance=_provenance(config, command, trained),
        options={member.system: flat(asdict(member.config)) for member in firsts},
        **fields,
    )


def _unmatched(config: CompareConfig, trained: Sequence[Trained]) -> dict[str, str]:
    """Returns the systems one of whose runs had less than what is matched, and why."""
    reasons: dict[str, str] = {}
    for member in trained:
        reason = check_budget(config, member.system, member.config, member.progress)
        if reason:
            reasons.setdefault(member.system, reason)
    return reasons


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
        "trained with": _machines(trained),
        "machine": machine(),
        "search": f"beam {search.beam_size}, length penalty {search.length_penalty}, {search.precision}",
        "significance": f"approximate randomisation, {config.evaluation.resamples} resamples, Holm over buckets",
    }


def _machines(trained: Sequence[Trained]) -> str:
    """Says what the bits of the weights depend on besides options, for all systems or for those that are alike."""
    systems: dict[str, list[str]] = {}
    for member in _first_seeds(trained):
        facts = ", ".join(f"{name} {member.fact(name)}" for name in FACTS)
        systems.setdefault(facts, []).append(member.system)
    if len(systems) == 1:
        return next(iter(systems))
    return "; ".join(f"{', '.join(names)}: {facts}" for facts, names in systems.items())


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


def _published(config: CompareConfig, trained: Sequence[Trained], rows: Sequence[Row]) -> list[Published]:
    """Sets the scores of the experiments' papers, where they give one, beside ours.

    Only a system all of whose runs were trained under the paper's own terms is judged.
    """
    seed = ALL_SEEDS if len(config.seeds) > 1 else str(config.seeds[0])
    rows_of_seed = [row for row in rows if row.seed == seed]
    search = flat({"decoding": asdict(config.decoding), "checkpoint": config.checkpoint})
    verdicts = []
    for first in _first_seeds(trained):
        published = first.run.config.published
        if not published.score:
            continue
        paper = compose_train([f"+experiment={config.systems[first.system].experiment}"])
        reasons = [other_experiment(paper, member) for member in trained if member.system == first.system]
        reasons.append(other_search(published, search))
        reason = next(filter(None, reasons), "")
        verdicts.append(judge(published, first.system, rows_of_seed, reason))
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
    precision = start["precision"]
    if progress.parts and progress.parts[0].terms:
        precision = member.fact("precision")
    return RunInfo(
        system=member.system,
        seed=str(member.seed),
        parameters=start["parameters"],
        steps=progress.step,
        tokens=progress.tokens,
        seconds=progress.seconds,
        tokens_per_second=speed,
        best_step=progress.best_step,
        precision=precision,
        decoding_seconds=sum(evaluation.seconds for evaluation in member.evaluations),
        folder=str(member.run.folder),
        threads=member.fact("threads"),
        kernels=member.fact("kernels"),
        context=start.get("context"),
        curve=curve,
    )
