"""SOURCE.md says in words what a person who cites a corpus needs."""

from __future__ import annotations

from nmt.corpus.fetching.download import Patience
from nmt.corpus.fetching.lengths import lengths_of, source_md
from nmt.corpus.recipes.recipe import RECIPES, Split


def source_of(folder: str) -> str:
    split = Split("train", {"en": ["a b c"], "de": ["a b"]})
    recipe = RECIPES[folder]
    return source_md(recipe, [lengths_of(split, recipe.measured)])


def test_it_names_the_command_and_what_is_counted():
    text = source_of("multi30k")
    assert "- Made by: `python -m nmt.data corpus=multi30k_en_de`; the same text on every machine\n" in text
    assert "The columns from 1-10 to 81+ count pairs by the words of their en side; max is its longest." in text
    assert "| split | pairs | words en | words de |" in text


def test_the_folder_of_many_files_is_named_once():
    text = source_of("multi30k")
    assert text.count("data/task1/raw/") == 1
    assert "of what begins with `data/task1/raw/`: `train.en.gz`, `train.de.gz`" in text


def test_every_recipe_makes_one_without_empty_lines_in_its_list():
    for folder in RECIPES:
        facts = source_of(folder).partition("\n\n")[2].partition("\n\n")[0]
        assert all(line.startswith("- ") for line in facts.splitlines()), folder


def test_a_host_with_eight_numbers_that_drops_everything_is_given_up_within_a_minute():
    """urllib3 waits for each number of a host in turn."""
    assert 8 * Patience().connecting < 60
