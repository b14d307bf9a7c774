"""What holds for every corpus that has a recipe."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from nmt.config import CONFIG_FOLDER, compose_train
from nmt.corpus.fetching.place import recipe_of
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.recipes.recipe import RECIPES, Archive, Files, Recipe, Split
from nmt.errors import Damaged
from tests.corpus.recipes import memory  # noqa: F401  registers all of them

DIGEST = re.compile("[0-9a-f]{64}")
COMMIT = re.compile("[0-9a-f]{40}")
SHIPPED = {
    "agreement-en-de",
    "europarl-en-fr",
    "manpages-en-de",
    "multi30k",
    "newstest-en-de",
    "scan",
    "tatoeba-en-de",
    "word-alignment-gold",
}


@pytest.fixture(params=sorted(RECIPES))
def recipe(request) -> Recipe:
    return RECIPES[request.param]


@cache
def corpus_of(name: str) -> FilesOptions:
    """The corpus of a configuration, as it is where no folder is named."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NMT_DATA", raising=False)
        corpus = compose_train([f"corpus={name}"]).corpus
    assert isinstance(corpus, FilesOptions)
    return corpus


def paths_of(corpus: FilesOptions) -> list[Path]:
    """The files that a corpus reads."""
    places = [*corpus.train, *([corpus.valid] if corpus.valid else []), *corpus.tests.values()]
    languages = (corpus.source_language, corpus.target_language)
    return [Path(place.replace("{language}", language)) for place in places for language in languages]


def configurations() -> list[tuple[str, str]]:
    return [(recipe.folder, name) for recipe in RECIPES.values() for name in recipe.corpora]


def test_every_corpus_that_we_had_has_a_recipe():
    assert RECIPES.keys() >= SHIPPED
    assert all(folder == recipe.folder for folder, recipe in RECIPES.items())


def test_every_text_and_file_has_a_digest_and_every_repository_a_commit(recipe):
    assert recipe.digests and all(map(DIGEST.fullmatch, recipe.digests.values()))
    assert recipe.needs and all(COMMIT.fullmatch(need.commit) for need in recipe.needs)
    for need in recipe.needs:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", need.repository)
        if isinstance(need, Files):
            assert need.digests and all(map(DIGEST.fullmatch, need.digests.values()))


def test_every_size_is_known(recipe):
    for need in recipe.needs:
        assert need.size > 0
        if isinstance(need, Archive):
            assert need.unpacked > 0
    assert recipe.size == sum(need.size for need in recipe.needs)


def test_every_recipe_says_what_its_text_is_and_whose(recipe):
    for words in (recipe.title, recipe.licence, recipe.citation, recipe.treatment):
        assert words.strip() and "\n" not in words and "  " not in words
    assert recipe.languages and re.search(r"\d{4}|\.org|\.net", recipe.citation)


def test_what_is_measured_is_a_text_of_every_split(recipe):
    ending = f".{recipe.measured}"
    splits = {name.removesuffix(ending) for name in recipe.digests if name.endswith(ending)}
    for name in recipe.digests:
        assert any(name.startswith(f"{split}.") for split in splits), name


@pytest.mark.parametrize(("folder", "name"), configurations())
def test_every_configuration_reads_texts_of_its_recipe_alone(folder, name):
    paths = paths_of(corpus_of(name))
    assert paths
    for path in paths:
        assert recipe_of(path) is RECIPES[folder], path
        assert path.parent == Path("data/corpora") / folder
    languages = {path.name.removesuffix(".gz").rpartition(".")[2] for path in paths}
    assert languages <= set(RECIPES[folder].languages)


def test_no_two_recipes_name_one_configuration():
    names = [name for _, name in configurations()]
    assert len(set(names)) == len(names)
    assert all((CONFIG_FOLDER / f"corpus/{name}.yaml").is_file() for name in names)


def test_a_recipe_of_training_text_has_a_configuration_that_trains(recipe):
    corpus = corpus_of(recipe.corpora[0])
    assert bool(corpus.train) == bool(recipe.pairs)


def test_texts_of_unequal_length_are_no_split():
    with pytest.raises(Damaged, match=r"train\.en 2, train\.de 1: not equal in number"):
        Split("train", {"en": ["a", "b"], "de": ["a"]})
