"""What a run's folder vouches for."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from nmt import run as run_module
from nmt.config import load_train
from nmt.errors import UserError
from nmt.run import git_commit, start_run


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


def config_of(folder: Path):
    config = load_train(folder / "config.yaml")
    config.run.dir = str(folder)
    return config


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


def test_a_copy_without_git_tells_the_commit_that_it_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr(run_module, "__file__", str(tmp_path / "run.py"))
    monkeypatch.delenv("NMT_COMMIT", raising=False)
    assert git_commit() == ""
    monkeypatch.setenv("NMT_COMMIT", "abc1234")
    assert git_commit() == "abc1234"
