"""Every system of a comparison trained and translated under the same terms; the results gathered."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from nmt.config import compose_train, flat
from nmt.corpus.pair import Pair
from nmt.corpus.text.tags import as_read
from nmt.corpus.text.writing import Writing
from nmt.errors import Absent, UserError
from nmt.evaluation.buckets import make_buckets
from nmt.evaluation.capacity import capacities
from nmt.evaluation.comparison import compare_test_set, merged
from nmt.evaluation.held import held_pairs
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
from nmt.jobs.located import telling_where
from nmt.jobs.marks import Trained, check_budget, judged_only, matched, other_experiment, remarks
from nmt.jobs.plan import checked_plan
from nmt.jobs.run_info import run_info
from nmt.jobs.terms import as_trained
from nmt.jobs.train import finished_without_text, train_run
from nmt.messages import keep_messages
from nmt.progress import phase
from nmt.run import git_commit, machine
from nmt.schemas import CompareConfig
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
    with phase("checking every system of the comparison"):
        plan = checked_plan(config)
    _announce_buckets(config, plan)

    minutes = max(planned.config.trainer.timeout_minutes for planned in plan)
    with join_ranks(own_device(choose_device(config.device)), minutes) as ranks:
        if ranks.first:
            keep_messages(Path(config.runs) / config.name)
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


def _announce_buckets(config: CompareConfig, plan: Sequence[Planned]) -> None:
    """Logs how many sentences each bucket of each test set holds, before any system is trained or scored.

    Raises UserError for a test set without sentences.
    """
    for name in config.test_sets or plan[0].config.corpus.test_names():
        with phase(f"reading test set {name}"):
            sources = [pair.source for pair in _pairs(name, plan)]
        if not sources:
            raise UserError(f"corpus.tests: test set '{name}' is empty; nothing can be scored")
        unit = Writing.of(sources).unit
        buckets = make_buckets(unit.lengths(sources), config.evaluation.bucket_bounds)
        counts = ", ".join(f"{bucket.label} {len(bucket.sentences)}" for bucket in buckets)
        log.info("%s, by source %s: %s", name, unit, counts)


def _pairs(name: str, plan: Sequence[Planned]) -> list[Pair]:
    """Reads a test set, from the first run that holds it where its files are not here."""
    config = plan[0].config
    folders = [Path(planned.config.run.dir) for planned in plan]
    with telling_where(folders[0]):
        try:
            return list(as_read(config.corpus.read(name), config.tokenizer))
        except Absent:
            for folder in folders:
                held = held_pairs(folder / "evaluations" / name)
                if held:
                    return held[0]
            raise


def _train_all(config: CompareConfig, plan: Sequence[Planned], ranks: Ranks) -> list[Trained]:
    """Trains every run with all processes; the first process translates with it, the others return an empty list."""
    trained: list[Trained] = []
    digests: dict[str, str] = {}
    for number, planned in enumerate(plan, 1):
        log.info("[%d/%d] %s, seed %d", number, len(plan), planned.system, planned.seed)
        run, progress = finished_without_text(planned.config, ranks) or train_run(planned.config, ranks)
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
    parts = []
    for test_set in test_sets:
        with phase(f"{test_set.test_set}: scores, bands and paired tests"):
            parts.append(compare_test_set(test_set, config.baseline, config.evaluation))
    unmatched = _unmatched(config, trained)
    fields = judged_only(merged(parts), unmatched)
    rows = fields["rows"]
    runs = [run_info(member) for member in trained]
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
    commits = [f"{member.system} {member.commits()}" for member in trained]
    search = config.decoding
    return {
        "command": command,
        "scored at commit": git_commit() or "not in a git checkout",
        "trained at commit": ", ".join(dict.fromkeys(commits)),  # of several seeds each once
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
