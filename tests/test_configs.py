"""Every shipped configuration is loaded, and trained two steps at a reduced size."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from nmt.config import CONFIG_FOLDER, CompareConfig, compose_train, load_train, register, save, typed
from nmt.corpus.kinds.files import FilesOptions
from nmt.errors import UserError
from nmt.jobs.compare import compare_systems
from nmt.jobs.train import train_run
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.report import tables
from nmt.report.write import write_report
from tests.conftest import TINY_CORPUS, TINY_GRAMMAR, TINY_SIZES


def shipped(group: str) -> list[str]:
    folder = CONFIG_FOLDER / group
    names = [str(path.relative_to(folder).with_suffix("")) for path in sorted(folder.rglob("*.yaml"))]
    return [name for name in names if not name.endswith("shared")]


@pytest.fixture(scope="module")
def tiny_files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for split in ("train", "valid", "test"):
        pairs = list(TINY_GRAMMAR.read(split))
        (folder / f"{split}.a.gz").write_bytes(gzip.compress("".join(p.source + "\n" for p in pairs).encode()))
        (folder / f"{split}.b.gz").write_bytes(gzip.compress("".join(p.target + "\n" for p in pairs).encode()))
    return folder


@pytest.mark.parametrize("experiment", shipped("experiment"))
def test_every_experiment_trains_two_steps_at_a_reduced_size(experiment, tiny_files, tmp_path):
    config = compose_train([f"+experiment={experiment}", "trainer.precision=fp32"])
    sizes = [f"+experiment={experiment}", *TINY_SIZES[config.model.name]]
    config = compose_train(
        [
            *sizes,
            "tokenizer.vocabulary_size=400",
            "batching.tokens=200",
            "trainer.max_minutes=0",
            "trainer.max_steps=2",
            "validation.bleu_sentences=2",
            "device=cpu",
            "trainer.precision=fp32",
        ]
    )
    places = {split: f"{tiny_files}/{split}.{{language}}.gz" for split in ("train", "valid", "test")}
    config.corpus = FilesOptions(
        source_language="a",
        target_language="b",
        train=[places["train"]],
        valid=places["valid"],
        tests={"test": places["test"]},
    )
    config.run.dir, config.cache = str(tmp_path / "run"), str(tiny_files / "cache")
    _, progress = train_run(config)
    assert progress.step == 2 and progress.finished


@pytest.mark.parametrize("model", shipped("model"))
def test_every_model_configuration_builds_a_model_that_runs(model):
    config = compose_train([f"model={model}"])
    built = build_model(config.model, Vocabulary(50, 50, joint=True)).eval()
    source = torch.randint(4, 50, (2, 5))
    assert built(source, torch.ones(2, 5, dtype=torch.bool), source).hidden.shape[:2] == (2, 5)


@pytest.mark.parametrize("corpus", shipped("corpus"))
def test_every_corpus_configuration_loads(corpus):
    assert compose_train([f"corpus={corpus}"]).corpus.kind in ("grammar", "task", "files", "datasets", "mtdata")


@pytest.mark.parametrize("journal", shipped("journal"))
def test_every_journal_configuration_loads(journal):
    assert compose_train([f"journal={journal}"]).journal.second == journal


@pytest.mark.parametrize("comparison", shipped("comparison"))
def test_every_comparison_loads_and_its_systems_share_what_they_must(comparison):
    register()
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        config = typed(compose("compare", [f"+comparison={comparison}"]), CompareConfig)
    assert config.baseline in config.systems and len(config.systems) >= 2
    systems = [compose_train([f"+experiment={s.experiment}", *s.overrides]) for s in config.systems.values()]
    for system in systems[1:]:
        assert (system.corpus, system.tokenizer) == (systems[0].corpus, systems[0].tokenizer)
        assert replace(system.cleaning, train_words=0) == replace(systems[0].cleaning, train_words=0)


def test_a_paper_s_figure_runs_whole_at_a_reduced_size_and_says_that_it_was_reduced(tmp_path):
    small = [
        *TINY_CORPUS,
        *TINY_SIZES["recurrent"],
        "corpus=grammar",
        "model.dropout=0.1",
        "trainer.max_epochs=0",
        "trainer.max_steps=2",
        f"cache={tmp_path}/cache",
    ]
    overrides = "[" + ",".join(f"'{override}'" for override in small) + "]"
    register()
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        asked = ["+comparison=bahdanau2015_figure2", f"overrides={overrides}", f"runs={tmp_path}/runs"]
        asked += ["decoding.beam_size=1", "decoding.max_length_factor=1", "device=cpu", "evaluation.resamples=20"]
        config = typed(compose("compare", asked), CompareConfig)
    comparison, folder = compare_systems(config, "python -m nmt.compare +comparison=bahdanau2015_figure2")
    assert [found.published for found in comparison.published] == [26.75, 21.50, 17.82, 13.93]
    assert all(found.verdict.startswith("not run at this scale (corpus") for found in comparison.published)
    write_report(comparison, folder / "report")
    assert "not run at this scale" in (folder / "report/index.html").read_text()
    assert tables.differing_options(comparison).rows == [["cleaning.train_words", "50", "30", "50", "30"]]


def test_a_configuration_saved_and_loaded_is_the_same(tmp_path):
    config = compose_train(["+experiment=multi30k/transformer", "seed=4"])
    save(config, tmp_path / "config.yaml")
    loaded = load_train(tmp_path / "config.yaml")
    config.run.dir = "runs/multi30k/transformer/seed-4"
    assert loaded == config


def test_keys_that_no_option_has_are_refused_when_a_run_is_opened(tmp_path):
    save(compose_train([]), tmp_path / "config.yaml")
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace("clip_norm:", "clip_norn:"))
    with pytest.raises(UserError, match="clip_norn"):
        load_train(path)


@pytest.mark.parametrize("override", ["joining.share=nan", "trainer.guided_alignment=inf", f"seed={10**20}"])
def test_numbers_that_nothing_can_be_done_with_are_refused(override):
    with pytest.raises(UserError, match=override.partition("=")[0].replace(".", r"\.")):
        compose_train(["+experiment=demo/attention", override])
