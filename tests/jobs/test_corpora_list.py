"""The table of corpora that can be had by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.corpus.recipes.recipe import RECIPES, Recipe
from nmt.jobs.corpora_list import WIDTH, list_corpora
from tests.processes import door_in_process


def row_of(table: str, name: str) -> str:
    [row] = [line for line in table.splitlines() if line.startswith(f"{name} ")]
    return row


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    monkeypatch.setenv("NMT_DATA", str(tmp_path / "corpora"))
    return tmp_path / "corpora"


def test_a_corpus_is_here_once_all_its_texts_are(corpora):
    row = row_of(list_corpora(), "multi30k_en_de")
    assert row.split()[:8] == ["multi30k_en_de", "en", "de", "fr", "29,000", "3", "MB", "no"]
    (corpora / "multi30k").mkdir(parents=True)
    names = sorted(RECIPES["multi30k"].digests)
    for name in names[1:]:
        (corpora / "multi30k" / f"{name}.gz").touch()
    assert row_of(list_corpora(), "multi30k_en_de") == row
    (corpora / "multi30k" / names[0]).touch()
    assert row_of(list_corpora(), "multi30k_en_de") == row.replace("MB  no ", "MB  yes")


def test_every_recipe_and_its_other_configurations_have_rows(corpora):
    table = list_corpora()
    for recipe in RECIPES.values():
        for name in recipe.corpora:
            assert f"\n{name}" in table


def test_another_configuration_of_a_corpus_names_the_one_it_comes_with(corpora):
    row = row_of(list_corpora(), "multi30k_en_fr")
    assert " ".join(row.split()) == "multi30k_en_fr no comes with multi30k_en_de"


def test_what_a_library_brings_has_a_row_with_unknown_sizes(corpora):
    row = row_of(list_corpora(), "wmt14_en_de")
    assert row.split() == ["wmt14_en_de", "en", "de", "-", "-", "-", "see", "wmt/wmt14;", "`datasets`"]


def test_the_table_fits_into_its_width_however_long_a_licence_is(corpora, monkeypatch):
    monkeypatch.setitem(RECIPES, "multi30k", _with_licence("long words " * 30))
    lines = list_corpora().splitlines()
    assert max(map(len, lines[1:])) <= WIDTH and row_of("\n".join(lines), "multi30k_en_de").endswith(" ...")


def _with_licence(text: str) -> Recipe:
    return replace(RECIPES["multi30k"], licence=text)


def test_the_door_prints_it_and_needs_no_corpus(tmp_path, corpora):
    done = door_in_process("data", "do=list", "corpus=files", folder=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == f"{list_corpora()}\n"
    assert done.stdout.decode().startswith(f"In {corpora}/ ")
