"""Fetching and listing the corpora that have a recipe."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from nmt.corpus.fetching.place import corpora_folder, is_here, recipe_of, write_texts
from nmt.corpus.fetching.sources import CloneSource
from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.recipes.recipe import RECIPES, Recipe
from nmt.errors import UserError
from nmt.schemas import DataConfig

log = logging.getLogger("nmt")


def list_corpora() -> str:
    """Returns a line for each corpus that has a recipe."""
    root = corpora_folder()
    lines = []
    for recipe in RECIPES.values():
        state = "here" if is_here(recipe, root) else "-"
        lines.append(f"{recipe.corpora[0]}  {' '.join(recipe.languages)}  {recipe.pairs:,}  {recipe.licence}  {state}")
    return "\n".join(lines)


def fetch_corpora(config: DataConfig) -> None:
    """Fetches every corpus with a recipe that a configuration reads, and what its kind fetches itself.

    Raises UserError where there is nothing to fetch.
    """
    recipes = list(dict.fromkeys(recipes_of(config.corpus)))
    lines = config.corpus.fetch()
    for line in lines:
        log.info("%s", line)
    if not recipes and not lines:
        raise UserError(
            f"corpus: kind={config.corpus.kind} has no text to fetch; python -m nmt.data do=list shows what has"
        )
    for recipe in recipes:
        folder = corpora_folder() / recipe.folder
        folder.mkdir(parents=True, exist_ok=True)
        sources = [CloneSource(Path(config.source), need) for need in recipe.needs]
        write_texts(recipe, sources, folder)
        log.info("%s: %s is here", folder, recipe.title)


def recipes_of(corpus: Corpus) -> Iterator[Recipe]:
    """Yields the recipe of every place of text of a corpus that a recipe makes."""
    for name in ("train", "valid", "tests", "links"):
        value = getattr(corpus, name, "")
        places = [value]
        if isinstance(value, dict):
            places = list(value.values())
        elif isinstance(value, list):
            places = value
        for place in places:
            recipe = recipe_of(Path(place.replace("{language}", corpus.source_language)))
            if recipe:
                yield recipe
