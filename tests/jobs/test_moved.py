"""Runs, and those they began with, that are used from another folder or have moved; their text may be elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nmt.config import register
from nmt.corpus.recipes.recipe import RECIPES
from nmt.decoding.options import DecodingOptions
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.results import Comparison
from nmt.jobs.compare import compare_systems
from nmt.run import open_run
from nmt.schemas import CompareConfig, SystemOptions
from nmt.training.journal import read_journal
from tests.conftest import TINY_SIZES
from tests.processes import as_found, door_in_process, fails

SMALL = (
    *("corpus=files", "corpus.train=['text/train.{language}']", "corpus.valid='text/test.{language}'"),
    *("corpus.tests={test: 'text/test.{language}'}", *TINY_SIZES["transformer"]),
    *("tokenizer.vocabulary_size=300", "batching.tokens=256", "validation.bleu_sentences=0", "trainer.precision=fp32"),
    *("optimizer.schedule=constant", "trainer.validate_every=1", "model.positions=sinusoidal"),
    *("model.encoder_layers=1", "model.decoder_layers=1"),
)
TRAIN = ("model=transformer", *SMALL, "trainer.max_minutes=0", "device=cpu")
EVALUATE = (
    *("device=cpu", "evaluation.resamples=10", "evaluation.bucket_bounds=[10]", "evaluation.shown_sentences=0"),
    *("decoding.beam_size=1", "decoding.max_length_factor=1"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``project`` with texts, a run ``base`` that was trained and evaluated there, and ``tuned``, that began
    with it.
    """
    project = tmp_path_factory.mktemp("made") / "project"
    (project / "text").mkdir(parents=True)
    for name, count in (("train", 40), ("test", 6)):
        for language, line in (("en", "the cat number {} sleeps"), ("de", "die Katze Nummer {} schläft")):
            lines = [line.format(number) + "\n" for number in range(count)]
            (project / f"text/{name}.{language}").write_text("".join(lines))
    train(project, "run.dir=base", "trainer.max_steps=2")
    train(project, "run.dir=tuned", "trainer.max_steps=1", "finetuning.run=base")
    assert evaluate(project, "base").returncode == 0
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Path]:
    """The runs copied to another place; their text is only where they were trained."""
    for run in ("base", "tuned"):
        shutil.copytree(made / run, tmp_path / run)
    yield tmp_path


@pytest.fixture
def without_text(made: Path) -> Iterator[None]:
    """Takes the text away from where the runs were trained, as on another machine."""
    (made / "text").rename(made / "away")
    yield
    (made / "away").rename(made / "text")


def train(folder: Path, *arguments: str) -> str:
    done = door_in_process("train", *TRAIN, *arguments, folder=folder)
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr.decode()


def evaluate(folder: Path, run: str, *more: str):
    return door_in_process("evaluate", f"run={run}", *EVALUATE, *more, folder=folder)


def test_a_run_is_evaluated_from_any_folder_by_the_text_it_was_trained_beside(made, project):
    done = evaluate(project, "base", "decoding.min_length=1")
    assert done.returncode == 0, done.stderr.decode()
    assert b"no such file" not in done.stderr
    assert open_run(project / "base").config.corpus.tests == {"test": "text/test.{language}"}


def test_where_another_text_lies_here_a_line_says_which_is_read(made, project):
    (project / "text").mkdir()
    for language in ("en", "de"):
        (project / f"text/test.{language}").write_text("another\n")
    done = evaluate(project, "base")
    assert done.stdout.decode().startswith("test: 6 sentences")
    assert f"read from {made}, where the run was trained; here lies another text" in done.stderr.decode()


def test_the_typed_command_goes_on_from_another_folder(made, project):
    told = train(project, "run.dir=base", "trainer.max_steps=3", f"cache={project}/cache")
    assert "going on from step 2" in told
    assert open_run(project / "base").config.corpus.train == ["text/train.{language}"]
    [*_, start] = [event for event in read_journal(project / "base") if event["event"] == "start"]
    assert not any(name.startswith("corpus") for name in start["changed"])


def test_without_its_text_a_run_is_evaluated_from_what_its_evaluations_hold(project, made, without_text):
    usual = evaluate(made, "base")
    done = evaluate(project, "base", "decoding.beam_size=2")
    assert done.returncode == 0, done.stderr.decode()
    assert (
        "test set 'test': text/test.en: no such file; its text is taken from base/evaluations" in done.stderr.decode()
    )
    assert done.stdout.decode().splitlines()[1:] and done.stdout.decode().startswith("test: 6 sentences")
    assert usual.stdout.decode().startswith("test: 6 sentences")
    # Another test set needs no text of the corpus at all.
    for language in ("en", "de"):
        (project / f"news.{language}").write_text("the cat\n")
    done = evaluate(project, "tuned", "source=news.en", "references=news.de")
    assert done.stdout.decode().startswith("news: 1 sentences")


@pytest.fixture
def recipe(monkeypatch) -> None:
    """A recipe that makes the text of the runs."""
    monkeypatch.delenv("NMT_DATA", raising=False)
    names = {f"{split}.{language}": "" for split in ("train", "test") for language in ("en", "de")}
    known = replace(RECIPES["multi30k"], folder="text", corpora=("text_en_de",), digests=names)
    monkeypatch.setitem(RECIPES, "text", known)


def test_a_run_whose_corpus_is_gone_reads_the_one_that_was_fetched(project, made, without_text, recipe):
    shutil.rmtree(project / "base/evaluations")
    command = "python -m nmt.data corpus=text_en_de fetches it (3 MB) into data/corpora/text"
    told = fails(
        evaluate(project, "base"), "test set 'test': text/test.en: not there (relative paths lead from", command
    )
    assert told.endswith(f"{command}, or give it as source=FILE references=[FILE]")
    shutil.copytree(made / "away", project / "data/corpora/text")
    done = evaluate(project, "base")
    assert done.returncode == 0 and done.stdout.decode().startswith("test: 6 sentences"), done.stderr.decode()
    assert done.stderr.decode().count("its corpus is not where it was") == 1
    assert open_run(project / "base").config.corpus.tests == {"test": "text/test.{language}"}


def test_a_run_from_another_machine_reads_the_corpus_that_was_fetched_here(project, made, without_text, recipe):
    shutil.rmtree(project / "base/evaluations")
    config = project / "base/config.yaml"
    config.write_text(config.read_text().replace("text/test.{language}", "/other/machine/text/test.{language}"))
    fails(evaluate(project, "base"), "/other/machine/text/test.en: not there", "corpus=text_en_de fetches it")
    shutil.copytree(made / "away", project / "data/corpora/text")
    assert evaluate(project, "base").returncode == 0


def test_text_that_was_edited_is_not_taken_and_the_mend_is_told(project, made, without_text):
    [source] = (project / "base/evaluations").rglob("source.txt")
    source.write_text(source.read_text().replace("cat", "dog"))
    fails(
        evaluate(project, "base"),
        "test set 'test': text/test.en: no such file",
        f"lead from {made}, where the run was trained, or from {project}",
        "give it as source=FILE references=[FILE]",
    )
    assert b"source.txt: not as it was written" in evaluate(project, "base").stderr


def test_a_run_goes_on_where_the_run_it_began_with_has_moved(made, project):
    shutil.copytree(made / "text", project / "text")
    (project / "bases").mkdir()
    (project / "base").rename(project / "bases/a")
    cache = f"cache={project}/cache"
    told = train(project, "run.dir=tuned", "trainer.max_steps=2", "finetuning.run=bases/a", cache)
    assert "going on from step 1" in told
    assert "finetuning.run" not in told.partition("the weights are not")[0]
    assert open_run(project / "tuned").config.finetuning.run == "bases/a"


@pytest.mark.slow
def test_a_comparison_is_made_again_where_its_text_is_not_and_the_base_has_another_name(made, project, monkeypatch):
    monkeypatch.chdir(made)
    before = compared("finetuning.run=base")
    shutil.copytree(made / "runs", project / "runs")
    (project / "base").rename(project / "renamed")
    (made / "text").rename(made / "away")
    monkeypatch.chdir(project)
    try:
        after = compared("finetuning.run=renamed")
    finally:
        (made / "away").rename(made / "text")
    assert after.rows == before.rows


def compared(*more: str) -> Comparison:
    """Compares one system of one update with nothing, in the current folder."""
    register()
    config = CompareConfig(
        name="c",
        baseline="plain",
        systems={"plain": SystemOptions("demo/transformer", list(more))},
        match="steps",
        budget=1,
        overrides=list(SMALL),
        decoding=DecodingOptions(beam_size=1, max_length_factor=1),
        evaluation=EvaluationOptions(metrics=["chrf"], bucket_bounds=[10], resamples=10, shown_sentences=0),
        device="cpu",
    )
    with as_found():
        result = compare_systems(config, "")
    assert result is not None
    return result[0]
