"""What a run's folder vouches for."""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from nmt import run as run_module
from nmt.config import load_train
from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.errors import UserError
from nmt.models.recurrent import RecurrentOptions
from nmt.run import MAY_CHANGE, NOT_THE_EXPERIMENT, difference, git_commit, option_names, start_run
from nmt.schemas import TrainConfig
from tests.processes import config_of


@pytest.fixture
def older_run(trained_run, tmp_path) -> Path:
    """A run whose record of the text is a bare hash, as it was before generated text had a version."""
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    path = folder / "provenance.json"
    record = json.loads(path.read_text())
    record["data"] = dict.fromkeys(record["data"], "0123456789abcdef")
    path.write_text(json.dumps(record))
    return folder


def no_tokenizer():
    raise AssertionError("the run has one")


def test_an_older_record_of_the_built_in_text_counts_where_the_options_agree(older_run, caplog):
    with caplog.at_level(logging.INFO, logger="nmt"):
        assert start_run(config_of(older_run), no_tokenizer).folder == older_run
    assert [m for m in caplog.messages if "can't be checked" in m] == caplog.messages[:1], "one line"


def test_an_older_record_does_not_count_for_other_options(older_run):
    config = config_of(older_run)
    config.corpus.seed = 2
    with pytest.raises(UserError, match=r"corpus\.train \(hash of the text\)"):
        start_run(config, no_tokenizer)


def test_an_older_record_does_not_count_for_a_later_version_of_the_text(older_run, monkeypatch):
    monkeypatch.setattr("nmt.corpus.kinds.grammar.GrammarOptions.version", 2)
    with pytest.raises(UserError, match=r"corpus\.train \(hash of the text\)"):
        start_run(config_of(older_run), no_tokenizer)


@pytest.mark.parametrize("data", [[], {}, None, {"train": 5}])
def test_a_record_of_another_form_is_as_none(older_run, data):
    (older_run / "provenance.json").write_text(json.dumps({"data": data}))
    assert start_run(config_of(older_run), no_tokenizer).folder == older_run


def test_a_record_with_something_else_for_a_hash_is_that_of_another_text(older_run):
    (older_run / "provenance.json").write_text(json.dumps({"data": {"train": 5, "valid": None}}))
    with pytest.raises(UserError, match="hash of the text"):
        start_run(config_of(older_run), no_tokenizer)


def test_a_configuration_that_is_refused_is_named(older_run):
    path = older_run / "config.yaml"
    path.write_text(re.sub(r"label_smoothing: .*", "label_smoothing: 7", path.read_text()))
    with pytest.raises(UserError, match=r"config\.yaml: trainer\.label_smoothing=7"):
        load_train(path)


def test_options_that_nothing_reads_do_not_keep_an_older_run_closed(older_run):
    path = older_run / "config.yaml"
    text = re.sub(r"  block: .*", "  block: 0", path.read_text())
    path.write_text(re.sub(r"(joining:\n  share: 0.0\n)  max_words: .*", r"\1  max_words: 1", text))
    config = load_train(path)
    assert (config.batching.block, config.joining.max_words) == (0, 1)


def test_a_copy_without_git_tells_the_commit_that_it_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr(run_module, "__file__", str(tmp_path / "run.py"))
    monkeypatch.delenv("NMT_COMMIT", raising=False)
    assert git_commit() == ""
    monkeypatch.setenv("NMT_COMMIT", "abc1234")
    assert git_commit() == "abc1234"


def test_what_may_change_is_named_beside_options_that_exist():
    config = asdict(TrainConfig(corpus=GrammarOptions(), model=RecurrentOptions()))
    for name in MAY_CHANGE | NOT_THE_EXPERIMENT:
        part, _, option = name.partition(".")
        assert part in config and (not option or option in config[part]), name


def test_what_may_change_is_collected_from_every_options_class():
    assert {"resume", "trainer.max_steps", "trainer.accumulate"} <= MAY_CHANGE
    assert {"seed", "trainer.precision"} <= NOT_THE_EXPERIMENT and "trainer.max_steps" not in NOT_THE_EXPERIMENT
    assert option_names("MAY_CHANGE") == MAY_CHANGE


def test_a_difference_is_the_first_option_that_may_not_change():
    old = {"trainer": {"max_steps": 1, "clip_norm": 1.0}, "seed": 1}
    assert difference(old, {"trainer": {"max_steps": 2, "clip_norm": 1.0}, "seed": 1}) is None
    assert difference(old, {"trainer": {"max_steps": 2, "clip_norm": 2.0}, "seed": 1}) == (
        "trainer.clip_norm",
        1.0,
        2.0,
    )
    assert difference(old, {**old, "seed": 2}) == ("seed", 1, 2)
    assert difference(old, {**old, "seed": 2}, NOT_THE_EXPERIMENT) is None
