"""What is said of a file of text that is not there: the command that fetches it, where a recipe makes it."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Sequence
from pathlib import Path

from nmt.corpus.fetching.place import corpora_folder, real, recipe_of
from nmt.corpus.fetching.sizes import MEGABYTE
from nmt.corpus.recipes.recipe import RECIPES, Recipe
from nmt.errors import Absent


def absent(path: Path, languages: Sequence[str] = ()) -> Absent:
    """Returns what to raise for a file of a corpus that is not there. ``*`` in its name stands for any number of files.

    ``languages`` are those of the corpus; by default the one that ends the file's name.
    """
    mend = how_to_fetch(path, languages)
    if mend:
        return Absent(f"{path}: not there; {mend}")
    what = "no such files" if "*" in path.name else "no such file"
    return Absent(f"{path}: {what}; check the corpus paths")


def how_to_fetch(path: Path, languages: Sequence[str] = ()) -> str:
    """Returns the command that fetches a file, what it downloads and, where that is another folder, into which.

    Empty for a file that no recipe makes.
    """
    recipe = recipe_of(path)
    pronoun = "it"
    if "*" in path.name:
        recipe = _recipe_of_pattern(path)
        pronoun = "them"
    if recipe is None:
        return ""
    if not languages:
        languages = [path.name.removesuffix(".gz").rpartition(".")[2]]
    command = fetching_command(recipe, languages)
    mend = f"{command} fetches {pronoun} ({megabytes(recipe.size)})"
    folder = corpora_folder() / recipe.folder
    if real(path.parent) != real(folder):
        mend += f" into {folder}"
    return mend


def fetching_command(recipe: Recipe, languages: Sequence[str] = ()) -> str:
    """Returns what to type to fetch a corpus: it names the configuration that has these languages, else the first."""
    chosen = recipe.corpora[0]
    for name in recipe.corpora:
        if set(languages) <= set(name.split("_")):
            chosen = name
            break
    return f"python -m nmt.data corpus={chosen}"


def megabytes(size: int) -> str:
    """Returns a number of bytes in megabytes, rounded up."""
    return f"{math.ceil(size / MEGABYTE):,} MB"


def _recipe_of_pattern(path: Path) -> Recipe | None:
    """Returns the recipe that makes a file which a pattern names; None where no recipe does."""
    recipe = RECIPES.get(path.parent.name)
    pattern = path.name.removesuffix(".gz")
    if recipe and fnmatch.filter(recipe.digests, pattern):
        return recipe
    return None
