"""What a comparison refuses: systems, and runs that were not trained under the terms that it tells."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from nmt.config import CONFIG_FOLDER, compose_train, load_train, register, typed
from nmt.corpus.kinds.files import FilesOptions
from nmt.errors import UserError
from nmt.evaluation.measures import measure as registry
from nmt.evaluation.measures.measure import MEASURES, Hits, Need
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.results import Comparison
from nmt.jobs import compare as job
from nmt.jobs.compare import compare_systems
from nmt.jobs.train import train_run
from nmt.schemas import CompareConfig, SystemOptions
from nmt.training.checkpoints.file import save_state
from nmt.training.checkpoints.parts import load_state
from tests.conftest import TINY_CORPUS, TINY_SIZES
from tests.processes import as_found
from tests.test_doors import quoted

SMALL = (*TINY_CORPUS, "corpus.test_bounds=[5]", "corpus.test_pairs_per_bucket=6", "validation.bleu_sentences=0")
SYSTEM = "experiment: demo/transformer"
CONSTANT = (*TINY_SIZES["transformer"], "optimizer.schedule=constant", "trainer.validate_every=2")
FALLING = (*TINY_SIZES["transformer"], "optimizer.schedule=linear", "trainer.validate_every=2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A folder whose comparisons ``falling`` and ``constant`` have trained one system, ``plain``, for four updates."""
    folder = tmp_path_factory.mktemp("fairness")
    compared(folder, "name=falling", options=FALLING)
    compared(folder, "name=constant", options=CONSTANT)
    return folder


def compared(folder: Path, *arguments: str, systems: str = "", options: tuple[str, ...] = FALLING) -> Comparison:
    """Compares systems in ``folder``, where their texts are cached. All have ``plain`` and four updates each."""
    small = (*SMALL, f"cache={folder}/cache", *options)
    asked = [
        *("name=c", "baseline=plain", f"systems={{plain: {{{SYSTEM}}}{systems}}}", "match=steps", "budget=4"),
        *(f"runs={folder}/runs", "device=cpu", "decoding.beam_size=1", "decoding.max_length_factor=1"),
        *(
            "evaluation.metrics=[chrf]",
            "evaluation.resamples=10",
            "evaluation.min_sentences=4",
            "evaluation.bucket_bounds=[10]",
        ),
        *("evaluation.shown_sentences=0", f"overrides={quoted(small)}", *arguments),
    ]
    register()
    with as_found(), initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        config = typed(compose("compare", asked), CompareConfig)
        results = compare_systems(config, "python -m nmt.compare")
    assert results is not None
    return results[0]


def system(name: str, *overrides: str) -> str:
    """A second system, for ``compared``."""
    return f", {name}: {{{SYSTEM}, overrides: {quoted(overrides)}}}"


def test_a_measure_whose_word_links_a_test_set_has_not_is_refused(monkeypatch):
    from nmt.jobs.fairness import check_test_sets

    monkeypatch.setattr(registry, "MEASURES", dict(MEASURES))

    class Linked(Hits):
        name = "linked"
        label = "linked words"
        needs = frozenset({Need.KNOWN_LINKS})

        def count(self, hypothesis, reference):
            return 0.0, 1.0

    evaluation = EvaluationOptions(metrics=["linked"])
    systems = {"fixed": SystemOptions("demo/fixed")}
    config = CompareConfig(name="c", baseline="fixed", systems=systems, evaluation=evaluation)
    of_grammar = compose_train(["+experiment=demo/fixed"])
    check_test_sets(config, of_grammar)
    of_files = compose_train(["+experiment=demo/fixed"])
    of_files.corpus = FilesOptions(train=["a.tsv"], valid="b.tsv", tests={"news": "c.tsv"})
    with pytest.raises(UserError, match="metrics=linked needs known word links, which test set 'news' has not"):
        check_test_sets(config, of_files)


def test_more_budget_is_accepted_only_where_the_learning_rate_does_not_follow_the_budget(runs):
    with pytest.raises(UserError, match=r"plain.*first 4 updates.*max_steps=4, not trainer.max_steps=8.*linear"):
        compared(runs, "name=falling", "budget=8", systems=system("again"))
    comparison = compared(runs, "name=constant", "budget=8", systems=system("again"), options=CONSTANT)
    scores = {(row.system, row.bucket, row.metric): row.score for row in comparison.rows}
    assert {run.steps for run in comparison.runs} == {8}
    assert all(score == scores["again", *key] for (name, *key), score in scores.items() if name == "plain")


@pytest.mark.slow
def test_more_budget_is_refused_where_its_end_was_validated_out_of_turn(runs):
    with pytest.raises(UserError, match="validated at update 1, the end of a budget"):
        for budget in (1, 2):
            compared(runs, "name=out_of_turn", f"budget={budget}", options=CONSTANT)


@pytest.mark.parametrize("option", ["trainer.accumulate=8", "trainer.patience=3", "trainer.validate_every=3"])
def test_a_run_that_was_trained_with_another_option_is_refused_before_anything_is_trained(runs, option):
    name, _, value = option.partition("=")
    was = getattr(load_train(runs / "runs/falling/plain/seed-1/config.yaml").trainer, name.partition(".")[2])
    with pytest.raises(UserError, match=f"plain.*trained with {name}={was}, not {value}"):
        compared(runs, "name=falling", options=(*FALLING, option))


def test_updates_under_another_option_are_told_although_the_last_ones_were_made_as_asked(runs):
    folder = runs / "runs/mixed/plain/seed-1"
    for steps, accumulate in ((2, 2), (4, 1)):
        options = [
            *TINY_CORPUS,
            *CONSTANT,
            "validation.bleu_sentences=0",
            f"trainer.max_steps={steps}",
            f"trainer.accumulate={accumulate}",
        ]
        options += [f"cache={runs}/cache", f"run.dir={folder}", "trainer.max_minutes=0"]
        train_run(compose_train(["+experiment=demo/transformer", *options]))
    with pytest.raises(UserError, match=r"updates 1 to 2 were made with trainer\.accumulate=2, not 1"):
        compared(runs, "name=mixed", options=CONSTANT)


def test_a_report_tells_the_options_that_a_run_was_trained_with(runs):
    first = compared(runs, "name=falling")
    watched = (*FALLING, "trainer.log_every=7", "trainer.threads=1", "trainer.keep_checkpoints=9")
    again = compared(runs, "name=falling", options=watched)
    assert again.options == first.options
    assert again.provenance["trained with"].startswith("threads 1, processes 1, precision fp32, torch")


def test_a_report_names_every_commit_that_trained_a_run(runs):
    shutil.copytree(runs / "runs/falling/plain", runs / "runs/two_commits/plain")
    journal = runs / "runs/two_commits/plain/seed-1/journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    first = next(line for line in lines if line["event"] == "start")
    starts = [{**first, "commit": commit} for commit in ("1234567", "89abcde")]
    others = [line for line in lines if line["event"] != "start"]
    journal.write_text("".join(json.dumps(line) + "\n" for line in [*starts, *others]))
    comparison = compared(runs, "name=two_commits")
    assert comparison.provenance["trained at commit"] == "plain 1234567, then 89abcde"


def test_a_run_of_an_earlier_version_is_compared_and_what_is_not_known_of_it_is_told(runs):
    shutil.copytree(runs / "runs/falling/plain", runs / "runs/earlier/plain")
    for path in (runs / "runs/earlier/plain/seed-1/checkpoints").iterdir():
        state = load_state(path)
        state.progress.parts = ()  # as it was before terms were kept
        save_state(state, path)
    comparison = compared(runs, "name=earlier")
    assert "plain, seed 1: its terms were not recorded" in str(comparison.to_json())
    with pytest.raises(UserError, match="first 4 updates"):
        compared(runs, "name=earlier", "budget=8")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("trainer.max_steps=2", "trainer.max_steps=2: every system gets budget=4"),
        ("++trainer={max_tokens: 9}", "every system gets budget=4"),
        ("seed=7", "seed=7: the comparison says it for all; say seeds="),
        ("run.dir=elsewhere", "say name= and runs="),
        ("resume=never", "resume=never"),
    ],
)
def test_an_override_of_what_the_comparison_says_is_refused_by_name(runs, override, told):
    with pytest.raises(UserError, match="systems.other.overrides: .*" + told.replace("+", r"\+")):
        compared(runs, systems=system("other", override))
    assert not (runs / "runs/c").exists()


def test_a_part_of_an_epoch_more_than_the_budget_is_refused(runs):
    compared(runs, "name=epochs", "match=epochs", "budget=0.1", options=CONSTANT)
    with pytest.raises(UserError, match=r"plain.*has had 0\.1\d* epochs, more than 0\.04"):
        compared(runs, "name=epochs", "match=epochs", "budget=0.04", options=CONSTANT)


def test_a_system_that_patience_ended_is_told_and_nothing_is_found_of_it(runs, monkeypatch):
    monkeypatch.setattr("nmt.evaluation.validation.Validation.scores", lambda self, shares: {"loss": 1.0})
    impatient = system("impatient", "trainer.patience=1", "trainer.validate_every=1", "optimizer.warmup_steps=0")
    comparison = compared(runs, "name=patience", systems=impatient + system("other"))
    assert "impatient had less (2 of 4 updates, ended by trainer.patience=1)" in comparison.matched
    assert "impatient, seed 1: ended by trainer.patience=1 at step 2 (best at 1)" in comparison.remarks
    assert comparison.unmatched.keys() == {"impatient"}
    assert {finding.system for finding in comparison.findings} == {"other"}
    assert {row.system for row in comparison.differences} == {"other"}
    assert all(row.p_value is None for row in comparison.rows if row.system == "impatient")


@pytest.fixture
def spent(monkeypatch):
    """Returns a function that makes runs of two updates pass for such that have had other amounts."""

    def pass_for(**amounts: float) -> None:
        def trained(config, ranks):
            config.trainer.max_steps = 2
            run, progress = train_run(config, ranks)
            return run, replace(progress, **amounts)

        monkeypatch.setattr(job, "train_run", trained)

    return pass_for


def test_minutes_are_matched_within_the_last_update_and_validation(runs, spent):
    spent(seconds=4.4 * 60)
    with pytest.raises(UserError, match=r"plain: its run has had 4\.4 minutes, more than 1\.5"):
        compared(runs, "name=minutes", "match=minutes", "budget=1.5")


def test_a_large_budget_is_written_out(runs, spent):
    spent(tokens=16_000_000)
    comparison = compared(runs, "name=tokens", "match=tokens", "budget=16000000")
    assert comparison.matched == "target tokens seen: 16,000,000 each"


def test_a_run_whose_base_was_trained_on_since_is_refused(runs):
    options = [*SMALL, *CONSTANT, f"cache={runs}/cache", f"run.dir={runs}/begun", "trainer.max_minutes=0"]
    begun = system("begun", f"finetuning.run={runs}/begun")
    for steps in (1, 2):
        train_run(compose_train(["+experiment=demo/transformer", *options, f"trainer.max_steps={steps}"]))
        if steps == 1:
            for _ in range(2):  # the second time, nothing has changed
                compared(runs, "name=falling", systems=begun)
    with pytest.raises(UserError, match=r"begun/seed-1: its run began with other weights than finetuning.run=.*begun"):
        compared(runs, "name=falling", systems=begun)


def test_two_tokenizers_of_the_same_options_are_refused(runs):
    options = [*SMALL, *FALLING, "corpus.seed=2", f"cache={runs}/cache", f"run.dir={runs}/base"]
    train_run(compose_train(["+experiment=demo/transformer", *options, "trainer.max_minutes=0", "trainer.max_steps=1"]))
    with pytest.raises(UserError, match="plain and tuned differ in tokenizer"):
        compared(runs, "name=falling", systems=system("tuned", f"finetuning.run={runs}/base"))
    assert not (runs / "runs/falling/tuned").exists()
