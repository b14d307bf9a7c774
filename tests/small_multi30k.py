"""A repository like Multi30k's, small, and the module that teaches a process its digests; the recipe is real."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path
from pprint import pformat

from nmt.corpus.recipes.digests import digests_of_texts
from nmt.corpus.recipes.multi30k import LANGUAGES, SPLITS
from nmt.corpus.recipes.recipe import RECIPES
from tests.corpus.recipes.memory import MemorySource

MODULE = "small_multi30k_recipe"
SUBJECTS = {"en": ("man", "woman", "dog"), "de": ("Mann", "Frau", "Hund"), "fr": ("homme", "femme", "chien")}
LINES = 8500  # of train: above a megabyte, so that its files are gzipped as the real ones


def _line(language: str, number: int) -> str:
    subjects = SUBJECTS[language]
    words = [subjects[number % len(subjects)], language, *(f"{language}{number * prime % 97}" for prime in (3, 5, 7))]
    return " ".join([*words] * 6)


def _packed(language: str, split: str) -> bytes:
    count = LINES if split == "train" else 40
    first = 0 if split == "train" else LINES + len(split)
    lines = [f"{_line(language, number)}\n" for number in range(first, first + count)]
    return gzip.compress("".join(lines).encode(), mtime=0)


def repository() -> dict[str, bytes]:
    """Returns the content of every file of the repository, by its path."""
    [need] = RECIPES["multi30k"].needs
    files = {}
    for split in SPLITS.values():
        for language in LANGUAGES:
            files[f"{need.prefix}{split}.{language}.gz"] = _packed(language, split)
    return files


def write_module(folder: Path, files: dict[str, bytes]) -> None:
    """Writes the module for NMT_PLUGINS: the shipped recipe, with the digests of this repository."""
    recipe = RECIPES["multi30k"]
    [need] = recipe.needs
    contents = {path.removeprefix(need.prefix): content for path, content in files.items()}
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    small = replace(need, digests=digests)
    texts = digests_of_texts(recipe, [MemorySource(small, contents)])
    (folder / f"{MODULE}.py").write_text(
        "from dataclasses import replace\n"
        "import nmt.corpus.recipes\n"
        "from nmt.corpus.recipes.recipe import RECIPES\n"
        'recipe = RECIPES["multi30k"]\n'
        "[need] = recipe.needs\n"
        f"need = replace(need, digests={pformat(digests)})\n"
        f'RECIPES["multi30k"] = replace(recipe, needs=(need,), digests={pformat(texts)})\n'
    )
