"""All that a corpus lacks is told before anything is trained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nmt.corpus.kinds.files import FilesOptions, read_parallel
from nmt.corpus.recipes.recipe import RECIPES, Recipe
from nmt.errors import Absent
from nmt.jobs.missing import with_others
from tests.processes import door_in_process, fails

MULTI30K = "data/corpora/multi30k/train.en.gz: not there; python -m nmt.data corpus=multi30k_en_de fetches it (3 MB)"


@pytest.fixture(autouse=True)
def no_corpora(monkeypatch):
    monkeypatch.delenv("NMT_DATA", raising=False)


@pytest.fixture
def news(monkeypatch):
    """A second recipe."""
    recipe = Recipe(
        folder="news",
        title="News",
        languages=("en", "de"),
        corpora=("news_en_de",),
        pairs=0,
        licence="",
        citation="",
        treatment="",
        needs=(),
        digests={"news.en": "", "news.de": ""},
        splits=lambda sources: iter(()),
    )
    monkeypatch.setitem(RECIPES, "news", recipe)


def test_training_tells_the_command_and_writes_nothing(tmp_path):
    fails(door_in_process("train", "+experiment=multi30k/attention", folder=tmp_path), MULTI30K)
    assert not list(tmp_path.iterdir())


def test_a_comparison_tells_it_before_anything_is_trained(tmp_path):
    done = door_in_process("compare", "+comparison=multi30k", "device=cpu", folder=tmp_path)
    assert fails(done, MULTI30K).count("python -m nmt.data") == 1
    assert not list(tmp_path.iterdir())


def test_a_corpus_that_is_of_several_recipes_is_told_whole(tmp_path, news, monkeypatch):
    monkeypatch.chdir(tmp_path)
    captions = "data/corpora/multi30k/{}.{{language}}"
    tests = {"news": "data/corpora/news/news.{language}", "mine": "mine.{language}"}
    corpus = FilesOptions(train=[captions.format("train")], valid=captions.format("valid"), tests=tests)
    other = "data/corpora/news/news.en: not there; python -m nmt.data corpus=news_en_de fetches it (0 MB)"
    told = with_others(Absent(MULTI30K), corpus, ["train", "valid", "news", "mine"])
    assert str(told) == f"{MULTI30K}; and {other}"


def test_what_the_doors_of_a_run_are_given_is_told_with_the_command(trained_run, tmp_path, monkeypatch):
    place = "data/corpora/multi30k/test2016"
    told = f"{place}.de: not there; python -m nmt.data corpus=multi30k_en_de"
    (tmp_path / place).parent.mkdir(parents=True)
    for name in (f"{place}.en", f"{place}.links"):
        (tmp_path / name).write_text("0-0\n")
    given = (f"run={trained_run}", "device=cpu", f"source={place}.en")
    fails(door_in_process("align", *given, f"target={place}.en", f"gold={place}.de", folder=tmp_path), told)
    fails(door_in_process("evaluate", *given, f"references=[{place}.de]", folder=tmp_path), told)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Absent, match=re.escape(told)):  # which align and score read with
        list(read_parallel(Path(f"{place}.en"), Path(f"{place}.de")))
