"""Every system of a comparison trained and translated under the same terms; the results gathered."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path

from nmt import config as configuration
from nmt.config import CompareConfig, TrainConfig
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.errors import UserError, check_name, nearest
from nmt.evaluation.capacity import capacities
from nmt.evaluation.findings import find
from nmt.evaluation.probes.cost import measure
from nmt.evaluation.published import judge, other_search
from nmt.evaluation.results import (
    ALL_SEEDS,
    CapacityRow,
    Comparison,
    CostRow,
    DifferenceRow,
    Finding,
    GradientMap,
    PlaceRow,
    Published,
    Row,
    RunInfo,
    SentenceSet,
)
from nmt.evaluation.scores import METRICS, make_buckets, make_metrics
from nmt.evaluation.table import compare_on, gradient_rows, recall_by_place, sentence_set
from nmt.evaluation.translations import Evaluation, write_scores
from nmt.jobs.train import evaluate_run, train_run
from nmt.run import SAME_EXPERIMENT, Run, commit_of, difference, git_commit, machine
from nmt.training.checkpoints.folder import NAMED
from nmt.training.checkpoints.state import Counters
from nmt.training.journal import read_journal
from nmt.training.precision import choose_device
from nmt.training.ranks import Ranks, join_ranks, own_device

log = logging.getLogger("nmt")

MATCHED = {
    "minutes": "wall-clock minutes of training",
    "tokens": "target tokens seen",
    "steps": "updates",
    "epochs": "passes over the training text",
    "none": "nothing but corpus, tokenizer and selection rule: each system has its own budget",
}


def compare_systems(config: CompareConfig, command: str) -> tuple[Comparison, Path] | None:
    """Trains or reuses all runs, translates all test sets, and scores them. Returns the comparison and its folder.

    ``command`` is what the user typed, for the record. Of several processes that torchrun started, all train, and the
    first does the rest; the others return None.
    """
    for system in config.systems:
        check_name(system, "systems")
    check_name(config.name, "name")
    configs = {
        (system, seed): _train_config(config, system, seed) for system in config.systems for seed in config.seeds
    }
    _check(config, configs)
    _freeze_buckets(config, next(iter(configs.values())))
    minutes = max(train_config.trainer.timeout_minutes for train_config in configs.values())
    with join_ranks(own_device(choose_device(config.device)), minutes) as ranks:
        return _compare(config, command, configs, ranks)


def _compare(
    config: CompareConfig, command: str, configs: dict[tuple[str, int], TrainConfig], ranks: Ranks
) -> tuple[Comparison, Path] | None:
    folder = Path(config.runs) / config.name
    shown = config.evaluation.shown_sentences
    trained: dict[tuple[str, int], tuple[Run, Counters]] = {}
    evaluated: dict[tuple[str, int], list[Evaluation]] = {}
    for number, ((system, seed), train_config) in enumerate(configs.items(), 1):
        log.info("[%d/%d] %s, seed %d", number, len(configs), system, seed)
        run, progress = train_run(train_config, ranks)
        if not ranks.first:
            continue
        _check_spent(config, system, progress)
        trained[system, seed] = run, progress
        evaluated[system, seed] = evaluate_run(
            run, config.test_sets, config.checkpoint, config.decoding, shown, config.device
        )
    if not ranks.first:
        return None
    comparison = _gather(config, command, trained, evaluated)
    for (system, seed), (run, _) in trained.items():
        for test_set in comparison.test_sets:
            wanted = (system, str(seed), test_set)
            rows = [row for row in comparison.rows if (row.system, row.seed, row.test_set) == wanted]
            write_scores(run.folder / "evaluations" / test_set, rows, config.evaluation)
    return comparison, folder


def _train_config(config: CompareConfig, system: str, seed: int) -> TrainConfig:
    options = config.systems[system]
    overrides = [
        f"+experiment={options.experiment}",
        f"run.name={config.name}/{system}",
        f"run.dir={Path(config.runs) / config.name / system / f'seed-{seed}'}",
        f"seed={seed}",
        f"device={config.device}",
    ]
    if config.match != "none":
        budget = round(config.budget) if config.match in ("tokens", "steps") else config.budget
        overrides += [
            f"trainer.max_{name}={budget if name == config.match else 0}" for name in MATCHED if name != "none"
        ]
    return configuration.compose_train(overrides + config.overrides + options.overrides)


def _check(config: CompareConfig, configs: dict[tuple[str, int], TrainConfig]) -> None:
    """Refuses what would not be a fair comparison, before anything is trained."""
    if config.baseline not in config.systems:
        raise UserError(f"baseline={config.baseline}: no such system; {nearest(config.baseline, config.systems)}")
    if config.match not in MATCHED:
        raise UserError(f"match={config.match}: {nearest(config.match, MATCHED)}")
    if config.match != "none" and config.budget <= 0:
        raise UserError(f"budget={config.budget}: how many {config.match} does each system get?")
    if not config.seeds:
        raise UserError("seeds=[]: one or more are needed")
    for name, values in (("seeds", config.seeds), ("test_sets", config.test_sets)):
        if len(set(values)) != len(values):
            raise UserError(f"{name}={values}: each once")
    if config.checkpoint not in NAMED and not config.checkpoint.isdigit():
        raise UserError(f"checkpoint={config.checkpoint}: {nearest(config.checkpoint, NAMED)}, or a step number")
    (first_name, _), first = next(iter(configs.items()))
    for (system, _), other in configs.items():
        for part in ("corpus", "cleaning", "tokenizer", "validation"):
            if _shared(getattr(other, part)) != _shared(getattr(first, part)):
                raise UserError(f"systems {first_name} and {system} differ in {part}; a comparison needs one for all")
        if other.published.score and other.published.metric not in METRICS:
            raise UserError(f"published.metric={other.published.metric}: {nearest(other.published.metric, METRICS)}")
        if other.trainer.select_by != first.trainer.select_by:
            raise UserError(
                f"systems {first_name} and {system} differ in trainer.select_by; a comparison needs one for all"
            )
    known = first.corpus.test_names()
    if not known:
        raise UserError("corpus.tests: the corpus has no test set, and a comparison needs one")
    for name in config.test_sets:
        if name not in known:
            raise UserError(f"test_sets: no test set '{name}'; {nearest(name, known)}")


def _shared(options: object) -> object:
    """How long the sentences are that a system is trained on, or how they are segmented there, may be the very thing
    that is compared.
    """
    if isinstance(options, CleaningOptions):
        return replace(options, train_words=0)
    return replace(options, sampling=0.0) if isinstance(options, TokenizerOptions) else options


def _check_spent(config: CompareConfig, system: str, progress: Counters) -> None:
    """A run that was trained longer before is not what this comparison matches."""
    spent = {
        "minutes": progress.seconds / 60,
        "tokens": progress.tokens,
        "steps": progress.step,
        "epochs": progress.position.epoch,
    }.get(config.match, config.budget)
    slack = 3.0 if config.match == "minutes" else 0.1 * config.budget  # the last validation, the last batch
    if spent > config.budget + slack:
        raise UserError(
            f"{system}: its run has had {spent:.1f} {config.match}, more than budget={config.budget:g}; "
            "give the comparison another name, or delete the run"
        )


def _freeze_buckets(config: CompareConfig, train_config: TrainConfig) -> None:
    """Tells how many sentences each bucket of each test set holds, before any system is trained or scored."""
    for name in config.test_sets or train_config.corpus.test_names():
        sources = [pair.source for pair in train_config.corpus.read(name)]
        if not sources:
            raise UserError(f"corpus.tests: test set '{name}' is empty; nothing can be scored")
        buckets = make_buckets(sources, config.evaluation.bucket_bounds)
        log.info("%s: %s", name, ", ".join(f"{bucket.label} {len(bucket.sentences)}" for bucket in buckets))


def _gather(
    config: CompareConfig,
    command: str,
    trained: dict[tuple[str, int], tuple[Run, Counters]],
    evaluated: dict[tuple[str, int], list[Evaluation]],
) -> Comparison:
    rows: list[Row] = []
    differences: list[DifferenceRow] = []
    findings: list[Finding] = []
    sentences: list[SentenceSet] = []
    places: list[PlaceRow] = []
    gradients: list[GradientMap] = []
    test_sets: dict[str, dict[str, int]] = {}
    for index, shown in enumerate(next(iter(evaluated.values()))):
        by_system = {
            system: {str(seed): evaluated[system, seed][index] for seed in config.seeds} for system in config.systems
        }
        gold = trained[next(iter(trained))][0].config.corpus.known_links(shown.test_set)
        made, found = compare_on(by_system, config.baseline, config.evaluation, gold)
        places += recall_by_place(by_system, config.evaluation, gold)
        gradients += gradient_rows(by_system, config.evaluation)
        rows += made
        differences += found
        findings += find(by_system, config.baseline, config.evaluation)
        sentences.append(sentence_set(by_system, config.evaluation, gold))
        buckets = make_buckets(shown.sources, config.evaluation.bucket_bounds)
        test_sets[shown.test_set] = {bucket.label: len(bucket.sentences) for bucket in buckets}
    metrics = make_metrics(config.evaluation.metrics)
    runs = [
        _run_info(system, seed, *trained[system, seed], sum(e.seconds for e in evaluated[system, seed]))
        for system, seed in trained
    ]
    return Comparison(
        name=config.name,
        baseline=config.baseline,
        systems=list(config.systems),
        matched=MATCHED[config.match] + (f": {config.budget:g} each" if config.match != "none" else ""),
        metrics=[metric.name for metric in metrics],
        signatures={metric.name: metric.signature for metric in metrics},
        confidence=config.evaluation.confidence,
        min_sentences=config.evaluation.min_sentences,
        test_sets=test_sets,
        rows=rows,
        differences=differences,
        runs=runs,
        findings=findings,
        published=_published(config, trained, rows),
        sentences=sentences,
        places=places,
        gradients=gradients,
        costs=_costs(config, trained),
        capacities=_capacities(trained, rows, test_sets, runs),
        provenance=_provenance(config, command, trained),
        options={
            system: configuration.flat(asdict(trained[system, config.seeds[0]][0].config)) for system in config.systems
        },
    )


def _provenance(
    config: CompareConfig, command: str, trained: dict[tuple[str, int], tuple[Run, Counters]]
) -> dict[str, str]:
    """How the comparison was made."""
    return {
        "command": command,
        "scored at commit": git_commit() or "not in a git checkout",
        "trained at commit": ", ".join(f"{system} {commit_of(run)}" for (system, _), (run, _) in trained.items()),
        "machine": machine(),
        "search": f"beam {config.decoding.beam_size}, length penalty {config.decoding.length_penalty}, "
        f"{config.decoding.precision}",
        "significance": f"approximate randomisation, {config.evaluation.resamples} resamples, Holm over buckets",
    }


def _capacities(
    trained: dict[tuple[str, int], tuple[Run, Counters]],
    rows: list[Row],
    test_sets: dict[str, dict[str, int]],
    runs: list[RunInfo],
) -> list[CapacityRow]:
    """For generated tasks only: there, what is wrong was not held."""
    corpus = next(iter(trained.values()))[0].config.corpus
    contexts = {run.system: run.context for run in runs}
    return capacities(rows, test_sets, contexts) if corpus.measures_capacity else []


def _costs(config: CompareConfig, trained: dict[tuple[str, int], tuple[Run, Counters]]) -> list[CostRow]:
    """Of every system's first seed, all in one run."""
    if not config.evaluation.cost_lengths:
        return []
    device = choose_device(config.device)
    log.info("measuring time at lengths %s", ", ".join(map(str, config.evaluation.cost_lengths)))
    models = {s: trained[s, config.seeds[0]][0].model(config.checkpoint, device)[0] for s in config.systems}
    return measure(models, config.evaluation.cost_lengths)


def _published(
    config: CompareConfig, trained: dict[tuple[str, int], tuple[Run, Counters]], rows: list[Row]
) -> list[Published]:
    """What the experiments' papers say, where they say something."""
    found = []
    for system, options in config.systems.items():
        ours = trained[system, config.seeds[0]][0].config
        paper = configuration.compose_train([f"+experiment={options.experiment}"])
        changed = difference(asdict(paper), asdict(ours), SAME_EXPERIMENT)
        search = configuration.flat({"decoding": asdict(config.decoding), "checkpoint": config.checkpoint})
        seed = ALL_SEEDS if len(config.seeds) > 1 else str(config.seeds[0])
        of_seed = [row for row in rows if row.seed == seed]
        told = "{0}={2}, not {1}".format(*changed) if changed else other_search(ours.published, search)
        found.append(judge(ours.published, system, of_seed, told))
    return [published for published in found if published]


def _run_info(system: str, seed: int, run: Run, progress: Counters, decoding_seconds: float) -> RunInfo:
    events = read_journal(run.folder)
    start = next(event for event in events if event["event"] == "start")
    curve = [
        {key: event[key] for key in ("step", "seconds", "tokens", "loss", "bleu") if event.get(key) is not None}
        for event in events
        if event["event"] == "valid"
    ]
    speeds = sorted(event["tokens_per_second"] for event in events if event["event"] == "train")
    return RunInfo(
        system=system,
        seed=str(seed),
        parameters=start["parameters"],
        steps=progress.step,
        tokens=progress.tokens,
        seconds=progress.seconds,
        tokens_per_second=speeds[len(speeds) // 2] if speeds else progress.tokens / max(progress.seconds, 1e-9),
        best_step=progress.best_step,
        precision=start["precision"],
        decoding_seconds=decoding_seconds,
        folder=str(run.folder),
        context=start.get("context"),
        curve=curve,
    )
