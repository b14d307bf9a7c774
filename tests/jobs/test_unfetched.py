"""A corpus of which nothing can be fetched is told with what to type instead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.recipes.recipe import RECIPES
from nmt.jobs.unfetched import nothing_to_fetch


@pytest.fixture(autouse=True)
def corpora(monkeypatch):
    monkeypatch.setenv("NMT_DATA", "corpora")


def told(folder: str) -> str:
    corpus = FilesOptions(source_language="en", target_language="de", train=[f"corpora/{folder}/train.{{language}}"])
    return str(nothing_to_fetch(corpus))


def test_a_folder_of_no_recipe_asks_for_the_module_of_one():
    message = told("proverbs")
    assert message.startswith("corpora/proverbs/train.{language}: no recipe has folder=proverbs;")
    assert "NMT_PLUGINS" in message and "multi30k" in message


def test_a_recipe_without_digests_is_told_where_they_are_found(monkeypatch):
    recipe = replace(RECIPES["multi30k"], folder="proverbs", digests={})
    monkeypatch.setitem(RECIPES, "proverbs", recipe)
    assert "the recipe proverbs has digests={}; docs/extending.md" in told("proverbs")


def test_a_text_that_a_recipe_does_not_make_is_told_with_those_it_makes():
    corpus = FilesOptions(source_language="en", target_language="de", valid="corpora/multi30k/dev.{language}")
    message = str(nothing_to_fetch(corpus))
    assert message.startswith(
        "corpora/multi30k/dev.{language}: the recipe multi30k makes no such text (known: test2016"
    )


def test_files_elsewhere_are_the_users_own():
    corpus = FilesOptions(source_language="en", target_language="de", train=["my/train.{language}"])
    assert "your own files" in str(nothing_to_fetch(corpus))
